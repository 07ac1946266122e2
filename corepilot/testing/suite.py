"""What the conformance suites of backends share: clients, registrations, deadlines, and a clean catalog afterwards."""

import os

import gevent

from corepilot.discovery.backend import Backend, BackendContext
from corepilot.errors import BackendError, UnknownInstanceError
from corepilot.model.service import Instance, Query, Registration, Snapshot, Status
from corepilot.testing.listener import Listener, at_most

STATUSES: tuple[Status, ...] = ("passing", "warning", "critical")


def context() -> BackendContext:
    """A context for a backend under test. What it logs is dropped."""
    return BackendContext(log=lambda *_: None, environment={}, version="0")


def require(condition: object, rule: str) -> None:
    """Fail the test with the rule that was broken."""
    if not condition:
        raise AssertionError(rule)


def instance_of(registration: Registration, status: Status) -> Instance:
    """What a watch must yield for a registration."""
    r = registration
    return Instance(r.id, r.service, r.address, r.port, status, r.tags)


class Suite:
    """What all suites share. A subclass supplies `client`; see the module.

    Attributes:
        capabilities: What the plugin's light module declares as CAPABILITIES. This suite knows "datacenters"
            (`Query.datacenter` is honoured); a backend without it must refuse such a query.
        deadline_s: Seconds that one change may take to be seen. Not a measurement: generous, for loaded machines.
        service: The name of this test's service, new for every test.
    """

    capabilities: frozenset[str] = frozenset()
    deadline_s: float = 20.0
    service: str = ""

    def client(self) -> Backend:
        """A new client of the one catalog that the test uses. The suite closes it."""
        raise NotImplementedError("a suite needs client(): see corepilot.testing.backends")

    def setup_method(self) -> None:
        """Called by pytest before each test."""
        self.service = f"t{os.urandom(4).hex()}"
        self._clients: list[Backend] = []
        self._listeners: list[Listener] = []
        self._held: list[tuple[Backend, str]] = []

    def teardown_method(self) -> None:
        """Called by pytest after each test: leaves nothing behind, neither here nor in the catalog."""
        for listener in self._listeners:
            listener.kill(self.deadline_s)
        for client, instance_id in self._held:
            with at_most(2.0):
                try:
                    client.deregister(instance_id)
                except BackendError:
                    continue  # the test took the server away
        for client in self._clients:
            client.close()

    def open(self) -> Backend:
        """A client that is closed when the test ends."""
        client = self.client()
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
