"""Asks a gRPC server for its health (grpc.health.v1), in this process: no command is started."""

from dataclasses import dataclass
from typing import Any

from corepilot.plugin import OptionError, hookimpl, option
from corepilot.plugin.network import CheckTls, require_place

API = "1.0"
CAPABILITIES: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Options:
    """What `health: { grpc: … }` takes."""

    address: str = option(
        help="where to ask, as host:port or unix:///path; a port alone, or nothing, is the job's own address",
        default="",
        example="127.0.0.1:50051",
    )
    service: str = option(
        help="the service whose health is asked for; without it that of the whole server",
        default="",
        example="shop.Cart",
    )
    tls: CheckTls | None = option(  # noqa: RUF009  - frozen, and a default like any other
        help="ask over TLS; {} for its defaults, and without it in plain text", default=None
    )

    def __post_init__(self) -> None:
        """Refuse what nobody can ask.

        Raises:
            OptionError: the address is malformed, or the service's name too long.
        """
        require_place("address", self.address)
        if len(self.service.encode()) > 120:
            raise OptionError("service", "must have 120 bytes at most")


@hookimpl
def corepilot_register_check() -> type[Any]:
    """Return the check. What it needs is imported only now."""
    from corepilot.checks.grpc import GrpcCheck

    return GrpcCheck
