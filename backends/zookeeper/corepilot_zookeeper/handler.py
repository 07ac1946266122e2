"""kazoo's handler for gevent, without what would block the hub, start threads or outlive its client.

kazoo asks its handler for everything that waits: sockets, select, greenlets. Its own one makes a selector for each
call, gives the names of servers to the C library's resolver and TLS to blocking reads of files on each connection, and
at the end waits for greenlets. Everything that is handed out here is noted, so that `abandon` can take it back.
"""

import socket as native
from contextlib import suppress
from time import monotonic
from typing import Any

import gevent
from gevent import get_hub, socket
from gevent.hub import Waiter

from corepilot.http.time_slice import full_turn
from corepilot.http.tls import TlsContexts, TlsOptions
from corepilot_zookeeper.light_kazoo import SequentialGeventHandler
from corepilot_zookeeper.stream import Requests, Stream

SLICE_S = 0.005
"""So long the connection's greenlet goes on while there is always something to read; then others have their turn."""

CONNECT_S = 2.0
"""The most that one server may take to accept a connection; then the next one is tried."""

TLS_HANDSHAKE_S = 5.0
"""The most that a TLS handshake may take."""


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
        self._streams: list[Stream] = []
        self._waiter: Any = None
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
        requests = Requests(self._wake)
        return requests, requests

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
        sock.settimeout(0.0)
        # What waits is `Stream`; only TLS keeps gevent's own socket.
        plain = native.socket(fileno=sock.detach()) if self._tls is None else sock
        stream = Stream(plain, self._later(), self._wait)
        self._streams = [one for one in self._streams if one.fileno() >= 0]
        self._streams.append(stream)
        return stream

    def _later(self) -> tuple[type[OSError], ...]:
        if self._tls is None:
            return (BlockingIOError,)
        from ssl import SSLWantReadError, SSLWantWriteError

        return (BlockingIOError, SSLWantReadError, SSLWantWriteError)

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

    def select(self, reading: Any, _writing: Any, _failing: Any, timeout: float = 0.0) -> tuple[Any, Any, Any]:
        """Wait until a stream or a request, or both, are there to be read.

        Looks first, and waits only if nothing is ready.
        """
        ready = [one for one in reading if one.is_ready()]
        if not ready:
            self._wait(next(one for one in reading if isinstance(one, Stream)).readable, timeout, requests=True)
        elif monotonic() - self._since > SLICE_S:
            full_turn()
            self._since = monotonic()
        else:
            return ready, [], []
        for one in reading:
            one.look_again()
        return [one for one in reading if one.is_ready()], [], []

    def _wait(self, watcher: Any, timeout_s: float, *, requests: bool = False) -> bool:
        """Wait until a watcher fires, or a request comes if so said. False if the time is over first.

        One greenlet does so at a time: the connection's.
        """
        waiter: Any = Waiter()
        timer = get_hub().loop.timer(timeout_s)
        if requests:
            self._waiter = waiter
        try:
            timer.start(waiter.switch, False)  # noqa: FBT003  - what `get` returns
            watcher.start(waiter.switch, True)  # noqa: FBT003  - as above
            return bool(waiter.get())
        finally:
            self._waiter = None
            watcher.stop()
            timer.stop()
            timer.close()
            self._since = monotonic()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            get_hub().loop.run_callback(waiter.switch, True)  # noqa: FBT003  - as above

    def abandon(self) -> None:
        """End every greenlet, and close every socket that was handed out. Does not wait: both happen next turn."""
        self._running, self._abandoned = False, True
        for greenlet in tuple(self._greenlets):
            greenlet.kill(block=False)
        self._close_sockets()

    def _close_sockets(self) -> None:
        # Not before: a descriptor that is closed while a greenlet waits for it may be somebody else's meanwhile.
        if not self._begun:
            streams, self._streams = self._streams, []
            for stream in streams:
                stream.close()
