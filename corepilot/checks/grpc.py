"""The check `grpc`: grpc.health.v1.Health/Check, asked over HTTP/2 without a library for either.

One unary call on a connection of its own is a few frames (RFC 9113), and the answer is one small message
(https://github.com/grpc/grpc/blob/master/doc/health-checking.md). Header blocks are sent as literals and not read at
all: the answer is what the DATA frames hold, and where there are none, the server has refused. So there is no HPACK
here, no window that could run out, and no stream but the first.
"""

import struct
from collections.abc import Iterator
from typing import Any

from corepilot.checks.check import Check, CheckContext, CheckFailed
from corepilot.checks.place import Place
from corepilot.checks.tls import contexts_of, reason_of

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
STATUSES = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
MESSAGE_MAX_BYTES = 4096
FRAME_MAX_BYTES = 16_384
"""What a server may send without having been told that we take more (RFC 9113, 4.2)."""

FRAMES_MAX = 100
"""How many frames an answer may have."""

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8
_READ_BYTES = 16_384
_HEAD = struct.Struct(">HBBBI")  # the length is the first three bytes


class GrpcCheck(Check):
    """A job is healthy when its server says SERVING."""

    def __init__(self, options: Any, context: CheckContext) -> None:
        super().__init__(options, context)
        tls = options.tls
        self._place = Place(options.address, context, None if tls is None else contexts_of(tls, "h2"))
        name = options.service.encode()
        message = b"\x0a" + bytes([len(name)]) + name if name else b""
        fields = (
            (b":method", b"POST"),
            (b":scheme", b"http" if tls is None else b"https"),
            (b":path", b"/grpc.health.v1.Health/Check"),
            (b":authority", str(self._place).encode()),
            (b"content-type", b"application/grpc"),
            (b"te", b"trailers"),
        )
        self._request = b"".join(
            [
                PREFACE,
                _frame(SETTINGS, 0, 0, b""),
                _frame(HEADERS, END_HEADERS, 1, b"".join([_literal(*field) for field in fields])),
                _frame(DATA, END_STREAM, 1, b"\0" + struct.pack(">I", len(message)) + message),
            ]
        )

    def ask(self, deadline_s: float) -> str:
        """See Check."""
        sock = self._place.connect(deadline_s)
        try:
            sock.sendall(self._request)
            said = _status(_message(sock))
        except OSError as error:
            raise CheckFailed(f"the connection to {self._place} was lost: {reason_of(error)}") from error
        finally:
            sock.close()
        if said != "SERVING":
            raise CheckFailed(f"the server says {said}")
        return said


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return _HEAD.pack(len(payload) >> 8, len(payload) & 0xFF, kind, flags, stream) + payload


def _literal(name: bytes, value: bytes) -> bytes:
    """A header field that no table keeps (RFC 7541, 6.2.2); both are shorter than 127 bytes."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def _message(sock: Any) -> bytes:
    """The message of the answer.

    Raises:
        CheckFailed: none comes.
    """
    body = b""
    for kind, flags, stream, payload in _frames(sock):
        if kind == SETTINGS and not flags & ACK:
            sock.sendall(_frame(SETTINGS, ACK, 0, b""))
        elif kind == PING and not flags & ACK:
            sock.sendall(_frame(PING, ACK, 0, payload))
        elif kind == GOAWAY or (kind == RST_STREAM and stream == 1):
            raise CheckFailed("the server has refused the call")
        elif kind == DATA and stream == 1:
            body += _unpadded(payload, flags)
            if len(body) > MESSAGE_MAX_BYTES:
                raise CheckFailed("the answer is no health message: it is too long")
            if len(body) >= 5 and len(body) >= 5 + int.from_bytes(body[1:5], "big"):
                return body[5:]
        if kind in {DATA, HEADERS} and stream == 1 and flags & END_STREAM:
            break
    raise CheckFailed("no health message came: the server does not have grpc.health.v1, or not this service")


def _frames(sock: Any) -> Iterator[tuple[int, int, int, bytes]]:
    data = b""
    for _ in range(FRAMES_MAX):
        while len(data) < 9 or len(data) < 9 + _length(data):
            if len(data) >= 9 and _length(data) > FRAME_MAX_BYTES:
                raise CheckFailed("the answer is not HTTP/2")
            more = sock.recv(_READ_BYTES)
            if not more:
                raise CheckFailed("the server has closed the connection; does it speak gRPC?")
            data += more
        length = _length(data)
        _, _, kind, flags, stream = _HEAD.unpack(data[:9])
        payload, data = data[9 : 9 + length], data[9 + length :]
        yield kind, flags, stream & 0x7FFFFFFF, payload
    raise CheckFailed("the server sends frames without end")


def _length(data: bytes) -> int:
    return int.from_bytes(data[:3], "big")


def _unpadded(payload: bytes, flags: int) -> bytes:
    return payload[1 : len(payload) - payload[0]] if flags & PADDED and payload else payload


def _status(message: bytes) -> str:
    """HealthCheckResponse: one field, an enumeration; nothing at all is its first value."""
    if not message:
        return STATUSES[0]
    if len(message) == 2 and message[0] == 8 and message[1] < len(STATUSES):
        return STATUSES[message[1]]
    raise CheckFailed("the answer is no health message")
