"""The timers of one job."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from corepilot.jobs.process import RESTART
from corepilot.jobs.state import Timer, TimerName
from corepilot.jobs.supervision import Supervision

BOUNDING: frozenset[TimerName] = frozenset(("hook", "drain", "kill", "check-group"))
"""Timers that bound a wait within a stop."""

LIMITING: frozenset[TimerName] = BOUNDING | {"timeout", "check-timeout", "ready-timeout", "watchdog"}
"""Timers that end something: what a pause of the container took from it, it is given again."""

LOGGED_AS: dict[TimerName, str] = {"check": "heartbeat", "interval": "run-every", "when": "wait-timeout"}
"""What ContainerPilot calls a job's timers in its debug log; the others are ours."""

QUIET_TIMER = "containerpilot.heartbeat"
"""Telemetry's own heartbeat, which would fill the debug log."""


class JobTimers:
    """What a job waits for. Each timer is set once at a time.

    Args:
        around: What all jobs share.
        due: Told of each timer whose time has come.
    """

    def __init__(self, around: Supervision, due: Callable[[Timer], None]) -> None:
        self._around, self._due = around, due
        self._set: dict[Timer, tuple[Callable[[], None], float]] = {}
        self._restart_s = 0.0

    @property
    def waits_until(self) -> float:
        """When the last of the waits is over at the latest that bound a stop; 0 without one."""
        return max([due for timer, (_, due) in self._set.items() if timer.name in BOUNDING], default=0.0)

    @property
    def restart_delay_s(self) -> float:
        """The delay of the restart that the job waits for; 0 when it waits for none."""
        return self._restart_s if RESTART in self._set else 0.0

    def set(self, timer: Timer, after_s: float, *, every: bool) -> None:
        """Start a timer, anew if it runs."""
        self.clear(timer)
        around = self._around
        if after_s > 0 and not every and timer.name in LIMITING:
            stop = around.timers.start(after_s, lambda: self._due(timer)).stop
        else:
            stop = _plain_timer(around.loop, after_s, after_s if every else 0.0, lambda: self._due(timer))
        self._set[timer] = (stop, around.clock() + after_s)
        if timer == RESTART:
            self._restart_s = after_s
        if timer.name in BOUNDING:
            around.extend(after_s)

    def clear(self, timer: Timer) -> None:
        """Stop a timer. Idempotent."""
        found = self._set.pop(timer, None)
        if found is not None:
            found[0]()

    def reset(self) -> None:
        """Stop all timers."""
        for timer in list(self._set):
            self.clear(timer)


def _plain_timer(loop: Any, after_s: float, every_s: float, due: Callable[[], None]) -> Callable[[], None]:
    """Start a timer of the event loop; returns what stops it."""
    watcher = loop.timer(after_s, every_s)
    watcher.start(due, update=True)

    def stop() -> None:
        watcher.stop()
        watcher.close()

    return stop
