"""kazoo, imported without what we use nothing of. All that we use of it comes from here.

`import kazoo.client` also brings its recipes, its handler for threads, and with them and the rest `ssl`, `logging`,
`uuid`, `hashlib` and `ipaddress`: a good half of what it costs. They get placeholders for the time of this one import.
Nothing is patched: a module that is loaded already is left as it is and used, and afterwards the placeholders are gone,
so that whoever imports the real ones later gets them. A placeholder imports the real module when something else of it
is asked for: `ssl` with the first TLS connection.
"""

import importlib
import sys
from types import ModuleType
from typing import Any

_RECIPES = {
    "barrier": ("Barrier", "DoubleBarrier"),
    "counter": ("Counter",),
    "election": ("Election",),
    "lease": ("NonBlockingLease", "MultiNonBlockingLease"),
    "lock": ("Lock", "ReadLock", "WriteLock", "Semaphore"),
    "partitioner": ("SetPartitioner",),
    "party": ("Party", "ShallowParty"),
    "queue": ("Queue", "LockingQueue"),
    "watchers": ("ChildrenWatch", "DataWatch"),
}


class _Later(ModuleType):
    """Stands for a module that is imported when something of it is used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # the import system asks for these
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


class _LaterLogger:
    """A logger that is made when something is logged. Ours is given to every client, so that this one stays silent."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module("logging").getLogger(self._name), attribute)


class _Inspect(_Later):
    def isclass(self, one: object) -> bool:
        return isinstance(one, type)


def _stand_ins() -> list[_Later]:
    found: list[_Later] = [_Inspect("inspect")]
    found += [_Later(name) for name in ("ssl", "hashlib", "gevent.select", "gevent.selectors", "ipaddress")]
    logging = _Later("logging")
    logging.__dict__.update(getLogger=_LaterLogger, DEBUG=10)
    threading = _Later("kazoo.handlers.threading")
    threading.__dict__["SequentialThreadingHandler"] = object
    found += [logging, threading]
    for name, kinds in _RECIPES.items():
        recipe = _Later(f"kazoo.recipe.{name}")
        recipe.__dict__.update(dict.fromkeys(kinds, object))
        found.append(recipe)
    return found


def import_kazoo() -> None:
    """Import `kazoo.client` and its handler for gevent; a no-op for what is loaded already.

    Raises:
        ImportError: kazoo is not installed.
    """
    used = [one for one in _stand_ins() if one.__name__ not in sys.modules]
    sys.modules.update({one.__name__: one for one in used})
    try:
        _import()
    except AttributeError:
        # A release that needs more of them than this one does: then it is imported as everybody else does it.
        for name in [name for name in sys.modules if name.partition(".")[0] == "kazoo"]:
            del sys.modules[name]
        _remove(used)
        _import()
    finally:
        _remove(used)


def _import() -> None:
    importlib.import_module("kazoo.client")
    importlib.import_module("kazoo.handlers.gevent")


def _remove(stand_ins: list[_Later]) -> None:
    for one in stand_ins:
        if sys.modules.get(one.__name__) is one:
            del sys.modules[one.__name__]


import_kazoo()

from kazoo import exceptions  # type: ignore[import-untyped]  # noqa: E402  - after the above
from kazoo.client import KazooClient  # type: ignore[import-untyped]  # noqa: E402  - after the above
from kazoo.handlers.gevent import SequentialGeventHandler  # type: ignore[import-untyped]  # noqa: E402  - as above
from kazoo.protocol.connection import ConnectionHandler  # type: ignore[import-untyped]  # noqa: E402  - as above
from kazoo.protocol.serialization import Connect, Watch, int_struct, write_string  # type: ignore[import-untyped]  # noqa: E402  - as above
from kazoo.protocol.states import KazooState, ZnodeStat  # type: ignore[import-untyped]  # noqa: E402  - as above
from kazoo.retry import KazooRetry  # type: ignore[import-untyped]  # noqa: E402  - as above
from kazoo.security import make_acl  # type: ignore[import-untyped]  # noqa: E402  - as above

__all__ = [
    "Connect",
    "ConnectionHandler",
    "KazooClient",
    "KazooRetry",
    "KazooState",
    "SequentialGeventHandler",
    "Watch",
    "ZnodeStat",
    "exceptions",
    "import_kazoo",
    "int_struct",
    "make_acl",
    "write_string",
]
