"""What jobs see of the catalogs: always there, also before a backend is, where there is none, and while one changes."""

import time
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

import gevent
from gevent.event import Event

from corepilot.model.service import Registration, Status

if TYPE_CHECKING:
    from corepilot.discovery.registrar import Registrar

DRAIN_S = 2.0
"""Seconds of a stop that are spent on leaving the catalogs, at most: what stays there expires by itself."""

HANDOVER_S = 10.0
"""Seconds that an instance stays in a catalog that it is to leave until it is in those that it belongs to, at most."""

LINGER_S = 1.0
"""And then, for those who look in both and are told of each by itself."""


class Registrations:
    """The instances that jobs want in catalogs, and the registrar of each catalog that sees to it.

    Backends are imported after the first jobs have been started, and a reload may bring others: what is wanted is kept
    here, and told to each registrar anew. It is bounded by the number of jobs. An instance that moves from one catalog
    to another is in both for a moment, and never in none: it leaves the one when it has arrived in the other.
    """

    def __init__(self) -> None:
        self._registrars: dict[str, Registrar] = {}
        self._going: list[Registrar] = []
        self._wanted: dict[str, tuple[Registration, Status, str]] = {}
        self._left: dict[str, Registration] = {}
        self._waiting: set[Callable[[], None]] = set()

    def use(self, registrars: "Mapping[str, Registrar]", renamed: Mapping[str, str]) -> None:
        """Talk to these from now on, each under the name of its catalog.

        One that is new is told at once what is wanted. One that is not among them any more is told of reports and
        withdrawals until `forget`.

        Args:
            registrars: By the name of the catalog.
            renamed: The new names of catalogs that go on, by their old ones.
        """
        for instance_id, (registration, status, output) in self._wanted.items():
            names = tuple([renamed.get(name, name) for name in registration.catalogs])
            self._wanted[instance_id] = (registration.changed(catalogs=names), status, output)
        known, self._registrars = list(self._registrars.values()), dict(registrars)
        self._going += [one for one in known if one not in registrars.values()]
        for name, registrar in registrars.items():
            registrar.progressed = self._progressed
            if registrar in known:
                continue
            for registration, status, output in self._wanted.values():
                if _belongs(registration, name):
                    registrar.advertise(registration.changed(catalogs=()), status, output)
            for registration in self._left.values():
                if _belongs(registration, name):
                    registrar.withdraw(registration)
        if registrars:
            self._left.clear()

    def forget(self, registrar: "Registrar") -> None:
        """Tell this one nothing any more. Idempotent."""
        if registrar in self._going:
            self._going.remove(registrar)

    def advertise(self, registration: Registration, status: Status, output: str = "") -> None:
        """See `Registrar.advertise`. It leaves the catalogs that it was in and does not belong to any more."""
        self._left.pop(registration.id, None)
        self._wanted[registration.id] = (registration, status, output)
        for name, registrar in self._registrars.items():
            if _belongs(registration, name):  # where else it is changes nothing there
                registrar.advertise(registration.changed(catalogs=()), status, output)
            elif registrar.holds(registration.id):
                gevent.spawn(self.clear, registrar, (registration.id,))
        self._progressed()

    def report(self, instance_id: str, status: Status, output: str = "") -> None:
        """See `Registrar.report`."""
        if instance_id in self._wanted:
            self._wanted[instance_id] = (self._wanted[instance_id][0], status, output)
        for registrar in (*self._registrars.values(), *self._going):
            registrar.report(instance_id, status, output)

    def withdraw(self, registration: Registration) -> None:
        """See `Registrar.withdraw`."""
        self._wanted.pop(registration.id, None)
        if not self._registrars:
            self._left[registration.id] = registration
        for name, registrar in self._registrars.items():
            if _belongs(registration, name) or registrar.holds(registration.id):
                registrar.withdraw(registration)
        for registrar in self._going:
            if registrar.holds(registration.id):
                registrar.withdraw(registration)
        self._progressed()

    def clear(self, registrar: "Registrar", instance_ids: Collection[str]) -> None:
        """Withdraw instances from a catalog that they do not belong to any more, when they are where they belong.

        Waits for that, but for no more than HANDOVER_S. One that belongs there again by then is left.
        """
        self.await_arrival(instance_ids, LINGER_S)
        for registration in registrar.held:
            if registration.id in instance_ids and not self._belongs_to(registration.id, registrar):
                registrar.withdraw(registration)

    def await_arrival(self, instance_ids: Collection[str], linger_s: float = 0.0) -> None:
        """Wait until these are in the catalogs that they belong to, or are wanted in none. At most for HANDOVER_S.

        Args:
            instance_ids: Which ones.
            linger_s: Seconds to wait then, as long as one of them is wanted.
        """
        self._wait_until(lambda: all(self._has_arrived(one) for one in instance_ids), HANDOVER_S)
        self._wait_until(lambda: self._wanted.keys().isdisjoint(instance_ids), linger_s)

    def _wait_until(self, condition: Callable[[], bool], seconds: float) -> None:
        end, wake = time.monotonic() + seconds, Event()
        self._waiting.add(wake.set)
        try:
            while not condition() and wake.wait(max(0.0, end - time.monotonic())):
                wake.clear()
        finally:
            self._waiting.discard(wake.set)

    def _has_arrived(self, instance_id: str) -> bool:
        """Whether it is where it belongs. A reload changes catalogs before jobs: it may belong nowhere for a moment."""
        wanted = self._wanted.get(instance_id)
        if wanted is None or not self._registrars:
            return True
        where = [registrar for name, registrar in self._registrars.items() if _belongs(wanted[0], name)]
        return bool(where) and all(registrar.has(instance_id) for registrar in where)

    def _belongs_to(self, instance_id: str, registrar: "Registrar") -> bool:
        wanted = self._wanted.get(instance_id)
        return wanted is not None and any(
            one is registrar and _belongs(wanted[0], name) for name, one in self._registrars.items()
        )

    def _progressed(self) -> None:
        for wake in tuple(self._waiting):
            wake()


def _belongs(registration: Registration, catalog: str) -> bool:
    return not registration.catalogs or catalog in registration.catalogs
