"""Telemetry over all configurations: its listeners and its sinks, which a reload changes or keeps."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import gevent

from corepilot import _version
from corepilot.errors import ConfigError, CorepilotError
from corepilot.model.configuration import Telemetry
from corepilot.model.plugin import PluginReference
from corepilot.observers.facts import Facts
from corepilot.output.log import Log
from corepilot.telemetry.builtin import SINK_FLUSHES
from corepilot.telemetry.listener import ListenError, Listeners, listen
from corepilot.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from corepilot.plugin.manager import Plugins
    from corepilot.plugin.oversight import Oversight
    from corepilot.telemetry.outlet import Outlet


class PreparedTelemetry:
    """Listeners and sinks that are ready for use; those that stay are shared with the ones in use.

    Attributes:
        telemetry: The section, or None.
        listeners: Of its addresses.
        outlets: The sinks in the order of the configuration, new ones not started.
    """

    def __init__(self, telemetry: Telemetry | None, listeners: Listeners | None = None) -> None:
        self.telemetry, self.listeners = telemetry, listeners or Listeners()
        self.outlets: list[Outlet] = []


class Exposition:
    """The telemetry of this process.

    Args:
        log: The log.
        metrics: What sinks show.
        status: What they show as status.
        facts: What they are told.
        environment: What corepilot was given.
        probe: Answers `/livez` and `/readyz` for those that listen: see `SinkContext`.
    """

    def __init__(
        self,
        log: Log,
        metrics: Metrics,
        status: Callable[[], Mapping[str, Any]],
        facts: Facts,
        environment: Mapping[str, str],
        *,
        probe: Callable[[str, str], tuple[int, str] | None],
    ) -> None:
        self._log, self._metrics, self._status, self._probe, self._facts = log, metrics, status, probe, facts
        self._environment = environment
        self._oversight: Oversight | None = None
        self._current = PreparedTelemetry(None)
        self._ending: set[gevent.Greenlet[[Outlet], None]] = set()
        self._flushes = SINK_FLUSHES.family(metrics)

    @property
    def outlets(self) -> tuple["Outlet", ...]:
        """The sinks at work."""
        return tuple(self._current.outlets)

    def listen(self, telemetry: Telemetry | None, stopped: Callable[[], bool]) -> None:
        """Have the addresses before the first job starts (contract, section 5). Switches greenlets.

        Raises:
            ListenError: one cannot be had after ten tries.
        """
        if telemetry is not None:
            listeners = listen(telemetry.listen, lambda message: self._log("warning", message), stopped)
            self._current = PreparedTelemetry(telemetry, listeners)

    def start(self, plugins: "Plugins", oversight: "Oversight") -> None:
        """Import and start the sinks of the first configuration. One that fails is logged; a reload tries it again."""
        self._oversight = oversight
        current = self._current
        for reference in current.telemetry.sinks if current.telemetry else ():
            try:
                outlet = self._make(current, reference, plugins)
            except CorepilotError as error:
                self._log("error", f"{error}; no telemetry goes there")
                continue
            self._begin(current, outlet)

    def prepare(
        self, telemetry: Telemetry | None, plugins: "Plugins | None", oversight: "Oversight", where: str
    ) -> PreparedTelemetry | None:
        """Do what can fail. None if listeners and sinks stay as they are: the same are wanted, and all are at work.

        Args:
            telemetry: The new section, or None.
            plugins: Loads sinks; None where there are none.
            oversight: Watches over them.
            where: Where the section is, for the message.

        Raises:
            CorepilotError: an address cannot be had, or a sink cannot be used; nothing has changed.
        """
        self._oversight = oversight
        running = [one.reference for one in self._current.outlets]
        if _exposed(self._current.telemetry) == _exposed(telemetry) and running == list(_sinks(telemetry)):
            return None
        try:
            listeners = self._current.listeners.derived(telemetry.listen if telemetry else ())
        except ListenError as error:
            raise ConfigError(f"cannot use {where}: {error.strerror}; choose another port") from None
        prepared = PreparedTelemetry(telemetry, listeners)
        same = listeners.addresses == self._current.listeners.addresses
        kept = [one for one in self._current.outlets if (same or not one.pulls) and not one.boundary.off]
        try:
            for reference in _sinks(telemetry):
                outlet = next((one for one in kept if one.reference == reference), None)
                if outlet is not None:
                    kept.remove(outlet)
                elif plugins is not None:
                    outlet = self._make(prepared, reference, plugins, reloaded=True)
                if outlet is not None:
                    prepared.outlets.append(outlet)
        except BaseException:
            self.discard(prepared)
            raise
        return prepared

    def commit(self, prepared: PreparedTelemetry | None) -> None:
        """Switch to what `prepare` returned. A sink that cannot be reached ends by itself; nothing waits for it."""
        if prepared is None:
            return
        old, self._current = self._current, PreparedTelemetry(prepared.telemetry, prepared.listeners)
        for outlet in old.outlets:
            if outlet in prepared.outlets:
                continue
            if outlet.pulls:  # it must not answer at the same addresses as the one that is to come
                self._end(outlet)
            else:
                ending = gevent.spawn(self._end, outlet)
                self._ending.add(ending)
                ending.rawlink(self._ending.discard)
        old.listeners.close(but=prepared.listeners)
        for outlet in prepared.outlets:
            if outlet in old.outlets:
                self._current.outlets.append(outlet)
            else:
                self._begin(self._current, outlet)

    def discard(self, prepared: PreparedTelemetry) -> None:
        """Close what was prepared and is not to be used."""
        for outlet in prepared.outlets:
            if outlet not in self._current.outlets:
                outlet.close()
                self._release(outlet)
        prepared.listeners.close(but=self._current.listeners)

    def close(self) -> None:
        """Flush and close everything, all sinks at the same time, and those that a reload has left too."""
        for outlet in self._current.outlets:
            self._ending.add(gevent.spawn(self._end, outlet))
        gevent.joinall(list(self._ending))
        self._current.outlets.clear()
        self._current.listeners.close()

    def _make(
        self, prepared: PreparedTelemetry, reference: PluginReference, plugins: "Plugins", *, reloaded: bool = False
    ) -> "Outlet":
        from corepilot.plugin.boundary import MAKING_S
        from corepilot.telemetry.outlet import Outlet
        from corepilot.telemetry.sink import SinkContext

        assert prepared.telemetry is not None  # noqa: S101  - there are sinks
        assert self._oversight is not None  # noqa: S101  - given with the plugins
        loaded = plugins.load(reference, "sink")
        boundary = self._oversight.boundary(loaded)
        listeners = prepared.listeners.duplicates() if "pull" in loaded.capabilities else []
        context = SinkContext(
            self._metrics,
            self._status,
            boundary.say,
            prepared.telemetry.listen if prepared.telemetry else (),
            _version.__version__,
            self._environment.get("COREPILOT_INSTANCE") or _hostname(),
            self._environment,
            listeners,
            reloaded,
            self._probe,
        )
        try:
            make = loaded.implementation
            sink = boundary.apart("__init__", make, loaded.options, context, deadline_s=MAKING_S)
            return Outlet(reference, sink, boundary, listeners, self._flushes)
        except BaseException:
            self._oversight.release(boundary)
            for one in listeners:
                one.close()
            raise

    def _begin(self, current: PreparedTelemetry, outlet: "Outlet") -> None:
        try:
            outlet.start(self._facts)
        except (OSError, CorepilotError) as error:
            self._log("error", f"cannot start {outlet.boundary.name}: {error}; no telemetry goes there")
            outlet.close()
            self._release(outlet)
        else:
            current.outlets.append(outlet)

    def _end(self, outlet: "Outlet") -> None:
        outlet.stop(self._facts)
        self._release(outlet)

    def _release(self, outlet: "Outlet") -> None:
        if self._oversight is not None:
            self._oversight.release(outlet.boundary)


def _hostname() -> str:
    """The host's name."""
    import os

    return os.uname().nodename


def _sinks(telemetry: Telemetry | None) -> tuple[PluginReference, ...]:
    return telemetry.sinks if telemetry is not None else ()


def _exposed(telemetry: Telemetry | None) -> tuple[Any, ...] | None:
    """What of a section listeners and sinks depend on."""
    return None if telemetry is None else (telemetry.listen, telemetry.sinks)
