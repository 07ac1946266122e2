"""Noticing that a client has gone while its answer is still being made."""

import os
from types import TracebackType
from typing import Self

import gevent
from gevent.socket import socket

_READABLE = 1
_READ_BYTES = 16 * 1024
_MOST_UNREAD = 64 * 1024


class ClientGone(gevent.GreenletExit):
    """The client has closed its connection, or at least its side of it."""


class DisconnectWatch:
    """Raises `ClientGone` on entering a `with` block, and where this greenlet waits in it, once the client has closed.

    A client that has only shut down its sending side counts as gone: over TCP the two look the same. What it sends
    after its request is thrown away, because unread data would hide the end; after 64 KiB it counts as gone.

    Blocks may follow one another. `close` before the socket is closed.

    Attributes:
        gone: Whether it has. The exception is raised once in a block: an iterator may have swallowed it.

    Args:
        sock: The connection. Nobody else may read from it inside the blocks.
    """

    def __init__(self, sock: socket) -> None:
        self.gone = False
        self._fd = sock.fileno()
        self._unread = 0
        self._greenlet = gevent.getcurrent()
        self._watcher = gevent.get_hub().loop.io(self._fd, _READABLE)

    def __enter__(self) -> Self:
        # An iterator that never waits would never hear of it from the loop.
        if self._has_closed():
            raise ClientGone
        self._watcher.start(self._readable)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watcher.stop()

    def close(self) -> None:
        """Give the watcher back to the loop. Idempotent."""
        self._watcher.stop()
        self._watcher.close()

    def _readable(self) -> None:
        if self._has_closed():
            self._watcher.stop()
            # As gevent.Timeout does it: at once, and so never after the block.
            self._greenlet.throw(ClientGone())

    def _has_closed(self) -> bool:
        try:
            data = os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return self.gone
        except OSError:
            data = b""
        self._unread += len(data)
        self.gone = self.gone or not data or self._unread > _MOST_UNREAD
        return self.gone
