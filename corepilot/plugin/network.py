"""Options of a plugin that reaches a server: where it is, and TLS. Standard library and `corepilot.plugin` only.

A light module uses these, so that a mistake in an address has the same rule and the same words in every plugin:

    from corepilot.plugin.network import TlsGroup, network_address, tls_option

    @dataclass(frozen=True)
    class Tls(TlsGroup):
        cafile: str = tls_option("cafile", env="NOTEBOOK_CACERT")

    @dataclass(frozen=True)
    class Options:
        address: str = option(help="the server: http://host:port or https://host:port", default="http://127.0.0.1:80")
        tls: Tls = option(help="TLS, for https", default=Tls())

        def __post_init__(self) -> None:
            _ = self.origin

        @property
        def origin(self) -> str:
            schemes = {"http": 80, "https": 443}
            return str(network_address("address", self.address, example="http://127.0.0.1:80", schemes=schemes))

The backend makes of the group what the client takes: `corepilot.http.tls.TlsOptions.of(options.tls)`.
"""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from corepilot.plugin.options import OptionError, option, option_again

_NO_SCHEMES: Mapping[str, int] = MappingProxyType({})


class NetworkAddress(NamedTuple):
    """Where a server is. Its text is "scheme://host:port", "host:port" or "unix:///path".

    Attributes:
        scheme: In lower case; "unix" for a socket, "" where addresses have none.
        host: A name, or an address without brackets; for "unix" the absolute path of the socket.
        port: 1 to 65535; 0 for "unix".
    """

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        if self.scheme == "unix":
            return f"unix://{self.host}"
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{shown}:{self.port}" if self.scheme else f"{shown}:{self.port}"


def require_place(name: str, text: str) -> None:
    """Refuse a text that is no place to connect to, for what is asked of a job: one without a scheme.

    Args:
        name: The option's.
        text: "host:port", "[address]:port", a port alone, "unix:///path", or "" for the job's own address and port.

    Raises:
        OptionError: it is none of these.
    """
    if text.startswith("unix://"):
        if not text.startswith("unix:///"):
            raise OptionError(name, "must name an absolute path after unix://, such as unix:///run/db.socket")
        return
    host, colon, port = text.rpartition(":")
    bare = ":" in host and not (host.startswith("[") and host.endswith("]"))
    if text and not (port.isdecimal() and 1 <= int(port) <= 65535 and (host or not colon) and not bare):
        raise OptionError(name, "must be host:port, [address]:port for IPv6, a port, or unix:///path")


def network_address(
    name: str,
    text: str,
    *,
    example: str,
    schemes: Mapping[str, int] = _NO_SCHEMES,
    scheme: str = "",
    port: int = 0,
    unix: str = "",
    login: str = "",
) -> NetworkAddress:
    """Read host:port, with or without a scheme, or the path of a socket.

    Nothing is looked up. IPv6 addresses stand in brackets. Only an address is taken: a path, a query or a user name
    would silently get lost, or leak into messages. One slash after an address with a scheme is ignored.

    Args:
        name: The option that holds it, for the error.
        text: The address.
        example: An address for the error.
        schemes: The schemes that may be written before the host, in lower case, each with the port to use where the
            address has none; 0: it must have one. Nothing for addresses that are host:port alone.
        scheme: One of `schemes`, for an address that does not have one; "" if every address needs one.
        port: For addresses without schemes: the port to use where there is none; 0: the address must have one.
        unix: The absolute path of a socket, for the error; "" if sockets cannot be used.
        login: What to do with a user name and a password, for the error: "use auth".

    Raises:
        OptionError: The address is malformed. The message repeats nothing of it: there may be a password in it.
    """

    def wrong(rule: str) -> OptionError:
        return OptionError(name, rule)

    before, found, rest = text.partition("://") if schemes or unix else ("", "", text)
    if not found:
        before, rest = scheme, text
    before = before.lower()
    if "@" in rest and before != "unix":
        raise wrong("an address has no user name and no password" + (f"; {login}" if login else ""))
    if not rest.isascii() or not rest.isprintable() or " " in rest:
        raise wrong("an address has no spaces and only ASCII characters")
    if before == "unix" and unix:
        if not rest.startswith("/"):
            raise wrong(f"a socket is given by its absolute path: unix://{unix}")
        return NetworkAddress("unix", rest, 0)
    if (found or schemes) and before not in schemes:
        starts = [f"{one}://" for one in (*schemes, *(["unix"] if unix else []))]
        if not schemes or scheme:
            starts.append("the host")
        raise wrong(f"an address starts with {' or '.join(filter(None, (', '.join(starts[:-1]), starts[-1])))}")
    if schemes:
        rest = rest.removesuffix("/")
    if any(character in rest for character in "/?#"):
        raise wrong("an address is host:port, without a path")
    host, given = _split(rest, wrong)
    if not host:
        raise wrong(f"the host is missing; write {example}, for example")
    number = given or str(schemes.get(before, port))
    if number == "0" and not given:
        raise wrong(f"the port is missing; write {example}, for example")
    if not (number.isdecimal() and len(number) <= 5 and 1 <= int(number) <= 65535):
        raise wrong("a port is a number from 1 to 65535")
    return NetworkAddress(before, host, int(number))


def _split(rest: str, wrong: Any) -> tuple[str, str]:
    if rest.startswith("["):
        host, bracket, tail = rest[1:].partition("]")
        bad = not bracket or (tail != "" and not tail.startswith(":"))
        port = tail[1:]
    else:
        host, _, port = rest.partition(":")
        bad = ":" in port
    if bad:
        raise wrong("an IPv6 address stands in brackets: [::1]:80")
    return host, port


@dataclasses.dataclass(frozen=True)
class TlsGroup:
    """The options of TLS, as a group: how to prove who the server is, and who we are.

    Inherit it to give options environment variables, with `tls_option`, and to add others.
    """

    cafile: str = option(
        help="authorities to trust instead of the system's, in PEM",
        default="",
        path="file",
        example="/etc/ssl/private-ca.pem",
    )
    clientcert: str = option(
        help="our certificate in PEM; used only together with clientkey",
        default="",
        path="file",
        together_with="clientkey",
    )
    clientkey: str = option(help="the key of clientcert in PEM", default="", path="file", together_with="clientcert")
    servername: str = option(
        help="name that the server's certificate must be made out to, if not the host of the address", default=""
    )
    verify: bool = option(help="check the server's certificate; false accepts anybody's", default=True)

    @property
    def given(self) -> bool:
        """Whether any of them says something."""
        return self != type(self)()

    def warning(self) -> str:
        """What a backend says in its log when it is made; "" for nothing."""
        if bool(self.clientcert) == bool(self.clientkey):
            return ""
        return "tls.clientcert and tls.clientkey are used only together: no certificate is sent"


@dataclasses.dataclass(frozen=True)
class CheckTls:
    """The options of TLS of a check, as a group: how the server proves who it is, and who asks."""

    ca: str = option(help="authorities to trust instead of the system's, in PEM", default="", path="file")
    cert: str = option(help="certificate to show, in PEM", default="", path="file")
    key: str = option(help="its key, in PEM", default="", path="file", together_with="cert")
    name: str = option(help="name that the certificate has to be made out to", default="")
    verify: bool = option(help="refuse a certificate that nobody vouches for", default=True)


def tls_option(name: str, *, env: str = "", env_wins: bool = False, example: str = "") -> Any:
    """An option of `TlsGroup` once more, for a class that inherits it.

    Args:
        name: Its name.
        env: The environment variable, as for `option`.
        env_wins: As for `option`.
        example: Another example.
    """
    return option_again(TlsGroup, name, env=env, env_wins=env_wins, **({"example": example} if example else {}))
