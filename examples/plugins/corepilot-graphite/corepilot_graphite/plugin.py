"""Sends metrics to Graphite: the plaintext protocol of Carbon, over TCP."""

from dataclasses import dataclass
from typing import Any

from corepilot.plugin import OptionError, hookimpl, option

API = "1.0"
CAPABILITIES: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Options:
    address: str = option(help="host and port of Carbon", default="127.0.0.1:2003")
    prefix: str = option(help="what every name begins with", default="")
    interval_s: float = option(help="how often values are sent", unit="s", minimum=0.1, maximum=3600, default=10.0)

    def __post_init__(self) -> None:
        host, _, port = self.address.rpartition(":")
        if not host or not port.isdecimal():
            raise OptionError("address", "it is HOST:PORT")


@hookimpl
def corepilot_register_sink() -> type[Any]:
    from corepilot_graphite.sink import GraphiteSink

    return GraphiteSink
