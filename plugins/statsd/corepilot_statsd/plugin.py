"""Sends metrics to StatsD or to the Datadog agent, over UDP or a Unix datagram socket."""

from dataclasses import dataclass
from typing import Any, Literal

from corepilot.plugin import OptionError, hookimpl, option

API = "1.0"
CAPABILITIES: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Options:
    """What `{sink: "statsd", …}` takes."""

    address: str = option(
        help="the server: host:port for UDP, or unix:///path of a datagram socket",
        default="127.0.0.1:8125",
        example="127.0.0.1:8125",
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
        if self.address.startswith("unix://"):
            path = self.address.removeprefix("unix://")
            if not path.startswith("/"):
                raise OptionError("address", "unix:// takes an absolute path, such as unix:///run/statsd.socket")
            return path, 0
        host, _, port = self.address.rpartition(":")
        bare = host[1:-1] if host[:1] == "[" and host[-1:] == "]" else host
        if not bare or (":" in bare) == (bare == host) or not (port.isdecimal() and 0 < int(port) < 65536):
            raise OptionError("address", "must be host:port, [IPv6]:port or unix:///path")
        return bare, int(port)


@hookimpl
def corepilot_register_sink() -> type[Any]:
    """Return the sink. What it needs is imported only now."""
    from corepilot_statsd.sink import StatsdSink

    return StatsdSink
