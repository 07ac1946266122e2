"""One catalog that the configuration names: its backend, what is known of its connection, and who registers there."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from corepilot.discovery.registrations import DRAIN_S
from corepilot.discovery.watcher import CatalogView
from corepilot.model.plugin import PluginReference
from corepilot.model.service import Registration

if TYPE_CHECKING:
    from corepilot.discovery.answers import Answers
    from corepilot.discovery.guarded import GuardedBackend
    from corepilot.discovery.registrar import Registrar
    from corepilot.discovery.registrations import Registrations


class Catalog:
    """One of them, from the moment its backend was made until `close`.

    Args:
        name: What the configuration calls it.
        plugin: Its backend's plugin, with options.
        backend: The client.
        log: Takes a level and a message.
        tell: Takes the name of a job and a message when its instance has entered or left.
        job_of: Says what the job is known by whose instance it is.
        release: Gives the backend's boundary back.
        answers: What the backend's calls have been answered.

    Attributes:
        name: As given; a reload may change it.
        registrar: Who registers there, once it is in use; None for a catalog that takes no registrations.
    """

    def __init__(
        self,
        name: str,
        plugin: PluginReference,
        backend: "GuardedBackend",
        log: Callable[[str, str], None],
        release: Callable[[], None],
        *,
        tell: Callable[[str, str], None],
        job_of: Callable[[Registration], str],
        answers: "Answers",
    ) -> None:
        from corepilot.discovery.connection import Connection
        from corepilot.discovery.guarded_calls import CALL_S

        self.name, self.plugin, self.backend, self._log = name, plugin, backend, log
        self.connection: Connection = Connection(CALL_S)
        self.registrar: Registrar | None = None
        self._release, self._tell, self._job_of, self._answers = release, tell, job_of, answers
        self._users: set[object] = set()
        self._closing = self._closed = False

    def log(self, level: str, message: str) -> None:
        """Log something with the catalog's name in front."""
        self._log(level, f"{self.name}: {message}")

    def can(self, capability: str) -> bool:
        """Whether its backend declares something."""
        return capability in self.backend.capabilities

    def open(self, *, report_failing: bool) -> None:
        """Have a registrar, if it takes registrations."""
        from corepilot.discovery.registrar import Registrar

        if self.can("register"):
            self.registrar = Registrar(
                self.backend,
                log=self.log,
                report_failing=report_failing,
                expires=self.can("expiry"),
                connection=self.connection,
                tell=self._tell,
                job_of=self._job_of,
            )

    def view(self) -> CatalogView:
        """What a watcher needs of it."""
        return CatalogView(self.name, self.backend, self.connection, self.log)

    def drain(self) -> None:
        """Wait until what was withdrawn is out of it, for at most DRAIN_S."""
        if self.registrar is not None:
            if not self.registrar.drain(DRAIN_S):
                self.log("warning", "left the catalog without its answer; what is registered expires there")
            self.registrar.close()

    def leave(self, registrations: "Registrations") -> None:
        """Take out what it holds, when that is where it belongs from now on, and close. Switches greenlets."""
        if self.registrar is not None:
            registrations.clear(self.registrar, [one.id for one in self.registrar.held])
            registrations.forget(self.registrar)
            self.drain()
        self.close()

    def hand_over(self, registrations: "Registrations") -> None:
        """Close when another client has written what it holds, and leave that alone. Switches greenlets.

        Some stores drop what a client holds when it closes.
        """
        if self.registrar is not None:
            held = [one.id for one in self.registrar.held]
            registrations.forget(self.registrar)
            self.registrar.close()
            registrations.await_arrival(held)
        self.close()

    def used_by(self, user: object) -> None:
        """Stay open for this one: a lock is free when its client is closed, in some stores at once."""
        self._users.add(user)

    def done_with(self, user: object) -> None:
        """This one needs it no more."""
        self._users.discard(user)
        if self._closing and not self._users:
            self._close()

    def close(self) -> None:
        """Let go of it, when nobody needs it any more."""
        self._closing = True
        if not self._users:
            self._close()

    def _close(self) -> None:
        if not self._closed:
            self._closed = True
            self.backend.close()
            self._release()

    def status(self) -> dict[str, object]:
        """What `corepilot status` shows.

        Returns:
            `name`, `backend`, `address`, `mode` (of a backend with two ways to learn of changes), `connected` (whether
            its last answer is newer than the last failure, and it does not refuse everything), `refused` (whether the
            last answer to each kind of call was no), `faults` of the plugin, `off` (why it is switched off),
            `stuck` (calls of a blocking client that have not returned, each in a native thread that nothing can end).
        """
        return {
            "name": self.name,
            "backend": self.plugin.name,
            "address": self.backend.address,
            "mode": self.backend.mode,
            "connected": self.connection.connected and not self._answers.refused,
            "refused": self._answers.refused,
            "faults": self.backend.boundary.faults,
            "off": self.backend.boundary.off,
            "stuck": self.backend.stuck,
        }
