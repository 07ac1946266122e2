"""py-consul, imported without what only its own transports need. All that we use of it comes from here.

`import consul` also runs `consul.std`, the transport on `requests` that ours replaces, and asks `importlib.metadata`
for its own version. The two bring 140 modules: 14 MB and 90 ms in every supervisor, and a blocking client that must not
be used under gevent. So both names get an empty placeholder for the time of this one import; py-consul then calls its
version "unknown", which is what it does without metadata, and `consul.Consul`, the class on `requests`, is unusable.
More modules are imported when they are used, 1.4 MB together: of py-consul's own all but those for the agent and for
health; `logging`, to which it would write about deprecated arguments; `urllib.parse`, with which it would read an
address (ours is given to it), and `base64`. Its typed dictionaries are plain ones.
Nothing is patched: a module that is already loaded is left as it is and used, and afterwards the placeholders are gone,
so that whoever imports the real ones later gets them.
"""

import importlib
import sys
from functools import partial
from types import ModuleType
from typing import Any

from corepilot.system.light_imports import Later, light_types, standing_in

_PARTS = {
    "acl": "ACL",
    "catalog": "Catalog",
    "config": "Config",
    "connect": "Connect",
    "coordinates": "Coordinate",
    "discovery_chain": "DiscoveryChain",
    "event": "Event",
    "kv": "KV",
    "operator": "Operator",
    "query": "Query",
    "session": "Session",
    "snapshot": "Snapshot",
    "status": "Status",
    "txn": "Txn",
}
"""Modules of `consul.api` that are imported when something of them is used, and their classes."""


class _LaterLogger:
    """A logger that is made when something is logged."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module("logging").getLogger(self._name), attribute)


class _LaterApi:
    """One of the parts of `consul.Consul`, which is imported and made when something of it is used.

    Args:
        module: Where it is.
        name: Its class.
        client: What it is a part of.
    """

    def __init__(self, module: str, name: str, client: Any) -> None:
        self._module, self._name, self._client = module, name, client
        self._made: Any = None

    def __getattr__(self, attribute: str) -> Any:
        if self._made is None:
            self._made = getattr(importlib.import_module(self._module), self._name)(self._client)
        return getattr(self._made, attribute)


class _MissingDistributionError(Exception):
    """Stands for importlib.metadata.PackageNotFoundError."""


def _no_version(_name: str) -> str:
    raise _MissingDistributionError


def _stand_ins() -> list[ModuleType]:
    requests = ModuleType("requests")
    requests.__dict__["Response"] = object  # consul.std names it in annotations
    metadata = ModuleType("importlib.metadata")
    metadata.__dict__.update(PackageNotFoundError=_MissingDistributionError, version=_no_version)
    logging = Later("logging")
    logging.__dict__["getLogger"] = _LaterLogger
    urllib, parse = ModuleType("urllib"), Later("urllib.parse")
    urllib.__dict__["parse"] = parse
    found = [requests, metadata, logging, urllib, parse, Later("base64")]
    for name, kind in _PARTS.items():
        part = Later(f"consul.api.{name}")
        part.__dict__[kind] = partial(_LaterApi, part.__name__, kind)
        found.append(part)
    return found


def import_consul() -> None:
    """Import `consul.base`; a no-op for what is loaded already.

    Raises:
        ImportError: py-consul is not installed.
    """
    try:
        with standing_in(*_stand_ins()), light_types():
            importlib.import_module("consul.base")
    except (ImportError, AttributeError, TypeError):
        # A release that needs more of them than this one does: then it is imported as everybody else does it.
        for name in [name for name in sys.modules if name.partition(".")[0] == "consul"]:
            del sys.modules[name]
        importlib.import_module("consul.base")


import_consul()

from consul.base import Consul, HTTPClient, Response  # type: ignore[import-untyped]  # noqa: E402  - after the above
from consul.callback import CB  # type: ignore[import-untyped]  # noqa: E402  - after the above
from consul.exceptions import ConsulException  # type: ignore[import-untyped]  # noqa: E402  - after the above

__all__ = ["CB", "Consul", "ConsulException", "HTTPClient", "Response", "import_consul"]
