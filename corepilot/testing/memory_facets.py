"""Keys and locks of the catalog in memory: see `corepilot.testing.memory`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from gevent.event import Event

from corepilot.discovery.keys import Keys
from corepilot.discovery.locks import Locks
from corepilot.errors import LockLostError
from corepilot.model.catalog import Entries, Entry, Grant


class Held(NamedTuple):
    """Who has a lock, and until when, by the catalog's clock."""

    owner: object
    holder: str
    token: int
    ttl_s: float
    expires_at: float


class Store:
    """What a catalog in memory keeps beside services.

    Args:
        clock: Seconds of a clock that never goes back.
        changed: Called after every change, to wake the watches.

    Attributes:
        writes: Grows with every write and every grant, also over `forget`: versions and tokens are taken from it.
        entries: The keys.
        locks: Those that are held, or were until they expired.
    """

    def __init__(self, clock: Callable[[], float], changed: Callable[[], None]) -> None:
        self.clock, self._changed = clock, changed
        self.writes = 0
        self.entries: dict[str, Entry] = {}
        self.locks: dict[str, Held] = {}

    def put(self, key: str, value: bytes) -> None:
        """Make a key hold a value; watches see it."""
        self.writes += 1
        self.entries[key] = Entry(key, bytes(value), str(self.writes))
        self._changed()

    def delete(self, key: str) -> None:
        """Take a key away; watches see it."""
        self.entries.pop(key, None)
        self._changed()

    def forget(self) -> None:
        """Lose every key and every lock."""
        self.entries.clear()
        self.locks.clear()

    def held(self, name: str) -> Held | None:
        """Who has a lock now."""
        found = self.locks.get(name)
        return found if found is not None and self.clock() < found.expires_at else None

    def hold(self, name: str, owner: object, holder: str, ttl_s: float) -> Held:
        """Give a lock that is free to somebody."""
        self.writes += 1
        self.locks[name] = Held(owner, holder, self.writes, ttl_s, self.clock() + ttl_s)
        self._changed()
        return self.locks[name]

    def keep(self, name: str) -> Held:
        """Start the TTL of a lock anew."""
        found = self.locks[name]
        self.locks[name] = found._replace(expires_at=self.clock() + found.ttl_s)
        return self.locks[name]

    def let_go(self, name: str) -> None:
        """Make a lock free."""
        self.locks.pop(name, None)
        self._changed()

    def next_expiry_s(self) -> float | None:
        """Seconds until the next lock lapses, None when none will."""
        now = self.clock()
        return min((one.expires_at - now for one in self.locks.values() if one.expires_at > now), default=None)


class Client(Protocol):
    """The connection that a facet is over."""

    @property
    def store(self) -> Store:
        """What it is a client of."""

    def ask(self, method: str, subject: str) -> None:
        """Take a call as the catalog's script says: wait, fail, or return."""

    def watching(self) -> AbstractContextManager[StreamState]:
        """Be woken by changes while the block lasts."""


class StreamState(Protocol):
    """An open stream: what wakes it, and what is to end it."""

    news: Event
    error: Exception | None


class MemoryKeys(Keys):
    """The keys of a `MemoryBackend`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def get(self, key: str) -> Entry | None:
        """See Keys."""
        self._client.ask("get", key)
        return self._found(key)

    def put(self, key: str, value: bytes) -> None:
        """See Keys."""
        self._client.ask("put", key)
        self._client.store.put(key, value)

    def compare_and_set(self, key: str, value: bytes, version: str | None) -> bool:
        """See Keys."""
        self._client.ask("compare_and_set", key)
        found = self._found(key)
        if (None if found is None else found.version) != version:
            return False
        self._client.store.put(key, value)
        return True

    def delete(self, key: str) -> None:
        """See Keys."""
        self._client.ask("delete", key)
        self._client.store.delete(key)

    def list(self, prefix: str) -> Entries:
        """See Keys."""
        self._client.ask("list", prefix)
        return self._below(prefix)

    def watch(self, key: str, *, prefix: bool = False) -> Iterator[Entries]:
        """See Keys."""
        self._client.ask("watch_key", key)
        with self._client.watching() as stream:
            while stream.error is None:
                stream.news.clear()
                found = self._found(key)
                yield self._below(key) if prefix else () if found is None else (found,)
                stream.news.wait()
            raise stream.error

    def _found(self, key: str) -> Entry | None:
        return self._client.store.entries.get(key)

    def _below(self, prefix: str) -> Entries:
        entries = self._client.store.entries
        if not prefix:
            return tuple(sorted(entry for key, entry in entries.items() if not key.startswith("/")))
        start = f"{prefix.rstrip('/')}/"
        return tuple(sorted(entry for key, entry in entries.items() if key.startswith(start)))


class MemoryLocks(Locks):
    """The locks of a `MemoryBackend`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def acquire(self, name: str, holder: str, ttl_s: float, delay_s: float) -> Grant | None:  # noqa: ARG002
        """See Locks. Nothing ends a grant before its TTL here, so there is no delay."""
        self._client.ask("acquire", name)
        store = self._client.store
        found = store.held(name)
        if found is None:
            found = store.hold(name, self, holder, ttl_s)
        elif found.owner is not self:
            return None
        return Grant(found.token, store.keep(name).ttl_s)

    def keep(self, name: str) -> float:
        """See Locks."""
        self._client.ask("keep", name)
        found = self._client.store.held(name)
        if found is None or found.owner is not self:
            raise LockLostError(f"cannot keep the lock {name}: somebody else holds it, or nobody does")
        return self._client.store.keep(name).ttl_s

    def release(self, name: str) -> None:
        """See Locks."""
        self._client.ask("release", name)
        found = self._client.store.held(name)
        if found is not None and found.owner is self:
            self._client.store.let_go(name)

    def watch(self, name: str) -> Iterator[str | None]:
        """See Locks."""
        self._client.ask("watch_lock", name)
        with self._client.watching() as stream:
            while stream.error is None:
                stream.news.clear()
                found = self._client.store.held(name)
                yield found and found.holder
                stream.news.wait(self._client.store.next_expiry_s())
            raise stream.error
