"""What jobs see of the catalogs: always there, also before a backend is, where there is none, and while one changes."""

from typing import TYPE_CHECKING

from corepilot.model.service import Registration, Status

if TYPE_CHECKING:
    from corepilot.discovery.registrar import Registrar

DRAIN_S = 2.0
"""Seconds of a stop that are spent on leaving the catalogs, at most: what stays there expires by itself."""


class Registrations:
    """The instances that jobs want in catalogs, and the registrar of each catalog that sees to it.

    Backends are imported after the first jobs have been started, and a reload may bring others: what is wanted is kept
    here, and told to each registrar anew. It is bounded by the number of jobs.
    """

    def __init__(self) -> None:
        self._registrars: dict[str, Registrar] = {}
        self._wanted: dict[str, tuple[Registration, Status, str]] = {}
        self._left: dict[str, Registration] = {}

    def attach(self, name: str, registrar: "Registrar") -> None:
        """Tell the registrar of a catalog everything from now on, and what is wanted at once."""
        self._registrars[name] = registrar
        for registration, status, output in self._wanted.values():
            if _belongs(registration, name):
                registrar.advertise(registration, status, output)
        for registration in self._left.values():
            if _belongs(registration, name):
                registrar.withdraw(registration)

    def detach(self, name: str) -> tuple[Registration, ...]:
        """Tell that one nothing from now on; returns what it was told to hold."""
        self._registrars.pop(name, None)
        wanted = [registration for registration, _, _ in self._wanted.values()]
        return tuple([registration for registration in wanted if _belongs(registration, name)])

    def settle(self) -> None:
        """Every catalog of the configuration has its registrar: nobody else is to be told of what has left."""
        if self._registrars:
            self._left.clear()

    def advertise(self, registration: Registration, status: Status, output: str = "") -> None:
        """See `Registrar.advertise`. It leaves the catalogs that it was in and does not belong to any more."""
        self._left.pop(registration.id, None)
        before = self._wanted.get(registration.id)
        self._wanted[registration.id] = (registration, status, output)
        for name, registrar in self._registrars.items():
            if _belongs(registration, name):
                registrar.advertise(registration, status, output)
            elif before is not None and _belongs(before[0], name):
                registrar.withdraw(before[0])

    def report(self, instance_id: str, status: Status, output: str = "") -> None:
        """See `Registrar.report`."""
        if instance_id in self._wanted:
            self._wanted[instance_id] = (self._wanted[instance_id][0], status, output)
        for registrar in self._registrars.values():
            registrar.report(instance_id, status, output)

    def withdraw(self, registration: Registration) -> None:
        """See `Registrar.withdraw`."""
        self._wanted.pop(registration.id, None)
        if not self._registrars:
            self._left[registration.id] = registration
        for name, registrar in self._registrars.items():
            if _belongs(registration, name):
                registrar.withdraw(registration)


def _belongs(registration: Registration, catalog: str) -> bool:
    return not registration.catalogs or catalog in registration.catalogs
