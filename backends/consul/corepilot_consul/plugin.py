"""Registers and watches services through a Consul agent."""

from dataclasses import dataclass
from typing import Any

from corepilot.plugin import OptionError, hookimpl, option
from corepilot.plugin.network import TlsGroup, network_address, tls_option

API = "1.0"
CAPABILITIES = frozenset({"datacenters", "expiry", "keys", "locks", "register", "services", "watch"})
LOCK_TTL_S = (10, 86400)
"""Consul's limits for the TTL of a session (developer.hashicorp.com/consul/api-docs/session)."""

DEFAULT_ADDRESS = "127.0.0.1:8500"
_DEFAULT_PORTS = {"http": 80, "https": 443}
# What Go's strconv.ParseBool takes, which reads CONSUL_HTTP_SSL for Consul's own programs.
_SSL = {"1": "https", "true": "https", "t": "https", "0": "http", "false": "http", "f": "http"}


@dataclass(frozen=True)
class Tls(TlsGroup):
    """How to prove who the agent is, and who we are. The names are ContainerPilot's (its contract, section 3.4)."""

    cafile: str = tls_option("cafile", env="CONSUL_CACERT", env_wins=True, example="/etc/ssl/consul-ca.pem")
    clientcert: str = tls_option("clientcert", env="CONSUL_CLIENT_CERT", env_wins=True)
    clientkey: str = tls_option("clientkey", env="CONSUL_CLIENT_KEY", env_wins=True)
    servername: str = tls_option("servername", env="CONSUL_TLS_SERVER_NAME", env_wins=True, example="server.dc1.consul")
    verify: bool = tls_option("verify", env="CONSUL_HTTP_SSL_VERIFY", env_wins=True)
    capath: str = option(
        help="directory of files like cafile, as `openssl rehash` makes it",
        default="",
        path="directory",
        env="CONSUL_CAPATH",
        env_wins=True,
    )


@dataclass(frozen=True)
class Options:
    """What a configuration may say of Consul."""

    address: str = option(
        help=f"the agent: host:port, http://host:port, https://host:port or unix:///path; else {DEFAULT_ADDRESS}",
        default="",
        env="CONSUL_HTTP_ADDR",
        example="127.0.0.1:8500",
    )
    scheme: str = option(
        help="http or https, for an address that does not say (the variable says true or false)",
        default="http",
        env="CONSUL_HTTP_SSL",
        env_words=_SSL,
        example="https",
    )
    token: str = option(help="ACL token", default="", secret=True, env="CONSUL_HTTP_TOKEN", env_wins=True)
    token_file: str = option(
        help="file with the ACL token, read for every request; used if token is empty",
        default="",
        path="file",
        example="/run/secrets/consul-token",
    )
    max_answer_mib: int = option(
        help="longest answer that is read; an instance of a service takes about 2 KiB",
        default=64,
        unit="MiB",
        minimum=1,
        maximum=1024,
    )
    tls: Tls = option(help="TLS, for https", default=Tls())  # noqa: RUF009  - frozen, and a default like any other

    def __post_init__(self) -> None:
        if self.scheme.lower() not in {"", "http", "https"}:
            raise OptionError("scheme", "a scheme is http or https")
        if not self.accepts_token(self.token):
            raise OptionError("token", "a token has no spaces, line ends or other than ASCII characters")
        _ = self.origin

    @staticmethod
    def accepts_token(text: str) -> bool:
        """Whether a text can be sent as a token: a header holds no line ends, and Consul makes no other tokens."""
        return text.isascii() and text.isprintable() and " " not in text

    @property
    def origin(self) -> str:
        """Where the agent is, from `address` and `scheme` (ContainerPilot contract, section 3.4).

        "http://host:port", "https://host:port" or "unix:///path".

        A prefix of the address beats `scheme`, as in Consul's own client. A port that is left out is 80 or 443.

        Raises:
            OptionError: the address is malformed. Never for an instance, which has been through here once.
        """
        return str(
            network_address(
                "address",
                self.address or DEFAULT_ADDRESS,
                example=DEFAULT_ADDRESS,
                schemes=_DEFAULT_PORTS,
                scheme=self.scheme.lower() or "http",
                unix="/run/consul.sock",
                login="Consul takes a token",
            )
        )

    def without_effect(self) -> dict[str, str]:
        """Options that have no effect beside the others."""
        if self.tls.given and not self.origin.startswith("https://"):
            return {
                "tls": "the connection is not encrypted, because the scheme is not https; write https:// in address"
            }
        return {}


@hookimpl
def corepilot_register_backend() -> type[Any]:
    """The backend; py-consul and the HTTP client are imported with it."""
    from corepilot_consul.light_consul import import_consul

    import_consul()
    from corepilot_consul.backend import ConsulBackend

    return ConsulBackend


def location_options(place: str) -> dict[str, str]:
    """What the place in `consul://PLACE/KEY` stands for."""
    return {"address": place}
