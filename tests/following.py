"""Clients of a test's store, and followers of their streams, which all end with the test."""

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import gevent

from corepilot.discovery.backend import Backend, BackendContext
from corepilot.testing import listener

DEADLINE_S = 20.0

B = TypeVar("B", bound=Backend)
T = TypeVar("T")


class Clients(Generic[B]):
    """Makes clients of one store, and closes them at the end of a block.

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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close everything."""
        for follower in self._followers:
            follower.kill()
        for client in self._made:
            client.close()


class Follower(Generic[T]):
    """A greenlet that follows a stream: `corepilot.testing.listener.Follower` with less to say."""

    def __init__(self, stream: Iterator[T]) -> None:
        self._one: listener.Follower[T] = listener.Follower(lambda: stream, "the stream")

    @property
    def told(self) -> list[T]:
        """What it has yielded."""
        return self._one.snapshots

    @property
    def error(self) -> BaseException | None:
        """What has ended it; None while it runs."""
        return self._one.error

    def until(self, holds: Callable[[T], bool], deadline_s: float = DEADLINE_S) -> T:
        """Wait until the last of what was told is so, and return it."""
        return self._one.until(holds, "what is waited for", deadline_s)

    def ended(self, deadline_s: float = DEADLINE_S) -> BaseException:
        """Wait until the stream is over, and return what ended it."""
        return self._one.until_ended(deadline_s)

    def kill(self) -> None:
        """End it."""
        self._one.kill(DEADLINE_S)


def becomes(condition: Callable[[], object], deadline_s: float = DEADLINE_S) -> None:
    """Wait, while the hub turns, until it is so."""
    with gevent.Timeout(deadline_s, AssertionError(f"not so within {deadline_s} s")):
        while not condition():
            gevent.sleep(0.005)


_OPENED: list[Backend] = []


def closed_later(client: B) -> B:
    """A client that `close_all` closes."""
    _OPENED.append(client)
    return client


def close_all() -> None:
    """Close those clients."""
    while _OPENED:
        _OPENED.pop().close()
