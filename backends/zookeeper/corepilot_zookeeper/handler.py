"""kazoo's handler for gevent, without what would block the hub, start threads or outlive its client.

kazoo asks its handler for everything that waits: sockets, select, greenlets. Its own one makes a selector for each
call, gives the names of servers to the C library's resolver and TLS to blocking reads of files on each connection, and
at the end waits for greenlets. Everything that is handed out here is noted, so that `abandon` can take it back.
"""

import os
import select as native_select
import socket as native
from contextlib import suppress
from time import monotonic
from typing import Any

import gevent
from gevent import get_hub, socket
from gevent.event import Event

from corepilot.http.time_slice import full_turn
from corepilot.http.tls import TlsContexts, TlsOptions
from corepilot_zookeeper.light_kazoo import SequentialGeventHandler

SLICE_S = 0.005
"""So long the connection's greenlet goes on while there is always something to read; then others have their turn."""

CONNECT_S = 2.0
"""The most that one server may take to accept a connection; then the next one is tried."""

TLS_HANDSHAKE_S = 5.0
"""The most that a TLS handshake may take."""


class _Counter:
    """Both ends of a pair of sockets through which nothing but single bytes go: an eventfd(2) that counts them.

    A pair is full after 278 bytes, and kazoo takes what gevent then says for a closed connection.
    """

    def __init__(self) -> None:
        self._descriptor = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK | os.EFD_SEMAPHORE)

    def fileno(self) -> int:
        return self._descriptor

    def send(self, data: bytes) -> int:
        os.eventfd_write(self._descriptor, len(data))
        return len(data)

    def recv(self, _most: int) -> bytes:
        os.eventfd_read(self._descriptor)
        return b"\0"

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class Handler(SequentialGeventHandler):  # type: ignore[misc]  # kazoo has no types
    """What one client of kazoo waits with.

    Args:
        tls: For TLS; None for plain connections.
    """

    def __init__(self, tls: TlsOptions | None) -> None:
        super().__init__()
        self._tls = TlsContexts(tls) if tls is not None else None
        self._greenlets: set[Any] = set()
        self._begun: set[Any] = set()
        self._abandoned = False
        self._sockets: list[Any] = []
        self._since = 0.0

    @property
    def uses_tls(self) -> bool:
        """Whether connections are encrypted."""
        return self._tls is not None

    def start(self) -> None:
        """Nothing: kazoo's own starts a greenlet, and notes itself for the end of the process."""
        self._running = True

    def stop(self) -> None:
        """See `start`."""
        self._running = False

    def dispatch_callback(self, callback: Any) -> None:
        """Call it. It is one of ours, or nobody's: kazoo's own kind of watch is not used."""
        callback.func(*callback.args)

    def spawn(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        """Start a greenlet that ends with the client."""
        greenlet = gevent.spawn(self._run, func, args, kwargs)
        self._greenlets.add(greenlet)
        return greenlet

    def _run(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._begun.add(gevent.getcurrent())
        try:
            # What a server's nonsense raises has been told to kazoo's logger; gevent would print a traceback of it.
            with suppress(Exception):
                func(*args, **kwargs)
        finally:
            self._begun.discard(gevent.getcurrent())
            self._greenlets.discard(gevent.getcurrent())
            if self._abandoned:
                self._close_sockets()

    def create_socket_pair(self) -> Any:
        """What kazoo wakes its own greenlet with: one byte written for each request, one read."""
        counter = _Counter()
        self._sockets.append(counter)
        return counter, counter

    def create_connection(self, address: tuple[str, int], hostname: str = "", timeout: float = 0, **_: Any) -> Any:
        """Connect to an address as text.

        Raises:
            OSError: it does not answer in time, or TLS failed.
        """
        family = native.AF_INET6 if ":" in address[0] else native.AF_INET
        sock = socket.socket(family, native.SOCK_STREAM)
        try:
            sock.settimeout(min(timeout, CONNECT_S))
            sock.connect(address)
            sock.setsockopt(native.IPPROTO_TCP, native.TCP_NODELAY, 1)
            if self._tls is not None:
                name = self._tls.options.server_name or hostname
                sock.settimeout(TLS_HANDSHAKE_S)
                # Not in one step: a handshake that is cut short inside wrap_socket leaves nobody who owns the socket.
                sock = self._context(self._tls).wrap_socket(sock, server_hostname=name, do_handshake_on_connect=False)
                sock.do_handshake()
        except BaseException:
            sock.close()
            raise
        self._sockets = [one for one in self._sockets if one.fileno() >= 0]
        self._sockets.append(sock)
        return sock

    @staticmethod
    def _context(tls: TlsContexts) -> Any:
        try:
            return tls.current()
        except OSError as error:
            if not error.filename:
                raise
            raise OSError(
                error.errno, f"{error.strerror}: {error.filename}"
            ) from error  # kazoo tells no more than this

    def select(self, reading: Any, writing: Any, _failing: Any, timeout: float | None = None) -> tuple[Any, Any, Any]:
        """Wait until one of at most two sockets is ready.

        Looks first, and waits only if nothing is ready. What TLS has decrypted already counts as ready.
        """
        ready = _ready(reading, writing)
        if ready[0] or ready[1]:
            if monotonic() - self._since > SLICE_S:
                full_turn()
                self._since = monotonic()
            return ready
        loop = get_hub().loop
        watchers = [(loop.io(sock.fileno(), 1), sock) for sock in reading]
        watchers += [(loop.io(sock.fileno(), 2), sock) for sock in writing]
        waiter = Event()
        try:
            for watcher, _sock in watchers:
                watcher.start(waiter.set)
            waiter.wait(timeout)
        finally:
            for watcher, _sock in watchers:
                watcher.stop()
                watcher.close()
        self._since = monotonic()
        return _ready(reading, writing)

    def abandon(self) -> None:
        """End every greenlet, and close every socket that was handed out. Does not wait: both happen next turn."""
        self._running, self._abandoned = False, True
        for greenlet in tuple(self._greenlets):
            greenlet.kill(block=False)
        self._close_sockets()

    def _close_sockets(self) -> None:
        # Not before: a descriptor that is closed while a greenlet waits for it may be somebody else's meanwhile.
        if not self._begun:
            sockets, self._sockets = self._sockets, []
            for sock in sockets:
                sock.close()


def _ready(reading: Any, writing: Any) -> tuple[list[Any], list[Any], list[Any]]:
    numbers = [sock.fileno() for sock in reading], [sock.fileno() for sock in writing]
    poll = native_select.poll()
    for number in numbers[0]:
        poll.register(number, native_select.POLLIN)
    for number in numbers[1]:
        poll.register(number, native_select.POLLOUT)
    found = [number for number, _ in poll.poll(0)]
    return (
        [one for one, number in zip(reading, numbers[0], strict=True) if number in found or _pending(one)],
        [one for one, number in zip(writing, numbers[1], strict=True) if number in found] if found else [],
        [],
    )


def _pending(sock: Any) -> bool:
    """Whether TLS has decrypted something that nobody has read."""
    return bool(sock.pending()) if hasattr(sock, "pending") else False
