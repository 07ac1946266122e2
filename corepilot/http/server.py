"""An HTTP server for a handful of local clients, of whom any may be slow, hostile, or gone.

It accepts by itself instead of using `gevent.server.StreamServer`: that one has no place to say no to a connection
before a greenlet is made for it, and answers a shortage of descriptors with a traceback on standard error.
"""

import contextlib
import errno
import os
import select
import socket as native
import struct
from collections.abc import Callable
from time import monotonic

import gevent
import h11
from gevent import Timeout, socket

from corepilot.http.exchange import Exchange, RefusedError, ServerLimits, StreamBrokenError
from corepilot.http.message import Answer, Headers, Peer, Request, Response, StreamingResponse
from corepilot.http.time_slice import TimeSlice, full_turn
from corepilot.wording.escaping import escaped

__all__ = ["HttpServer", "ServerLimits"]

_BATCH = 16
_BATCH_S = 0.01
_SHORTAGE = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
_SHORTAGE_WAIT_S = 0.1
_BROKEN = frozenset((errno.EBADF, errno.EINVAL, errno.ENOTSOCK))
_KILL_S = 1.0
_QUEUE_S = 1.0
_CREDENTIALS = struct.Struct("3i")
_TEXT = Headers((("Content-Type", "text/plain; charset=utf-8"),))
_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_BLOCKED_S = 0.1
_CROWDED_S = 0.1

Handler = Callable[[Request], Answer]
OnError = Callable[[str, BaseException], object]


class HttpServer:
    """Answers requests on a listening socket. Usable from one hub; creating it starts nothing.

    Each connection has a greenlet, which reads a request, calls the handler and writes the answer, all within
    `ServerLimits`. What the handler raises becomes a 500 and goes to `on_error`; what clients do wrong becomes a 4xx,
    or the end of their connection, and goes nowhere.

    The handler may switch. It can be ended at any switch: by `ServerLimits.handler_s` (`gevent.Timeout`) and by
    `stop` (`GreenletExit`). Work that must not be cut in two belongs into a greenlet of its own. What takes longer is a
    `StreamingResponse`: its iterator may wait for as long as the client does, and ends with it or with the server.

    Args:
        listener: Bound and listening; owned by the server from `start` on.
        handler: Makes the answer to a request.
        on_error: Told where and what, for the handler's exceptions and for trouble with the listener.
        limits: See `ServerLimits`.
        keep_alive: Whether a connection may carry more than one request.
        heavy: Whether a request takes milliseconds to answer without a wait. Those take turns, so that many of them at
            once do not hold the hub, and others go before them.
    """

    def __init__(
        self,
        listener: native.socket,
        handler: Handler,
        *,
        on_error: OnError,
        limits: ServerLimits | None = None,
        keep_alive: bool = False,
        heavy: Callable[[Request], bool] = lambda _: False,
    ) -> None:
        self._listener: native.socket | None = listener
        self._handler = handler
        self._on_error = on_error
        self._limits = limits or ServerLimits()
        self._keep_alive = keep_alive
        self._heavy = heavy
        self._queued = 0
        self._crowded_since: float | None = None
        # In the order in which they became idle, as far as they are idle.
        self._live: dict[_Visitor, None] = {}
        self._acceptor: gevent.Greenlet[..., None] | None = None
        self._retirement: gevent.Greenlet[..., None] | None = None
        self._spare: int | None = None
        self._time_slice = TimeSlice()

    @property
    def connections(self) -> int:
        """How many connections are open now."""
        return len(self._live)

    def start(self) -> None:
        """Begin to accept. Does not switch. May be called once."""
        if self._listener is None or self._acceptor is not None:
            raise RuntimeError("the server has been started before")
        listener = self._listener
        # gevent's socket takes over the descriptor, so that there is one owner.
        self._listener = socket.socket(listener.family, listener.type, listener.proto, fileno=listener.detach())
        self._acceptor = gevent.spawn(self._accept, self._listener)
        self._keep_spare()

    @property
    def running(self) -> bool:
        """Whether it has been started and something of it is left."""
        return self._acceptor is not None or bool(self._live) or bool(self._retirement)

    def retire(self) -> None:
        """Serve whoever has connected by now, within the limits as ever, and nobody else. Does not switch.

        For a listener that nobody can connect to any more: its file has been removed. `stop` ends this early.
        """
        if self._acceptor is not None and self._retirement is None:
            self._retirement = gevent.spawn(self._retire)

    def _retire(self) -> None:
        until = monotonic() + _QUEUE_S
        queue = select.poll()
        if self._listener is not None:
            queue.register(self._listener.fileno(), select.POLLIN)
        while queue.poll(0) and monotonic() < until:
            full_turn()
        limits = self._limits
        self._close_listener()
        visitors = [visitor.greenlet for visitor in self._live]
        gevent.joinall(visitors, timeout=limits.request_s + limits.handler_s + limits.write_s)
        self._retirement = None
        self.stop(0)

    def stop(self, grace_s: float = 0.6) -> None:
        """Close the listener and the idle connections, let requests in flight end, then drop them. Idempotent.

        Afterwards no greenlet, no descriptor and no callback of the server is left. Must not be called from a
        handler: it would wait for itself. The default grace is ContainerPilot's.

        Args:
            grace_s: For requests that have been read, in seconds.
        """
        if self._retirement is not None:
            self._retirement.kill()
            self._retirement = None
        self._close_listener()
        visitors = list(self._live)
        for visitor in visitors:
            if not visitor.busy:
                visitor.sock.close()
        greenlets = [visitor.greenlet for visitor in visitors]
        gevent.joinall(greenlets, timeout=grace_s)
        # In this order: a greenlet may watch its descriptor, whose number belongs to somebody else once it is closed.
        gevent.killall(greenlets, timeout=_KILL_S)
        for visitor in visitors:
            visitor.sock.close()
        self._live.clear()
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None

    def _close_listener(self) -> None:
        if self._acceptor is not None:
            self._acceptor.kill()
            self._acceptor = None
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def _accept(self, listener: native.socket) -> None:
        while True:
            try:
                admitted, until = 0, monotonic() + _BATCH_S
                while admitted < _BATCH and monotonic() < until:
                    self._await_room()
                    sock, _ = listener.accept()
                    admitted += self._admit(sock)
            except OSError as error:
                self._survive(listener, error)
            # Otherwise a flood of connections would keep the hub from those that are already there.
            full_turn()

    def _await_room(self) -> None:
        """At the limit, leave newcomers in the kernel's queue while requests take turns; if that lasts, turn them away.

        Otherwise a burst would cost those their place who have asked and not been read yet; and a flood would keep
        everybody waiting for all of it.
        """
        limit = self._limits.connections
        if len(self._live) <= limit // 2:
            self._crowded_since = None
        while len(self._live) >= limit and self._queued:
            self._crowded_since = self._crowded_since or monotonic()
            if monotonic() - self._crowded_since > _CROWDED_S:
                return
            full_turn()

    def _survive(self, listener: native.socket, error: OSError) -> None:
        # accept(2): errors of the new connection itself, such as ECONNABORTED, come out here too. They end with it.
        if error.errno not in _SHORTAGE:
            if error.errno in _BROKEN:
                self._on_error("the listening socket", error)
                raise gevent.GreenletExit
            return
        # accept(2) complains of a shortage even if nobody is waiting; and those who are here get their turn first.
        socket.wait_read(listener.fileno())
        # There is no descriptor for a visitor: an idle one's is taken, then the spare one, then it has to wait.
        if self._evict():
            return
        if self._spare is None:
            gevent.sleep(_SHORTAGE_WAIT_S)
            return
        os.close(self._spare)
        self._spare = None

    def _keep_spare(self) -> None:
        if self._spare is None and self._acceptor is not None:
            with contextlib.suppress(OSError):
                self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def _admit(self, sock: native.socket) -> bool:
        if len(self._live) >= self._limits.connections and not self._evict():
            _turn_away(sock)
            return False
        visitor = _Visitor(sock)
        self._live[visitor] = None
        visitor.greenlet = gevent.spawn(self._serve, visitor)
        return True

    def _evict(self) -> bool:
        visitor = next((one for one in self._live if not one.busy), None) or self._longest_blocked()
        if visitor is None:
            return False
        del self._live[visitor]
        # Its greenlet wakes with an error in its read or write, and ends.
        if visitor.busy or self._keep_alive:
            visitor.sock.close()
        else:
            _turn_away(visitor.sock)
        return True

    def _longest_blocked(self) -> "_Visitor | None":
        blocked = [
            (one.exchange.blocked_since, one) for one in self._live if one.exchange and one.exchange.blocked_since
        ]
        since, visitor = min(blocked, key=lambda pair: pair[0], default=(0.0, None))
        return visitor if visitor is not None and monotonic() - since > _BLOCKED_S else None

    def _serve(self, visitor: "_Visitor") -> None:
        try:
            with contextlib.suppress(OSError):
                visitor.exchange = Exchange(visitor.sock, self._limits, _prepare(visitor.sock))
                while self._exchange(visitor, visitor.exchange):
                    # Now the youngest of the idle ones.
                    self._live.pop(visitor, None)
                    self._live[visitor] = None
        finally:
            visitor.sock.close()
            self._live.pop(visitor, None)
            self._keep_spare()

    def _exchange(self, visitor: "_Visitor", exchange: Exchange) -> bool:
        """Serve one request; whether another one may follow."""
        try:
            request = exchange.read_request()
        except RefusedError as refused:
            exchange.write(Response(refused.status, _TEXT, f"{refused}\n".encode()), close=True)
            exchange.linger()
            return False
        if request is None:
            return False
        visitor.busy = True
        if len(self._live) > 1 and self._heavy(request):
            self._queued += 1
            try:
                self._time_slice.check()
            finally:
                self._queued -= 1
        response = self._answer(request)
        if isinstance(response, StreamingResponse):
            again = self._stream(exchange, request, response)
        else:
            again = self._write(exchange, request, response)
        visitor.busy = False  # who only sends what nobody reads makes room for others
        if not again:
            exchange.linger()
        return again

    def _write(self, exchange: Exchange, request: Request, response: Response) -> bool:
        close = not self._keep_alive
        try:
            return exchange.write(response, close=close)
        except h11.LocalProtocolError as error:
            self._on_error(f"the answer to {_shown(request)}", error)
            return exchange.write(_failure(), close=close)

    def _stream(self, exchange: Exchange, request: Request, response: StreamingResponse) -> bool:
        where = f"the answer to {_shown(request)}"
        try:
            exchange.stream(response)
        except h11.LocalProtocolError as error:
            self._on_error(where, error)
            exchange.write(_failure(), close=True)
        except StreamBrokenError as error:
            self._on_error(where, error.__cause__ or error)
            # Without the end of the answer, which tells the client.
            raise ConnectionAbortedError from error
        finally:
            try:
                response.close()
            except (Exception, Timeout) as error:  # noqa: BLE001  - whatever it raises, the server lives on
                self._on_error(where, error)
        return False

    def _answer(self, request: Request) -> Answer:
        timeout = Timeout(self._limits.handler_s)
        timeout.start()
        try:
            return self._handler(request)
        except (Exception, Timeout) as error:  # noqa: BLE001  - whatever a handler raises, the server lives on
            self._on_error(_shown(request), error)
            if error is timeout:
                return Response(503, _TEXT, b"the request took too long here and was given up\n")
            return _failure()
        finally:
            timeout.close()
            del timeout  # its traceback holds this frame: both would wait for the garbage collector


class _Visitor:
    """One connection: idle while a request is being waited for or read, busy from then on."""

    __slots__ = ("busy", "exchange", "greenlet", "sock")

    def __init__(self, sock: native.socket) -> None:
        self.sock = sock
        self.busy = False
        self.exchange: Exchange | None = None
        self.greenlet: gevent.Greenlet[..., None]


def _prepare(sock: native.socket) -> Peer | None:
    if sock.family == native.AF_UNIX:
        data = sock.getsockopt(native.SOL_SOCKET, native.SO_PEERCRED, _CREDENTIALS.size)
        return Peer(*_CREDENTIALS.unpack(data))
    # Without it the last segment of an answer waits 40 ms for the acknowledgement of the one before.
    sock.setsockopt(native.IPPROTO_TCP, native.TCP_NODELAY, 1)
    return None


def _shown(request: Request) -> str:
    """A request in messages. Method and path are the client's: nothing in them may look like another line."""
    return escaped(f"{request.method} {request.path}")


def _turn_away(sock: native.socket) -> None:
    """Close a connection on which nothing has been answered, and say that the request can be sent again."""
    # The answer is short and the socket's buffer empty: this does not wait. Who is gone misses nothing.
    with contextlib.suppress(OSError):
        sock.send(_BUSY)
    sock.close()


def _failure() -> Response:
    return Response(500, _TEXT, b"an error inside corepilot; its log says more\n")
