"""What must not happen while a catalog is hurt: a judge for each watch, and one for the lock.

The writer counts up, so every value is higher than those before it: what a watch tells can be held against what was
written. The lock's judge is the resource that the lock is for, and compares tokens.
"""

import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from corepilot.model.event import Event


class Allowed(NamedTuple):
    """What a fault excuses.

    Attributes:
        absence: Whether what was written may be gone for a while.
        disorder: Whether what was written during the fault may arrive in another order: a call of the writer's that
            has had no answer may be carried out later than the next one.
    """

    absence: bool = False
    disorder: bool = False


class Told:
    """Judges the events of one watch.

    Args:
        what: What is watched.
        kind: What it is of: services or keys.
        wrong: Takes what must not have happened.
        written: What was written so far; it grows.

    Attributes:
        changes: How often the content of ours has changed.
        events: How many events were told, those of others' instances included.
        allowed: What the present fault excuses.
    """

    def __init__(self, what: str, kind: str, wrong: Callable[[str], None], written: list[int]) -> None:
        self.what, self.kind = what, kind
        self.changes = self.events = 0
        self.allowed = Allowed()
        self._wrong, self._written = wrong, written
        self._last: object = None
        self._ours: tuple[int, ...] = ()
        self._newest = self._floor = 0

    def begin(self, allowed: Allowed) -> None:
        """A fault begins, with the value that was written last in place."""
        self.allowed = allowed
        self._floor = self._newest

    def end(self) -> None:
        """All is in order again, so nothing is excused any more."""
        self.allowed = Allowed()

    def take(self, event: Event, content: tuple[object, ...], ours: Iterable[int]) -> None:
        """An event, with all that the watch knew then, and of that the values of ours."""
        self.events += 1
        if event.code != "changed":
            if (event.code == "healthy") != bool(content):
                self._say(f"told {event.code} of {content}")
            return
        if content == self._last:
            self._say(f"told {content} twice")
        self._last = content
        values = tuple(ours)
        if values == self._ours:
            return
        self._ours = values
        self.changes += 1
        if not values:
            if not self.allowed.absence:
                self._say("told that it is gone")
        elif len(values) > 1:
            self._say(f"told {values}, of which there is one at a time")
        elif values[0] not in self._written:
            self._say(f"told {values[0]}, which nobody has written")
        elif values[0] < (self._floor if self.allowed.disorder else self._newest):
            self._say(f"told {values[0]} after {self._newest}")
        self._newest = max(self._newest, *values, 0)

    def _say(self, wrong: str) -> None:
        self._wrong(f"the watch of the {self.what} {wrong}")


class Resource:
    """Judges the lock: one holder at a time, and a higher token with each.

    Args:
        wrong: Takes what must not have happened.

    Attributes:
        grants: How often the lock was had.
        newest: The highest token so far.
        lenient: Whether the store forgets locks, so that a second one is given before the first can know. Tokens grow
            all the same.
        vacant_s: The longest time without a holder.
    """

    def __init__(self, wrong: Callable[[str], None]) -> None:
        self.grants = self.newest = 0
        self.lenient = False
        self.vacant_s = 0.0
        self._wrong, self._whose = wrong, ""
        self._holders: set[str] = set()
        self._vacant_at: float | None = None

    def forget(self) -> None:
        """The store was wiped, or is to be: it numbers anew, and its silence is not the lock's."""
        self.newest, self._vacant_at = 0, None

    def acquired(self, who: str, token: int) -> None:
        self.grants += 1
        if self._holders - {who} and not self.lenient:
            self._wrong(f"{who} was given the lock while {', '.join(self._holders)} held it")
        if token < self.newest or (token == self.newest and who != self._whose):
            self._wrong(f"{who} was given token {token} after {self.newest}: the resource would refuse it")
        self._holders.add(who)
        self.newest, self._whose = max((self.newest, self._whose), (token, who))
        if self._vacant_at is not None:
            self.vacant_s = max(self.vacant_s, time.monotonic() - self._vacant_at)
            self._vacant_at = None

    def left(self, who: str) -> None:
        if who in self._holders:
            self._holders.discard(who)
            self._vacant_at = time.monotonic()
