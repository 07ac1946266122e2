"""Writing to a descriptor whose reader may be slow, stand still, or be gone, without waiting for it.

O_NONBLOCK belongs to the open file, which every process that inherited it shares: set here, it would make a job's
own writes fail. So a pipe or terminal is opened anew through /proc, non-blocking. Where that cannot be (a socket, no
/proc, another user's terminal), a piece is written only if poll(2) says that there is room.

Imports little: the guard uses it.
"""

from __future__ import annotations

import os
import stat
import time

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    from collections.abc import Callable

_PIECE_BYTES = 1024
"""Less than PIPE_BUF: a pipe that poll(2) calls writable takes as much without blocking."""


def try_write(descriptor: int, data: bytes, within_s: float = 0.0) -> int:
    """Write what there is room for, and wait for more room until the time is up.

    Args:
        descriptor: where to.
        data: what.
        within_s: how long to wait for a slow reader, in seconds; 0 not to wait. A write to a regular file is not
            bounded by it.

    Returns:
        How many bytes were written.

    Raises:
        OSError: nobody reads (EPIPE), or the disk is full, for example. Some of it may have been written.
    """
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        # A file has room, or fails; opened anew it would have its own offset.
        return _write_all(descriptor, data, within_s, lambda rest: os.write(descriptor, rest))
    try:
        own = os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return _write_all(descriptor, data, within_s, lambda rest: _write_where_room(descriptor, rest))
    try:
        return _write_all(own, data, within_s, lambda rest: os.write(own, rest))
    finally:
        os.close(own)


def _write_all(descriptor: int, data: bytes, within_s: float, write: Callable[[bytes], int]) -> int:
    deadline = time.monotonic() + within_s
    done = 0
    while done < len(data):
        try:
            written = write(data[done:])
        except BlockingIOError:
            written = 0
        done += written
        if not written:
            left = deadline - time.monotonic()
            if left <= 0 or not _has_room(descriptor, left):
                break
    return done


def _write_where_room(descriptor: int, data: bytes) -> int:
    return os.write(descriptor, data[:_PIECE_BYTES]) if _has_room(descriptor, 0) else 0


def _has_room(descriptor: int, within_s: float) -> bool:
    import select

    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return any(events & select.POLLOUT for _, events in poll.poll(within_s * 1000))
