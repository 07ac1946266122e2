"""Saying something on stderr, for a process that must never wait for its reader, and what an exit status means."""

from __future__ import annotations

import os

from corepilot.system.kernel import signal_name
from corepilot.system.writing import try_write
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
            try_write(descriptor, line)
        except OSError:
            return  # nobody is there to be told

    return say


def describe(status: int) -> str:
    """Put a wait status (wait(2)) into words: "exited with status 3", "was killed by SIGKILL".

    Args:
        status: as os.waitpid returns it.
    """
    if os.WIFSIGNALED(status):
        core = " (core dumped)" if os.WCOREDUMP(status) else ""
        return f"was killed by {signal_name(os.WTERMSIG(status))}{core}"
    return f"exited with status {os.WEXITSTATUS(status)}"
