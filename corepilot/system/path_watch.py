"""Told by the kernel when a file may be at its path no longer: no look at it until then, and no wake-up."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

from corepilot.system.libc import call

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    from typing import Any

_IN_ATTRIB = 0x00000004  # of the file itself: it has lost a name
_IN_DELETE_SELF = 0x00000400
_IN_MOVE_SELF = 0x00000800
_IN_ONLYDIR = 0x01000000
_IN_DONT_FOLLOW = 0x02000000
_OF_FILE = _IN_ATTRIB | _IN_MOVE_SELF | _IN_DELETE_SELF | _IN_DONT_FOLLOW
_OF_DIRECTORY = _IN_MOVE_SELF | _IN_DELETE_SELF | _IN_ONLYDIR
_READ = 1  # libev's EV_READ
_BUFFER_BYTES = 4096


class PathWatch:
    """Watches one file, and the directories above it, each as itself: what else happens in them wakes nobody.

    A mount over one of the directories is not seen, nor what another machine does on a shared file system.

    Args:
        loop: gevent's.
        path: Of the file.
        changed: Called from the hub when the file or a directory of its path was moved or removed, or its attributes
            have changed. Must not raise. Whether the file is still there has to be looked at, and after such a call the
            watch may be worth nothing any more: its owner makes another one.

    Raises:
        OSError: the file is not there, or may not be read; there are no more inotify instances (EMFILE: 128 a user by
            default), watches (ENOSPC) or descriptors.
    """

    def __init__(self, loop: Any, path: str, changed: Callable[[], object]) -> None:
        self._changed = changed
        self._descriptor = call("inotify_init1", os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            call("inotify_add_watch", self._descriptor, os.fsencode(path), _OF_FILE)
        except OSError:
            os.close(self._descriptor)
            raise
        above, below = os.path.dirname(path), path
        while above not in {"", below}:
            with suppress(OSError):  # one that may be passed through only, and not be read
                call("inotify_add_watch", self._descriptor, os.fsencode(above), _OF_DIRECTORY)
            above, below = os.path.dirname(above), above
        self._reader = loop.io(self._descriptor, _READ)
        self._reader.start(self._readable)

    def close(self) -> None:
        """Watch no more. Idempotent."""
        if self._descriptor >= 0:
            self._reader.stop()
            self._reader.close()
            os.close(self._descriptor)
            self._descriptor = -1

    def _readable(self) -> None:
        with suppress(OSError):  # what there is does not matter
            os.read(self._descriptor, _BUFFER_BYTES)
        self._changed()
