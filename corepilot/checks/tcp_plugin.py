"""Connects to a port, in this process: no command is started."""

from dataclasses import dataclass
from typing import Any

from corepilot.plugin import OptionError, hookimpl, option

API = "1.0"
CAPABILITIES: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Options:
    """What `health: { tcp: … }` takes."""

    address: str = option(
        help="where to connect, as host:port or unix:///path; a port alone, or nothing, is the job's own address",
        default="",
        example="127.0.0.1:6379",
    )

    def __post_init__(self) -> None:
        """Refuse what nobody can connect to.

        Raises:
            OptionError: the address is malformed.
        """
        if self.address.startswith("unix://"):
            if not self.address.startswith("unix:///"):
                raise OptionError("address", "must name an absolute path after unix://, such as unix:///run/db.socket")
            return
        host, colon, port = self.address.rpartition(":")
        bare = ":" in host and not (host.startswith("[") and host.endswith("]"))
        if self.address and not (port.isdecimal() and 1 <= int(port) <= 65535 and (host or not colon) and not bare):
            raise OptionError("address", "must be host:port, [address]:port for IPv6, a port, or unix:///path")


@hookimpl
def corepilot_register_check() -> type[Any]:
    """Return the check. What it needs is imported only now."""
    from corepilot.checks.tcp import TcpCheck

    return TcpCheck
