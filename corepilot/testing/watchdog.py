"""The watchdog of the conformance suites: sees from outside the hub how long a plugin holds the hub's thread up.

An interval timer of the kernel (setitimer(2)) is the outside: its signal comes whatever the thread does, also in a
`recv` that blocks, and Python's handler ends what has gone on for too long. The time that counts leaves out the waiting
for a processor (/proc/thread-self/schedstat, see Documentation/scheduler/sched-stats.rst in the kernel's source): a
loaded machine accuses nobody.
"""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NamedTuple

import gevent
from gevent import get_hub, getcurrent

from corepilot.system.interruption import Interruption

LIMIT_S = 1.0
"""Seconds after which a call that holds the hub up is interrupted."""

NAMED_S = 0.1
"""Seconds after which it counts as holding the hub up."""

_TICK_S = 0.05


class HubBlockedError(Interruption):
    """Raised by the watchdog in what holds the hub up. No `Exception`, so that a plugin's handlers let it pass."""


class Measured(NamedTuple):
    """One call of a plugin's code.

    Attributes:
        what: The method.
        held_s: The longest time at a stretch that the hub did not turn.
        total_s: How long the call took, waiting that lets the hub turn included.
        place: File and line that ran when the hub had been held up for `NAMED_S`; "" if that never was.
    """

    what: str
    held_s: float
    total_s: float
    place: str


class _Call:
    """A call under way."""

    __slots__ = ("held_s", "place")

    def __init__(self) -> None:
        self.held_s = 0.0
        self.place = ""


def own_clock() -> float:
    """Seconds of a monotonic clock that stands still while this thread waits for a processor."""
    now = time.monotonic()
    try:
        with open("/proc/thread-self/schedstat", "rb") as file:
            return now - int(file.read().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return now  # a kernel without these figures


class Watchdog:
    """Watches the calls made through `run`, and the greenlets they start, until `stop`. Takes SIGALRM meanwhile.

    Attributes:
        calls: What was measured, in order.
        fault: What was interrupted in a greenlet where no test saw it; "" if nothing was.
    """

    def __init__(self) -> None:
        self.calls: list[Measured] = []
        self.fault = ""
        self._main = getcurrent()
        self._open: list[_Call] = []
        self._since: float | None = own_clock()
        loop: Any = get_hub().loop
        self._wakes = loop.check(priority=loop.MAXPRI, ref=False)
        self._sleeps = loop.prepare(priority=loop.MINPRI, ref=False)
        self._wakes.start(self._wake)
        self._sleeps.start(self._sleep)
        self._began_at = time.monotonic()
        self._handler = signal.signal(signal.SIGALRM, self._alarmed)
        # Somebody else's timer (pytest-timeout has one) is put back with what is left of it.
        self._timer = signal.setitimer(signal.ITIMER_REAL, _TICK_S, _TICK_S)

    def stop(self) -> None:
        """Give SIGALRM back, as it was found."""
        self._wakes.stop()
        self._sleeps.stop()
        self._wakes.close()
        self._sleeps.close()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._handler)
        left_s, interval_s = self._timer
        if left_s:
            signal.setitimer(signal.ITIMER_REAL, max(0.01, left_s - (time.monotonic() - self._began_at)), interval_s)

    def run(self, what: str, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Make a call. What holds the hub up for `LIMIT_S` within it gets a HubBlockedError."""
        with self._measuring(what):
            return function(*arguments, **named)

    @contextmanager
    def _measuring(self, what: str) -> Iterator[None]:
        call = _Call()
        began_at = self._since = own_clock()
        self._open.append(call)
        try:
            yield
        except HubBlockedError:
            self.fault = ""  # whoever made the call sees it
            raise
        finally:
            now = own_clock()
            self._close_stretch(now)
            self._since = now
            self._open.remove(call)
            self.calls.append(Measured(what, call.held_s, now - began_at, call.place))

    def _wake(self) -> None:
        self._since = own_clock()

    def _sleep(self) -> None:
        self._close_stretch(own_clock())
        self._since = None

    def _close_stretch(self, now: float) -> None:
        if self._since is not None:
            for call in self._open:
                call.held_s = max(call.held_s, now - self._since)

    def _alarmed(self, _number: int, frame: FrameType | None) -> None:
        if self._since is None:
            return
        held_s = own_clock() - self._since
        if held_s < NAMED_S or not self._accused(frame):
            return
        # A greenlet that runs a function of C has no frame.
        place = f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else "a greenlet of its own"
        for call in self._open:
            call.place = place
        if held_s > LIMIT_S:
            self._since = own_clock()
            self.fault = f"the hub must never be blocked: it was held up for {held_s:.1f} s by {place}"
            raise HubBlockedError(self.fault)

    def _accused(self, frame: FrameType | None) -> bool:
        """Whether a plugin runs: below `run` on this stack, or in a greenlet that is not the test's own."""
        if getcurrent() is not self._main:
            return True
        while frame is not None:
            if frame.f_code is _RUN:
                return True
            frame = frame.f_back
        return False


_RUN = Watchdog.run.__code__


def bounded(seconds: float, rule: str, function: Callable[[], Any]) -> Any:
    """The answer of a call that may wait, or an AssertionError with the rule after so many seconds."""
    deadline = gevent.Timeout.start_new(seconds)
    try:
        return function()
    except gevent.Timeout as passed:
        if passed is not deadline:
            raise
        raise AssertionError(f"{rule}, but after {seconds:g} s it had not") from None
    finally:
        deadline.close()
