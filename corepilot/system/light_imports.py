"""Imports of the boot path, without the modules that only their unused features need.

gevent describes itself with zope.interface: 0.65 MB in every supervisor. Its interfaces then are plain empty classes;
nobody asks them anything, they serve documentation and type registries. It prints what has failed with `traceback`,
which costs a quarter of a megabyte and is imported when something has failed. It unindents the documentation of its
settings with `textwrap`, reaches two functions of a C module through `heapq` and some numbers of another through
`signal`, which makes an enumeration of them, and `socket` wants `selectors` for sendfile: a tenth of a megabyte
together. `dataclasses` copies with `copy` for `asdict`, and imports `inspect` for the docstrings of classes that have
none, such as one of h11: 6 ms before the first job, and 1 MB. These then do not list their fields. pluggy looks at
hooks with `inspect`, the same megabyte in every supervisor with a catalog: for the functions of a module, which hooks
are, a few lines do.

h11, pluggy and py-consul write some types as texts where `typing` compiles them at once. The first text that a process
compiles so sets up what Python's `ast` module is made of: a fifth of a megabyte, and py-consul has some hundreds. They
get a `typing` in which a text stays one (`light_typing`). Modules of ours that the supervisor imports have no such
texts; `tests/integration/test_light_imports.py` says so.

Nothing is patched: the stand-ins take part only while somebody is imported who would import the real modules, and
afterwards the names are free for whoever wants those. What is loaded already is left as it is.
"""

from __future__ import annotations

import _heapq
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType

from corepilot.system import kernel
from corepilot.system.light_typing import light_types as light_types  # noqa: PLC0414  - plugins have it from here

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
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


class _LaterPattern:
    """A regular expression that is compiled when it is used: gevent has one, for tracebacks of other processes."""

    def __init__(self, *what: Any) -> None:
        self._what = what

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module("re").compile(*self._what), name)


class _ReOfGevent(Later):
    compile = _LaterPattern


class _HeapqOfGevent(Later):
    heappop, heappush = staticmethod(_heapq.heappop), staticmethod(_heapq.heappush)


class _SignalOfGevent(Later):
    def __getattr__(self, name: str) -> Any:
        if not name.startswith("__") and hasattr(kernel.signal, name):
            return getattr(kernel.signal, name)
        return super().__getattr__(name)


class _TracebackOfGevent(Later):
    def print_exception(self, kind: Any, value: Any, trace: Any, **how: Any) -> None:
        """As the real one, or as Python itself does where nothing can be imported, for want of descriptors say."""
        try:
            printing = self.__getattr__("print_exception")
        except (OSError, ImportError, MemoryError):
            sys.__excepthook__(kind, value, trace)
            return
        printing(kind, value, trace, **how)

    def print_exc(self, **how: Any) -> None:
        self.print_exception(*sys.exc_info(), **how)


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
    with standing_in(_InspectOfDataclasses("inspect"), Later("copy")):
        importlib.import_module("dataclasses")


def import_pluggy() -> None:
    """Import `pluggy`; a no-op if it is loaded."""
    import_dataclasses()
    with standing_in(_InspectOfPluggy("inspect")), light_types():
        importlib.import_module("pluggy")


def import_h11() -> None:
    """Import `h11`; a no-op if it is loaded."""
    import_dataclasses()
    with light_types():
        importlib.import_module("h11")


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
        stand_ins = (
            _TextwrapOfGevent("textwrap"),
            _TracebackOfGevent("traceback"),
            _HeapqOfGevent("heapq"),
            _SignalOfGevent("signal"),
            _ReOfGevent("re"),
        )
        with standing_in(*stand_ins):
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
