"""Told by the kernel when a file may be at its path no longer: no look at it until then, and no wake-up."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

from corepilot.system.inotify import IN_DELETE_SELF, IN_MOVE_SELF, IN_ONLYDIR, Notifications

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    from typing import Any

_IN_ATTRIB = 0x00000004  # of the file itself: it has lost a name
_IN_DONT_FOLLOW = 0x02000000
_OF_FILE = _IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF | _IN_DONT_FOLLOW
_OF_DIRECTORY = IN_MOVE_SELF | IN_DELETE_SELF | IN_ONLYDIR
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
        self._notifications = Notifications(loop, self._readable)
        try:
            self._notifications.add(path, _OF_FILE)
        except OSError:
            self._notifications.close()
            raise
        above, below = os.path.dirname(path), path
        while above not in {"", below}:
            with suppress(OSError):  # one that may be passed through only, and not be read
                self._notifications.add(above, _OF_DIRECTORY)
            above, below = os.path.dirname(above), above

    def close(self) -> None:
        """Watch no more. Idempotent."""
        self._notifications.close()

    def _readable(self) -> None:
        with suppress(OSError):  # what there is does not matter
            self._notifications.read(_BUFFER_BYTES)
        self._changed()
