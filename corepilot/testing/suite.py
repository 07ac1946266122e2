"""What the conformance suites of backends share: clients, registrations, deadlines, and a clean catalog afterwards."""

import os
from contextlib import suppress

import gevent

from corepilot.discovery.backend import Backend, BackendContext
from corepilot.errors import BackendError, UnknownInstanceError
from corepilot.model.service import Instance, Query, Registration, Snapshot, Status
from corepilot.testing.conduct import Conduct
from corepilot.testing.listener import Listener, at_most
from corepilot.testing.process_state import require
from corepilot.testing.watched import Allowed

STATUSES: tuple[Status, ...] = ("passing", "warning", "critical")


def context() -> BackendContext:
    """A context for a backend under test. What it logs is dropped."""
    return BackendContext(log=lambda *_: None, environment={}, version="0")


def instance_of(registration: Registration, status: Status) -> Instance:
    """What a watch must yield for a registration."""
    r = registration
    return Instance(r.id, r.service, r.address, r.port, status, r.tags)


ALLOWED: Allowed = dict.fromkeys(("register", "report", "deregister", "watch"), (BackendError,))
"""What a backend may raise."""


class Suite(Conduct):
    """What all suites share. A subclass supplies `client`; see the module.

    Attributes:
        capabilities: What the plugin's light module declares as CAPABILITIES. This suite knows "datacenters"
            (`Query.datacenter` is honoured); a backend without it must refuse such a query.
        deadline_s: Seconds that one change may take to be seen. Not a measurement: generous, for loaded machines.
        service: The name of this test's service, new for every test.
    """

    contract = Backend
    allowed = ALLOWED
    capabilities: frozenset[str] = frozenset()
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

    def use(self, plugin: Backend) -> None:
        """See `Conduct.use`."""
        registration = self.registration()
        with gevent.Timeout(self.deadline_s):
            require(plugin.address, "address must say where the catalog is")
            plugin.register(registration, "passing", "ok")
            plugin.report(registration.id, "warning", "slow", 60.0)
            stream = plugin.watch(Query(self.service, interval_s=1))
            next(stream)
            stream.close()  # type: ignore[attr-defined]  # a generator
            plugin.deregister(registration.id)

    def open(self) -> Backend:
        """A client behind the watchdog, which is closed when the test ends."""
        client: Backend = self.made()
        self._clients.append(client)
        return client

    def listen(self, client: Backend, service: str = "", tag: str = "") -> Listener:
        """Follow the test's service, or another one, until the test ends."""
        listener = Listener(client, Query(service or self.service, tag, interval_s=1))
        self._listeners.append(listener)
        return listener

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

    def expect(self, listener: Listener, *wanted: Instance) -> Snapshot:
        """Wait until the newest snapshot is exactly `wanted`, in order of their ids."""
        snapshot = tuple(sorted(wanted))
        return listener.until(lambda seen: seen == snapshot, f"exactly {snapshot}", self.deadline_s)
