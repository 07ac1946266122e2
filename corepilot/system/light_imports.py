"""Imports of the boot path, without the modules that only their unused features need.

gevent describes itself with zope.interface: 0.65 MB in every supervisor. Its interfaces then are plain empty classes;
nobody asks them anything, they serve documentation and type registries. `dataclasses` imports `inspect` for the
docstrings of classes that have none, such as one of h11: 6 ms before the first job, and 1 MB. These then do not list
their fields; `inspect` is imported when something else of it is asked for.

Nothing is patched: the stand-ins take part only while gevent or dataclasses are imported, and afterwards the names are
free for whoever wants the real modules. What is loaded already is left as it is.
"""

import importlib
import sys
from types import ModuleType
from typing import Any

_NAMES = ("zope", "zope.interface")


class _Interface:
    """Stands for zope.interface.Interface: something to derive from."""


class _Attribute:
    """Stands for zope.interface.Attribute: a description."""

    def __init__(self, *_: object, **__: object) -> None:
        """Take whatever a description is made of."""


def _class_implements(*_: object) -> None:
    """Stands for zope.interface.classImplements, which notes what a class can do."""


class _LaterInspect(ModuleType):
    """Stands for `inspect`, which is imported when more is asked for than a text for the docstring of a dataclass."""

    def signature(self, _kind: object) -> str:
        """What comes after the name of a class, in the docstring that dataclasses gives it."""
        return "(...)"

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self.__name__), name)


def import_dataclasses() -> None:
    """Import `dataclasses`; a no-op if it or `inspect` is loaded. From Python 3.12 on it asks for `inspect` at once."""
    if "dataclasses" in sys.modules or "inspect" in sys.modules:
        return
    sys.modules["inspect"] = later = _LaterInspect("inspect")
    try:
        importlib.import_module("dataclasses")
    finally:
        if sys.modules.get("inspect") is later:
            del sys.modules["inspect"]


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
        importlib.import_module("gevent.libev.corecext")
        importlib.import_module("gevent.event")
    except (ImportError, AttributeError, TypeError):
        for name in [name for name in sys.modules if name.partition(".")[0] == "gevent"]:
            del sys.modules[name]
    finally:
        for name in _NAMES:
            del sys.modules[name]
    importlib.import_module("gevent")
