"""Registers and watches services, keeps keys and holds locks in ZooKeeper."""

from dataclasses import dataclass
from typing import Any

from corepilot.plugin import OptionError, hookimpl, option

API = "1.0"
CAPABILITIES = frozenset({"expiry", "keys", "locks", "register", "services", "watch"})

DEFAULT_PORT = 2181


@dataclass(frozen=True)
class Auth:
    """As whom to act. ZooKeeper's SASL is another thing, and is not spoken here."""

    scheme: str = option(help="ZooKeeper's name for the kind of credential", default="digest", example="digest")
    credential: str = option(
        help='what belongs to the scheme, such as "user:password"; none if empty', default="", secret=True
    )
    protect: bool = option(
        help="make nodes that everybody may read, and only this credential may change", default=False
    )

    def __post_init__(self) -> None:
        if self.scheme == "sasl":
            raise OptionError("scheme", "SASL is not supported; use digest, or a client certificate")
        if self.protect and not self.credential:
            raise OptionError("protect", "needs a credential")


@dataclass(frozen=True)
class Tls:
    """How to prove who the servers are, and who we are."""

    enabled: bool = option(help="connect with TLS (to the servers' secureClientPort)", default=False)
    cafile: str = option(
        help="authorities to trust instead of the system's, in PEM",
        default="",
        path="file",
        example="/etc/ssl/zookeeper-ca.pem",
    )
    clientcert: str = option(
        help="our certificate in PEM; used only together with clientkey",
        default="",
        path="file",
        together_with="clientkey",
    )
    clientkey: str = option(help="the key of clientcert in PEM", default="", path="file", together_with="clientcert")
    servername: str = option(
        help="name that the servers' certificates must be made out to, if not the host in hosts", default=""
    )
    verify: bool = option(help="check the servers' certificates; false accepts anybody's", default=True)


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
            _check_server(server)
        if slash and not _is_path(f"/{chroot}"):
            raise OptionError("hosts", "the path at the end is absolute: names with one slash before each")
        if self.prefix != "/" and not _is_path(self.prefix):
            raise OptionError("prefix", "a prefix is an absolute path, such as /corepilot")


def _check_server(text: str) -> None:
    if "@" in text:
        # The text may hold a password: it is not repeated.
        raise OptionError("hosts", "user name and password do not belong into it; see auth")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise OptionError("hosts", "servers are host:port, with commas between and no spaces")
    if text.startswith("["):
        host, bracket, tail = text[1:].partition("]")
        bad = not bracket or (tail != "" and not tail.startswith(":"))
        port = tail[1:]
    else:
        host, _, port = text.partition(":")
        bad = ":" in port
    if bad:
        raise OptionError("hosts", f"an IPv6 address stands in brackets: [::1]:{DEFAULT_PORT}")
    if not host or "?" in host or "#" in host:
        raise OptionError("hosts", f"a host is missing: 127.0.0.1:{DEFAULT_PORT} for example")
    if port and not (port.isdecimal() and len(port) <= 5 and 1 <= int(port) <= 65535):
        raise OptionError("hosts", "a port is a number from 1 to 65535")


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
