"""What shows that a run is ready: a message, a newline on a descriptor, a line of its output, or a file.

Imported only for a job that has such a `ready`. Everything happens in the hub's callbacks, which do not wait.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from corepilot.gotemplate.regex import Pattern
from corepilot.jobs.shown import NOTHING, Shown
from corepilot.jobs.state import Notified
from corepilot.model.job import Ready
from corepilot.output.pipe import OutputPipe
from corepilot.system.process import NOT_EXECUTABLE, SpawnError

READY = Notified(state="ready")

FILE_POLL_S = 0.1
"""How often a file is looked at until the run is ready: where notifications work cannot be known."""

LINE_MAX_BYTES = 1024
"""How much of a line of output is searched."""

SEARCH_STEPS = 20_000
"""How much work a line may be: a hundredth of a second or two."""

SLICE_S = 0.005
"""How long lines are looked at in one turn of the event loop; one more may be begun."""

_READ_BYTES = 4096


def announced(ready: Ready, loop: Any, told: Callable[[Notified], None], complain: Callable[[str], None]) -> Shown:
    """How a run shows it.

    Args:
        ready: What is configured.
        loop: gevent's loop.
        told: Called from the hub with what the run has shown.
        complain: Takes a sentence for the log about what was not accepted.

    Raises:
        SpawnError: no descriptors are left; nothing is open then.
    """
    try:
        return _announced(ready, loop, told, complain)
    except OSError as error:
        raise SpawnError(f"cannot see when the job is ready: {error.strerror}", NOT_EXECUTABLE, shortage=True) from None


def _announced(ready: Ready, loop: Any, told: Callable[[Notified], None], complain: Callable[[str], None]) -> Shown:
    if ready.notify:
        from corepilot.jobs.notify import NotifySocket

        return NotifySocket(ready, loop, told, complain)
    if ready.fd:
        return _Newline(ready.fd, loop, told)
    if ready.log:
        return _Line(ready.log, loop, told)
    if ready.file:
        return _File(ready.file, loop, told)
    return NOTHING


class _Line(Shown):
    """A line of output in which a regular expression is found.

    It is looked for in slices: a job that writes much waits on its own pipe for that, and nobody else does.
    """

    def __init__(self, pattern: str, loop: Any, told: Callable[[Notified], None]) -> None:
        self._pattern, self._loop, self._told = Pattern(pattern), loop, told
        self._pipes: Sequence[OutputPipe] = ()
        self._lines: deque[bytes] = deque()  # those that the pipes have read at once, at most
        self._rest: Any = None

    def begin(self, pid: int, pipes: Sequence[OutputPipe]) -> None:
        """See Shown."""
        del pid
        self._pipes = pipes
        for pipe in pipes:
            pipe.seen = self._look

    def close(self) -> None:
        """See Shown."""
        self._end_rest()
        self._lines.clear()
        for pipe in self._pipes:
            pipe.seen, pipe.behind = None, False

    def _look(self, lines: list[bytes]) -> None:
        self._lines.extend([line[:LINE_MAX_BYTES] for line in lines])
        if self._rest is None:
            self._search()

    def _search(self) -> None:
        began = time.monotonic()
        while self._lines:
            text = self._lines.popleft().decode("utf-8", "replace")
            if self._pattern.found_in(text, steps=SEARCH_STEPS):
                self.close()
                self._told(READY)
                return
            spent_s = time.monotonic() - began
            if spent_s >= SLICE_S:
                self._rest = self._loop.timer(spent_s)  # others have as much time
                self._rest.start(self._go_on, update=True)
                break
        for pipe in self._pipes:
            pipe.behind = self._rest is not None

    def _go_on(self) -> None:
        self._end_rest()
        self._search()

    def _end_rest(self) -> None:
        if self._rest is not None:
            self._rest.stop()
            self._rest.close()
            self._rest = None


class _File(Shown):
    """A file that was made, replaced or written since the run began."""

    def __init__(self, path: str, loop: Any, told: Callable[[Notified], None]) -> None:
        self._path, self._told = path, told
        self._before = self._state()
        self._poll = loop.timer(FILE_POLL_S, FILE_POLL_S)

    def begin(self, pid: int, pipes: Sequence[OutputPipe]) -> None:
        """See Shown."""
        del pid, pipes
        self._poll.start(self._look, update=True)

    def close(self) -> None:
        """See Shown."""
        if self._poll is not None:
            self._poll.stop()
            self._poll.close()
            self._poll = None

    def _look(self) -> None:
        now = self._state()
        if now is not None and now != self._before:
            self.close()
            self._told(READY)

    def _state(self) -> tuple[int, ...] | None:
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns


class _Newline(Shown):
    """A newline on a descriptor; see https://skarnet.org/software/s6/notifywhenup.html."""

    def __init__(self, number: int, loop: Any, told: Callable[[Notified], None]) -> None:
        self._told = told
        self._read_end, self._write_end = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._read_end, False)
        self.descriptors = {number: self._write_end}
        self._watcher = loop.io(self._read_end, 1)

    def begin(self, pid: int, pipes: Sequence[OutputPipe]) -> None:
        """See Shown."""
        del pid, pipes
        self._close_write_end()
        self._watcher.start(self._read)

    def close(self) -> None:
        """See Shown."""
        self._close_write_end()
        if self._read_end >= 0:
            self._watcher.stop()
            self._watcher.close()
            os.close(self._read_end)
            self._read_end = -1

    def _close_write_end(self) -> None:
        if self._write_end >= 0:
            os.close(self._write_end)
            self._write_end = -1

    def _read(self) -> None:
        # It is read on until it is closed: a program that writes more than it should is not to die of SIGPIPE.
        try:
            data = os.read(self._read_end, _READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            self.close()
        elif b"\n" in data:
            self._told(READY)
