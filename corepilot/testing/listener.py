"""A greenlet that follows one stream, for tests that do something else meanwhile."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

import gevent
from gevent.event import Event

from corepilot.discovery.backend import Backend
from corepilot.model.service import Query, Snapshot

_Seen = TypeVar("_Seen")


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Do the block for at most so many seconds, then leave it without an error."""
    deadline = gevent.Timeout.start_new(seconds)
    try:
        yield
    except gevent.Timeout as passed:
        if passed is not deadline:
            raise
    finally:
        deadline.close()


class Follower(Generic[_Seen]):
    """Follows one stream from its own greenlet and remembers all it yielded.

    Args:
        stream: Makes the stream; called in the greenlet.
        what: The stream in words, such as `the watch on app`.

    Attributes:
        snapshots: Everything so far, in order.
        error: What ended the stream, or None while it runs. A stream that returned counts as StopIteration.
    """

    def __init__(self, stream: Callable[[], Iterable[_Seen]], what: str) -> None:
        self.snapshots: list[_Seen] = []
        self.error: BaseException | None = None
        self._what = what
        self._news = Event()
        self._greenlet = gevent.spawn(self._follow, stream)

    def until(self, holds: Callable[[_Seen], bool], what: str, deadline_s: float) -> _Seen:
        """Wait until the newest snapshot satisfies `holds`, and return it.

        Args:
            holds: The condition.
            what: The condition in words, for the failure.
            deadline_s: Seconds to wait at most.

        Raises:
            AssertionError: the deadline passed, or the stream ended.
        """
        with at_most(deadline_s):
            while not (self.snapshots and holds(self.snapshots[-1])) and self.error is None:
                self._news.clear()
                self._news.wait()
        if self.snapshots and holds(self.snapshots[-1]):
            return self.snapshots[-1]
        seen = "\n  ".join(f"{one!s:.2000}" for one in self.snapshots[-5:]) or "nothing"
        how = f"after {deadline_s} s it has not" if self.error is None else f"it ended with {self.error!r}"
        raise AssertionError(f"{self._what} must show {what}, but {how}; it last showed:\n  {seen}")

    def until_ended(self, deadline_s: float) -> BaseException:
        """Wait until the stream ends, and return what ended it."""
        self._greenlet.join(timeout=deadline_s)
        if self.error is None:
            raise AssertionError(f"{self._what} must end, but after {deadline_s} s it still waits")
        return self.error

    def kill(self, deadline_s: float) -> None:
        """End the stream the way a watcher does: by killing the greenlet that waits in it."""
        self._greenlet.kill(timeout=deadline_s)
        if not self._greenlet.dead:
            raise AssertionError(f"{self._what} must let GreenletExit pass, but it still waits")

    def _follow(self, stream: Callable[[], Iterable[_Seen]]) -> None:
        try:
            for snapshot in stream():
                self.snapshots.append(snapshot)
                self._news.set()
            self.error = StopIteration()
        except BaseException as error:  # noqa: BLE001  - whatever it is, the test that waits has to hear of it
            self.error = error
        self._news.set()


class Listener(Follower[Snapshot]):
    """Follows one watch of a backend's services.

    Args:
        backend: The client.
        query: What to watch.
        stream: Makes the stream where it is not the backend's own `watch`.
    """

    def __init__(self, backend: Backend, query: Query, stream: Callable[[], Iterable[Snapshot]] | None = None) -> None:
        super().__init__(stream or (lambda: backend.watch(query)), f"the watch on {query.service}")
