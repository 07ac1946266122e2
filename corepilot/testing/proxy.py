"""A TCP proxy that does harm when told to: between a plugin and the server it talks to, in tests.

    with FaultProxy("127.0.0.1", server.port) as proxy:
        client = connect(proxy.host, proxy.port)
        proxy.reset()              # connections are reset, new ones work
        proxy.refuse()             # … and new ones are refused
        proxy.hold()               # nothing passes any more, nothing is closed
        proxy.cut_after(100)       # the next connection ends in the middle of an answer
        proxy.delay_s = 0.2        # each piece comes later
        proxy.bytes_per_s = 1000   # … and slowly
        proxy.heal()               # all is well again

It runs in a native thread, so it goes on while the test's thread, or the hub, is blocked. The server may be one of
any sort; the proxy keeps its port for as long as it lives.
"""

import contextlib
import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Self

_PIECE_BYTES = 64 * 1024
_TICK_S = 0.01
_TRY_AGAIN_S = 0.001
_PIECES_MAX = 16
_ORDER_S = 20.0
_LINGER = struct.pack("ii", 1, 0)  # close(2) sends RST: socket(7), SO_LINGER


class _Pair:
    """One connection: the client's side and the server's, and what is on its way to each."""

    def __init__(self, client: socket.socket, server: socket.socket, cut_after: int | None) -> None:
        self.client, self.server = client, server
        self.left = cut_after  # bytes to the client until it is cut
        self.waiting: dict[socket.socket, deque[tuple[float, bytes]]] = {client: deque(), server: deque()}
        self.ended: set[socket.socket] = set()
        self.due_at: dict[socket.socket, float] = {client: 0.0, server: 0.0}

    def other(self, side: socket.socket) -> socket.socket:
        return self.server if side is self.client else self.client


class FaultProxy:
    """A listener on a free port of the loopback interface, which passes connections on.

    Args:
        host: The server's.
        port: The server's.

    Attributes:
        host: Where clients connect to.
        port: The port there.
        delay_s: Seconds by which each piece is late, in both directions.
        bytes_per_s: How fast bytes pass, each way; 0 for as fast as they come.
        connections: How many there have been.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self.host = "127.0.0.1"
        self.port = 0
        self._listener: socket.socket | None = self._listen()
        self.port = self._listener.getsockname()[1]
        self.delay_s = 0.0
        self.bytes_per_s = 0
        self.connections = 0
        self._holding = self._closing = False
        self._cut_after: int | None = None
        self._pairs: list[_Pair] = []
        self._orders: deque[Callable[[], None]] = deque()
        self._wakeup, self._woken = socket.socketpair()
        for end in (self._wakeup, self._woken):
            end.settimeout(0)
        self._thread = threading.Thread(target=self._work, name=f"fault proxy {self.port}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        self._wake()
        self._thread.join()
        for one in (self._listener, self._wakeup, self._woken):
            if one is not None:
                one.close()

    def refuse(self) -> None:
        """Reset every connection, and refuse new ones: nobody listens at the port."""

        def done() -> None:
            if self._listener is not None:
                self._listener.close()
                self._listener = None
            self._reset_all()

        self._order(done)

    def reset(self) -> None:
        """Reset every connection; new ones work."""
        self._order(self._reset_all)

    def hold(self) -> None:
        """Let nothing pass, and close nothing; new connections are taken, and get no answer."""

        def done() -> None:
            self._holding = True

        self._order(done)

    def cut_after(self, count: int) -> None:
        """Reset each connection from the next one on, once so many bytes have come from the server."""
        self._cut_after = count

    def heal(self) -> None:
        """Let everything pass again, also what was held and what was to be cut; listen again."""

        def done() -> None:
            self._holding, self._cut_after = False, None
            for pair in self._pairs:
                pair.left = None
            self.delay_s, self.bytes_per_s = 0.0, 0
            if self._listener is None:
                self._listener = self._listen()

        self._order(done)

    def _order(self, what: Callable[[], None]) -> None:
        """Have something done in the thread, which alone touches sockets, and wait until it is."""
        if not self._thread.is_alive():
            what()
            return
        order: Future[None] = Future()

        def carry_out() -> None:
            try:
                what()
            except OSError as error:  # somebody else has the port meanwhile
                order.set_exception(error)
            else:
                order.set_result(None)

        self._orders.append(carry_out)
        self._wake()
        order.result(_ORDER_S)

    def _listen(self) -> socket.socket:
        listener = socket.create_server((self.host, self.port))
        listener.settimeout(0)  # whoever has connected may be gone before it is accepted
        return listener

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # then there is enough in it to wake the thread
            self._wakeup.send(b"!")

    def _work(self) -> None:
        while not self._closing:
            while self._orders:
                self._orders.popleft()()
            self._pass_on()
            self._look(self._wait_s())
        self._reset_all()

    def _wait_s(self) -> float | None:
        """Seconds until something is due that waits here; None for nothing."""
        if self._holding:
            return None
        now = time.monotonic()
        due_at = [
            max(pieces[0][0], pair.due_at[side])
            for pair in self._pairs
            for side, pieces in pair.waiting.items()
            if pieces
        ]
        # What is due and still here waits for a side that does not read: it is tried again and again.
        return max(min(due_at) - now, _TRY_AGAIN_S) if due_at else None

    def _look(self, wait_s: float | None) -> None:
        """Take what comes, if something comes within this time."""
        with selectors.PollSelector() as selector:  # it needs no descriptor: those of the test are counted
            selector.register(self._woken, selectors.EVENT_READ, None)
            if self._listener is not None:
                selector.register(self._listener, selectors.EVENT_READ, None)
            for pair in () if self._holding else self._pairs:
                for side in (pair.client, pair.server):
                    if side not in pair.ended and len(pair.waiting[pair.other(side)]) < _PIECES_MAX:
                        selector.register(side, selectors.EVENT_READ, pair)
            ready = selector.select(wait_s)
        for key, _ in ready:
            if key.fileobj is self._woken:
                self._woken.recv(_PIECE_BYTES)
            elif key.data is None:
                self._accept()
            elif key.data in self._pairs:
                self._take(key.data, key.fileobj)  # type: ignore[arg-type]  # sockets were registered

    def _accept(self) -> None:
        assert self._listener is not None  # noqa: S101  - it was ready
        try:
            client, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # it is gone
        self.connections += 1
        try:
            server = socket.create_connection(self._target, 5)
        except OSError:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
            client.close()
            return
        for side in (client, server):
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            side.settimeout(0)
        self._pairs.append(_Pair(client, server, self._cut_after))

    def _take(self, pair: _Pair, side: socket.socket) -> None:
        try:
            data = side.recv(min(_PIECE_BYTES, max(1, int(self.bytes_per_s * _TICK_S) or _PIECE_BYTES)))
        except BlockingIOError:
            return
        except OSError:
            self._reset(pair)
            return
        if not data:
            pair.ended.add(side)
        pair.waiting[pair.other(side)].append((time.monotonic() + self.delay_s, data))

    def _pass_on(self) -> None:
        now = time.monotonic()
        for pair in [] if self._holding else list(self._pairs):
            for side, pieces in pair.waiting.items():
                if pieces and pieces[0][0] <= now and pair.due_at[side] <= now and pair in self._pairs:
                    self._send(pair, side, now)
            if len(pair.ended) == 2 and not any(pair.waiting.values()) and pair in self._pairs:
                self._pairs.remove(pair)
                pair.client.close()
                pair.server.close()

    def _send(self, pair: _Pair, side: socket.socket, now: float) -> None:
        """Send as much of the next piece as the side takes now: one that does not read must not hold up the others."""
        due_at, data = pair.waiting[side].popleft()
        left = pair.left if side is pair.client else None
        sent = 0
        try:
            if data and left != 0:
                sent = side.send(data[:left])
            elif left != 0:
                side.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            pass
        except OSError:
            self._reset(pair)
            return
        if left is not None:
            pair.left = left = left - sent
        if left == 0:
            self._reset(pair)
        elif sent < len(data):
            pair.waiting[side].appendleft((due_at, data[sent:]))
        if self.bytes_per_s:
            pair.due_at[side] = now + sent / self.bytes_per_s

    def _reset_all(self) -> None:
        for pair in list(self._pairs):
            self._reset(pair)

    def _reset(self, pair: _Pair) -> None:
        if pair in self._pairs:
            self._pairs.remove(pair)
            for side in (pair.client, pair.server):
                with contextlib.suppress(OSError):
                    side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
                side.close()
