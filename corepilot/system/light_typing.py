"""A `typing` for the supervisor: enough to import modules with types, none of which it ever looks at.

The real one is half a megabyte and five milliseconds, and its protocols are abstract classes, a kilobyte more each.
What is written with this one, such as a protocol, a literal or a type variable, is a plain object or a plain class;
named tuples and typed dictionaries work. Whatever this does not know is the real module's.

`begin` puts it in the place of `typing` and `end` takes it away again, before anything of a plugin's is imported: a
plugin may ask for more than names. Modules that were imported in between keep what they have got. Since Python 3.14 a
class says in another way what its fields are, so there the real module is used.
"""

from __future__ import annotations

import collections
import collections.abc
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_FORMS = (
    *("Annotated", "AnyStr", "ClassVar", "Concatenate", "Final", "Literal", "NoReturn", "Never", "NotRequired"),
    *("Optional", "Pattern", "Required", "Self", "TypeAlias", "TypeGuard"),
)
_BUILT_IN = {"List": list, "Dict": dict, "Set": set, "FrozenSet": frozenset, "Tuple": tuple, "Type": type}
_TO_LEAVE = ("__new__", "__init__", "__slots__", "__getnewargs__", "_fields", "__annotations__", "__module__")


class _Type:
    """A type that is written with square brackets, or before them."""

    __slots__ = ("__args__", "__origin__")

    def __init__(self, origin: object = None, args: tuple[object, ...] = ()) -> None:
        self.__origin__, self.__args__ = origin, args

    def __getitem__(self, args: object) -> _Type:
        return _Type(self, args if isinstance(args, tuple) else (args,))

    def __or__(self, other: object) -> _Type:
        return _Type(_UNION, (self, other))

    __ror__ = __or__

    def __call__(self, *_: object, **__: object) -> Any:  # Python's unions and generics take what can be called
        raise TypeError("this is a type, and makes nothing")


_UNION = _Type()


class _Anything:
    """Stands for typing.Any."""


class _Generic:
    """Stands for typing.Generic and typing.Protocol, as bases."""

    __slots__ = ()

    def __class_getitem__(cls, _: object) -> type[_Generic]:
        return cls


class _NamedTupleType(type):
    """Makes a named tuple of a class with annotations."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> Any:
        if not bases:
            return super().__new__(mcs, name, bases, namespace)
        fields = namespace.get("__annotations__", {})
        defaults = [namespace[one] for one in fields if one in namespace]
        make: Any = collections.namedtuple  # noqa: PYI024  - this is what makes the other one
        made = make(name, fields, defaults=defaults, module=namespace["__module__"])
        made.__annotations__ = fields
        for one, content in namespace.items():
            if one not in fields and one not in _TO_LEAVE:
                setattr(made, one, content)
        return made


class _TypedDict(dict[str, "Any"]):
    """Stands for typing.TypedDict as a base: its subclasses do not know their keys."""

    def __init_subclass__(cls, *, total: bool = True) -> None:
        """Take what is said about the keys."""


def _of_decorator(**_: object) -> Callable[[Any], Any]:
    return _same


def _same(one: Any) -> Any:
    return one


def _cast(_: object, value: Any) -> Any:
    return value


def _type_variable(*_: object, **__: object) -> _Type:
    return _Type()


def _get_args(one: Any) -> Any:
    return one.__args__ if isinstance(one, _Type) else _real().get_args(one)


class _LightTyping(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # the import system asks for these
            raise AttributeError(name)
        if name in collections.abc.__all__:
            return getattr(collections.abc, name)
        return getattr(_real(), name)


_LIGHT = _LightTyping("typing")
_REAL: list[ModuleType] = []
"""The real module, once it is known."""

_LIGHT.__dict__.update({name: _Type() for name in _FORMS})
_LIGHT.__dict__.update(
    _BUILT_IN,
    TYPE_CHECKING=False,
    Any=_Anything,
    Generic=_Generic,
    NamedTuple=_NamedTupleType("NamedTuple", (), {}),
    ParamSpec=_type_variable,
    Protocol=type("Protocol", (_Generic,), {}),
    TypeVar=_type_variable,
    TypedDict=_TypedDict,
    Union=_UNION,
    _GenericAlias=_Type,  # what `dataclasses` asks about
    cast=_cast,
    dataclass_transform=_of_decorator,
    final=_same,
    get_args=_get_args,
    overload=_same,
)


def _real() -> Any:
    """The real module, which others go on not seeing."""
    if not _REAL:
        seen = sys.modules.pop("typing", None)
        _REAL.append(importlib.import_module("typing"))
        if seen is not None:
            sys.modules["typing"] = seen
    return _REAL[0]


@contextmanager
def light_types() -> Iterator[None]:
    """Have `typing` stood for, also if it is loaded, while something is imported that only names its types.

    A type that is written as a text then stays one. `typing` compiles it, and the first text that a process compiles so
    sets up what Python's `ast` module is made of: a fifth of a megabyte.
    """
    before = sys.modules.get("typing")
    if before is not None and before is not _LIGHT and not _REAL:
        _REAL.append(before)
    begin(anyway=True)
    try:
        yield
    finally:
        if before is not _LIGHT:
            end()


def begin(*, anyway: bool = False) -> None:
    """Have `typing` stood for from now on.

    Args:
        anyway: Also if it is loaded.
    """
    if sys.version_info < (3, 14) and (anyway or "typing" not in sys.modules):
        sys.modules["typing"] = _LIGHT


def end() -> None:
    """Have the real one imported by whoever imports it from now on. Idempotent."""
    if sys.modules.get("typing") is _LIGHT:
        del sys.modules["typing"]
        if _REAL:
            sys.modules["typing"] = _REAL[0]
