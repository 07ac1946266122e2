"""A client's connection: how it is made, and one exchange after the other on it."""

import select
from collections.abc import Iterator, Sequence
from time import monotonic
from typing import NamedTuple

import h11
from gevent import socket

from corepilot.http.message import Headers
from corepilot.http.origin import Origin
from corepilot.http.wire import Wire, decoded

_READ_BYTES = 64 * 1024


class Outgoing(NamedTuple):
    """A request to be sent.

    Attributes:
        method: In capitals.
        target: Path and query, percent-encoded.
        headers: All but Host and Content-Length.
        body: May be empty.
    """

    method: str
    target: str
    headers: Sequence[tuple[str, str]]
    body: bytes


class Connection:
    """One connection to a server. One request at a time.

    Nothing here has a deadline: run it under `gevent.Timeout`. After any exception the connection must be closed.

    Args:
        sock: Connected; owned from now on.
        origin: Whose server it is.
        head_bytes: The longest head of an answer.
    """

    def __init__(self, sock: socket.socket, origin: Origin, *, head_bytes: int) -> None:
        self.wire = Wire(sock, h11.CLIENT, head_bytes=head_bytes, read_bytes=_READ_BYTES)
        self.idle_since = 0.0
        self._authority = origin.authority
        # A TLS connection may have a ticket for resumption waiting, which says nothing about its health.
        self._silent_when_idle = origin.scheme != "https"
        self._send_failure: OSError | None = None

    def send(self, request: Outgoing) -> None:
        """Send one request.

        A server may answer and close before it has read a long body. So a failure in the middle is kept back until
        it is known that there is no answer either.

        Raises:
            h11.LocalProtocolError: A header or the target holds a character that HTTP forbids. Nothing was sent.
            OSError: The connection was lost before anything had been sent.
        """
        fields = [("Host", self._authority), *request.headers]
        if request.body or request.method in {"POST", "PUT", "PATCH"}:
            fields.append(("Content-Length", str(len(request.body))))
        parser = self.wire.parser
        data = parser.send(h11.Request(method=request.method, target=request.target, headers=fields)) or b""
        if request.body:
            data += parser.send(h11.Data(data=request.body)) or b""
        data += parser.send(h11.EndOfMessage()) or b""
        try:
            self.wire.send(data)
        except OSError as error:
            if not self.wire.sent:
                raise
            self._send_failure = error

    def read_head(self) -> tuple[int, Headers]:
        """Wait for status and header fields of the answer; informational answers (1xx) are passed over.

        Raises:
            h11.RemoteProtocolError: What came is not an answer in HTTP/1.
            OSError: The connection was lost.
        """
        try:
            while isinstance(event := self.wire.next_event(), h11.InformationalResponse):
                pass
        except (OSError, h11.RemoteProtocolError) as error:
            raise self._send_failure or error from None
        if not isinstance(event, h11.Response):
            raise h11.RemoteProtocolError("no answer came")
        return event.status_code, decoded(event.headers)

    def chunks(self) -> Iterator[bytes]:
        """The parts of the body as they come, none of them empty, each at most 64 KiB.

        Raises:
            h11.RemoteProtocolError: The body breaks off, or is not framed as HTTP says.
            OSError: The connection was lost.
        """
        while isinstance(event := self.wire.next_event(), h11.Data):
            yield bytes(event.data)

    def recycle(self) -> bool:
        """Make ready for another request; False if the connection cannot take one, and has to be closed."""
        parser = self.wire.parser
        if parser.our_state is not h11.DONE or parser.their_state is not h11.DONE or parser.trailing_data[0]:
            return False
        self.wire.begin_next_message()
        self.idle_since = monotonic()
        return True

    def looks_alive(self) -> bool:
        """Whether an idle connection is still usable as far as can be told without a round trip."""
        if not self._silent_when_idle:
            return True
        poll = select.poll()
        poll.register(self.wire.sock.fileno(), select.POLLIN)
        # Between requests a server has nothing to say: what can be read is the end, or nonsense.
        return not poll.poll(0)

    def close(self) -> None:
        """Close it. May be called again, and from another greenlet."""
        self.wire.close()
