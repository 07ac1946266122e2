"""How the values of the model are made: declared like dataclasses, stored as tuples.

A dataclass compiles its methods when it is imported, which for the classes here was 9 ms of the boot, in the loader and
in the supervisor. These compile nothing: a value is a tuple with names, so that making, comparing and sending one are
done in C, and nobody can change it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any, ClassVar, Self, dataclass_transform

SLICE = 64
"""Elements of a long tuple that are decoded at once: jobs, half a millisecond."""

_CLASSES: dict[str, type[Value]] = {}
_NONE = object()
"""In the place of a default that a field does not have."""


@dataclass_transform(frozen_default=True)
class ValueType(type):
    """Turns the annotations of a class into the names of a tuple's elements."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> ValueType:
        """Make a class of values."""
        if any(vars(base).get("_names") for base in bases):
            raise TypeError(f"cannot make {name}: {bases[0].__name__} is a value, and values have no subclasses")
        names = tuple(
            [one for one, kind in namespace.get("__annotations__", {}).items() if not str(kind).startswith("ClassVar")]
        )
        defaults = {one: namespace.pop(one) for one in names if one in namespace}
        for index, one in enumerate(names):
            namespace[one] = property(itemgetter(index))
        in_order = tuple([defaults.get(one, _NONE) for one in names])
        namespace.update(__slots__=(), __match_args__=names, _names=names, _defaults=defaults, _in_order=in_order)
        namespace["_places"] = {one: index for index, one in enumerate(names)}
        namespace["_needed"] = 1 + max([index for index, one in enumerate(in_order) if one is _NONE], default=-1)
        ignored = namespace.get("ignored", ())
        if ignored:
            namespace["_compared"] = itemgetter(*[index for index, one in enumerate(names) if one not in ignored])
        elif "__hash__" not in namespace:  # not in the base: it is for those that ignore fields
            namespace["__hash__"] = tuple.__hash__  # faster than the base's
        made = super().__new__(mcs, name, bases, namespace)
        _CLASSES[name] = made  # type: ignore[assignment]  # every class of this metaclass is a Value
        return made


class Value(tuple[Any, ...], metaclass=ValueType):  # noqa: SLOT001  - the metaclass adds them
    """The base of all values: equal to another of its class when all fields are, hashable, immutable.

    Fields are annotated in the class, with their defaults; a module that declares some postpones the evaluation of
    annotations. Names of classes are unique, because a value is sent under the name of its class.

    Attributes:
        ignored: Names of fields that say where a value comes from and not what it is: they are not compared.
    """

    ignored: ClassVar[tuple[str, ...]] = ()
    _names: ClassVar[tuple[str, ...]]
    _defaults: ClassVar[dict[str, Any]]
    _in_order: ClassVar[tuple[Any, ...]]
    _needed: ClassVar[int]  # so many fields have to be given in order, for the rest to have defaults
    _places: ClassVar[dict[str, int]]
    _compared: ClassVar[Any] = None  # gives the fields that are compared; None: all of them are

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Make a value from its fields, in order or by name.

        Raises:
            TypeError: a field without a default is missing, or one is not known.
        """
        names = cls._names
        if not kwargs and cls._needed <= len(args) <= len(names):
            return tuple.__new__(cls, args if len(args) == len(names) else args + cls._in_order[len(args) :])
        fields = dict(zip(names, args, strict=False))
        for name in names[len(args) :]:
            if name in kwargs:
                fields[name] = kwargs.pop(name)
            elif name in cls._defaults:
                fields[name] = cls._defaults[name]
            else:
                raise TypeError(f"{cls.__name__} needs {name}")
        if kwargs or len(args) > len(names):
            raise TypeError(f"{cls.__name__} has no field {', '.join(kwargs) or len(args)}")
        return tuple.__new__(cls, fields.values())

    def changed(self, **fields: Any) -> Self:
        """This value with other contents in the named fields.

        Raises:
            TypeError: a field is not known.
        """
        places, contents = self._places, list(self)
        try:
            for name, content in fields.items():
                contents[places[name]] = content
        except KeyError:
            unknown = ", ".join(fields.keys() - places.keys())
            raise TypeError(f"{type(self).__name__} has no field {unknown}") from None
        return tuple.__new__(type(self), contents)

    def __eq__(self, other: object) -> bool:
        if other is self:
            return True
        if type(other) is not type(self):
            return False
        compared = self._compared
        return tuple.__eq__(self, other) if compared is None else compared(self) == compared(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return tuple.__hash__(self) if self._compared is None else hash(self._compared(self))

    def __repr__(self) -> str:
        shown = ", ".join([f"{name}={value!r}" for name, value in zip(self._names, self, strict=True)])
        return f"{type(self).__name__}({shown})"


def names_of(kind: type[Value]) -> tuple[str, ...]:
    """The names of a class's fields, in order."""
    return kind._names  # noqa: SLF001  - this is its module


def defaults_of(kind: type[Value]) -> Mapping[str, Any]:
    """The defaults of those fields of a class that have one."""
    return kind._defaults  # noqa: SLF001  - this is its module


def encode(value: Any) -> Any:
    """A value as what `marshal` can carry: each value is a list that begins with the name of its class.

    Fields at the end that have their default are left out, which for a job is most of them.

    Args:
        value: A Value, a tuple, or a scalar: what fields may hold.
    """
    kind = type(value)
    if kind is tuple:
        return tuple([encode(one) if isinstance(one, tuple) else one for one in value])
    if not isinstance(value, Value):
        return value
    defaults, count = kind._in_order, len(value)  # noqa: SLF001  - this is its module
    while count and value[count - 1] is defaults[count - 1]:
        count -= 1
    plain = [kind.__name__, *value[:count]]
    for index in range(1, count + 1):
        one = plain[index]
        if isinstance(one, tuple) and (one or type(one) is not tuple):
            plain[index] = encode(one)
    return plain


def decode(plain: Any) -> Any:
    """The inverse of `encode`. Does not validate: only our own output goes in.

    Raises:
        KeyError: a class has not been imported here.
    """
    kind = type(plain)
    if kind is tuple:
        return tuple([decode(one) if type(one) in _NESTED else one for one in plain]) if plain else plain
    if kind is not list:
        return plain
    name, *fields = plain
    for index, one in enumerate(fields):
        if type(one) in _NESTED:
            fields[index] = decode(one)
    made = _CLASSES[name]
    defaults = made._in_order  # noqa: SLF001  - this is its module
    if len(fields) < len(defaults):
        fields += defaults[len(fields) :]
    return tuple.__new__(made, fields)


def decode_in_slices(plain: Any, pause: Callable[[], object]) -> Any:
    """As `decode`, for an answer that may be long: `pause` is called after every `SLICE` elements of its tuples.

    Raises:
        KeyError: a class has not been imported here.
    """
    if type(plain) is not list:
        return decode(plain)
    fields = []
    for one in plain:
        if type(one) is not tuple or len(one) <= SLICE:
            fields.append(one)
            continue
        made: list[Any] = []
        for start in range(0, len(one), SLICE):
            made += decode(one[start : start + SLICE])
            pause()
        fields.append(tuple(made))
    return decode(fields)  # what is decoded already stays as it is


_NESTED = (list, tuple)
