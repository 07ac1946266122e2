"""Saying something on stderr, for a process that must never wait for its reader.

O_NONBLOCK belongs to the open file, which every process that inherited it shares: set here, it would make a job's
own writes fail. So a pipe or terminal is opened anew through /proc, non-blocking. Where that cannot be (a socket, no
/proc, another user's terminal), the line is written only if poll(2) says that there is room.
"""

from __future__ import annotations

import os
import stat

from corepilot.system.kernel import signal_name
from corepilot.wording.escaping import escaped

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    from collections.abc import Callable

_LINE_BYTES = 1024  # less than PIPE_BUF: a line is written whole or not at all


def speaker(name: str, descriptor: int = 2) -> Callable[[str], None]:
    """Return a function that writes "name: text" as one line. It never blocks or raises: what does not fit is lost.

    Args:
        name: who speaks.
        descriptor: where to; 2 is stderr.
    """

    def say(text: str) -> None:
        line = f"{name}: {escaped(text)}".encode("utf-8", "replace")[: _LINE_BYTES - 1] + b"\n"
        try:
            _write(descriptor, line)
        except OSError:
            return  # nobody is there to be told

    return say


def _write(descriptor: int, line: bytes) -> None:
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        os.write(descriptor, line)  # a file has room, or fails; opened anew it would have its own offset
        return
    try:
        own = os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        if _has_room(descriptor):
            os.write(descriptor, line)
        return
    try:
        os.write(own, line)
    finally:
        os.close(own)


def _has_room(descriptor: int) -> bool:
    import select

    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return any(events & select.POLLOUT for _, events in poll.poll(0))


def describe(status: int) -> str:
    """Put a wait status (wait(2)) into words: "exited with status 3", "was killed by SIGKILL".

    Args:
        status: as os.waitpid returns it.
    """
    if os.WIFSIGNALED(status):
        core = " (core dumped)" if os.WCOREDUMP(status) else ""
        return f"was killed by {signal_name(os.WTERMSIG(status))}{core}"
    return f"exited with status {os.WEXITSTATUS(status)}"
