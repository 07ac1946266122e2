"""An HTTP client for greenlets: one origin, total deadlines, bounded everything.

The deadline of a request covers all of it: resolving, connecting, TLS, sending, and the last byte of the answer. A
server that sends a byte a second is as late as one that sends nothing.

Redirects are not followed but returned: headers often carry a token, and following would hand it to whatever origin
the answer names. Compression is never asked for, so an answer cannot be larger than what came over the line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

from corepilot.http.call import Call
from corepilot.http.connecting import connect
from corepilot.http.connection import Connection, Outgoing
from corepilot.http.message import Response
from corepilot.http.origin import parse_origin
from corepilot.http.stream import BodyStream
from corepilot.http.time_slice import full_turn
from corepilot.http.tls import TlsContexts, TlsOptions
from corepilot.system.semaphore import BoundedSemaphore

_LONG_BYTES = 4 * 1024 * 1024
_IDEMPOTENT = frozenset(("GET", "HEAD", "PUT", "DELETE", "OPTIONS"))


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """What one client may hold.

    Attributes:
        idle_connections: Kept open for the next request.
        idle_s: For how long. A name is looked up again at the latest after this time without requests.
        connections: In use at the same time, streams included. A request that finds none free waits for one, within
            its deadline.
        head_bytes: The longest status line with header fields of an answer.
    """

    idle_connections: int = 4
    idle_s: float = 30.0
    connections: int = 256
    head_bytes: int = 64 * 1024


class Client:
    """Requests to one origin. Usable from any greenlet of one hub; creating it does no I/O.

    A connection is used again where the server allows it. If such a connection turns out to be dead before anything
    of the answer came, the request is sent once more on a fresh one, provided that nothing had been sent or that the
    request is idempotent (RFC 9110, 9.2.2 and RFC 9112, 9.3.1). GET, HEAD, PUT, DELETE and OPTIONS are taken to be
    so: PUT is Consul's verb for everything, and its registrations and updates can be repeated.

    Args:
        origin: "http://host:port", "https://host:port" or "unix:///path".
        tls: For https; the default verifies against the system's certificates.
        headers: Sent with every request.
        limits: See `ClientLimits`.

    Raises:
        ValueError: The origin cannot be used.
    """

    def __init__(
        self,
        origin: str,
        *,
        tls: TlsOptions | None = None,
        headers: Sequence[tuple[str, str]] = (),
        limits: ClientLimits | None = None,
    ) -> None:
        self._origin = parse_origin(origin)
        self._tls = TlsContexts(tls or TlsOptions()) if self._origin.scheme == "https" else None
        self._headers = (("User-Agent", "corepilot"), ("Accept-Encoding", "identity"), *headers)
        self._limits = limits or ClientLimits()
        self._free = BoundedSemaphore(self._limits.connections)
        self._idle: list[Connection] = []
        self._closed = False

    @property
    def origin(self) -> str:
        """The origin, for people. No secrets."""
        return self._origin.text

    def request(
        self,
        method: str,
        path_and_query: str,
        body: bytes = b"",
        headers: Sequence[tuple[str, str]] = (),
        *,
        deadline_s: float,
        max_body_bytes: int = 8 * 1024 * 1024,
        idempotent: bool | None = None,
    ) -> Response:
        """Send a request and read the whole answer. Switches to the hub.

        Args:
            method: In capitals.
            path_and_query: Begins with "/"; already percent-encoded.
            body: May be empty.
            headers: Added to the client's own; Host and Content-Length are added by themselves.
            deadline_s: For everything together, in seconds.
            max_body_bytes: The longest body of an answer.
            idempotent: Whether sending it twice does no harm; None goes by the method.

        Returns:
            The answer, whatever its status.

        Raises:
            HttpTimeoutError: The deadline passed.
            HttpConnectError: No connection could be made.
            HttpProtocolError: The connection was lost, or what came is not HTTP.
            HttpTooLargeError: The body is longer than allowed.
        """
        request = Outgoing(method, path_and_query, (*self._headers, *headers), body)
        with Call(self.origin, method, path_and_query, deadline_s) as call, self._free:
            until = monotonic() + deadline_s
            connection = self._take_idle()
            if connection is not None:
                call.connecting = False
                try:
                    return self._exchange(call, connection, request, max_body_bytes)
                except OSError:
                    repeatable = method in _IDEMPOTENT if idempotent is None else idempotent
                    if connection.wire.received or (connection.wire.sent and not repeatable):
                        raise
            connection = self._connect(call, until)
            return self._exchange(call, connection, request, max_body_bytes)

    def stream(
        self,
        method: str,
        path_and_query: str,
        body: bytes = b"",
        headers: Sequence[tuple[str, str]] = (),
        *,
        deadline_s: float,
        idle_s: float,
    ) -> BodyStream:
        """Send a request whose answer goes on and on, on a connection of its own. Switches to the hub.

        Args:
            method: In capitals.
            path_and_query: Begins with "/"; already percent-encoded.
            body: May be empty.
            headers: Added to the client's own.
            deadline_s: Until status and header fields of the answer are there.
            idle_s: The longest wait for each next piece of the body.

        Returns:
            The answer, to be read piece by piece and then closed; best as a `with` block.

        Raises:
            HttpTimeoutError: The deadline passed.
            HttpConnectError: No connection could be made.
            HttpProtocolError: The connection was lost, or what came is not HTTP.
        """
        request = Outgoing(method, path_and_query, (*self._headers, *headers), body)
        with Call(self.origin, method, path_and_query, deadline_s) as call:
            self._free.acquire()
            connection = None
            try:
                connection = self._connect(call, monotonic() + deadline_s)
                connection.send(request)
                status, fields = connection.read_head()
            except BaseException:
                if connection is not None:
                    connection.close()
                self._free.release()
                raise
        where = (self.origin, method, path_and_query)
        return BodyStream(connection, status, fields, where=where, idle_s=idle_s, released=self._free.release)

    def close(self) -> None:
        """Close the idle connections, and the others as soon as their requests have ended. Streams are not touched."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def _connect(self, call: Call, until: float) -> Connection:
        call.connecting = True
        sock = connect(self._origin, self._tls, until)
        call.connecting = False
        return Connection(sock, self._origin, head_bytes=self._limits.head_bytes)

    def _exchange(self, call: Call, connection: Connection, request: Outgoing, max_body_bytes: int) -> Response:
        try:
            connection.send(request)
            status, fields = connection.read_head()
            # To HEAD the length is that of a body which does not come.
            if request.method != "HEAD":
                call.check_length(int(fields.get("content-length", "0")), max_body_bytes)
            body = bytearray()
            for part in connection.chunks():
                body += part
                call.check_length(len(body), max_body_bytes)
            if len(body) > _LONG_BYTES:
                full_turn()  # to copy 16 MB takes 10 ms
        except BaseException:
            connection.close()
            raise
        self._give_back(connection)
        return Response(status, fields, bytes(body))

    def _take_idle(self) -> Connection | None:
        oldest = monotonic() - self._limits.idle_s
        kept = [connection for connection in self._idle if connection.idle_since >= oldest]
        for connection in self._idle:
            if connection.idle_since < oldest:
                connection.close()
        self._idle = kept
        while kept:
            connection = kept.pop()
            if connection.looks_alive():
                return connection
            connection.close()
        return None

    def _give_back(self, connection: Connection) -> None:
        full = len(self._idle) >= self._limits.idle_connections
        if self._closed or full or not connection.recycle():
            connection.close()
        else:
            self._idle.append(connection)
