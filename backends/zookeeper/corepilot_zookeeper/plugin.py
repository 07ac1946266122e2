"""Registers and watches services, keeps keys and holds locks in ZooKeeper."""

from dataclasses import dataclass
from typing import Any

from corepilot.plugin import OptionError, hookimpl, option
from corepilot.plugin.network import TlsGroup, network_address, tls_option

API = "1.0"
CAPABILITIES = frozenset({"expiry", "keys", "locks", "register", "services", "watch"})


DEFAULT_PORT = 2181


@dataclass(frozen=True)
class Auth:
    """As whom to act. ZooKeeper's SASL is another thing, and is not spoken here."""

    scheme: str = option(help="ZooKeeper's name for the kind of credential", default="digest", example="digest")
    credential: str = option(
        help='what belongs to the scheme, such as "user:password"; none if empty',
        default="",
        secret=True,
        env="ZOOKEEPER_CREDENTIAL",
    )
    protect: bool = option(
        help="make nodes that everybody may read, and only this credential may change", default=False
    )

    def __post_init__(self) -> None:
        if self.scheme == "sasl":
            raise OptionError("scheme", "SASL is not supported; use digest, or a client certificate")
        if self.scheme == "digest" and self.credential and ":" not in self.credential:
            raise OptionError("credential", 'a digest credential is "user:password"; add the missing part')
        if self.protect and not self.credential:
            raise OptionError("protect", "needs a credential")


@dataclass(frozen=True)
class Tls(TlsGroup):
    """How to prove who the servers are, and who we are."""

    cafile: str = tls_option("cafile", example="/etc/ssl/zookeeper-ca.pem")
    enabled: bool = option(help="connect with TLS (to the servers' secureClientPort)", default=False)


@dataclass(frozen=True)
class Options:
    """What a configuration may say of ZooKeeper."""

    hosts: str = option(
        help=f"the servers, host:port with commas between (the port is {DEFAULT_PORT} if left out); "
        "a path at the end is put before every other one (chroot), and has to exist",
        default=f"127.0.0.1:{DEFAULT_PORT}",
        example="zk1:2181,zk2:2181,zk3:2181/production",
    )
    prefix: str = option(help="where corepilot's own nodes are", default="/corepilot", example="/corepilot")
    auth: Auth = option(help="as whom to act", default=Auth())  # noqa: RUF009  - frozen, and a default like any other
    tls: Tls = option(help="TLS", default=Tls())  # noqa: RUF009  - as above

    def __post_init__(self) -> None:
        servers, slash, chroot = self.hosts.partition("/")
        for server in servers.split(","):
            network_address("hosts", server, example=f"127.0.0.1:{DEFAULT_PORT}", port=DEFAULT_PORT, login="use auth")
        if slash and not _is_path(f"/{chroot}"):
            raise OptionError("hosts", "the path at the end is absolute: names with one slash before each")
        if self.prefix != "/" and not _is_path(self.prefix):
            raise OptionError("prefix", "a prefix is an absolute path, such as /corepilot")

    def without_effect(self) -> dict[str, str]:
        """Options that have no effect beside the others."""
        if self.tls.given and not self.tls.enabled:
            return {"tls": "the connection is not encrypted, because TLS is not enabled; add enabled: true"}
        return {}


def _is_path(text: str) -> bool:
    segments = text.split("/")[1:]
    return text.startswith("/") and text.isprintable() and not {"", ".", ".."}.intersection(segments)


@hookimpl
def corepilot_register_backend() -> type[Any]:
    """The backend; kazoo is imported with it."""
    from corepilot_zookeeper.light_kazoo import import_kazoo

    import_kazoo()  # first of all: it makes urllib.parse light, which everybody uses
    from corepilot_zookeeper.backend import ZooKeeperBackend

    return ZooKeeperBackend


def location_options(place: str) -> dict[str, str]:
    """What the place in `zookeeper://HOST:PORT,HOST:PORT/KEY` stands for."""
    return {"hosts": place}
