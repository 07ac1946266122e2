"""gevent, imported without zope.interface, with which it describes itself: 0.65 MB in every supervisor.

Its interfaces then are plain empty classes. Nobody asks them anything: they serve documentation and type registries.
Nothing is patched: the stand-ins take part only while gevent and its loop are imported, and afterwards the names are
free for whoever wants the real modules. What is loaded already is left as it is.
"""

import importlib
import sys
from types import ModuleType

_NAMES = ("zope", "zope.interface")


class _Interface:
    """Stands for zope.interface.Interface: something to derive from."""


class _Attribute:
    """Stands for zope.interface.Attribute: a description."""

    def __init__(self, *_: object, **__: object) -> None:
        """Take whatever a description is made of."""


def _class_implements(*_: object) -> None:
    """Stands for zope.interface.classImplements, which notes what a class can do."""


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
