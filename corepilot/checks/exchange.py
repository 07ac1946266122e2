"""One request and its answer over HTTP/1.1, on a connection of its own: what a check needs, and no more.

A check asks for the connection to be closed after the answer. So an answer can be read as a whole, and there is neither
a state of the connection to keep nor another message to tell this one from, which is what a general parser is for; with
one, a thousand questions a second take twice the processor time.
"""

from time import monotonic
from typing import Any, NamedTuple

READ_BYTES = 64 * 1024
HEAD_MAX_BYTES = 32 * 1024


class AnswerError(Exception):
    """What came is no answer in HTTP/1. Says why."""


class Answer(NamedTuple):
    """An answer.

    Attributes:
        status: Its status.
        body: Without its transfer coding.
    """

    status: int
    body: bytes


def exchange(sock: Any, request: bytes, *, body_max: int, without_body: bool) -> Answer:
    """Send a request and read the whole answer. Switches to the hub; the caller has the deadline and the socket.

    Args:
        sock: Connected.
        request: Head and body; asks for `Connection: close`.
        body_max: The longest body in bytes.
        without_body: Whether the answer has none, as to HEAD.

    Raises:
        AnswerError: what came is too long, or no answer.
        OSError: the connection was lost.
    """
    sock.sendall(request)
    data = b""
    started = monotonic()
    while True:
        end = data.find(b"\r\n\r\n")
        if end < 0:
            if len(data) > HEAD_MAX_BYTES:
                raise AnswerError(f"the head of the answer is longer than {HEAD_MAX_BYTES} bytes")
            data += _more(sock, data)
            continue
        status, fields = _head(data[:end])
        data = data[end + 4 :]
        if status >= 200:  # others are followed by the answer itself
            break
        if monotonic() - started > _INFORMATIONAL_S:
            raise AnswerError("only informational answers come")
    if without_body or status in {204, 304}:
        return Answer(status, b"")
    if b"chunked" in fields.get(b"transfer-encoding", b"").lower():
        return Answer(status, _chunks(sock, data, body_max))
    return Answer(status, _body(sock, data, fields.get(b"content-length"), body_max))


_INFORMATIONAL_S = 60.0


def _head(head: bytes) -> tuple[int, dict[bytes, bytes]]:
    first, *lines = head.split(b"\r\n")
    version, _, rest = first.partition(b" ")
    status = rest[:3]
    if version not in {b"HTTP/1.1", b"HTTP/1.0"} or not status.isdigit() or rest[3:4].strip():
        raise AnswerError("the answer is not HTTP")
    fields = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon:
            raise AnswerError("the answer is not HTTP")
        fields[name.lower()] = value.strip()
    return int(status), fields


def _body(sock: Any, data: bytes, length: bytes | None, body_max: int) -> bytes:
    if length is not None and not length.isdigit():
        raise AnswerError("the answer has no usable Content-Length")
    wanted = None if length is None else int(length)
    if wanted is not None and wanted > body_max:
        raise _too_long(body_max)
    while wanted is None or len(data) < wanted:
        more = sock.recv(READ_BYTES)
        if not more:
            if wanted is not None:
                raise AnswerError("the answer breaks off")
            return data
        data += more
        if len(data) > body_max:
            raise _too_long(body_max)
    return data[:wanted]


def _chunks(sock: Any, data: bytes, body_max: int) -> bytes:
    body = bytearray()
    while True:
        size, data = _line(sock, data)
        digits = size.partition(b";")[0].strip()
        try:
            left = int(digits, 16)
        except ValueError:
            raise AnswerError("the answer is not chunked as HTTP says") from None
        if left <= 0:
            return bytes(body)
        if len(body) + left > body_max:
            raise _too_long(body_max)
        while len(data) < left + 2:
            data += _more(sock, data)
        body += data[:left]
        data = data[left + 2 :]


def _line(sock: Any, data: bytes) -> tuple[bytes, bytes]:
    while (end := data.find(b"\r\n")) < 0:
        if len(data) > HEAD_MAX_BYTES:
            raise AnswerError("the answer is not chunked as HTTP says")
        data += _more(sock, data)
    return data[:end], data[end + 2 :]


def _more(sock: Any, data: bytes) -> bytes:
    more: bytes = sock.recv(READ_BYTES)
    if not more:
        raise AnswerError("the answer breaks off" if data else "closed without an answer")
    return more


def _too_long(body_max: int) -> AnswerError:
    return AnswerError(f"the answer is longer than {body_max} bytes")
