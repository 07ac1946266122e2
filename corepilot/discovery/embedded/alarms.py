"""Moments at which something has to be looked at again, at most one for each name. Pure."""

from heapq import heapify, heappop, heappush

_SLACK = 64


class Alarms:
    """A queue of names by time. Setting, discarding and asking cost the logarithm of how many there are."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}
        self._queue: list[tuple[float, str]] = []

    def set(self, name: str, at: float) -> None:
        """Have it rung at a moment, and at no other."""
        if self._at.get(name) != at:
            self._at[name] = at
            heappush(self._queue, (at, name))
            if len(self._queue) > 2 * len(self._at) + _SLACK:
                self._queue = [(moment, one) for one, moment in self._at.items()]
                heapify(self._queue)

    def set_by(self, name: str, at: float) -> None:
        """Have it rung at that moment at the latest: what moves on with every report costs nothing this way."""
        if self._at.get(name, at) >= at:
            self.set(name, at)

    def discard(self, name: str) -> None:
        """Forget one; idempotent."""
        self._at.pop(name, None)

    def next(self) -> float | None:
        """The next moment, None for never."""
        while self._queue:
            at, name = self._queue[0]
            if self._at.get(name) == at:
                return at
            heappop(self._queue)
        return None

    def due(self, now: float) -> list[str]:
        """The names whose moment has come; they are forgotten here."""
        found = []
        while (at := self.next()) is not None and at <= now:
            _, name = heappop(self._queue)
            del self._at[name]
            found.append(name)
        return found
