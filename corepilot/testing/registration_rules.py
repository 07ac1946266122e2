"""What every backend must do with what is registered: the first half of the conformance suite."""

import gevent
from gevent.pool import Group

from corepilot.discovery.backend import Backend
from corepilot.testing.process_state import require, settles
from corepilot.testing.suite import STATUSES, Suite, instance_of
from corepilot.testing.watchdog import bounded

UGLY_OUTPUTS = (
    "",
    "ok",
    "two\nlines\r\n\tand a tab",
    'quotes " and \\ and {braces: [1, 2]} & <b>',
    "Grüße, 世界, \U0001f600, \u202eright to left\u202c, e\u0301",
    "a\x00zero, a\x07bell, an \x1b[31mescape",
    "x" * 4096,
    "\U0001f600" * 1024,
)
"""What checks say. The longest two are 4 KiB of UTF-8."""

UGLY_TAGS = (
    (),
    ("one",),
    ("b", "a", "c"),
    ("with space", "Grüße", "a=b", "a/b", "a,b", '"quoted"', "100%"),
)


class RegistrationRules(Suite):
    """Register, report, deregister."""

    def test_the_address_is_for_people(self) -> None:
        """`address` is a text that is not empty, and is known without a connection."""
        address: object = self.open().address
        require(isinstance(address, str) and address, "address must say where the catalog is")

    def test_every_status_can_be_registered(self) -> None:
        """All statuses are in the snapshot, not only passing."""
        client = self.open()
        wanted = []
        for number, status in enumerate(STATUSES, 1):
            registration = self.registration(number)
            self.register(client, registration, status, f"is {status}")
            wanted.append(instance_of(registration, status))
        self.expect(self.listen(client), *wanted)

    def test_every_status_can_be_reported(self) -> None:
        """Each status follows on each other one."""
        client = self.open()
        registration = self.registration()
        self.register(client, registration)
        listener = self.listen(client)
        for status in (*STATUSES, "passing", "critical", "warning", "passing"):
            self.report(client, registration, status, f"is {status}")
            self.expect(listener, instance_of(registration, status))

    def test_a_repeated_report_is_a_heartbeat(self) -> None:
        """Reporting the same again is neither an error nor a change."""
        client = self.open()
        registration = self.registration()
        self.register(client, registration)
        for _ in range(20):
            self.report(client, registration, "passing", "ok")
        self.expect(self.listen(client), instance_of(registration, "passing"))

    def test_registering_twice_is_one_instance(self) -> None:
        """`register` is idempotent."""
        client = self.open()
        registration = self.registration()
        for _ in range(3):
            self.register(client, registration)
        self.expect(self.listen(client), instance_of(registration, "passing"))

    def test_registering_again_replaces(self) -> None:
        """The same id with another address, port, tags or status replaces the old one as a whole."""
        client = self.open()
        self.register(client, self.registration(tags=("old", "both")), "warning")
        listener = self.listen(client)
        changed = self.registration(tags=("both", "new"), address="10.0.0.2", port=9999)
        self.register(client, changed)
        self.expect(listener, instance_of(changed, "passing"))

    def test_of_two_clients_with_one_id_the_later_wins(self) -> None:
        """Two registrations with one id are one instance: the later one."""
        first, second = self.open(), self.open()
        listener = self.listen(first)
        self.register(first, self.registration(address="10.0.0.1"))
        self.expect(listener, instance_of(self.registration(address="10.0.0.1"), "passing"))
        self.register(second, self.registration(address="10.0.0.2"))
        self.expect(listener, instance_of(self.registration(address="10.0.0.2"), "passing"))
        self.register(first, self.registration(address="10.0.0.3"))
        self.expect(listener, instance_of(self.registration(address="10.0.0.3"), "passing"))

    def test_deregistering_takes_out_one(self) -> None:
        """`deregister` takes out its instance and no other, also where one id begins with another."""
        client = self.open()
        one, ten = self.registration(1), self.registration(10)
        self.register(client, one)
        self.register(client, ten)
        listener = self.listen(client)
        self.deregister(client, one)
        self.expect(listener, instance_of(ten, "passing"))

    def test_deregistering_twice_or_the_unknown_is_no_error(self) -> None:
        """`deregister` is idempotent."""
        client = self.open()
        registration = self.registration()
        self.deregister(client, registration)
        self.register(client, registration)
        for _ in range(3):
            self.deregister(client, registration)
        self.expect(self.listen(client))

    def test_an_instance_comes_back_after_it_was_deregistered(self) -> None:
        """Maintenance ends: the same id is registered again."""
        client = self.open()
        registration = self.registration()
        listener = self.listen(client)
        for _ in range(3):
            self.register(client, registration)
            self.expect(listener, instance_of(registration, "passing"))
            self.deregister(client, registration)
            self.expect(listener)

    def test_a_report_on_the_unknown_says_so(self) -> None:
        """`report` raises UnknownInstanceError for what was never registered, or was deregistered."""
        client = self.open()
        registration = self.registration()
        self.unknown(client, registration, "that was never registered")
        self.register(client, registration)
        self.deregister(client, registration)
        self.unknown(client, registration, "that was deregistered")

    def test_tags_survive_in_order(self) -> None:
        """No tags, many tags, Unicode and punctuation."""
        client = self.open()
        wanted = []
        for number, tags in enumerate(UGLY_TAGS, 1):
            registration = self.registration(number, tags=tags)
            self.register(client, registration)
            wanted.append(instance_of(registration, "passing"))
        self.expect(self.listen(client), *wanted)

    def test_ugly_outputs(self) -> None:
        """Whatever a check says, with register and with report."""
        client = self.open()
        registration = self.registration()
        for output in UGLY_OUTPUTS:
            self.register(client, registration, "critical", output)
            self.report(client, registration, "warning", output)
        self.expect(self.listen(client), instance_of(registration, "warning"))

    def test_extreme_addresses_and_ports(self) -> None:
        """IPv4, IPv6, the least and the greatest port."""
        client = self.open()
        one = self.registration(1, address="::1", port=1)
        two = self.registration(2, address="2001:db8::ffff:1", port=65535)
        three = self.registration(3, address="255.255.255.255", port=80)
        for registration in (one, two, three):
            self.register(client, registration)
        self.expect(self.listen(client), *(instance_of(r, "passing") for r in (one, two, three)))

    def test_many_instances_at_once(self) -> None:
        """A hundred greenlets register through one client; a watch that was open ends up with all of them."""
        client = self.open()
        listener = self.listen(client)
        registrations = [self.registration(number) for number in range(1, 101)]
        group = Group()
        for registration in registrations:
            group.spawn(self.register, client, registration)
        group.join(timeout=self.deadline_s, raise_error=True)
        self.expect(listener, *(instance_of(r, "passing") for r in registrations))

    def test_concurrent_writers(self) -> None:
        """Several clients register, report and deregister at the same time; what is left is what was left."""
        reader = self.open()
        listener = self.listen(reader)

        def work(client: Backend, base: int) -> None:
            for number in range(base, base + 8):
                registration = self.registration(number)
                self.register(client, registration, "critical")
                self.report(client, registration, "passing", "ok")
                if number % 2:
                    self.deregister(client, registration)
                else:
                    self.report(client, registration, "warning", "slow")

        group = Group()
        for base in (100, 200, 300, 400):
            group.spawn(work, self.open(), base)
        group.join(timeout=self.deadline_s, raise_error=True)
        left = [base + number for base in (100, 200, 300, 400) for number in range(0, 8, 2)]
        self.expect(listener, *(instance_of(self.registration(number), "warning") for number in left))

    def test_services_are_listed(self) -> None:
        """`service_names` tells each service that has an instance once, in order, and none whose last one has gone.

        A backend need not have it.
        """
        client, other = self.open(), self.open()
        if not client.lists_services:
            return  # nobody calls it then
        names = [f"{self.service}{more}" for more in ("", "-2", "x")]
        for number, name in enumerate(names):
            self.register(other if number else client, self.registration(service=name))
        self.register(client, self.registration(2))

        def listed() -> list[str]:
            found = bounded(self.deadline_s, "service_names must return", client.service_names)
            require(
                list(found) == sorted(set(found)), f"service_names must be sorted, each once, but told {found!s:.300}"
            )
            return [name for name in found if name.startswith(self.service)]

        missing = settles(lambda: set(names) - set(listed()), gevent.sleep)
        require(not missing, f"service_names must tell every service that has an instance, but lacks {sorted(missing)}")
        self.deregister(client, self.registration())
        self.deregister(other, self.registration(service=names[1]))
        more = settles(lambda: set(listed()) ^ {names[0], names[2]}, gevent.sleep)
        require(
            not more, f"service_names must tell the services that have an instance only, but differs by {sorted(more)}"
        )
