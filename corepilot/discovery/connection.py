"""Whether a catalog answers at all: one for all that is asked there, so that a hundred do not knock at a closed door.

While the catalog does not answer, one call or one stream at a time tries, to find out; all others wait. Any answer
wakes them. Of those who wait, who has failed less tries first: what fails alone, for reasons of its own, does not keep
the others from finding out that the catalog is there. Pure.
"""

from collections.abc import Callable

from corepilot.http.retry_after import LONGEST_PAUSE_S
from corepilot.system.backoff import MOST_S, Backoff, chance

EARLY_S = 60.0
"""So long, a catalog that went away is expected back soon: a container that starts beside us, an agent's restart."""
EARLY_MOST_S = 4.0
GROWTH = 1 / 8
"""After that, by so many seconds for each second of the outage the longest pause grows, up to `MOST_S`.

Gradually: where some still paused for 4 s and others for 15, the first came back all at once.
"""
MIXING = 1.5
"""A try that gets no answer takes exactly its deadline, as long as everybody else's that was begun then. So a random
part of that time is added to the pause that follows, and after the first try of so many times that time: from then on
those who lost the catalog together are out of step for good.
"""
HASTE_S = 5.0
"""A report brings the next try forward, but it comes no sooner than so long after the last one was over."""
HASTE_SPREAD_S = 8.0
"""And up to so much later, by chance: supervisors that were started together report together, and must not try then."""
YIELD_S = 0.5
"""Who has failed tries so much later than who has not, at most: after the n-th time in a row by n/(n+1) of it."""


class Connection:
    """Up, or down with a time for the next try. All moments are seconds of one clock that never goes back.

    Args:
        deadline_s: The most that a try takes: until then nobody else tries.
        random: Gives a number in [0, 1).

    Attributes:
        answers: How often the catalog has answered a call, or begun to answer a stream.
        waiting: Called when the catalog answers again.
    """

    def __init__(self, deadline_s: float, random: Callable[[], float] = chance) -> None:
        self.answers = 0
        self.waiting: set[Callable[[], None]] = set()
        self._deadline_s = deadline_s
        self._random = random
        self._backoff = Backoff(most_s=EARLY_MOST_S, random=random)
        self._down_since: float | None = None
        self._failures = 0
        self._tried_at = self._over_at = 0.0
        self._try_at = self._quiet_until = 0.0
        self._haste_s = 0.0

    @property
    def connected(self) -> bool:
        """Whether the last answer is newer than the last failure."""
        return self.answers > 0 and self._down_since is None

    def wait_s(self, now: float, failures: int = 0) -> float:
        """Seconds until a call may be made; 0 for at once. It may not be made when the time is over: ask again.

        Args:
            now: The time.
            failures: How many tries of the one who asks have failed in a row.
        """
        if self._down_since is None:
            return 0.0
        return max(0.0, self._try_at + YIELD_S * failures / (failures + 1) - now)

    def begun(self, now: float) -> None:
        """A call is being made."""
        self._tried_at = self._over_at = now
        if self._down_since is not None:
            self._try_at = now + self._deadline_s

    def up(self) -> bool:
        """The catalog answered, be it no; returns whether it was down."""
        was_down = self._down_since is not None
        self.answers += 1
        self._down_since = None
        self._failures = 0
        self._backoff = Backoff(most_s=EARLY_MOST_S, random=self._random)
        if was_down:
            self._wake_all()
        return was_down

    def next_one(self, now: float) -> None:
        """A try is over that said nothing of the catalog: it was refused, perhaps by the backend itself.

        Another one finds out, without waiting for the time that this one might have taken.
        """
        if self._down_since is not None:
            self._try_at = min(self._try_at, max(now, self._quiet_until))
            self._wake_all()

    def down(self, begun_at: float, now: float, *, answered: bool = False, pause_s: float = 0.0) -> None:
        """A call got no answer, or a stream broke.

        Args:
            begun_at: When it was made: several that were on their way together count once.
            now: When it was given up.
            answered: Whether it was a stream that had answered: nobody waited for it, and those that break
                with it are no more tries.
            pause_s: So long the catalog wants to be left alone: nothing brings the next try nearer than that, or than
                `LONGEST_PAUSE_S`, if that is sooner.
        """
        self._quiet_until = max(self._quiet_until, now + min(pause_s, LONGEST_PAUSE_S))
        if self._down_since is None:
            self._down_since = now
        elif answered or begun_at < self._tried_at:
            self._try_at = max(self._try_at, self._quiet_until)
            return
        self._over_at = now
        self._failures += 1
        late_s = max(0.0, now - self._down_since - EARLY_S)
        self._backoff.most_s = min(EARLY_MOST_S + late_s * GROWTH, MOST_S)
        waited_s = 0.0 if answered else min(now - begun_at, self._deadline_s)
        spread_s = waited_s * (MIXING if self._failures == 2 else 1.0)
        self._try_at = max(now + self._backoff.next_s(), self._quiet_until) + self._random() * spread_s
        self._haste_s = self._random() * HASTE_SPREAD_S  # once for each pause: of many reports not the least counts

    def hasten(self, now: float) -> None:
        """There is something new to say: try sooner."""
        self._try_at = min(self._try_at, max(now, self._quiet_until, self._over_at + HASTE_S) + self._haste_s)

    def retry_now(self, now: float) -> None:
        """There is little time left: try now."""
        self._try_at = min(self._try_at, max(now, self._quiet_until))

    def _wake_all(self) -> None:
        for wake in tuple(self.waiting):
            wake()
