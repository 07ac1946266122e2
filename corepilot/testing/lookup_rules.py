"""What a backend must do that only looks services up, such as DNS: it declares "services" without "register"."""

import gevent

from corepilot.discovery.backend import Backend
from corepilot.errors import BackendError, BackendRefusedError
from corepilot.model.service import Query, Snapshot
from corepilot.testing.listener import at_most
from corepilot.testing.process_state import require
from corepilot.testing.suite import Suite
from corepilot.testing.watchdog import bounded

Place = tuple[str, int]
"""An address and a port."""

ONE: Place = ("10.0.0.1", 8001)
TWO: Place = ("10.0.0.2", 8001)
THREE: Place = ("2001:db8::1", 65535)


class LookupSuite(Suite):
    """For a backend that cannot register. What such a store knows of an instance is where it is."""

    capabilities = frozenset({"services"})

    def publish(self, *places: Place) -> None:
        """Make the store hold exactly these instances of `self.service`, or of no service of that name if none."""
        raise NotImplementedError("LookupSuite needs publish(): see corepilot.testing.backends")

    def test_the_address_is_for_people(self) -> None:
        """`address` is a text that is not empty, and is known without a connection."""
        require(self.open().address, "address must say where the catalog is")

    def test_a_service_that_is_not_there_is_empty(self) -> None:
        """It is no error: a watch may be older than its service."""
        require(self.found() == set(), "a service that is not there is an empty list, and no error")

    def test_what_is_published_is_found(self) -> None:
        """IPv4 and IPv6, several of one port, and one that goes."""
        for places in ((ONE,), (ONE, TWO, THREE), (TWO,), ()):
            self.publish(*places)
            self.expect_places(self.open(), *places)

    def test_a_client_sees_changes(self) -> None:
        """One that has looked before, in the middle of a watch."""
        client = self.open()
        listener = self.listen(client)
        for places in ((), (ONE,), (ONE, THREE), (THREE,), ()):
            self.publish(*places)
            listener.until(
                lambda seen, wanted=set(places): _places(seen) == wanted,  # type: ignore[misc]  # no generic lambdas
                f"exactly {places}",
                self.deadline_s,
            )

    def test_instances_are_told_apart(self) -> None:
        """Ids are unique, the same instance keeps its own, the list is sorted by them; each says its service."""
        self.publish(ONE, TWO, THREE)
        client = self.open()
        self.expect_places(client, ONE, TWO, THREE)
        first, again = self.looked_up(client), self.looked_up(client)
        require(len({one.id for one in first}) == 3, f"ids must be unique, but are {[one.id for one in first]}")
        require(first == again, f"what has not changed must be told as it was, but was told as {first} and {again}")
        require(
            list(first) == sorted(first), f"instances must be sorted by id, but came as {[one.id for one in first]}"
        )
        services = {one.service for one in first}
        require(services == {self.service}, f"an instance's service is the one that was asked for, but was {services}")

    def test_services_do_not_mix(self) -> None:
        """A service whose name begins with another's is another one."""
        self.publish(ONE)
        client = self.open()
        self.expect_places(client, ONE)
        found = self.looked_up(client, f"{self.service}x")
        require(not found, f"a service that is not there is an empty list, but told {found}")

    def test_a_datacenter_is_honoured_or_refused(self) -> None:
        """A backend without datacenters raises BackendRefusedError for a query that names one."""
        if self.has("datacenters"):
            return  # where it leads depends on the server: the backend's own tests cover it
        try:
            self.open().instances(Query(self.service, datacenter="elsewhere"))
        except BackendRefusedError:
            return
        raise AssertionError("a backend without datacenters must raise BackendRefusedError for a query that names one")

    def test_a_closed_client_answers_nothing(self) -> None:
        """After `close` a lookup raises a BackendError."""
        client = self.open()
        client.close()
        try:
            found = client.instances(Query(self.service))
        except BackendError:
            return
        raise AssertionError(f"a lookup of a client that was closed must raise a BackendError, but told {found}")

    def looked_up(self, client: Backend, service: str = "") -> Snapshot:
        """All instances now, within the deadline."""
        query = Query(service or self.service, interval_s=1)
        found: Snapshot = bounded(self.deadline_s, "instances must return", lambda: client.instances(query))
        return found

    def found(self) -> set[Place]:
        """Where they are, as a new client tells it."""
        return _places(self.looked_up(self.open()))

    def expect_places(self, client: Backend, *places: Place) -> None:
        """Wait until a lookup tells exactly these: a store may take a moment to publish."""
        told: set[Place] = set()
        with at_most(self.deadline_s):
            while (told := _places(self.looked_up(client))) != set(places):
                gevent.sleep(0.05)
        require(told == set(places), f"instances must tell exactly {sorted(places)}, but tells {sorted(told)}")


def _places(seen: Snapshot) -> set[Place]:
    return {(one.address, one.port) for one in seen}
