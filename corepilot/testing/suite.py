"""What the conformance suites of backends share: clients, registrations, deadlines, and a clean catalog afterwards."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import gevent

from corepilot.discovery.backend import STREAM_BLOCK_S, Backend, BackendContext
from corepilot.discovery.threaded import unblocked
from corepilot.errors import BackendError, UnknownInstanceError
from corepilot.model.service import Instance, Query, Registration, Snapshot, Status
from corepilot.testing.conduct import Conduct
from corepilot.testing.listener import Listener, at_most
from corepilot.testing.process_state import GRACE_S, require, settles, threads
from corepilot.testing.watched import Allowed

STATUSES: tuple[Status, ...] = ("passing", "warning", "critical")


def context() -> BackendContext:
    """A context for a backend under test. What it logs is dropped."""
    return BackendContext(log=lambda *_: None, environment={}, version="0")


def instance_of(registration: Registration, status: Status) -> Instance:
    """What a watch must yield for a registration."""
    r = registration
    return Instance(r.id, r.service, r.address, r.port, status, r.tags)


ALLOWED: Allowed = dict.fromkeys(
    (
        *("register", "report", "deregister", "instances", "service_names", "watch"),
        *(f"keys.{method}" for method in ("get", "put", "compare_and_set", "delete", "list", "watch")),
        *(f"locks.{method}" for method in ("acquire", "keep", "release", "watch")),
    ),
    (BackendError,),
)
"""What a backend may raise."""

POLL_S = 0.05
"""How often a suite asks a backend that does not watch."""

_STREAMS = 3

_USUAL = frozenset({"services", "register", "watch"})
"""What a backend can do whose suite does not say."""


class Suite(Conduct):
    """What all suites share. A subclass supplies `client`; see the module.

    Attributes:
        capabilities: What the plugin's light module declares as CAPABILITIES; empty stands for services that can be
            registered and watched. A backend without "datacenters" must refuse a query that names one. With "keys" and
            "locks" their calls are under the rules of conduct too, and in outages.
        lock_ttl_s: The shortest TTL of a lock that the store takes, in seconds.
        deadline_s: Seconds that one change may take to be seen. Not a measurement: generous, for loaded machines.
        service: The name of this test's service, new for every test.
    """

    contract = Backend
    allowed = ALLOWED
    parts = ("keys", "locks")
    capabilities: frozenset[str] = frozenset()
    lock_ttl_s: float = 2.0
    service: str = ""

    def client(self) -> Backend:
        """A new client of the one catalog that the test uses. The suite closes it."""
        raise NotImplementedError("a suite needs client(): see corepilot.testing.backends")

    def setup_method(self) -> None:
        """Called by pytest before each test."""
        super().setup_method()
        self.service = f"t{os.urandom(4).hex()}"
        self._clients: list[Backend] = []
        self._listeners: list[Listener] = []
        self._held: list[tuple[Backend, str]] = []

    def teardown_method(self) -> None:
        """Called by pytest after each test: leaves nothing behind, neither here nor in the catalog."""
        try:
            for listener in self._listeners:
                listener.kill(self.deadline_s)
            for client, instance_id in self._held:
                # The test may have taken the server away, or closed the client.
                with at_most(2.0), suppress(BackendError):
                    client.deregister(instance_id)
            for client in self._clients:
                client.close()
        finally:
            super().teardown_method()

    def new(self) -> Backend:
        """See `Conduct.new`."""
        return self.client()

    def reached(self, plugin: Backend) -> Backend:
        """See `Conduct.reached`. A blocking backend is called in native threads."""
        return unblocked(plugin)

    def use(self, plugin: Backend) -> None:
        """See `Conduct.use`."""
        with gevent.Timeout(self.deadline_s):
            require(plugin.address, "address must say where the catalog is")
            if self.has("register"):
                self._use_services(plugin)
            elif self.has("services"):
                plugin.instances(Query(self.service, interval_s=1))
            if self.has("keys"):
                self._use_keys(plugin)
            if self.has("locks"):
                self._use_locks(plugin)

    def has(self, capability: str) -> bool:
        """Whether the backend declares it."""
        return capability in (self.capabilities or _USUAL)

    def open(self) -> Backend:
        """A client behind the watchdog, which is closed when the test ends."""
        client: Backend = self.made()
        self._clients.append(client)
        return client

    def listen(self, client: Backend, service: str = "", tag: str = "") -> Listener:
        """Follow the test's service, or another one, until the test ends."""
        query = Query(service or self.service, tag, interval_s=1)
        listener = Listener(client, query, lambda: self.stream(client, query))
        self._listeners.append(listener)
        return listener

    def stream(self, client: Backend, query: Query) -> Iterator[Snapshot]:
        """What follows a service: a watch, or as corepilot does without one, lookups again and again."""
        return client.watch(query) if self.has("watch") else _looked_up(client, query)

    def registration(
        self,
        number: int = 1,
        *,
        service: str = "",
        tags: tuple[str, ...] = (),
        address: str = "10.0.0.1",
        port: int = 0,
    ) -> Registration:
        """The test's instance `number`."""
        service = service or self.service
        return Registration(f"{service}-host{number}", service, address, port or 8000 + number, tags, ttl_s=60)

    def register(
        self, client: Backend, registration: Registration, status: Status = "passing", output: str = ""
    ) -> None:
        """Register, within the deadline, what is taken out again when the test ends."""
        self._held.append((client, registration.id))
        with gevent.Timeout(self.deadline_s):
            client.register(registration, status, output)

    def report(self, client: Backend, registration: Registration, status: Status, output: str = "") -> None:
        """Report within the deadline."""
        with gevent.Timeout(self.deadline_s):
            client.report(registration.id, status, output, 60.0)

    def deregister(self, client: Backend, registration: Registration) -> None:
        """Deregister within the deadline."""
        with gevent.Timeout(self.deadline_s):
            client.deregister(registration.id)

    def unknown(self, client: Backend, registration: Registration, when: str) -> None:
        """Require that a report is answered with UnknownInstanceError."""
        try:
            self.report(client, registration, "passing", "ok")
        except UnknownInstanceError:
            return
        raise AssertionError(
            f"report must raise UnknownInstanceError for an instance {when}, or nobody registers it again"
        )

    def leaves_no_thread(self, stream: Callable[[], Any]) -> None:
        """Require that a stream which is closed while nothing changes leaves no native thread.

        Args:
            stream: Makes one.
        """
        _first(stream())  # what is started only once
        number = threads()
        for _ in range(_STREAMS):
            with gevent.Timeout(self.deadline_s):
                _first(stream())
        more = settles(lambda: threads() - number >= _STREAMS, gevent.sleep)
        require(
            not more,
            f"a watch that is closed must end its thread, also while nothing changes, but {threads() - number} of "
            f"{_STREAMS} are there {GRACE_S:g} s later; one that blocks has to yield every {STREAM_BLOCK_S:g} s",
        )

    def expect(self, listener: Listener, *wanted: Instance) -> Snapshot:
        """Wait until the newest snapshot is exactly `wanted`, in order of their ids."""
        snapshot = tuple(sorted(wanted))
        return listener.until(lambda seen: seen == snapshot, f"exactly {snapshot}", self.deadline_s)

    def _use_services(self, plugin: Backend) -> None:
        registration = self.registration()
        plugin.register(registration, "passing", "ok")
        plugin.report(registration.id, "warning", "slow", 60.0)
        query = Query(self.service, interval_s=1)
        plugin.instances(query)
        if self.has("watch"):
            _first(plugin.watch(query))
        plugin.deregister(registration.id)

    def _use_keys(self, plugin: Backend) -> None:
        keys, key = plugin.keys, f"{self.service}/used"
        require(keys is not None, 'a backend that declares "keys" must give them')
        keys.put(key, b"value")  # type: ignore[union-attr]  # it was looked at
        entry = keys.get(key)  # type: ignore[union-attr]
        keys.compare_and_set(key, b"other", None if entry is None else entry.version)  # type: ignore[union-attr]
        keys.list(self.service)  # type: ignore[union-attr]
        if self.has("watch"):
            for prefix in (False, True):
                _first(keys.watch(key, prefix=prefix))  # type: ignore[union-attr]
        keys.delete(key)  # type: ignore[union-attr]

    def _use_locks(self, plugin: Backend) -> None:
        locks, name = plugin.locks, f"{self.service}-used"
        require(locks is not None, 'a backend that declares "locks" must give them')
        if locks.acquire(name, "a test", max(60.0, self.lock_ttl_s), 0.0) is not None:  # type: ignore[union-attr]
            locks.keep(name)  # type: ignore[union-attr]
        _first(locks.watch(name))  # type: ignore[union-attr]
        locks.release(name)  # type: ignore[union-attr]


def _looked_up(client: Backend, query: Query) -> Iterator[Snapshot]:
    while True:
        yield client.instances(query)
        gevent.sleep(POLL_S)


def _first(stream: Any) -> None:
    next(stream)
    stream.close()
