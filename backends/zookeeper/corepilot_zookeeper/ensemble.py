"""What the backend has to know of its servers. `corepilot_zookeeper.plugin.Options` knows it from the configuration."""

from typing import Any, Protocol

from corepilot.http.tls import TlsOptions, TlsSettings
from corepilot_zookeeper.light_kazoo import make_acl
from corepilot_zookeeper.session import Server


class EnsembleTls(TlsSettings, Protocol):
    """How to prove who the servers are, and who we are: see `corepilot_zookeeper.plugin.Tls`."""

    @property
    def enabled(self) -> bool:
        """Whether to use it."""


class AuthSettings(Protocol):
    """As whom to act: see `corepilot_zookeeper.plugin.Auth`."""

    @property
    def scheme(self) -> str:
        """Such as "digest"."""

    @property
    def credential(self) -> str:
        """What belongs to it, or ""."""

    @property
    def protect(self) -> bool:
        """Whether only this credential may change what we make."""


class Ensemble(Protocol):
    """Where the servers are, and with what to ask them. Validated."""

    @property
    def hosts(self) -> str:
        """host:port, several with commas between, and a path (chroot) at the end."""

    @property
    def prefix(self) -> str:
        """An absolute path."""

    @property
    def auth(self) -> AuthSettings:
        """For add_auth."""

    @property
    def tls(self) -> EnsembleTls:
        """For TLS."""


def server_of(options: Ensemble) -> Server:
    """What the sessions need of the options."""
    tls, auth = options.tls, options.auth
    acl: list[Any] | None = None
    if auth.protect:
        acl = [make_acl("world", "anyone", read=True), make_acl("auth", "", all=True)]
    return Server(
        options.hosts,
        TlsOptions.of(tls) if tls.enabled else None,
        (auth.scheme, auth.credential) if auth.credential else None,
        acl,
    )
