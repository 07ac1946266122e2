"""The catalog over all configurations: one backend, its registrar and its watchers, which a reload changes or keeps."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import gevent

from corepilot import _version
from corepilot.discovery.registrations import Registrations
from corepilot.model.configuration import Configuration, Watch
from corepilot.model.event import Event
from corepilot.model.plugin import PluginReference
from corepilot.output.log import Log
from corepilot.telemetry.builtin import WATCH_INSTANCES, WATCH_LAG
from corepilot.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from corepilot.discovery.guarded import GuardedBackend
    from corepilot.discovery.registrar import Registrar
    from corepilot.discovery.watcher import Watcher
    from corepilot.plugin.manager import Plugins
    from corepilot.plugin.oversight import Oversight

DRAIN_S = 2.0
"""Seconds of a stop that are spent on leaving the catalog, at most: what stays there expires by itself."""


class PreparedCatalog(NamedTuple):
    """A backend that is ready for use.

    Attributes:
        plugin: What the configuration names, or None.
        backend: An instance of it, or None.
        expires: Whether the catalog turns an instance critical by itself.
    """

    plugin: PluginReference | None
    backend: "GuardedBackend | None"
    expires: bool = False


class Discovery:
    """Registrations and watches of this process.

    Args:
        log: The log.
        publish: Puts an event on the bus.
        environment: What corepilot was given, for the backend.
        metrics: Where the instances and the age of what is known are recorded.
        asked: Told of each call to the catalog and its result.

    Attributes:
        registrations: What jobs talk to.
        backend: The connection to the catalog, or None.
        registrar: Who registers there, or None.
        watchers: One for each watch of the configuration, once there is a backend.
    """

    def __init__(
        self,
        log: Log,
        publish: Callable[[Event], None],
        environment: Mapping[str, str],
        metrics: Metrics,
        asked: Callable[[str, str], None],
    ) -> None:
        self._log, self._publish, self._environment, self._asked = log, publish, environment, asked
        self._instances, self._lag = metrics.family(*WATCH_INSTANCES), metrics.family(*WATCH_LAG)
        self.registrations = Registrations()
        self.backend: GuardedBackend | None = None
        self.registrar: Registrar | None = None
        self.watchers: tuple[Watcher, ...] = ()
        self._plugin: PluginReference | None = None
        self._oversight: Oversight | None = None
        metrics.before_collecting(self._refresh)

    def prepare(
        self, configuration: Configuration, plugins: "Plugins | None", oversight: "Oversight"
    ) -> PreparedCatalog | None:
        """Do what can fail: import the backend and make one. None if the one that is there stays.

        Raises:
            CorepilotError: the plugin cannot be used; nothing has changed.
        """
        plugin = configuration.catalog()
        if plugin == self._plugin and (plugin is None or self.backend is not None):
            return None
        if plugin is None or plugins is None:
            return PreparedCatalog(plugin, None)
        from corepilot.discovery.backend import BackendContext
        from corepilot.discovery.guarded import GuardedBackend

        loaded = plugins.load(plugin)
        self._oversight = oversight
        boundary = oversight.boundary(loaded)
        context = BackendContext(boundary.say, self._environment, _version.__version__)
        try:
            backend = GuardedBackend(
                lambda: loaded.implementation(loaded.options, context), boundary, self._asked, loaded.capabilities
            )
        except BaseException:
            oversight.release(boundary)
            raise
        return PreparedCatalog(plugin, backend, "expiry" in loaded.capabilities)

    def discard(self, prepared: PreparedCatalog) -> None:
        """Close what was prepared and is not to be used."""
        if prepared.backend is not None:
            self._close(prepared.backend)

    def commit(self, configuration: Configuration, prepared: PreparedCatalog | None, *, anew: bool = False) -> None:
        """Go on with another configuration. Watches that stay keep their stream, and their memory.

        Args:
            configuration: The new one.
            prepared: From `prepare`.
            anew: Every watch begins anew.
        """
        if prepared is not None:
            self._change_backend(configuration, prepared)
        if self.registrar is not None:
            self.registrar.report_failing = configuration.report_failing
        keep = [] if anew or prepared is not None else list(self.watchers)
        watchers = []
        for watch in configuration.watches if self.backend is not None else ():
            same = next((one for one in keep if one.watch == watch), None)
            if same is not None:
                keep.remove(same)
            watchers.append(same or self._watcher(watch))
        for watcher in self.watchers:
            if watcher not in watchers:
                watcher.close()
        self.watchers = tuple(watchers)
        for watcher in self.watchers:
            watcher.start()  # nothing for one that has been started

    def facts(self) -> Iterator[Event]:
        """What holds of the watches: a list that is known and not empty."""
        for watcher in self.watchers:
            if watcher.has_instances:
                yield Event("changed", f"watch.{watcher.watch.name}")
                yield Event("healthy", f"watch.{watcher.watch.name}")

    def stop_watching(self) -> None:
        """End the watches."""
        for watcher in self.watchers:
            watcher.close()

    def leave(self) -> None:
        """Wait until what was withdrawn is out of the catalog, for at most DRAIN_S. `close` is for afterwards."""
        self.stop_watching()
        self._drain(self.registrar)

    def close(self) -> None:
        """Let go of the catalog."""
        if self.backend is not None:
            self._close(self.backend)

    def stop_waiting(self) -> None:
        """Do not wait for the catalog any more."""
        if self.registrar is not None:
            self.registrar.stop_waiting()

    def _change_backend(self, configuration: Configuration, prepared: PreparedCatalog) -> None:
        registrar, backend = self.registrar, self.backend
        held = self.registrations.detach()
        self.stop_watching()
        self.watchers = ()
        self._plugin, self.backend, self.registrar = prepared.plugin, prepared.backend, None
        if registrar is not None:
            for registration in held:
                registrar.withdraw(registration)
            gevent.spawn(self._let_go, registrar, backend)
        if prepared.backend is not None and prepared.plugin is not None:
            from corepilot.discovery.registrar import Registrar

            self.registrar = Registrar(
                prepared.backend,
                log=self._logger(prepared.plugin.name),
                report_failing=configuration.report_failing,
                expires=prepared.expires,
            )
            self.registrations.attach(self.registrar)

    def _drain(self, registrar: "Registrar | None") -> None:
        if registrar is not None:
            if not registrar.drain(DRAIN_S):
                self._log("warning", "left the catalog without its answer; what is registered expires there")
            registrar.close()

    def _let_go(self, registrar: "Registrar | None", backend: "GuardedBackend | None") -> None:
        self._drain(registrar)
        if backend is not None:
            self._close(backend)

    def _close(self, backend: "GuardedBackend") -> None:
        backend.close()
        if self._oversight is not None:
            self._oversight.release(backend.boundary)

    def _watcher(self, watch: Watch) -> "Watcher":
        from corepilot.discovery.watcher import Watcher

        assert self.backend is not None  # noqa: S101  - watches are made where there is one
        name = self._plugin.name if self._plugin else ""
        return Watcher(self.backend, watch, self._publish, log=self._logger(name))

    def _refresh(self) -> None:
        """Watches of one service with different tags share a series: the instances of all, and the longest lag."""
        instances: dict[tuple[str, ...], float] = {}
        lags: dict[tuple[str, ...], float] = {}
        for watcher in self.watchers:
            key = (watcher.watch.name,)
            passing = sum(one.status == "passing" for one in watcher.instances)
            instances[key] = instances.get(key, 0) + passing
            lags[key] = max(lags.get(key, 0.0), watcher.lag_s)
        self._instances.replace(instances)
        self._lag.replace(lags)

    def _logger(self, name: str) -> Callable[[str, str], None]:
        return lambda level, message: self._log(level, f"{name}: {message}")
