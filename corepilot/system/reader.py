"""A descriptor that is read when there is something, and rests for a moment when whoever takes it has enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Reader:
    """Watches a descriptor, from `start` to `close`. Not opened, and not closed, here.

    Args:
        loop: gevent's loop.
        descriptor: What is to be read; it has to stay open until `close`.
        readable: Called whenever there is something to read, or the other end has gone.
    """

    __slots__ = ("_loop", "_pause", "_readable", "_watcher")

    def __init__(self, loop: Any, descriptor: int, readable: Callable[[], None]) -> None:
        self._loop, self._readable = loop, readable
        self._watcher: Any = loop.io(descriptor, 1)
        self._pause: Any = None

    @property
    def closed(self) -> bool:
        """Whether `close` has been called."""
        return self._watcher is None

    def start(self) -> None:
        """Call `readable` from now on."""
        self._watcher.start(self._readable)

    def pause(self, seconds: float) -> None:
        """Do not call it for so long: what comes meanwhile waits in the kernel, and its sender where that is full."""
        if self._watcher is None:
            return  # what was read last has closed it
        self._watcher.stop()
        self._pause = self._loop.timer(seconds)
        self._pause.start(self._go_on, update=True)

    def close(self) -> None:
        """Call it no more. Idempotent."""
        self._end_pause()
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher.close()
            self._watcher = None

    def _go_on(self) -> None:
        self._end_pause()
        self.start()

    def _end_pause(self) -> None:
        if self._pause is not None:
            self._pause.stop()
            self._pause.close()
            self._pause = None
