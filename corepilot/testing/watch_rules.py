"""What every backend must do with a watch: the second half of the conformance suite."""

import gevent

from corepilot.errors import BackendError, BackendRefusedError
from corepilot.model.service import Query
from corepilot.testing.process_state import require
from corepilot.testing.suite import Suite, instance_of


class WatchRules(Suite):
    """Watch, close."""

    def test_an_absent_service_is_an_empty_snapshot_at_once(self) -> None:
        """A watch may be older than its service: it yields an empty snapshot, then the first instance."""
        client = self.open()
        listener = self.listen(client)
        self.expect(listener)
        registration = self.registration()
        self.register(client, registration)
        self.expect(listener, instance_of(registration, "passing"))

    def test_a_watch_opens_with_what_is_there(self) -> None:
        """The first snapshot is the present state, seen by another client as well."""
        first, second = self.open(), self.open()
        registration = self.registration()
        self.register(first, registration)
        for client in (first, second):
            listener = self.listen(client)
            self.expect(listener, instance_of(registration, "passing"))

    def test_a_change_by_another_client_is_seen(self) -> None:
        """A watch sees what others do: register, report, deregister."""
        writer, reader = self.open(), self.open()
        listener = self.listen(reader)
        self.expect(listener)
        registration = self.registration()
        self.register(writer, registration, "critical", "starting")
        self.expect(listener, instance_of(registration, "critical"))
        self.report(writer, registration, "passing", "ok")
        self.expect(listener, instance_of(registration, "passing"))
        self.deregister(writer, registration)
        self.expect(listener)

    def test_snapshots_are_sorted_and_ids_unique(self) -> None:
        """Whatever the order of registration."""
        client = self.open()
        numbers = (3, 10, 1, 22, 2)
        for number in numbers:
            self.register(client, self.registration(number))
        wanted = [instance_of(self.registration(number), "passing") for number in numbers]
        self.expect(self.listen(client), *wanted)

    def test_services_do_not_mix(self) -> None:
        """A service whose name begins with, or differs in case only from, another one is another service."""
        client = self.open()
        names = (self.service, f"{self.service}-2", f"{self.service}x", f"{self.service}X")
        listeners = {name: self.listen(client, name) for name in names}
        for name in names:
            self.register(client, self.registration(service=name))
        for name in names:
            self.expect(listeners[name], instance_of(self.registration(service=name), "passing"))

    def test_a_tag_narrows_a_watch(self) -> None:
        """`Query.tag` yields only the instances that carry it, whole. Watches do not disturb each other."""
        client = self.open()
        blue, green, all_of_them, none = (self.listen(client, tag=tag) for tag in ("blue", "green", "", "gre"))
        one, two, three = (
            self.registration(number, tags=tags) for number, tags in enumerate((("blue",), ("green", "blue"), ()), 1)
        )
        for registration in (one, two, three):
            self.register(client, registration)
        self.expect(all_of_them, *(instance_of(r, "passing") for r in (one, two, three)))
        self.expect(blue, instance_of(one, "passing"), instance_of(two, "passing"))
        self.expect(green, instance_of(two, "passing"))
        self.expect(none)

    def test_states_never_go_back(self) -> None:
        """A watch may leave out states, but their order holds and the last one comes."""
        writer, reader = self.open(), self.open()
        listener = self.listen(reader)
        last = 9050
        for port in range(9001, last + 1):
            self.register(writer, self.registration(port=port))
        self.expect(listener, instance_of(self.registration(port=last), "passing"))
        ports = [snapshot[0].port for snapshot in listener.snapshots if snapshot]
        require(ports == sorted(ports), f"a watch must not show an older state after a newer one, but showed {ports}")
        present = [bool(snapshot) for snapshot in listener.snapshots]
        require(present == sorted(present), "replacing an instance must not show a moment without it")

    def test_a_datacenter_is_honoured_or_refused(self) -> None:
        """A backend without datacenters raises BackendRefusedError for a query that names one."""
        if "datacenters" in self.capabilities:
            return  # where it leads depends on the server: the backend's own tests cover it
        stream = self.stream(self.open(), Query(self.service, datacenter="elsewhere"))
        try:
            with gevent.Timeout(self.deadline_s):
                next(stream)
        except BackendRefusedError:
            return
        raise AssertionError("a backend without datacenters must raise BackendRefusedError for a query that names one")

    def test_a_killed_watch_ends(self) -> None:
        """Killing the greenlet that waits in a watch ends it; the client and its other watches go on."""
        client = self.open()
        killed, other = self.listen(client), self.listen(client)
        self.expect(killed)
        self.expect(other)
        killed.kill(self.deadline_s)
        registration = self.registration()
        self.register(client, registration)
        self.expect(other, instance_of(registration, "passing"))

    def test_a_watch_can_be_closed_between_two_snapshots(self) -> None:
        """`close()` on a generator that has yielded ends it; so does one that was never started."""
        client = self.open()
        self.stream(client, Query(self.service)).close()  # type: ignore[attr-defined]
        stream = self.stream(client, Query(self.service))
        with gevent.Timeout(self.deadline_s):
            next(stream)
            stream.close()  # type: ignore[attr-defined]
        self.expect(self.listen(client))

    def test_a_watch_that_is_closed_ends_its_thread(self) -> None:
        """A watch that leaves the configuration goes, also while its service stays as it is."""
        client = self.open()
        self.leaves_no_thread(lambda: self.stream(client, Query(self.service, interval_s=1)))

    def test_closing_the_client_ends_its_watches(self) -> None:
        """`close` ends a watch that waits, does not wait itself, and may be called again."""
        client = self.open()
        listener = self.listen(client)
        self.expect(listener)
        client.close()
        error = listener.until_ended(self.deadline_s)
        require(
            isinstance(error, (BackendError, StopIteration, gevent.GreenletExit)),
            f"a watch whose client is closed must raise a BackendError or end, but raised {error!r}",
        )
        client.close()

    def test_an_unused_client_can_be_closed(self) -> None:
        """`close` before anything was done."""
        client = self.open()
        client.close()
        client.close()
