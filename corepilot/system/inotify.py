"""The kernel's notifications about files (inotify(7)), of which the standard library has no binding."""

from __future__ import annotations

import os

from corepilot.system.libc import call

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

IN_DELETE_SELF = 0x00000400
IN_MOVE_SELF = 0x00000800
IN_ONLYDIR = 0x01000000
_READ = 1  # libev's EV_READ


class Notifications:
    """One inotify instance, which the event loop reads.

    Args:
        loop: gevent's.
        readable: Called from the hub when there is something to `read`. Must neither block nor raise.

    Raises:
        OSError: there are no more instances (EMFILE: 128 per user by default) or descriptors, or it is not allowed.
    """

    def __init__(self, loop: Any, readable: Callable[[], object]) -> None:
        self._descriptor = call("inotify_init1", os.O_NONBLOCK | os.O_CLOEXEC)
        self._reader = loop.io(self._descriptor, _READ)
        self._reader.start(readable)

    def add(self, path: str, mask: int) -> int:
        """Watch a file or a directory; returns the watch's number, which is the same for the same file.

        Raises:
            OSError: it is not there or may not be read; there are no more watches (ENOSPC).
        """
        return call("inotify_add_watch", self._descriptor, os.fsencode(path), mask)

    def remove(self, watch: int) -> None:
        """Forget a watch. After `close` there is nothing to forget.

        Raises:
            OSError: what was watched is gone, and the watch with it.
        """
        if self._descriptor >= 0:
            call("inotify_rm_watch", self._descriptor, watch)

    def read(self, most_bytes: int) -> bytes:
        """What there is.

        Raises:
            OSError: there is nothing (EAGAIN).
        """
        return os.read(self._descriptor, most_bytes)

    def close(self) -> None:
        """Stop reading and close. Idempotent."""
        if self._descriptor >= 0:
            self._reader.stop()
            self._reader.close()
            os.close(self._descriptor)
            self._descriptor = -1
