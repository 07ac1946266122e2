"""Imports of the boot path, without the modules that only their unused features need.

gevent describes itself with zope.interface: 0.65 MB in every supervisor. Its interfaces then are plain empty classes;
nobody asks them anything, they serve documentation and type registries. It unindents the documentation of its settings
with `textwrap`, and `socket` wants `selectors` for sendfile: a tenth of a megabyte together. `dataclasses` imports
`inspect` for the docstrings of classes that have none, such as one of h11: 6 ms before the first job, and 1 MB. These
then do not list their fields. pluggy looks at hooks with `inspect`, the same megabyte in every supervisor with a
catalog: for the functions of a module, which hooks are, a few lines do.

Nothing is patched: the stand-ins take part only while somebody is imported who would import the real modules, and
afterwards the names are free for whoever wants those. What is loaded already is left as it is.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

_NAMES = ("zope", "zope.interface")
_ROUTINES = (FunctionType, MethodType, BuiltinFunctionType)
_MISSING = object()


class _Interface:
    """Stands for zope.interface.Interface: something to derive from."""


class _Attribute:
    """Stands for zope.interface.Attribute: a description."""

    def __init__(self, *_: object, **__: object) -> None:
        """Take whatever a description is made of."""


def _class_implements(*_: object) -> None:
    """Stands for zope.interface.classImplements, which notes what a class can do."""


class Later(ModuleType):
    """Stands for a module, which is imported when something is asked for that the stand-in does not have."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # the import system asks for these
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


class _InspectOfDataclasses(Later):
    def signature(self, _kind: object) -> str:
        """What comes after the name of a class, in the docstring that dataclasses gives it."""
        return "(...)"

    def get_annotations(self, kind: type) -> dict[str, Any]:
        """The fields that a class adds to those of its bases, for Python 3.12 and 3.13."""
        return dict(vars(kind).get("__annotations__", {}))


class _InspectOfPluggy(Later):
    """What pluggy asks about modules of hooks and their functions: answered as `inspect` would, or by it."""

    def isclass(self, one: object) -> bool:
        return isinstance(one, type)

    def ismodule(self, one: object) -> bool:
        return isinstance(one, ModuleType)

    def isfunction(self, one: object) -> bool:
        return isinstance(one, FunctionType)

    def ismethod(self, one: object) -> bool:
        return isinstance(one, MethodType)

    def isroutine(self, one: object) -> bool:
        if isinstance(one, _ROUTINES) or not hasattr(type(one), "__get__"):
            return isinstance(one, _ROUTINES)
        return bool(self.__getattr__("isroutine")(one))

    def unwrap(self, one: Any) -> Any:
        return self.__getattr__("unwrap")(one) if hasattr(one, "__wrapped__") else one

    def getattr_static(self, one: Any, name: str, *default: object) -> Any:
        if type(one) is ModuleType:
            of_kind = vars(ModuleType).get(name, vars(object).get(name, _MISSING))
            found = of_kind if hasattr(type(of_kind), "__set__") else vars(one).get(name, of_kind)
            if found is not _MISSING or default:
                return default[0] if found is _MISSING else found
        return self.__getattr__("getattr_static")(one, name, *default)


class _TextwrapOfGevent(Later):
    def dedent(self, text: str) -> str:
        return text


@contextmanager
def standing_in(*stand_ins: ModuleType) -> Iterator[None]:
    """Have modules stood for while something is imported. A module that is loaded already stands for itself.

    Afterwards, and after an exception too, the names of the others are free.
    """
    used = [stand_in for stand_in in stand_ins if stand_in.__name__ not in sys.modules]
    sys.modules.update({stand_in.__name__: stand_in for stand_in in used})
    try:
        yield
    finally:
        for stand_in in used:
            if sys.modules.get(stand_in.__name__) is stand_in:
                del sys.modules[stand_in.__name__]


def import_dataclasses() -> None:
    """Import `dataclasses`; a no-op if it is loaded."""
    with standing_in(_InspectOfDataclasses("inspect")):
        importlib.import_module("dataclasses")


def import_pluggy() -> None:
    """Import `pluggy`; a no-op if it is loaded."""
    with standing_in(_InspectOfPluggy("inspect")):
        importlib.import_module("pluggy")


def import_socket() -> None:
    """Import `socket`; a no-op if it is loaded."""
    with standing_in(Later("selectors")):
        importlib.import_module("socket")


def import_gevent() -> None:
    """Import gevent and its loop; a no-op if gevent or zope.interface is loaded.

    A gevent that wants more of zope.interface than the one this was written for is imported with the real one.
    """
    if "gevent" in sys.modules or "zope.interface" in sys.modules:
        return
    package, interface = ModuleType("zope"), ModuleType("zope.interface")
    package.__dict__.update(__path__=[], interface=interface)
    interface.__dict__.update(Interface=_Interface, Attribute=_Attribute, classImplements=_class_implements)
    sys.modules.update(zip(_NAMES, (package, interface), strict=True))
    try:
        with standing_in(_TextwrapOfGevent("textwrap")):
            importlib.import_module("gevent.libev.corecext")
            importlib.import_module("gevent.event")
    except (ImportError, AttributeError, TypeError):
        for name in [name for name in sys.modules if name.partition(".")[0] == "gevent"]:
            del sys.modules[name]
    finally:
        for name in _NAMES:
            del sys.modules[name]
    # It shows where an exception comes from with pprint, unless it is told otherwise.
    importlib.import_module("gevent").config.set("format_context", [repr])
