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
from types import TracebackType
from typing import Self

_PIECE_BYTES = 64 * 1024
_TICK_S = 0.01
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
        self._listener: socket.socket | None = socket.create_server((self.host, 0))
        self.port: int = self._listener.getsockname()[1]
        self.delay_s = 0.0
        self.bytes_per_s = 0
        self.connections = 0
        self._holding = self._resetting = self._closing = False
        self._cut_after: int | None = None
        self._pairs: list[_Pair] = []
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, name=f"fault proxy {self.port}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        self._thread.join()
        if self._listener is not None:
            self._listener.close()

    def refuse(self) -> None:
        """Reset every connection, and refuse new ones: nobody listens at the port."""
        with self._lock:
            if self._listener is not None:
                self._listener.close()
                self._listener = None
            self._resetting = True

    def reset(self) -> None:
        """Reset every connection; new ones work."""
        with self._lock:
            self._resetting = True

    def hold(self) -> None:
        """Let nothing pass, and close nothing; new connections are taken, and get no answer."""
        self._holding = True

    def cut_after(self, count: int) -> None:
        """Reset each connection from the next one on, once so many bytes have come from the server."""
        self._cut_after = count

    def heal(self) -> None:
        """Let everything pass again, also what was held and what was to be cut; listen again."""
        with self._lock:
            self._holding, self._cut_after = False, None
            for pair in self._pairs:
                pair.left = None
            self.delay_s, self.bytes_per_s = 0.0, 0
            if self._listener is None:
                self._listener = socket.create_server((self.host, self.port))

    def _work(self) -> None:
        while not self._closing:
            with self._lock:
                if self._resetting:
                    self._resetting = False
                    for pair in list(self._pairs):
                        self._reset(pair)
                self._pass_on()
                wait_s = self._look()
            time.sleep(wait_s)
        for pair in list(self._pairs):
            self._reset(pair)

    def _look(self) -> float:
        """Take what is there; returns how long to pause before the next look."""
        with selectors.DefaultSelector() as selector:
            if self._listener is not None:
                selector.register(self._listener, selectors.EVENT_READ, None)
            for pair in () if self._holding else self._pairs:
                for side in (pair.client, pair.server):
                    if side not in pair.ended and len(pair.waiting[pair.other(side)]) < 16:
                        selector.register(side, selectors.EVENT_READ, pair)
            ready = selector.select(0)
        for key, _ in ready:
            if key.data is None:
                self._accept()
            elif key.data in self._pairs:
                self._take(key.data, key.fileobj)  # type: ignore[arg-type]  # sockets were registered
        return 0.0005 if ready else 0.002

    def _accept(self) -> None:
        assert self._listener is not None  # noqa: S101  - it was ready
        client, _ = self._listener.accept()
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

    def _reset(self, pair: _Pair) -> None:
        if pair in self._pairs:
            self._pairs.remove(pair)
            for side in (pair.client, pair.server):
                with contextlib.suppress(OSError):
                    side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
                side.close()
