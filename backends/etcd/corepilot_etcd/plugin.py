"""Registers and watches services in etcd, and keeps keys and locks there."""

from dataclasses import dataclass
from typing import Any

from corepilot.plugin import OptionError, hookimpl, option

API = "1.0"
CAPABILITIES = frozenset({"expiry", "keys", "locks", "register", "services", "watch"})

DEFAULT_ENDPOINT = "http://127.0.0.1:2379"
_DEFAULT_PORTS = {"http": 80, "https": 443}
_PREFIX_MAX = 200


@dataclass(frozen=True)
class Tls:
    """How to prove who the servers are, and who we are."""

    cafile: str = option(
        help="authorities to trust instead of the system's, in PEM",
        default="",
        path="file",
        env="ETCDCTL_CACERT",
        example="/etc/ssl/etcd-ca.pem",
    )
    clientcert: str = option(
        help="our certificate in PEM; used only together with clientkey",
        default="",
        path="file",
        env="ETCDCTL_CERT",
        together_with="clientkey",
    )
    clientkey: str = option(
        help="the key of clientcert in PEM", default="", path="file", env="ETCDCTL_KEY", together_with="clientcert"
    )
    servername: str = option(
        help="name that the servers' certificates must be made out to, if not the host of the endpoint", default=""
    )
    verify: bool = option(help="check the servers' certificates; false accepts anybody's", default=True)


@dataclass(frozen=True)
class Options:
    """What a configuration may say of etcd."""

    endpoints: tuple[str, ...] = option(
        help="the members of one cluster, each as http://host:port or https://host:port; the others are tried when one "
        "does not answer",
        default=(DEFAULT_ENDPOINT,),
        env="ETCDCTL_ENDPOINTS",
    )
    prefix: str = option(
        help="where corepilot's keys are: instances, keys and locks, each below a name of its own", default="/corepilot"
    )
    user: str = option(help="name of the user, where etcd asks for one", default="")
    password: str = option(help="the user's password", default="", secret=True)
    timeout: float = option(
        help="how long one member may take to answer before the next one is asked",
        default=2.0,
        unit="s",
        minimum=0.1,
        maximum=60.0,
    )
    tls: Tls = option(help="TLS, for https", default=Tls())  # noqa: RUF009  - frozen, and a default like any other

    def __post_init__(self) -> None:
        if self.password and not self.user:
            raise OptionError("user", "a password belongs to a user")
        prefix = self.prefix
        segments = prefix.removeprefix("/").split("/")
        if not prefix.startswith("/") or not all(segments) or {".", ".."} & set(segments):
            raise OptionError("prefix", "a prefix is /name or /name/name, without a slash at its end")
        if not prefix.isprintable() or len(prefix.encode("utf-8", "replace")) > _PREFIX_MAX:
            raise OptionError("prefix", f"a prefix is printable, and at most {_PREFIX_MAX} bytes long")
        _ = self.origins

    @property
    def origins(self) -> tuple[str, ...]:
        """The endpoints as "http://host:port" or "https://host:port", each once.

        Raises:
            OptionError: one is malformed, or there is none. Never for an instance, which has been through here once.
        """
        found = tuple(dict.fromkeys(_origin(endpoint) for endpoint in self.endpoints))
        if not found:
            raise OptionError("endpoints", f"at least one is needed: [{DEFAULT_ENDPOINT!r}] for example")
        return found


def _origin(text: str) -> str:
    scheme, found, rest = text.partition("://")
    if not found:  # etcdctl takes these as well
        scheme, rest = "http", text
    scheme, rest = scheme.lower(), rest.removesuffix("/")
    if "@" in rest:
        # The text may hold a password: it is not repeated.
        raise OptionError("endpoints", "user name and password do not belong into it; there are options for them")
    if scheme not in _DEFAULT_PORTS:
        raise OptionError("endpoints", "an endpoint starts with http:// or https://")
    if not rest.isascii() or not rest.isprintable() or any(character in rest for character in " /?#"):
        raise OptionError("endpoints", "an endpoint is http://host:port, without a path")
    if rest.startswith("["):
        host, bracket, tail = rest[1:].partition("]")
        bad = not bracket or (tail != "" and not tail.startswith(":"))
        port = tail[1:]
    else:
        host, _, port = rest.partition(":")
        bad = ":" in port
    if bad:
        raise OptionError("endpoints", "an IPv6 address stands in brackets: http://[::1]:2379")
    if not host:
        raise OptionError("endpoints", f"the host is missing: {DEFAULT_ENDPOINT} for example")
    if port and not (port.isdecimal() and len(port) <= 5 and 1 <= int(port) <= 65535):
        raise OptionError("endpoints", "a port is a number from 1 to 65535")
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}:{int(port) if port else _DEFAULT_PORTS[scheme]}"


@hookimpl
def corepilot_register_backend() -> type[Any]:
    """The backend; the HTTP client is imported with it."""
    from corepilot_etcd.backend import EtcdBackend

    return EtcdBackend


def location_options(place: str) -> dict[str, str]:
    """What the place in `etcd://HOST:PORT,HOST:PORT/KEY` stands for."""
    return {"endpoints": ",".join([f"http://{one}" for one in place.split(",")])}
