"""Sends metrics to StatsD or to the Datadog agent, over UDP or a Unix datagram socket."""

from dataclasses import dataclass
from typing import Any, Literal

from corepilot.plugin import OptionError, hookimpl, option
from corepilot.plugin.network import network_address

API = "1.0"
CAPABILITIES: frozenset[str] = frozenset()

_EXAMPLE = "127.0.0.1:8125"


@dataclass(frozen=True)
class Options:
    """What `{sink: "statsd", …}` takes."""

    address: str = option(
        help="the server: host:port for UDP, or unix:///path of a datagram socket; the port is 8125 if left out",
        default=_EXAMPLE,
        example=_EXAMPLE,
    )
    prefix: str = option(help="goes before every name, with a dot in between", default="", example="shop.web-1")
    tags: Literal["none", "datadog"] = option(
        help="how labels are written: none puts their values into the name, datadog sends them as tags",
        default="none",
    )
    extraTags: tuple[str, ...] = option(  # noqa: N815  - a key of the configuration
        help="tags of every metric, such as env:prod; only with datadog", default=(), example="env:prod"
    )
    interval: float = option(
        help="how often metrics are sent", unit="s", minimum=1, maximum=3600, default=10.0, example="10s"
    )
    packetBytes: int = option(  # noqa: N815  - a key of the configuration
        help="the largest datagram; the default fits an Ethernet frame",
        unit="bytes",
        minimum=128,
        maximum=65000,
        default=1432,
    )

    def __post_init__(self) -> None:
        """Refuse an address that cannot be one, and tags that nobody would get.

        Raises:
            OptionError: the first that is wrong.
        """
        self.target()
        if any(character in self.prefix for character in ":|@#\n "):
            raise OptionError("prefix", "must not hold blanks or any of : | @ #, which have a meaning in StatsD")
        if self.extraTags and self.tags == "none":
            raise OptionError("extraTags", 'plain StatsD has no tags; add tags: "datadog", or use prefix')

    def target(self) -> tuple[str, int]:
        """Host and port of the address; the path and 0 for a Unix socket.

        Raises:
            OptionError: it is neither.
        """
        found = network_address("address", self.address, example=_EXAMPLE, port=8125, unix="/run/statsd.socket")
        return found.host, found.port


@hookimpl
def corepilot_register_sink() -> type[Any]:
    """Return the sink. What it needs is imported only now."""
    from corepilot_statsd.sink import StatsdSink

    return StatsdSink
