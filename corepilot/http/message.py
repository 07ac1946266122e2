"""Requests and responses as values, the same for the client and the server. No I/O and no gevent here."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Headers(Mapping[str, str]):
    """Header fields by lower-case name. Looking one up ignores case.

    A field that is repeated has its values joined with ", " (RFC 9110, 5.3).
    """

    __slots__ = ("_values",)

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._values: dict[str, str] = {}
        for written, value in fields:
            name = written.lower()
            self._values[name] = f"{self._values[name]}, {value}" if name in self._values else value

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(frozenset(self._values.items()))

    def __repr__(self) -> str:
        # Values stay out: a header may be a token, and reprs end up in logs.
        return f"Headers({', '.join(self._values)})"


NO_HEADERS = Headers()


class Peer(NamedTuple):
    """Who is at the other end of a unix socket, as the kernel tells it (SO_PEERCRED, unix(7)).

    Attributes:
        pid: The process that connected; 0 if it lives outside our PID namespace.
        uid: Its effective user at the time of connect.
        gid: Its effective group at the time of connect.
    """

    pid: int
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Request:
    """A request that has been read completely.

    Attributes:
        method: As sent; methods are case-sensitive.
        path: Percent-decoded, as UTF-8.
        query: As sent, without the question mark; empty if there is none.
        headers: The header fields.
        body: At most as long as the server's limit.
        peer: The process at the other end; None over TCP.
    """

    method: str
    path: str
    query: str = ""
    headers: Headers = NO_HEADERS
    body: bytes = field(default=b"", repr=False)
    peer: Peer | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, received or to be sent.

    Attributes:
        status: 200 to 599.
        headers: The header fields. A server adds Content-Length and Connection by itself.
        body: The whole body.
    """

    status: int
    headers: Headers = NO_HEADERS
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class StreamingResponse:
    """An answer that is sent while it is being made, each chunk at once. The last one of its connection.

    The server runs the iterator in the greenlet of the request. It may wait as long as it likes between two chunks; at
    such a wait it can be ended by `gevent.GreenletExit`: the client has gone, or the server stops. It is closed in any
    case. An iterator that raises ends the connection without the end of the answer: in HTTP/1.1 the client can tell.

    Attributes:
        status: 200 to 599.
        headers: The header fields. The server adds Connection and Transfer-Encoding by itself.
        chunks: The body. Where chunks are cut means nothing; empty ones are not sent. A generator that has not begun
            runs no `finally`: what has to be released is acquired in it, or `chunks` is an object with a `close`.
        write_s: Seconds that the client has to take a chunk; None for the server's limit.
    """

    status: int
    headers: Headers
    chunks: Iterator[bytes] = field(repr=False)
    write_s: float | None = None

    def close(self) -> None:
        """End the iterator. Raises what the iterator raises at that."""
        close = getattr(self.chunks, "close", None)
        if close is not None:
            close()


Answer = Response | StreamingResponse
"""What a handler may return."""


def split_target(target: bytes) -> tuple[str, str]:
    """Cut a request target into its decoded path and its raw query.

    Args:
        target: What stands between method and version, in origin form (RFC 9112, 3.2.1).

    Returns:
        The percent-decoded path and the query.

    Raises:
        ValueError: It is not in origin form, an escape is not two hexadecimal digits, or the path is not UTF-8 or holds
            a NUL.
    """
    raw_path, _, query = target.partition(b"?")
    if not raw_path.startswith(b"/"):
        raise ValueError("the target is not a path")
    return percent_decoded(raw_path), query.decode("latin-1")


def percent_decoded(raw: bytes) -> str:
    """A part of a request target without its escapes.

    Raises:
        ValueError: An escape is not two hexadecimal digits, or the result is not UTF-8 or holds a NUL.
    """
    head, *escapes = raw.split(b"%")
    decoded = bytearray(head)
    for escape in escapes:
        # int() would take "+1" and " 1" as well.
        if not escape[:2].isalnum() or len(escape) < 2:
            raise ValueError("an escape is not % and two hexadecimal digits")
        decoded.append(int(escape[:2], 16))
        decoded += escape[2:]
    if 0 in decoded:
        raise ValueError("it holds a NUL")
    return decoded.decode("utf-8")
