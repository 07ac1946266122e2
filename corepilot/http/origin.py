"""Where a client sends its requests: scheme, host and port, or the path of a unix socket."""

from typing import NamedTuple

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """One server.

    Attributes:
        scheme: "http", "https" or "unix".
        host: A name, or an address without brackets; for unix the path of the socket.
        port: 1 to 65535; 0 for unix.
        authority: What the Host header says.
        text: The origin as shown to people.
    """

    scheme: str
    host: str
    port: int
    authority: str
    text: str


def parse_origin(text: str) -> Origin:
    """Read "http://host:port", "https://host" or "unix:///path".

    Only an origin is taken: a path, a query or a user name would silently get lost or leak into messages.

    Args:
        text: The origin, in ASCII. IPv6 addresses stand in brackets.

    Returns:
        The parts.

    Raises:
        ValueError: It is something else. The message does not repeat a user name or password.
    """
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in {"http", "https", "unix"}:
        raise ValueError("cannot use the address: it has to start with http://, https:// or unix://")
    if not rest.isascii() or any(character <= " " or character == "\x7f" for character in rest):
        raise ValueError("cannot use the address: it may hold visible ASCII characters only")
    if scheme == "unix":
        if not rest.startswith("/"):
            raise ValueError(f"cannot use the address {text}: unix:// takes an absolute path, unix:///run/x.socket")
        return Origin(scheme, rest, 0, "localhost", text)
    if "@" in rest:
        raise ValueError("cannot use the address: user name and password do not belong in it")
    rest = rest.removesuffix("/")
    if any(character in rest for character in "/?#"):
        raise ValueError("cannot use the address: only scheme, host and port are taken, no path or query")
    host, port = _split_port(rest, text)
    number = _DEFAULT_PORTS[scheme] if port is None else port
    if not 1 <= number <= 65535:
        raise ValueError(f"cannot use the address {text}: a port is a number from 1 to 65535")
    shown = f"[{host}]" if ":" in host else host
    authority = shown if number == _DEFAULT_PORTS[scheme] else f"{shown}:{number}"
    return Origin(scheme, host, number, authority, f"{scheme}://{shown}:{number}")


def _split_port(rest: str, text: str) -> tuple[str, int | None]:
    if rest.startswith("["):
        host, bracket, tail = rest[1:].partition("]")
        if not bracket or (tail and not tail.startswith(":")):
            raise ValueError(f"cannot use the address {text}: an IPv6 address stands in [brackets], then :port")
        colon, port = tail[:1], tail[1:]
    else:
        host, colon, port = rest.partition(":")
    if not host:
        raise ValueError(f"cannot use the address {text}: the host is missing")
    if ":" in port:
        raise ValueError(f"cannot use the address {text}: an IPv6 address stands in [brackets], then :port")
    if colon and not (port.isdecimal() and len(port) <= 5):
        raise ValueError(f"cannot use the address {text}: a port is a number from 1 to 65535")
    return host, int(port) if port else None
