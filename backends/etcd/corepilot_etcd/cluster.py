"""What the backend has to know of its cluster. `corepilot_etcd.plugin.Options` knows it from the configuration."""

from typing import Protocol

from corepilot.http.tls import TlsSettings


class Cluster(Protocol):
    """Where the members are, and how to ask them. Validated."""

    @property
    def origins(self) -> tuple[str, ...]:
        """Where: "http://host:port" or "https://host:port", at least one."""

    @property
    def prefix(self) -> str:
        """What our keys begin with: "/name", without a slash at its end."""

    @property
    def user(self) -> str:
        """Who asks, or ""."""

    @property
    def password(self) -> str:
        """The user's password."""

    @property
    def timeout(self) -> float:
        """Seconds for one member to answer."""

    @property
    def tls(self) -> TlsSettings:
        """For https."""
