"""Registers and watches services in etcd, and keeps keys and locks there."""

from dataclasses import dataclass
from typing import Any

from corepilot.plugin import OptionError, hookimpl, option
from corepilot.plugin.network import TlsGroup, network_address, tls_option

API = "1.0"
CAPABILITIES = frozenset({"expiry", "keys", "locks", "register", "services", "watch"})

DEFAULT_ENDPOINT = "http://127.0.0.1:2379"
_DEFAULT_PORTS = {"http": 2379, "https": 2379}
"""etcd's own for clients, with and without TLS."""
_PREFIX_MAX = 200


@dataclass(frozen=True)
class Tls(TlsGroup):
    """How to prove who the servers are, and who we are. The variables are etcdctl's."""

    cafile: str = tls_option("cafile", env="ETCDCTL_CACERT", example="/etc/ssl/etcd-ca.pem")
    clientcert: str = tls_option("clientcert", env="ETCDCTL_CERT")
    clientkey: str = tls_option("clientkey", env="ETCDCTL_KEY")


@dataclass(frozen=True)
class Options:
    """What a configuration may say of etcd."""

    endpoints: tuple[str, ...] = option(
        help="the members of one cluster, each as http://host:port or https://host:port; the port is 2379 if left out, "
        "and the others are tried when one does not answer",
        default=(DEFAULT_ENDPOINT,),
        env="ETCDCTL_ENDPOINTS",
    )
    prefix: str = option(
        help="where corepilot's keys are: instances, keys and locks, each below a name of its own",
        default="/corepilot",
    )
    user: str = option(
        help="name of the user, where etcd asks for one; as name:password, as etcdctl takes it, with the password",
        default="",
        env="ETCDCTL_USER",
    )
    password: str = option(help="the user's password", default="", secret=True, env="ETCDCTL_PASSWORD")
    timeout: float = option(
        help="how long one member may take to answer before the next one is asked",
        default=2.0,
        unit="s",
        minimum=0.1,
        maximum=60.0,
    )
    tls: Tls = option(help="TLS, for https", default=Tls())  # noqa: RUF009  - frozen, and a default like any other

    def __post_init__(self) -> None:
        name, colon, password = self.user.partition(":")
        if colon:
            if self.password:  # neither text is repeated: both may hold a password
                raise OptionError("user", "it has a password of its own, as name:password; leave out one of the two")
            object.__setattr__(self, "user", name)
            object.__setattr__(self, "password", password)
        if self.password and not self.user:
            raise OptionError("user", "password needs a user; add user")
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

    def without_effect(self) -> dict[str, str]:
        """Options that have no effect beside the others."""
        if self.tls.given and not any(one.startswith("https://") for one in self.origins):
            return {"tls": "the connection is not encrypted, because no endpoint begins with https://; write https://"}
        return {}


def _origin(text: str) -> str:
    return str(
        network_address(
            "endpoints",
            text,
            example=DEFAULT_ENDPOINT,
            schemes=_DEFAULT_PORTS,
            scheme="http",  # etcdctl takes endpoints without one as well
            login="use user and password",
        )
    )


@hookimpl
def corepilot_register_backend() -> type[Any]:
    """The backend; the HTTP client is imported with it."""
    from corepilot_etcd.backend import EtcdBackend

    return EtcdBackend


def location_options(place: str) -> dict[str, str]:
    """What the place in `etcd://HOST:PORT,HOST:PORT/KEY`, or in `etcd:https://…`, stands for."""
    scheme, _, members = place.rpartition("://")
    return {"endpoints": ",".join([f"{scheme or 'http'}://{one}" for one in members.split(",")])}
