"""Sends metrics as lines of text in UDP datagrams."""

from dataclasses import dataclass
from typing import Any

from corepilot.plugin import hookimpl, option
from corepilot.plugin.network import network_address

API = "1.0"
CAPABILITIES: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Options:
    """What a configuration may say."""

    address: str = option(help="host and port that take the datagrams", default="127.0.0.1:9125")
    interval_s: float = option(help="how often values are sent", unit="s", minimum=0.1, maximum=3600, default=10.0)

    def __post_init__(self) -> None:
        """Rules that need more than a field can say."""
        network_address("address", self.address, example="127.0.0.1:9125")


@hookimpl
def corepilot_register_sink() -> type[Any]:
    """Return the sink. What it needs is imported only now."""
    from corepilot_first_sink.sink import FirstSinkSink

    return FirstSinkSink
