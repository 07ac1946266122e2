"""The catalogs over all configurations, with their registrars and watchers, which a reload changes or keeps."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import gevent

from corepilot.discovery.registrations import DRAIN_S, Registrations
from corepilot.model.configuration import Configuration, Watch
from corepilot.model.event import Event
from corepilot.model.plugin import PluginReference
from corepilot.output.log import Log
from corepilot.telemetry.builtin import WATCH_INSTANCES, WATCH_LAG
from corepilot.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from corepilot.discovery.watcher import CatalogView, Watcher
    from corepilot.plugin.manager import Plugins
    from corepilot.plugin.oversight import Oversight
    from corepilot.supervisor.catalog import Catalog


__all__ = ["DRAIN_S", "Discovery", "PreparedCatalogs"]


class PreparedCatalogs(NamedTuple):
    """What is made for another configuration.

    Attributes:
        catalogs: Name, and the new catalog; None for one that stays as it is. In the order of the configuration.
    """

    catalogs: tuple[tuple[str, "Catalog | None"], ...]


class Discovery:
    """Registrations and watches of this process.

    Args:
        log: The log.
        publish: Puts an event on the bus.
        environment: What corepilot was given, for the backends.
        metrics: Where the instances and the age of what is known are recorded.
        asked: Told of each call to a catalog and its result.

    Attributes:
        registrations: What jobs talk to.
        catalogs: Those in use, by name.
        watchers: One for each watch of the configuration.
        answered: Called when something is known of another watch.
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
        self._instances, self._lag = WATCH_INSTANCES.family(metrics), WATCH_LAG.family(metrics)
        self.registrations = Registrations()
        self.catalogs: dict[str, Catalog] = {}
        self.watchers: tuple[Watcher, ...] = ()
        self.answered: Callable[[], None] = lambda: None
        metrics.before_collecting(self._refresh)

    def prepare(
        self, configuration: Configuration, plugins: "Plugins | None", oversight: "Oversight"
    ) -> PreparedCatalogs:
        """Do what can fail: import and make the backends that are new or have other options, and what is used of them.

        Raises:
            CorepilotError: a plugin cannot be used; nothing has changed.
        """
        found: list[tuple[str, Catalog | None]] = []
        try:
            for name, plugin in configuration.catalogs:
                catalog = self.catalogs.get(name)
                if catalog is not None and catalog.plugin == plugin:
                    found.append((name, None))
                elif plugins is not None:
                    catalog = self._make(name, plugin, plugins, oversight)
                    found.append((name, catalog))
                if catalog is not None:
                    for facet in _facets_used(configuration, name):
                        getattr(catalog.backend, facet)
        except BaseException:
            self.discard(PreparedCatalogs(tuple(found)))
            raise
        return PreparedCatalogs(tuple(found))

    def discard(self, prepared: PreparedCatalogs) -> None:
        """Close what was prepared and is not to be used."""
        for _, catalog in prepared.catalogs:
            if catalog is not None:
                catalog.close()

    def commit(self, configuration: Configuration, prepared: PreparedCatalogs, *, anew: bool = False) -> None:
        """Go on with another configuration. Watches that stay keep their stream, and their memory.

        Args:
            configuration: The new one.
            prepared: From `prepare`.
            anew: Every watch begins anew.
        """
        self._change_catalogs(configuration, prepared)
        for catalog in self.catalogs.values():
            if catalog.registrar is not None:
                catalog.registrar.report_failing = configuration.report_failing
        keep = [] if anew else list(self.watchers)
        watchers = []
        for watch in configuration.watches if self.catalogs else ():
            views = [catalog.view() for catalog in self._looked_in(watch)]
            same = next((one for one in keep if one.watch == watch), None)
            if same is not None:
                keep.remove(same)
                same.look_in(views)
            watchers.append(same or self._watcher(watch, views))
        for watcher in self.watchers:
            if watcher not in watchers:
                watcher.close()
        self.watchers = tuple(watchers)
        for watcher in self.watchers:
            watcher.start()  # nothing for one that has been started

    def facts(self) -> Iterator[Event]:
        """What holds of the watches: a list that is known and not empty."""
        for watcher in self.watchers:
            if watcher.is_healthy:
                yield Event("changed", f"watch.{watcher.watch.name}")
                yield Event("healthy", f"watch.{watcher.watch.name}")

    def services(self) -> list[dict[str, object]]:
        """What is registered where: see `Registrar.status`, with the name of the `catalog`."""
        return [
            {**row, "catalog": name}
            for name, catalog in self.catalogs.items()
            if catalog.registrar is not None
            for row in catalog.registrar.status()
        ]

    def stop_watching(self) -> None:
        """End the watches."""
        for watcher in self.watchers:
            watcher.close()

    def leave(self) -> None:
        """Wait until what was withdrawn is out of all catalogs, for at most DRAIN_S. `close` is for afterwards."""
        self.stop_watching()
        gevent.joinall([gevent.spawn(catalog.drain) for catalog in self.catalogs.values()])

    def close(self) -> None:
        """Let go of the catalogs."""
        for catalog in self.catalogs.values():
            catalog.close()

    def stop_waiting(self) -> None:
        """Do not wait for a catalog any more."""
        for catalog in self.catalogs.values():
            if catalog.registrar is not None:
                catalog.registrar.stop_waiting()

    def _make(self, name: str, plugin: PluginReference, plugins: "Plugins", oversight: "Oversight") -> "Catalog":
        from corepilot.discovery.opening import opened
        from corepilot.supervisor.catalog import Catalog

        loaded = plugins.load(plugin)
        boundary = oversight.boundary(loaded)
        try:
            backend = opened(loaded, boundary, self._environment, self._asked)
        except BaseException:
            oversight.release(boundary)
            raise
        tell = lambda service, message: self._log("info", message, (("job", service),))  # noqa: E731
        return Catalog(name, plugin, backend, self._logger(name), lambda: oversight.release(boundary), tell=tell)

    def _change_catalogs(self, configuration: Configuration, prepared: PreparedCatalogs) -> None:
        """Put the new ones in the place of the old ones.

        One that has only got other options may be the same store: then what it holds is not taken out, because the new
        client has written it by then. What holds the same name and is another place is left as any other.
        """
        before = self.catalogs
        names = {name for name, _ in configuration.catalogs}
        changed = {name for name, catalog in prepared.catalogs if catalog is not None}
        gone = {name: catalog for name, catalog in before.items() if name in changed or name not in names}
        self.catalogs = {}
        for name, made in prepared.catalogs:
            self.catalogs[name] = made if made is not None else before[name]
        for name, catalog in gone.items():
            held = self.registrations.detach(name)
            successor = self.catalogs.get(name)
            if successor is not None and _same_place(catalog, successor):
                catalog.abandon()
            else:
                catalog.leave(held)
        for name, made in prepared.catalogs:
            if made is not None:
                made.open(report_failing=configuration.report_failing)
                if made.registrar is not None:
                    self.registrations.attach(name, made.registrar)
        self.registrations.settle()

    def _looked_in(self, watch: Watch) -> "list[Catalog]":
        if watch.catalog:
            return [catalog for name, catalog in self.catalogs.items() if name == watch.catalog]
        return [catalog for catalog in self.catalogs.values() if catalog.can("services")]

    def _watcher(self, watch: Watch, views: "list[CatalogView]") -> "Watcher":
        from corepilot.discovery.watcher import Watcher

        return Watcher(watch, views, self._publish, answered=lambda: self.answered())  # noqa: PLW0108  - it is set later

    def _refresh(self) -> None:
        """Watches of one name share a series: the instances of all, and the longest lag."""
        instances: dict[tuple[str, ...], float] = {}
        lags: dict[tuple[str, ...], float] = {}
        for watcher in self.watchers:
            key = (watcher.watch.name,)
            instances[key] = instances.get(key, 0) + watcher.passing
            lags[key] = max(lags.get(key, 0.0), watcher.lag_s)
        self._instances.replace(instances)
        self._lag.replace(lags)

    def _logger(self, name: str) -> Callable[[str, str], None]:
        return lambda level, message: self._log(level, f"{name}: {message}")


def _facets_used(configuration: Configuration, catalog: str) -> Iterator[str]:
    """Those of a catalog that a configuration uses beside its services."""
    if any(watch.kind != "service" and watch.catalog == catalog for watch in configuration.watches):
        yield "keys"
    if any(lock.catalog == catalog for lock in configuration.locks):
        yield "locks"


def _same_place(one: "Catalog", other: "Catalog") -> bool:
    return one.plugin.name == other.plugin.name and one.backend.address == other.backend.address
