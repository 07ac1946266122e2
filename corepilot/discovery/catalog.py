"""What jobs see of the catalog: always there, also before the backend is, and where there is none."""

from typing import TYPE_CHECKING

from corepilot.model.service import Registration, Status

if TYPE_CHECKING:
    from corepilot.discovery.registrar import Registrar


class Catalog:
    """Passes registrations on to the registrar, and keeps the latest of each instance until there is one.

    The backend is imported after the first jobs have been started; a job may want to register before. What is kept is
    bounded by the number of jobs. Without a backend nothing is ever passed on.
    """

    def __init__(self) -> None:
        self._registrar: Registrar | None = None
        self._early: dict[str, tuple[Registration, Status, str]] = {}
        self._left: dict[str, Registration] = {}

    def attach(self, registrar: "Registrar") -> None:
        """Pass everything on to this registrar from now on, and what was kept at once."""
        self._registrar = registrar
        for registration, status, output in self._early.values():
            registrar.advertise(registration, status, output)
        for registration in self._left.values():
            registrar.withdraw(registration)
        self._early.clear()
        self._left.clear()

    def advertise(self, registration: Registration, status: Status, output: str = "") -> None:
        """See `Registrar.advertise`."""
        if self._registrar is not None:
            self._registrar.advertise(registration, status, output)
        else:
            self._left.pop(registration.id, None)
            self._early[registration.id] = (registration, status, output)

    def report(self, instance_id: str, status: Status, output: str = "") -> None:
        """See `Registrar.report`."""
        if self._registrar is not None:
            self._registrar.report(instance_id, status, output)
        elif instance_id in self._early:
            self._early[instance_id] = (self._early[instance_id][0], status, output)

    def withdraw(self, registration: Registration) -> None:
        """See `Registrar.withdraw`."""
        if self._registrar is not None:
            self._registrar.withdraw(registration)
        else:
            self._early.pop(registration.id, None)
            self._left[registration.id] = registration
