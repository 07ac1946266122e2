"""Time that did not pass for us, and timers that allow for it.

A container can be paused (the cgroup freezer, docker pause), a process stopped, a machine starved. The monotonic clock
goes on meanwhile, and afterwards every deadline has passed: of a check, of a job, of a stop. But whatever was to be
done by then had no time to do it. So the pause is measured, and who was waited for gets that time again.

How a pause is noticed: something looks at the clock at regular intervals, and one look comes much later than it
should. The guard does the same for the stop of the supervisor (`corepilot.guard.stopclock`).
"""

import time
from collections.abc import Callable
from typing import Any

LATE_S = 0.25
"""A look that comes later than this has missed a pause; less is a busy event loop."""

PERIOD_S = 1.0
"""How often the clock is looked at while a timer runs."""

SHORT_PERIOD_S = 0.25
"""The same while a timer of less than `SHORT_TIMER_S` runs, which a pause of less than a second could use up."""

SHORT_TIMER_S = 4.0

ALLOWANCES = 10
"""How often one timer gives time again: a machine that is starved for ever must not put a deadline off for ever."""


def suspended_s() -> float:
    """Seconds that the machine was suspended for since it booted, give or take a constant.

    The monotonic clock stands still then, and that of everybody else goes on.
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()


class Pauses:
    """How much time was lost, by the looks at the clock. Pure: it is told the time.

    Args:
        now: The time, in seconds of the monotonic clock.
    """

    def __init__(self, now: float) -> None:
        self.lost_s = 0.0
        """All that was lost so far, in seconds."""
        self.last_look = now

    def look(self, now: float, expected_s: float) -> float:
        """Look at the clock; returns how long the pause was that this look has found, in seconds, or 0.

        The pause may have begun at any moment since the last look: all that time counts, up to `expected_s` too much.

        Args:
            now: The time.
            expected_s: How long after the last look this one was to come at the latest.
        """
        gap_s = now - self.last_look
        self.last_look = now
        if gap_s <= expected_s + LATE_S:
            return 0.0
        self.lost_s += gap_s
        return gap_s


class Timers:
    """Timers of an event loop that give lost time again.

    They wake the loop up once a second, and only while a timer runs; four times a second while a short one runs.

    Args:
        loop: gevent's loop.
        clock: The monotonic clock, in seconds.
    """

    def __init__(self, loop: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._loop = loop
        self._clock = clock
        self._running = 0
        self._short = 0
        self._pauses = Pauses(clock())
        self._ticker: Any = None
        self._period_s = 0.0

    @property
    def lost_s(self) -> float:
        """Time that was lost since this was made, in seconds, as far as a timer was running then."""
        return self._pauses.lost_s

    def start(self, seconds: float, callback: Callable[[], None]) -> "Timer":
        """Call back in so many seconds, pauses not counted.

        Args:
            seconds: How long, more than 0.
            callback: Called from the hub, once; it must not block.
        """
        if self._running:
            self.look()
        else:
            self._pauses.last_look = self._clock()  # nobody has looked meanwhile, and nobody lost anything
        timer = Timer(self, self._loop, seconds, callback)
        self._count(timer, 1)
        return timer

    def now(self) -> float:
        """The time on the clock, in seconds."""
        return self._clock()

    def look(self) -> None:
        """Look for a pause that has just ended. Each timer does so before it decides."""
        self._pauses.look(self._clock(), self._period_s)

    def ended(self, timer: "Timer") -> None:
        """A timer has run out or was stopped: called by each timer, once."""
        self._count(timer, -1)

    def _count(self, timer: "Timer", difference: int) -> None:
        """Look as often as the running timers need it."""
        self._running += difference
        self._short += difference if timer.seconds < SHORT_TIMER_S else 0
        period_s = (SHORT_PERIOD_S if self._short else PERIOD_S) if self._running else 0.0
        if period_s == self._period_s:
            return
        if self._running and self._period_s:
            self.look()  # by the old period
        self._period_s = period_s
        if self._ticker is not None:
            self._ticker.stop()
            self._ticker.close()
            self._ticker = None
        if period_s:
            self._ticker = self._loop.timer(period_s, period_s, ref=False)
            self._ticker.start(self.look, update=True)


class Timer:
    """One timer, from `Timers.start`.

    Attributes:
        seconds: What it was started with.
    """

    def __init__(self, timers: Timers, loop: Any, seconds: float, callback: Callable[[], None]) -> None:
        self.seconds = seconds
        self._timers = timers
        self._loop = loop
        self._callback = callback
        self._allowances = ALLOWANCES
        self._watcher: Any = None
        self._arm(seconds)

    def stop(self) -> None:
        """Do not call back any more. Idempotent."""
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher.close()
            self._watcher = None
            self._timers.ended(self)

    def _arm(self, seconds: float) -> None:
        self._armed_at, self._armed_lost_s = self._timers.now(), self._timers.lost_s
        self._watcher = self._loop.timer(seconds)
        self._watcher.start(self._due, update=True)

    def _due(self) -> None:
        self._timers.look()
        # No more than it has waited: a pause that was found in this time may have begun before it.
        lost_s = min(self._timers.lost_s - self._armed_lost_s, self._timers.now() - self._armed_at, self.seconds)
        if lost_s > 0 and self._allowances:
            self._allowances -= 1
            self._watcher.close()
            self._arm(lost_s)
            return
        self.stop()
        self._callback()
