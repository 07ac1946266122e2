"""A connection as kazoo reads and writes it: read ahead, and waited for only when nothing is there.

kazoo asks for four bytes and then for the message that they announce, and looks before each whether there is anything:
six system calls for a message, and two more to wake its own greenlet for a request. Here one call reads all that has
come, and requests are counted in memory, because all is done in one thread.
"""

from collections.abc import Callable
from errno import ETIMEDOUT
from typing import Any

from gevent import get_hub

from corepilot_zookeeper.light_kazoo import exceptions

READ_AHEAD = 16384
"""Bytes that are read at once, at most: a record of TLS. What is not asked for stays in the kernel."""


class Stream:
    """A connected socket that does not block.

    Args:
        sock: It. Closed with the stream.
        later: What it raises when there is nothing to read, or no room to write.
        wait: Waits until a watcher of the hub's loop fires, so many seconds at most; says whether it did.

    Attributes:
        readable: The watcher for reading.
    """

    def __init__(self, sock: Any, later: tuple[type[OSError], ...], wait: Callable[[Any, float], bool]) -> None:
        self._socket, self._later, self._wait = sock, later, wait
        self.readable = get_hub().loop.io(sock.fileno(), 1)
        self._ahead = bytearray()
        self._ended = self._drained = False

    def setblocking(self, _flag: int) -> None:
        """As of a socket: it never blocks."""

    def is_ready(self) -> bool:
        """Whether `take` has something to begin with, or an end to tell.

        Raises:
            OSError: the connection is broken.
        """
        return bool(self._ahead) or self._ended or (not self._drained and self._receive())

    def look_again(self) -> None:
        """Something may have come since all was read."""
        self._drained = False

    def take(self, length: int, timeout_s: float) -> bytes:
        """So many bytes.

        Raises:
            TimeoutError: nothing has come for so many seconds.
            OSError: the connection is broken.
            ConnectionDropped: the server has closed it.
        """
        while len(self._ahead) < length:
            if self._ended:
                raise exceptions.ConnectionDropped("socket connection broken")
            if not self._receive() and not self._wait(self.readable, timeout_s):
                raise TimeoutError(ETIMEDOUT, f"nothing was sent for {timeout_s:.1f} s")
        taken = bytes(self._ahead[:length])
        del self._ahead[:length]
        return taken

    def send(self, message: bytes, timeout_s: float) -> None:
        """Write a message as a whole.

        Raises:
            TimeoutError: there was no room for so many seconds.
            OSError: the connection is broken.
        """
        sent = 0
        while sent < len(message):
            try:
                sent += self._socket.send(memoryview(message)[sent:] if sent else message)
            except self._later:
                self._wait_for_room(timeout_s)

    def fileno(self) -> int:
        """The descriptor; -1 when it is closed."""
        return int(self._socket.fileno())

    def close(self) -> None:
        """Close it. Idempotent."""
        self.readable.close()
        self._socket.close()

    def _receive(self) -> bool:
        """Read what is there, and say whether that was anything: the end is, too."""
        try:
            found = self._socket.recv(READ_AHEAD)
        except self._later:
            self._drained = True
            return False
        self._ahead += found
        self._ended = not found
        # Less than there was room for is all, except of TLS, whose records are short: see `socket(7)`, `recv(2)`.
        self._drained = len(found) < READ_AHEAD and len(self._later) == 1
        return True

    def _wait_for_room(self, timeout_s: float) -> None:
        watcher = get_hub().loop.io(self._socket.fileno(), 2)
        try:
            if not self._wait(watcher, timeout_s):
                raise TimeoutError(ETIMEDOUT, f"nothing was taken for {timeout_s:.1f} s")
        finally:
            watcher.close()


class Requests:
    """Both ends of a pair of sockets through which kazoo tells its own greenlet of requests, a byte for each.

    Args:
        wake: Called for each. Must not switch.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._count = 0

    def is_ready(self) -> bool:
        """Whether there is one."""
        return self._count > 0

    def look_again(self) -> None:
        """Nothing: what has come is counted."""

    def send(self, data: bytes) -> int:
        """Tell of one."""
        self._count += len(data)
        self._wake()
        return len(data)

    def recv(self, _most: int) -> bytes:
        """Take one.

        Raises:
            BlockingIOError: there is none.
        """
        if not self._count:
            raise BlockingIOError
        self._count -= 1
        return b"\0"

    def close(self) -> None:
        """Nothing."""
