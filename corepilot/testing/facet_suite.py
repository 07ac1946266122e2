"""What the suites of keys and locks share: how calls are made, streams followed, and the catalog left clean."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, TypeVar

import gevent

from corepilot.discovery.backend import Backend
from corepilot.discovery.keys import Keys
from corepilot.discovery.locks import Locks
from corepilot.errors import BackendError, BackendUnavailableError
from corepilot.model.catalog import Entries, Grant
from corepilot.testing.listener import Follower, at_most
from corepilot.testing.process_state import require
from corepilot.testing.suite import POLL_S, Suite
from corepilot.testing.watchdog import bounded

_Answer = TypeVar("_Answer")

HOLDER = "a test of corepilot (host-1)"


class FacetSuite(Suite):
    """Keys and locks of a catalog. Every test has keys and locks of its own, and takes them away."""

    def setup_method(self) -> None:
        """Called by pytest before each test."""
        super().setup_method()
        self._followers: list[Follower[Any]] = []
        self._competitors: set[tuple[Backend, str]] = set()
        self._writes = False

    def teardown_method(self) -> None:
        """Called by pytest after each test."""
        for follower in self._followers:
            follower.kill(self.deadline_s)
        for client, name in self._competitors:
            # The test may have taken the server away, or closed the client.
            with at_most(2.0), suppress(BackendError):
                client.locks.release(name)  # type: ignore[union-attr]
        if self._writes:
            self._wipe()
        super().teardown_method()

    def keys(self, client: Backend) -> Keys:
        """The facet. Its calls are the test's own to bound: see `done`."""
        self._writes = True
        found = client.keys
        require(isinstance(found, Keys), 'a backend that declares "keys" must give a corepilot.discovery.keys.Keys')
        return found  # type: ignore[return-value]  # it was looked at

    def locks(self, client: Backend) -> Locks:
        """The facet."""
        found = client.locks
        require(isinstance(found, Locks), 'a backend that declares "locks" must give a corepilot.discovery.locks.Locks')
        return found  # type: ignore[return-value]  # it was looked at

    def key(self, name: str = "") -> str:
        """A key of this test's own; without a name, the one that all its keys begin with."""
        return f"{self.service}/{name}" if name else self.service

    def done(self, function: Callable[..., _Answer], *arguments: Any) -> _Answer:
        """The answer of a call, within the deadline."""
        name = getattr(function, "__name__", "a call")
        answer: _Answer = bounded(self.deadline_s, f"{name} must return", lambda: function(*arguments))
        return answer

    def follow_key(self, client: Backend, key: str, *, prefix: bool = False) -> Follower[Entries]:
        """Follow a key or a prefix until the test ends: as corepilot does, by asking where there is no watch."""
        keys = self.keys(client)

        def asked() -> Iterator[Entries]:
            while True:
                found = None if prefix else keys.get(key)
                yield keys.list(key) if prefix else () if found is None else (found,)
                gevent.sleep(POLL_S)

        what = f"the watch of the {'prefix' if prefix else 'key'} {key}"
        return self._followed(lambda: keys.watch(key, prefix=prefix) if self.has("watch") else asked(), what)

    def follow_lock(self, client: Backend, name: str) -> Follower[str | None]:
        """Follow a lock's holder until the test ends."""
        return self._followed(lambda: self.locks(client).watch(name), f"the watch of the lock {name}")

    def acquire(
        self, client: Backend, name: str, holder: str = HOLDER, ttl_s: float = 0.0, delay_s: float = 0.0
    ) -> Grant | None:
        """Ask for a lock, within the deadline; what was asked for is released when the test ends."""
        self._competitors.add((client, name))
        ttl_s = ttl_s or self.ttl_s_of_locks
        found = self.done(self.locks(client).acquire, name, holder, ttl_s, delay_s)
        if found is not None:
            require(isinstance(found, Grant), f"acquire must return a Grant or None, but returned {found!r:.80}")
            require(
                0 < found.ttl_s <= ttl_s,
                f"a grant is never for more than was asked for ({ttl_s:g} s), but this one is for {found.ttl_s:g} s",
            )
        return found

    def acquired(self, client: Backend, name: str, holder: str = HOLDER, ttl_s: float = 0.0) -> Grant:
        """Take a lock that is free: it has to be granted."""
        found = self.acquire(client, name, holder, ttl_s)
        require(found is not None, "acquire must grant a lock that is free, but returned None")
        return found  # type: ignore[return-value]  # it was looked at

    def acquired_in_time(self, client: Backend, name: str, within_s: float, why: str) -> Grant:
        """Ask for a lock until it is granted, as corepilot does.

        Args:
            client: Who asks.
            name: The lock.
            within_s: Seconds until it has to be.
            why: The rule, for the failure.
        """
        with at_most(within_s):
            while True:
                with suppress(BackendUnavailableError):
                    found = self.acquire(client, name)
                    if found is not None:
                        return found
                gevent.sleep(0.05)
        raise AssertionError(f"{why}, but after {within_s:g} s acquire had not granted it")

    @property
    def ttl_s_of_locks(self) -> float:
        """A TTL that outlasts any test, for those that are not about it."""
        return max(60.0, 2 * self.lock_ttl_s)

    def _followed(self, stream: Callable[[], Iterator[Any]], what: str) -> Follower[Any]:
        follower: Follower[Any] = Follower(stream, what)
        self._followers.append(follower)
        return follower

    def _wipe(self) -> None:
        client = self.reached(self.client())
        try:
            with at_most(5.0), suppress(BackendError):
                keys = client.keys
                for prefix in (self.service, f"/{self.service}") if keys is not None else ():
                    for entry in keys.list(prefix):  # type: ignore[union-attr]
                        keys.delete(entry.key)  # type: ignore[union-attr]
                    keys.delete(prefix)  # type: ignore[union-attr]
        finally:
            client.close()
