"""A server's side of one exchange: read a request within limits, write the answer, part without losing it."""

import contextlib
import socket as native
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import TypeVar

import h11
from gevent import Timeout, socket

from corepilot.http.disconnect import DisconnectWatch
from corepilot.http.message import Peer, Request, Response, StreamingResponse, split_target
from corepilot.http.time_slice import TimeSlice
from corepilot.http.wire import Wire, decoded

_READ_BYTES = 16 * 1024
_LINGER_S = 2.0
_LINGER_BYTES = 8 * 1024 * 1024
_REASONS = {
    200: b"OK",
    202: b"Accepted",
    400: b"Bad Request",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    409: b"Conflict",
    413: b"Content Too Large",
    414: b"URI Too Long",
    422: b"Unprocessable Entity",
    431: b"Request Header Fields Too Large",
    500: b"Internal Server Error",
    501: b"Not Implemented",
    503: b"Service Unavailable",
    505: b"HTTP Version Not Supported",
}
"""Reason phrases are for people who look at the wire; programs ignore them (RFC 9112, 4)."""

_BODILESS = frozenset((204, 304))
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """What clients may take of a server. The defaults are those of a control socket.

    Attributes:
        connections: At the same time. One more evicts the connection that has waited longest without a complete
            request, else the one whose client has taken nothing of its answer for the longest time, if that is more
            than a tenth of a second; if there is none such, it is answered 503 with Retry-After.
        idle_s: With keep-alive, the wait for the first byte of the next request.
        header_s: From the connection, or the first byte of a later request, to the end of the header fields.
        request_s: From the same moment to the end of the body.
        handler_s: How long the handler may take.
        write_s: For the whole answer to be taken by the client; of one that is streamed, for each chunk.
        line_bytes: The request target, and each header field.
        head_bytes: Request line and header fields together.
        header_fields: Their number.
        body_bytes: The body.
    """

    connections: int = 64
    idle_s: float = 30.0
    header_s: float = 5.0
    request_s: float = 10.0
    handler_s: float = 60.0
    write_s: float = 10.0
    line_bytes: int = 8 * 1024
    head_bytes: int = 16 * 1024
    header_fields: int = 32
    body_bytes: int = 64 * 1024


class RefusedError(Exception):
    """The request cannot be handled. `status` is the answer, after which the connection has to be closed."""

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        super().__init__(reason)


class StreamBrokenError(Exception):
    """The iterator of a streaming answer raised; `__cause__` is what. The answer has not been completed."""


class Exchange:
    """Requests and answers on one connection, one after the other. All deadlines but the handler's are kept here.

    Args:
        sock: A connected gevent socket.
        limits: See `ServerLimits`.
        peer: Put into every request.
    """

    def __init__(self, sock: socket.socket, limits: ServerLimits, peer: Peer | None) -> None:
        self._limits = limits
        self._peer = peer
        self._wire = Wire(sock, h11.SERVER, head_bytes=limits.head_bytes, read_bytes=_READ_BYTES)
        self._requests = 0
        self._method = b""

    @property
    def blocked_since(self) -> float:
        """Since when the client takes nothing of its answer, on the monotonic clock; 0 if it does, or there is none."""
        return self._wire.blocked_since

    def read_request(self) -> Request | None:
        """Read the next request. Switches to the hub.

        Returns:
            The request, or None if the client has gone, or has stayed silent for as long as it may.

        Raises:
            RefusedError: It is malformed (400, 501, 505), too slow (408), or too large (413, 414, 431).
            OSError: The connection was lost.
        """
        limits = self._limits
        begun = monotonic()
        first = self._requests == 0
        try:
            if not _within(limits.header_s if first else limits.idle_s, self._wire.await_message):
                return None
        except TimeoutError:
            return None
        self._requests += 1
        if not first:
            begun = monotonic()
        try:
            head = _within(begun + limits.header_s - monotonic(), self._wire.next_event)
            if not isinstance(head, h11.Request):
                return None
            self._method = head.method
            path, query = self._checked(head)
            body = _within(begun + limits.request_s - monotonic(), self._read_body)
        except TimeoutError as error:
            raise RefusedError(408, "the request did not come in time") from error
        except h11.RemoteProtocolError as error:
            raise RefusedError(error.error_status_hint, "the request is not HTTP/1.1, or is cut off") from error
        return Request(head.method.decode("ascii"), path, query, decoded(head.headers), body, self._peer)

    def write(self, response: Response, *, close: bool) -> bool:
        """Send an answer. Switches to the hub.

        Args:
            response: What to send; its body is left out where HTTP forbids one.
            close: Announce that this is the last answer.

        Returns:
            Whether another request may follow on this connection.

        Raises:
            h11.LocalProtocolError: The answer is not valid HTTP. Nothing was sent, and another answer may be.
            OSError: The connection was lost, or the client did not take the answer in time.
        """
        parser = self._wire.parser
        fields = list(response.headers.items())
        if response.status not in _BODILESS:
            fields.append(("Content-Length", str(len(response.body))))
        data = parser.send(_head(response.status, fields, close=close)) or b""
        if response.body and self._method != b"HEAD" and response.status not in _BODILESS:
            data += parser.send(h11.Data(data=response.body)) or b""
        data += parser.send(h11.EndOfMessage()) or b""
        _within(self._limits.write_s, lambda: self._wire.send(data))
        if parser.our_state is not h11.DONE or parser.their_state is not h11.DONE:
            return False
        self._wire.begin_next_message()
        self._method = b""
        return True

    def stream(self, response: StreamingResponse) -> None:
        """Send an answer chunk by chunk, as its last one on this connection. Switches to the hub.

        In chunked coding; to a client of HTTP/1.0, to which the end of the connection is the end of the answer, as it
        is. The iterator is left for the caller to close.

        Raises:
            h11.LocalProtocolError: The answer is not valid HTTP. Nothing was sent, and another answer may be.
            OSError: The connection was lost, or the client did not take a chunk in time.
            ClientGone: The client closed while the iterator waited.
            StreamBrokenError: The iterator raised.
        """
        wire = self._wire
        head = wire.parser.send(_head(response.status, list(response.headers.items()), close=True)) or b""
        _within(self._limits.write_s, lambda: wire.send(head))
        if self._method != b"HEAD" and response.status not in _BODILESS:
            self._send_chunks(response.chunks, response.write_s or self._limits.write_s)
        self._send_part(h11.EndOfMessage, self._limits.write_s)

    def _send_chunks(self, chunks: Iterator[bytes], write_s: float) -> None:
        watch = DisconnectWatch(self._wire.sock)
        time_slice = TimeSlice()

        def next_part() -> h11.Data | None:
            with watch:
                chunk = next(chunks, None)
            return None if chunk is None else h11.Data(data=chunk)

        try:
            while self._send_part(next_part, write_s):
                if watch.gone:
                    raise ConnectionResetError("the client has closed the connection")
                # Neither an iterator that never waits nor a client that always reads keeps the hub.
                time_slice.check()
        finally:
            watch.close()

    def _send_part(self, make: Callable[[], h11.Data | h11.EndOfMessage | None], write_s: float) -> bool:
        """Send what is made, each piece within its time; whether there was anything."""
        try:
            part = make()
            data = b"" if part is None else self._wire.parser.send(part) or b""
        except (Exception, Timeout) as error:
            raise StreamBrokenError from error
        _within(write_s, lambda: self._wire.send(data))
        return part is not None

    def linger(self) -> None:
        """Let the client read the last answer although we have not read all it sent.

        Closing a socket with unread input resets the connection, and a reset may overtake the answer. So we end our
        side and throw away what still comes, for two seconds or 8 MiB: many clients send all of a body first.
        """
        parser = self._wire.parser
        if parser.their_state in {h11.DONE, h11.MUST_CLOSE, h11.CLOSED} and not parser.trailing_data[0]:
            return
        sock = self._wire.sock
        sock.shutdown(native.SHUT_WR)
        left = _LINGER_BYTES

        def drain() -> None:
            nonlocal left
            time_slice = TimeSlice()
            while left > 0 and (data := sock.recv(_READ_BYTES)):
                left -= len(data)
                time_slice.check()

        with contextlib.suppress(TimeoutError):
            _within(_LINGER_S, drain)

    def _checked(self, head: h11.Request) -> tuple[str, str]:
        """Path and query of a request whose head keeps the limits."""
        limits = self._limits
        if not head.http_version.startswith(b"1."):
            raise RefusedError(505, "only HTTP/1.1 and HTTP/1.0 are spoken here")
        if len(head.target) > limits.line_bytes:
            raise RefusedError(414, f"the request line is longer than {limits.line_bytes} bytes")
        if len(head.headers) > limits.header_fields:
            raise RefusedError(431, f"there are more than {limits.header_fields} header fields")
        for name, value in head.headers:
            if len(name) + len(value) > limits.line_bytes:
                raise RefusedError(431, f"a header field is longer than {limits.line_bytes} bytes")
            # h11 has checked that it is a number; no number that is too long for an int gets here.
            if name == b"content-length" and int(value) > limits.body_bytes:
                raise self._too_large()
        try:
            return split_target(head.target)
        except ValueError as error:
            raise RefusedError(400, str(error)) from error

    def _read_body(self) -> bytes:
        wire = self._wire
        if wire.parser.they_are_waiting_for_100_continue:
            proceed = h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
            wire.send(wire.parser.send(proceed) or b"")
        body = bytearray()
        while isinstance(event := wire.next_event(), h11.Data):
            body += event.data
            if len(body) > self._limits.body_bytes:
                raise self._too_large()
        return bytes(body)

    def _too_large(self) -> RefusedError:
        return RefusedError(413, f"the body is longer than {self._limits.body_bytes} bytes")


def _head(status: int, fields: list[tuple[str, str]], *, close: bool) -> h11.Response:
    """The head of an answer. Made before anything is sent: an invalid one must not spoil the connection's state."""
    if close:
        fields.append(("Connection", "close"))
    return h11.Response(status_code=status, headers=fields, reason=_REASONS.get(status, b""))


def _within(seconds: float, step: Callable[[], _T]) -> _T:
    """Run a step, and raise `TimeoutError` in it when the time is up. Timeouts of others pass."""
    timeout = Timeout(max(0.0, seconds))
    timeout.start()
    try:
        return step()
    except Timeout as caught:
        if caught is not timeout:
            raise
        raise TimeoutError(f"not done within {seconds:g} s") from None
    finally:
        timeout.close()
        del timeout  # its traceback holds this frame: both would wait for the garbage collector
