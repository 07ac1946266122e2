"""The last of something, and what follows: an iterator of JSON objects, as an answer of the control socket reads it."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

from gevent.event import Event as Flag

from corepilot.output.follower import Follower, Lost

Item = TypeVar("Item")


class Tail(Iterator[dict[str, object]], Generic[Item]):
    """What is known at its making, then what is put into its follower, and then its end. To be closed.

    Args:
        known: What is known, the oldest first.
        shown: Makes an object of an item.
        follow: Whether anything comes after that.
        left: Called when it is closed, once.

    Attributes:
        follower: Takes what happens next.
    """

    def __init__(
        self,
        known: Sequence[Item],
        shown: Callable[[Item], dict[str, object]],
        left: "Callable[[Tail[Item]], None]",
        *,
        follow: bool,
    ) -> None:
        self._known, self._shown, self._left = deque(known), shown, left
        self._first: dict[str, object] | None = None
        self._news = Flag()
        self._ended = not follow
        self._closed = False
        self.follower: Follower[Item] = Follower(self._news.set)

    def __next__(self) -> dict[str, object]:
        """Return the next one; switches greenlets until there is one. `{"lost": N}` stands for what came too fast."""
        if self._first is not None:
            first, self._first = self._first, None
            return first
        if self._known:
            return self._shown(self._known.popleft())
        while True:
            found = self.follower.next()
            if isinstance(found, Lost):
                return {"lost": int(found)}
            if found is not None:
                return self._shown(found)
            if self._ended:
                raise StopIteration
            self._news.clear()
            self._news.wait()

    def begin_with(self, entry: dict[str, object]) -> None:
        """Return this first."""
        self._first = entry

    def end(self) -> None:
        """Nothing follows any more: it ends when what waits has been read."""
        self._ended = True
        self._news.set()

    def close(self) -> None:
        """Its reader has gone. Idempotent."""
        if not self._closed:
            self._closed = self._ended = True
            self._left(self)
