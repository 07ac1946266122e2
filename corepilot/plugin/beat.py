"""The hub's beat: notices that the event loop stands still, and ends what holds it up where that is a plugin.

An interval timer of the kernel (setitimer(2), ITIMER_REAL) is set whenever the loop begins to work, and taken back
whenever it goes to sleep. So it costs two system calls a turn and nothing while nothing happens, and SIGALRM means that
one turn has lasted too long. Python runs the handler between two bytecodes of whatever runs then, also in `time.sleep`,
in a `recv` that blocks, and within a regular expression: the exception it raises ends them.

Time that passes is not enough to accuse anybody: a container that was paused, or that gets a twentieth of a core, is
slow all by itself. So the first alarm only takes a sample, and those after it tell: a loop uses processor time, a call
that blocks has gone to sleep again after the first alarm, and what merely starves does neither.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from typing import Any

from corepilot.plugin.stalls import PluginStalledError, in_plugin
from corepilot.system.kernel import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

STALL_S = 2.0
"""Seconds that one turn of the event loop may take."""

STOPPING_STALL_S = 0.5
"""The same during a stop, which has promised when it ends."""

_SAMPLE_S = 0.25
_USED_S = 0.15  # of processor time since the first sample: nearly all of one such interval, or a share of several
_LATE_S = 1.0
_FRAMES_MAX = 40


class Beat:
    """Watches one event loop, in the thread that runs it.

    Args:
        loop: gevent's.
        working: Told when the loop begins to work (the time, on the monotonic clock), and when it goes to sleep (0).
        stalled: Told of a turn that lasts too long and is not a plugin's: how long so far, and the stack.
        turned: Told how long each turn took, in seconds, when it is over.
        interrupting: Told of the frame of a plugin's that is about to be interrupted.

    Attributes:
        limit_s: How long a turn may take.
    """

    def __init__(
        self,
        loop: Any,
        *,
        working: Callable[[float], None],
        stalled: Callable[[float, list[str]], None],
        turned: Callable[[float], None] = lambda _seconds: None,
        interrupting: Callable[[FrameType | None], None] = lambda _frame: None,
    ) -> None:
        self._working, self._stalled, self._turned = working, stalled, turned
        self._interrupting = interrupting
        self._loop = loop
        self.limit_s = STALL_S
        self._since = self._due = 0.0
        self._sample: tuple[float, int] | None = None
        self._told = False
        # Before everything else in a turn, and after everything else.
        self._wakes = loop.check(priority=loop.MAXPRI, ref=False)
        self._sleeps = loop.prepare(priority=loop.MINPRI, ref=False)
        self._before: Any = None
        self._first: Any = None

    def start(self) -> None:
        """Begin. Takes SIGALRM."""
        self._before = signal.signal(signal.SIGALRM, self._alarmed)
        self._wakes.start(self._wake)
        self._sleeps.start(self._sleep)
        self._wake()
        # Begun in the middle of a turn, it is not told of that turn's end, and the alarm would wake a loop that sleeps:
        # there is another turn first.
        self._first = self._loop.timer(0.0, ref=False)
        self._first.start(self._began)

    def _began(self) -> None:
        self._first.close()

    def hurry(self) -> None:
        """A stop has begun, which has promised when it ends: from now on a turn may take `STOPPING_STALL_S`."""
        self.limit_s = STOPPING_STALL_S
        if self._before is not None:
            self._wake()

    def stop(self) -> None:
        """End. Idempotent."""
        if self._before is not None:
            self._first.stop()
            self._first.close()
            self._wakes.stop()
            self._sleeps.stop()
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._before)
            self._before = None

    def _wake(self) -> None:
        self._since = now = time.monotonic()
        self._told = False
        self._sample = None
        first_s = self.limit_s - _SAMPLE_S
        self._due = now + first_s
        self._working(now)
        signal.setitimer(signal.ITIMER_REAL, first_s, _SAMPLE_S)

    def _sleep(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        if self._since:
            self._turned(time.monotonic() - self._since)
        self._since = 0.0
        self._working(0.0)

    def _alarmed(self, _number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self._since or now < self._due:
            return  # somebody else's, or one that was under way when the loop went to sleep
        late, self._due = now - self._due > _LATE_S, now + _SAMPLE_S / 2
        used_s, sleeps = time.thread_time(), resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
        if self._sample is None or late:
            self._sample = used_s, sleeps
            return  # this was the first look, or a pause of the whole process is over
        if used_s - self._sample[0] < _USED_S and sleeps == self._sample[1]:
            return  # it does not get the processor
        if in_plugin(frame):
            self._interrupting(frame)
            where = f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else "a function that is not Python's"
            raise PluginStalledError(where)
        if not self._told and now - self._since >= STALL_S - _SAMPLE_S:
            self._told = True
            self._stalled(now - self._since, stack(frame))


def stack(frame: FrameType | None) -> list[str]:
    """The lines of a stack, outermost first, without reading any source."""
    lines: list[str] = []
    while frame is not None and len(lines) < _FRAMES_MAX:
        code = frame.f_code
        lines.append(f"{code.co_filename}:{frame.f_lineno} in {code.co_qualname}")
        frame = frame.f_back
    return lines[::-1]
