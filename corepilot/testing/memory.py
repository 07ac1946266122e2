"""A catalog in memory that fails when told to, for tests of what stands on one. It passes the conformance suite.

catalog = MemoryCatalog()
backend = MemoryBackend(catalog, context())
catalog.fail("register", BackendUnavailableError("cannot reach the catalog"), times=3)
catalog.down = True          # every call fails, every watch breaks
catalog.forget()             # the data are gone
with catalog.hanging(): …    # calls wait until the block is left
catalog.calls                # what was asked, in order
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from gevent.event import Event

from corepilot.discovery.backend import Backend, BackendContext
from corepilot.errors import BackendRefusedError, BackendUnavailableError, UnknownInstanceError
from corepilot.model.service import Instance, Query, Registration, Snapshot, Status
from corepilot.testing.memory_facets import MemoryKeys, MemoryLocks, Store


class Call(NamedTuple):
    """One call that reached the catalog.

    Attributes:
        method: "register", "report", "deregister" or "watch"; of keys "get", "put", "compare_and_set", "delete", "list"
            or "watch_key"; of locks "acquire", "keep", "release" or "watch_lock".
        subject: The instance's id, the service's name for a watch, the key, or the lock's name.
        status: What was registered or reported; "" for the others.
        output: The same.
    """

    method: str
    subject: str
    status: str = ""
    output: str = ""


class Entry(NamedTuple):
    """One registered instance, its status, and when that lapses, by the catalog's clock."""

    registration: Registration
    status: Status
    expires_at: float


class MemoryCatalog:
    """The store that several `MemoryBackend`s share, and the script of what goes wrong.

    Args:
        clock: Seconds of a clock that never goes back, for the expiry of entries.

    Attributes:
        calls: The last 10,000 calls, failed ones included.
        entries: What is registered, by id. Tests look, and change it with `put` and `forget`.
        store: Keys and locks.
        open_watches: The open streams.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.calls: deque[Call] = deque(maxlen=10_000)
        self._clock = clock
        self._down = False
        self.entries: dict[str, Entry] = {}
        self.store = Store(clock, self.changed)
        self._failures: dict[str, deque[Exception]] = {}
        self._answering = Event()
        self._answering.set()
        self.open_watches: set[Watch] = set()

    @property
    def down(self) -> bool:
        """Whether every call fails with BackendUnavailableError; when it becomes True, all watches break."""
        return self._down

    @down.setter
    def down(self, value: bool) -> None:
        self._down = value
        if value:
            self.break_watches(BackendUnavailableError("cannot reach the catalog in memory: it is down"))

    def fail(self, method: str, error: Exception, times: int = 1) -> None:
        """Let the next calls of a method fail with this error, after the failures that were asked for before."""
        self._failures.setdefault(method, deque()).extend([error] * times)

    def forget(self) -> None:
        """Lose every instance, key and lock; watches see it."""
        self.entries.clear()
        self.store.forget()
        self.changed()

    def break_watches(self, error: Exception) -> None:
        """End every open watch with this error."""
        for watch in self.open_watches:
            watch.error = error
            watch.news.set()

    def pause(self) -> None:
        """Answer nothing from now on."""
        self._answering.clear()

    def resume(self) -> None:
        """Answer again, also what was asked meanwhile."""
        self._answering.set()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Answer nothing within the block."""
        self.pause()
        try:
            yield
        finally:
            self.resume()

    def snapshot(self, service: str, tag: str = "") -> Snapshot:
        """What a watch would yield now."""
        now = self._clock()
        found = []
        for r, status, expires_at in self.entries.values():
            if r.service == service and (not tag or tag in r.tags):
                shown: Status = status if now < expires_at else "critical"
                found.append(Instance(r.id, r.service, r.address, r.port, shown, r.tags))
        return tuple(sorted(found))

    def answer(self, call: Call) -> None:
        """Take a call as the script says: wait, fail, or return."""
        self.calls.append(call)
        if not self._answering.is_set():
            self._answering.wait()
        if self._down:
            raise BackendUnavailableError("cannot reach the catalog in memory: it is down")
        failures = self._failures.get(call.method)
        if failures:
            raise failures.popleft()

    def put(self, registration: Registration, status: Status, valid_for_s: float) -> None:
        """Hold an instance with this status; watches see it."""
        self.entries[registration.id] = Entry(registration, status, self._clock() + valid_for_s)
        self.changed()

    def changed(self) -> None:
        """Wake every watch."""
        for watch in self.open_watches:
            watch.news.set()

    def next_expiry_s(self) -> float | None:
        """Seconds until the next entry lapses, None when none will."""
        now = self._clock()
        return min((entry.expires_at - now for entry in self.entries.values() if entry.expires_at > now), default=None)


class Watch:
    """One open stream: its owner, its wake-up, and what is to end it."""

    def __init__(self, owner: "MemoryBackend") -> None:
        self.owner = owner
        self.news = Event()
        self.error: Exception | None = None


class MemoryBackend(Backend):
    """A client of a `MemoryCatalog`, which takes the place of the options."""

    options: MemoryCatalog

    def __init__(self, options: MemoryCatalog, context: BackendContext) -> None:
        super().__init__(options, context)
        self._closed = False
        self.keys, self.locks = MemoryKeys(self), MemoryLocks(self)

    @property
    def address(self) -> str:
        """Always the same."""
        return "memory"

    def service_names(self) -> tuple[str, ...]:
        """See Backend."""
        self.options.answer(Call("service_names", ""))
        return tuple(sorted({entry.registration.service for entry in self.options.entries.values()}))

    def register(self, registration: Registration, status: Status, output: str) -> None:
        """See `Backend.register`."""
        self._ask(Call("register", registration.id, status, output))
        self.options.put(registration, status, registration.ttl_s)

    def report(self, instance_id: str, status: Status, output: str, valid_for_s: float) -> None:
        """See `Backend.report`."""
        self._ask(Call("report", instance_id, status, output))
        entry = self.options.entries.get(instance_id)
        if entry is None:
            raise UnknownInstanceError(f"cannot report on {instance_id}: the catalog does not hold it; register it")
        self.options.put(entry.registration, status, valid_for_s)

    def deregister(self, instance_id: str) -> None:
        """See `Backend.deregister`."""
        self._ask(Call("deregister", instance_id))
        self.options.entries.pop(instance_id, None)
        self.options.changed()

    def watch(self, query: Query) -> Iterator[Snapshot]:
        """See `Backend.watch`."""
        if query.datacenter:
            raise BackendRefusedError(f"cannot watch {query.service} in {query.datacenter}: there are no datacenters")
        self._ask(Call("watch", query.service))
        catalog = self.options
        with self.watching() as watch:
            while watch.error is None:
                watch.news.clear()
                yield catalog.snapshot(query.service, query.tag)
                watch.news.wait(catalog.next_expiry_s())
            raise watch.error

    def close(self) -> None:
        """See `Backend.close`. Entries stay until they expire."""
        self._closed = True
        for watch in self.options.open_watches:
            if watch.owner is self:
                watch.error = BackendUnavailableError("cannot watch: the client was closed")
                watch.news.set()

    @property
    def store(self) -> Store:
        """Keys and locks of the catalog."""
        return self.options.store

    def ask(self, method: str, subject: str) -> None:
        """Take a call of a facet as the catalog's script says: wait, fail, or return."""
        self._ask(Call(method, subject))

    @contextmanager
    def watching(self) -> Iterator[Watch]:
        """A stream that the catalog wakes, while the block lasts."""
        watch = Watch(self)
        self.options.open_watches.add(watch)
        try:
            yield watch
        finally:
            self.options.open_watches.discard(watch)

    def _ask(self, call: Call) -> None:
        if self._closed:
            raise BackendUnavailableError("cannot use the catalog in memory: the client was closed")
        self.options.answer(call)
