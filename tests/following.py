"""Clients of a test's store, and followers of their streams, which all end with the test."""

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

import gevent

from corepilot.discovery.backend import Backend, BackendContext

DEADLINE_S = 20.0

B = TypeVar("B", bound=Backend)
T = TypeVar("T")


class Clients(Generic[B]):
    """Makes clients of one store, and closes them.

    Args:
        backend: Their class.
        options: Of its plugin.
        given: What they are given unless a test wants something else.

    Attributes:
        said: What the clients have logged: level and message.
    """

    def __init__(self, backend: type[B], options: Callable[..., Any], **given: Any) -> None:
        self.said: list[tuple[str, str]] = []
        self._backend, self._options, self._given = backend, options, given
        self._made: list[B] = []
        self._followers: list[Follower[Any]] = []

    def new(self, **options: Any) -> B:
        """A new client, which is closed when the test ends."""
        context = BackendContext(log=lambda level, message: self.said.append((level, message)))
        client = self._backend(self._options(**{**self._given, **options}), context)
        self._made.append(client)
        return client

    def follow(self, stream: Iterator[T]) -> "Follower[T]":
        """Follow a stream until the test ends."""
        follower = Follower(stream)
        self._followers.append(follower)
        return follower

    def close(self) -> None:
        """Close everything."""
        for follower in self._followers:
            follower.greenlet.kill(timeout=DEADLINE_S)
        for client in self._made:
            client.close()


class Follower(Generic[T]):
    """A greenlet that follows a stream.

    Attributes:
        told: What it has yielded.
        error: What has ended it; None while it runs.
    """

    def __init__(self, stream: Iterator[T]) -> None:
        self.told: list[T] = []
        self.error: BaseException | None = None
        self.greenlet = gevent.spawn(self._run, stream)

    def until(self, holds: Callable[[T], bool], deadline_s: float = DEADLINE_S) -> T:
        """Wait until the last of what was told is so, and return it."""
        with gevent.Timeout(deadline_s, AssertionError(f"not so within {deadline_s} s")):
            while not (self.told and holds(self.told[-1])):
                assert self.error is None, self.error
                gevent.sleep(0.005)
        return self.told[-1]

    def ended(self, deadline_s: float = DEADLINE_S) -> BaseException:
        """Wait until the stream is over, and return what ended it."""
        self.greenlet.join(timeout=deadline_s)
        assert self.error is not None, f"it has not ended within {deadline_s} s"
        return self.error

    def _run(self, stream: Iterator[T]) -> None:
        try:
            self.told.extend(stream)  # one by one, as they come
            self.error = StopIteration()
        except Exception as error:  # noqa: BLE001  - the test looks at it
            self.error = error


def becomes(condition: Callable[[], object], deadline_s: float = DEADLINE_S) -> None:
    """Wait, while the hub turns, until it is so."""
    with gevent.Timeout(deadline_s, AssertionError(f"not so within {deadline_s} s")):
        while not condition():
            gevent.sleep(0.005)
