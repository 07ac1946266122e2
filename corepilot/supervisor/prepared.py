"""What a reload acquires before anything is touched: the log file, the socket, the listener, the connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from corepilot.errors import ControlError, CorepilotError
from corepilot.model.configuration import Configuration
from corepilot.output.log import Log, PreparedLog
from corepilot.supervisor.discovery import Discovery, PreparedCatalog
from corepilot.supervisor.endpoint import ControlEndpoint
from corepilot.supervisor.exposition import Exposition, PreparedTelemetry
from corepilot.supervisor.letting_go import let_go

if TYPE_CHECKING:
    from corepilot.control.paths import ControlSocket


class Parts(Protocol):
    """The supervisor's parts that have something to acquire."""

    log: Log
    configuration: Configuration
    control: ControlEndpoint
    exposition: Exposition
    discovery: Discovery


class Prepared:
    """All that a reload needs, not in use yet.

    Attributes:
        log: The log's next place, None if it stays.
        control: The next control socket, None if it stays.
        telemetry: What the endpoint becomes, None if it stays.
        catalog: The next catalog, None if it stays.
    """

    def __init__(self) -> None:
        self.log: PreparedLog | None = None
        self.control: ControlSocket | None = None
        self.telemetry: PreparedTelemetry | None = None
        self.catalog: PreparedCatalog | None = None

    def discard(self, log: Log) -> None:
        """Close everything: it is not to be used."""
        if self.log is not None:
            log.discard(self.log)
        if self.control is not None:
            self.control.close()
        if self.telemetry is not None:
            self.telemetry.discard(log)
        if self.catalog is not None and self.catalog.backend is not None:
            let_go(self.catalog.backend, log)


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
        loader = plugins() if new.catalogs or (new.telemetry and new.telemetry.sinks) else None
        prepared.telemetry = parts.exposition.prepare(new.telemetry, loader, _place(new, "telemetry"))
        prepared.catalog = parts.discovery.prepare(new, loader)
    except BaseException:
        prepared.discard(parts.log)
        raise
    return prepared


def _place(configuration: Configuration, path: str) -> str:
    origin = configuration.origins.of(path)
    return f"{path} ({origin})" if origin is not None else path
