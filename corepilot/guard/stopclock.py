"""How long the supervisor has, once a stop was asked for. Pure: it is told the time, and does nothing.

Three deadlines, one after the other. From the first SIGTERM or SIGINT on, the supervisor has 1 s to announce its stop,
and 5 s while it starts: it may have been forked, and not have run yet.
One that runs, but is too busy to begin, says that it has heard, and until when it begins: on a starved machine that
takes seconds. From the announcement on, the announced deadline counts.

A guard that looks much later than it meant to has not been running itself (a frozen cgroup, SIGSTOP, a starved
machine), and then neither had the supervisor: it gets a second more, a few times at most.
"""

from __future__ import annotations

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    from typing import Literal

STARTING_S = 5.0  # our decision: until the supervisor has said anything, it may not have its handlers yet
ACKNOWLEDGE_S = 1.0  # our decision: P03 of the fault table, a blocked supervisor costs a stop no more than this
SLACK_S = 0.5  # S08 of the fault table: the whole stop, the announced budget and half a second
LATE_S = 0.25
ALLOWANCES = 10


class StopClock:
    """The deadline in force, and the verdict when it has passed. Times are seconds on the monotonic clock."""

    def __init__(self) -> None:
        self.due: float | None = None
        self._announced: float | None = None
        self._heard: float | None = None
        self._allowances = ALLOWANCES

    def asked(self, now: float, *, starting: bool = False) -> None:
        """A SIGTERM or SIGINT was passed on. Only the first starts the clock.

        Args:
            now: The time.
            starting: Whether the supervisor has not said yet that it listens.
        """
        if self.due is None:
            self.due = now + (STARTING_S if starting else ACKNOWLEDGE_S)

    def heard(self, deadline: float) -> None:
        """The supervisor has heard, and will announce its stop by `deadline`. Said once it counts, and not after that.

        A supervisor that hears again and again and never begins is held to the first deadline.
        """
        if self._heard is None and self._announced is None:
            self._heard = self.due = deadline

    def announced(self, deadline: float) -> None:
        """The supervisor has announced a stop that ends at `deadline`. The same deadline again changes nothing."""
        if deadline != self._announced:
            self._announced = deadline
            self.due = deadline + SLACK_S

    def verdict(self, now: float) -> Literal["silent", "overran"] | None:
        """Say whether the supervisor's time is up: it never announced its stop, or it overran it; None if not."""
        if self.due is None or now < self.due:
            return None
        if now - self.due > LATE_S and self._allowances:
            self._allowances -= 1
            self.due = now + ACKNOWLEDGE_S
            return None
        return "silent" if self._announced is None else "overran"
