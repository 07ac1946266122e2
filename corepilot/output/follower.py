"""One who reads what happens as it happens, and may be slow: what waits is bounded, and what is lost is counted."""

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

QUEUE_BYTES = 256 * 1024

Item = TypeVar("Item")


class Lost(int):
    """How many lines or events were lost at this place."""

    __slots__ = ()


class Follower(Generic[Item]):
    """Items that wait for a reader.

    Args:
        wake: Called when something waits. It must not block or switch.
        limit_bytes: What may wait; what comes then is counted and not kept.

    Attributes:
        full: Something was lost, and nothing has been read since: what comes is lost as well.
    """

    def __init__(self, wake: Callable[[], object], limit_bytes: int = QUEUE_BYTES) -> None:
        self._wake, self._limit = wake, limit_bytes
        self._waiting: deque[tuple[Item | Lost, int]] = deque()
        self._bytes = 0
        self.full = False

    def put(self, item: Item, size: int, count: int) -> None:
        """Keep an item until it is read, or count it.

        Args:
            item: The item.
            size: What it takes, in bytes, more than 0.
            count: As how many it counts when it is lost.
        """
        if self.full or self._bytes + size > self._limit:
            self.lose(count)
            return
        self._waiting.append((item, size))
        self._bytes += size
        self._wake()

    def lose(self, count: int) -> None:
        """Count what is lost."""
        self.full = True
        if self._waiting and isinstance(last := self._waiting[-1][0], Lost):
            self._waiting[-1] = (Lost(last + count), 0)
        else:
            self._waiting.append((Lost(count), 0))
        self._wake()

    def next(self) -> Item | Lost | None:
        """The oldest item that waits, or how many were lost at its place; None when nothing waits."""
        if not self._waiting:
            return None
        item, size = self._waiting.popleft()
        self.full = False
        self._bytes -= size
        return item
