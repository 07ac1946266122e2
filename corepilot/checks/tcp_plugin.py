"""Connects to a port, in this process: no command is started."""

from dataclasses import dataclass
from typing import Any

from corepilot.plugin import hookimpl, option
from corepilot.plugin.network import require_place

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
        require_place("address", self.address)


@hookimpl
def corepilot_register_check() -> type[Any]:
    """Return the check. What it needs is imported only now."""
    from corepilot.checks.tcp import TcpCheck

    return TcpCheck
