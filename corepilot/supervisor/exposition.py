"""Telemetry over all configurations: its listener and its sinks, which a reload changes or keeps."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from corepilot import _version
from corepilot.errors import ConfigError, CorepilotError
from corepilot.model.configuration import Telemetry
from corepilot.output.log import Log
from corepilot.supervisor.letting_go import let_go
from corepilot.telemetry.listener import listen
from corepilot.telemetry.metrics import Metrics
from corepilot.wording.failures import one_line_traceback

if TYPE_CHECKING:
    import socket

    from corepilot.plugin.manager import Plugins
    from corepilot.telemetry.sink import Sink


class PreparedTelemetry:
    """A listener and sinks that are ready for use, not started.

    Attributes:
        telemetry: The section, or None.
        listener: Of its address, or None.
        sinks: Made, and not started.
    """

    def __init__(self, telemetry: Telemetry | None, listener: "socket.socket | None" = None) -> None:
        self.telemetry, self.listener = telemetry, listener
        self.sinks: list[Sink] = []

    def discard(self, log: Log) -> None:
        """Close everything: it is not to be used."""
        for sink in self.sinks:
            let_go(sink, log)
        if self.listener is not None:
            self.listener.close()


class Exposition:
    """The endpoint of this process.

    Args:
        log: The log.
        metrics: What sinks show.
        status: What they show as status.
    """

    def __init__(self, log: Log, metrics: Metrics, status: Callable[[], Mapping[str, Any]]) -> None:
        self._log, self._metrics, self._status = log, metrics, status
        self._current: PreparedTelemetry = PreparedTelemetry(None)

    def listen(self, telemetry: Telemetry | None, stopped: Callable[[], bool]) -> None:
        """Have the address before the first job starts (contract, section 5). Switches greenlets.

        Raises:
            OSError: it cannot be had after ten tries.
        """
        if telemetry is not None and telemetry.sinks:
            listener = listen(telemetry, lambda message: self._log("warning", message), stopped)
            self._current = PreparedTelemetry(telemetry, listener)

    def start(self, plugins: "Plugins") -> None:
        """Import and start the sinks of the first configuration. A sink that fails is logged."""
        current = self._current
        for reference in current.telemetry.sinks if current.telemetry and current.listener else ():
            try:
                current.sinks.append(self._make(current, reference, plugins))
            except CorepilotError as error:
                self._log("error", f"{error}; no telemetry goes there")
        self._start_sinks()

    def prepare(self, telemetry: Telemetry | None, plugins: "Plugins | None", where: str) -> PreparedTelemetry | None:
        """Do what can fail. None if listener and sinks stay as they are.

        Args:
            telemetry: The new section, or None.
            plugins: Loads sinks.
            where: Where the section is, for the message.

        Raises:
            CorepilotError: the address cannot be had, or a sink cannot be used; nothing has changed.
        """
        old = self._current.telemetry
        if old is not None and telemetry is not None and (old.port, old.address, old.sinks) == (
            telemetry.port, telemetry.address, telemetry.sinks,
        ):  # fmt: skip
            return None
        if old is None and telemetry is None:
            return None
        if telemetry is None or not telemetry.sinks or plugins is None:
            return PreparedTelemetry(telemetry)
        try:
            listener = listen(telemetry, lambda _message: None, lambda: False, attempts=1)
        except OSError as error:
            address = f"{telemetry.address} port {telemetry.port}"
            raise ConfigError(
                f"cannot use {where}: cannot listen at {address}: {error.strerror}; choose another port"
            ) from None
        prepared = PreparedTelemetry(telemetry, listener)
        try:
            for reference in telemetry.sinks:
                prepared.sinks.append(self._make(prepared, reference, plugins))
        except BaseException:
            prepared.discard(self._log)
            raise
        return prepared

    def commit(self, prepared: PreparedTelemetry | None) -> None:
        """Switch to what `prepare` returned."""
        if prepared is not None:
            self._current.discard(self._log)
            self._current = prepared
            self._start_sinks()

    def close(self) -> None:
        """Close everything."""
        self._current.discard(self._log)

    def _make(self, prepared: PreparedTelemetry, reference: Any, plugins: "Plugins") -> "Sink":
        from corepilot.telemetry.sink import SinkContext

        assert prepared.telemetry is not None  # noqa: S101  - there are sinks
        assert prepared.listener is not None  # noqa: S101  - there are sinks
        loaded = plugins.load(reference, "sink")
        context = SinkContext(
            self._metrics,
            self._status,
            lambda level, message: self._log(level, f"{reference.name}: {message}"),
            prepared.telemetry,
            _version.__version__,
            prepared.listener,
        )
        sink: Sink = loaded.make(context)
        return sink

    def _start_sinks(self) -> None:
        for sink in list(self._current.sinks):
            try:
                sink.start()
            except Exception as error:  # noqa: BLE001  - a plugin's own code
                why = error if isinstance(error, OSError) else one_line_traceback(error)
                self._log("error", f"cannot start telemetry at {sink.address}: {why}; no telemetry goes there")
                let_go(sink, self._log)
                self._current.sinks.remove(sink)
