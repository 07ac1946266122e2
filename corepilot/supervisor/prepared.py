"""What a reload acquires before anything is touched: the log file, the socket, the listener, the connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from corepilot.errors import ControlError, CorepilotError
from corepilot.model.configuration import Configuration
from corepilot.output.log import Log, PreparedLog
from corepilot.supervisor.checks import Checks, PreparedChecks, references_of
from corepilot.supervisor.discovery import Discovery, PreparedCatalogs
from corepilot.supervisor.endpoint import ControlEndpoint
from corepilot.supervisor.exposition import Exposition, PreparedTelemetry
from corepilot.supervisor.job_sockets import Held, JobSockets
from corepilot.supervisor.locks import JobLocks
from corepilot.supervisor.observers import Observers, PreparedObservers
from corepilot.supervisor.renders import Renders

if TYPE_CHECKING:
    from corepilot.control.paths import ControlSocket
    from corepilot.plugin.oversight import Oversight


class Parts(Protocol):
    """The supervisor's parts that have something to acquire."""

    log: Log
    configuration: Configuration
    control: ControlEndpoint
    exposition: Exposition
    discovery: Discovery
    locks: JobLocks
    renders: Renders
    observers: Observers
    checks: Checks
    sockets: JobSockets
    oversight: Oversight


class Prepared:
    """All that a reload needs, not in use yet.

    Attributes:
        log: The log's next place, None if it stays.
        control: The next control socket, None if it stays.
        telemetry: What the endpoint becomes, None if it stays.
        catalogs: The next catalogs.
        observers: The next observers, None if they stay.
        checks: The plugins of the next checks.
        sockets: The listening sockets of the next jobs.
    """

    def __init__(self) -> None:
        self.log: PreparedLog | None = None
        self.control: ControlSocket | None = None
        self.telemetry: PreparedTelemetry | None = None
        self.catalogs: PreparedCatalogs | None = None
        self.observers: PreparedObservers | None = None
        self.checks: PreparedChecks | None = None
        self.sockets: Held = {}

    def discard(self, parts: Parts) -> None:
        """Close everything: it is not to be used."""
        if self.log is not None:
            parts.log.discard(self.log)
        if self.control is not None:
            self.control.close()
        parts.sockets.discard(self.sockets)
        if self.telemetry is not None:
            parts.exposition.discard(self.telemetry)
        if self.catalogs is not None:
            parts.discovery.discard(self.catalogs)
        if self.observers is not None:
            parts.observers.discard(self.observers)


def prepare(parts: Parts, new: Configuration, plugins: Callable[[], Any]) -> Prepared:
    """Have everything that can fail, or nothing. Switches greenlets.

    Args:
        parts: What runs.
        new: What is to run.
        plugins: Makes what loads plugins.

    Raises:
        CorepilotError: something cannot be had; nothing has changed.
    """
    prepared = Prepared()
    try:
        if new.logging != parts.configuration.logging:
            try:
                prepared.log = parts.log.prepare(new.logging)
            except OSError as error:
                why = f"{_place(new, 'logging.output')}: cannot open the log file: {error.strerror or error}"
                raise ControlError(f"cannot use {why}; name a file that can be written") from None
        try:
            prepared.control = parts.control.bind(new.control)
        except CorepilotError as error:
            raise ControlError(f"cannot use {_place(new, 'control.socket')}: {error}") from error
        prepared.sockets = parts.sockets.prepare(new)
        loader = plugins() if names_plugins(new) else None
        oversight = parts.oversight
        prepared.telemetry = parts.exposition.prepare(new.telemetry, loader, oversight, _place(new, "telemetry"))
        prepared.catalogs = parts.discovery.prepare(new, loader, oversight)
        prepared.checks = parts.checks.prepare(new, loader, oversight)
        prepared.observers = parts.observers.prepare(new.observers, loader, oversight)
    except BaseException:
        prepared.discard(parts)
        raise
    return prepared


def names_plugins(configuration: Configuration) -> bool:
    """Whether a configuration names any plugin that the supervisor loads."""
    sinks = configuration.telemetry.sinks if configuration.telemetry else ()
    return bool(configuration.catalogs or configuration.observers or sinks or references_of(configuration))


def _place(configuration: Configuration, path: str) -> str:
    origin = configuration.origins.of(path)
    return f"{path} ({origin})" if origin is not None else path
