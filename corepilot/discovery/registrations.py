"""What jobs see of the catalog: always there, also before the backend is, where there is none, and while it changes."""

from typing import TYPE_CHECKING

from corepilot.model.service import Registration, Status

if TYPE_CHECKING:
    from corepilot.discovery.registrar import Registrar


class Registrations:
    """The instances that jobs want in the catalog, and the registrar that sees to it, if there is one.

    The backend is imported after the first jobs have been started, and a reload may bring another one: what is wanted
    is kept here, and told to each registrar anew. It is bounded by the number of jobs.
    """

    def __init__(self) -> None:
        self._registrar: Registrar | None = None
        self._wanted: dict[str, tuple[Registration, Status, str]] = {}
        self._left: dict[str, Registration] = {}

    def attach(self, registrar: "Registrar") -> None:
        """Tell this registrar everything from now on, and what is wanted at once."""
        self._registrar = registrar
        for registration, status, output in self._wanted.values():
            registrar.advertise(registration, status, output)
        for registration in self._left.values():
            registrar.withdraw(registration)
        self._left.clear()

    def detach(self) -> tuple[Registration, ...]:
        """Tell nobody from now on; returns what the registrar so far was told to hold."""
        self._registrar = None
        return tuple([registration for registration, _, _ in self._wanted.values()])

    def advertise(self, registration: Registration, status: Status, output: str = "") -> None:
        """See `Registrar.advertise`."""
        self._left.pop(registration.id, None)
        self._wanted[registration.id] = (registration, status, output)
        if self._registrar is not None:
            self._registrar.advertise(registration, status, output)

    def report(self, instance_id: str, status: Status, output: str = "") -> None:
        """See `Registrar.report`."""
        if instance_id in self._wanted:
            self._wanted[instance_id] = (self._wanted[instance_id][0], status, output)
        if self._registrar is not None:
            self._registrar.report(instance_id, status, output)

    def withdraw(self, registration: Registration) -> None:
        """See `Registrar.withdraw`."""
        self._wanted.pop(registration.id, None)
        if self._registrar is not None:
            self._registrar.withdraw(registration)
        else:
            self._left[registration.id] = registration
