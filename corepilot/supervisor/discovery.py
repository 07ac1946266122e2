"""The catalogs over all configurations, with their registrars and watchers, which a reload changes or keeps."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import gevent

from corepilot.discovery.registrations import DRAIN_S, Registrations
from corepilot.model.configuration import Configuration, Watch
from corepilot.model.event import Event
from corepilot.model.plugin import PluginReference
from corepilot.model.service import Registration
from corepilot.output.log import Log
from corepilot.supervisor.continuity import continued
from corepilot.supervisor.watch_succession import successions
from corepilot.telemetry.builtin import WATCH_INSTANCES, WATCH_LAG
from corepilot.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from corepilot.discovery.watcher import CatalogView, Watcher
    from corepilot.plugin.manager import Plugins
    from corepilot.plugin.oversight import Oversight
    from corepilot.supervisor.catalog import Catalog
    from corepilot.supervisor.departure import Departure


__all__ = ["DRAIN_S", "Discovery", "PreparedCatalogs"]


class PreparedCatalogs(NamedTuple):
    """What is made for another configuration.

    Attributes:
        catalogs: The catalogs of the configuration in their order, by name; those that are made, and those that stay.
        made: The names of those that are made.
    """

    catalogs: dict[str, "Catalog"]  # as a text it would be compiled, for 0.2 MB
    made: frozenset[str]


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
        job_of: Says what the job is known by whose instance a registration is.
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
        self._retiring: dict[Catalog, gevent.Greenlet[..., None]] = {}
        self.watchers: tuple[Watcher, ...] = ()
        self._departures: set[Departure] = set()
        self.answered: Callable[[], None] = lambda: None
        self.job_of: Callable[[Registration], str] = lambda registration: registration.service
        metrics.before_collecting(self._refresh)

    def prepare(
        self, configuration: Configuration, plugins: "Plugins | None", oversight: "Oversight"
    ) -> PreparedCatalogs:
        """Do what can fail: import and make the backends that are new or have other options, and what is used of them.

        Raises:
            CorepilotError: a plugin cannot be used; nothing has changed.
        """
        kept = continued([(name, one.plugin) for name, one in self.catalogs.items()], configuration.catalogs)
        found: dict[str, Catalog] = {}
        made: list[str] = []
        try:
            for name, plugin in configuration.catalogs:
                if name in kept:
                    found[name] = self.catalogs[kept[name]]
                elif plugins is not None:
                    found[name] = self._make(name, plugin, plugins, oversight)
                    made.append(name)
                if name in found:
                    for facet in _facets_used(configuration, name):
                        getattr(found[name].backend, facet)
        except BaseException:
            self.discard(PreparedCatalogs(found, frozenset(made)))
            raise
        return PreparedCatalogs(found, frozenset(made))

    def discard(self, prepared: PreparedCatalogs) -> None:
        """Close what was prepared and is not to be used."""
        for name in prepared.made:
            prepared.catalogs[name].close()

    def commit(self, configuration: Configuration, prepared: PreparedCatalogs, *, anew: bool = False) -> None:
        """Go on with another configuration. Watches that stay keep their stream, and their memory.

        New catalogs come into use before old ones go: those go in the background.

        Args:
            configuration: The new one.
            prepared: From `prepare`.
            anew: Every watch begins anew.
        """
        before = tuple(self.catalogs.values())
        self._use(configuration, prepared)
        self._change_watchers(configuration, anew=anew)
        for catalog in before:
            if catalog not in self.catalogs.values():
                self._retire(catalog)

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

    def await_gone(self, registration: Registration, left: Callable[[], None]) -> None:
        """Call `left`, later and once, when an instance is seen to have left the catalogs, or LEAVE_S have passed."""
        from corepilot.supervisor.departure import Departure

        where = [one for one in self.catalogs.values() if one.can("services") and one.registrar is not None]
        named = [one for one in where if not registration.catalogs or one.name in registration.catalogs]
        departure = Departure(registration, [catalog.view() for catalog in named], left)
        departure.over = lambda: self._departures.discard(departure)
        self._departures.add(departure)
        departure.begin()

    def stop_watching(self) -> None:
        """End the watches."""
        for watcher in self.watchers:
            watcher.close()
        for departure in tuple(self._departures):
            departure.close()

    def leave(self) -> None:
        """Wait until what was withdrawn is out of all catalogs, for at most DRAIN_S. `close` is for afterwards."""
        self.stop_watching()
        draining = [gevent.spawn(catalog.drain) for catalog in self.catalogs.values()]
        gevent.joinall([*draining, *self._retiring.values()], timeout=DRAIN_S)

    def close(self) -> None:
        """Let go of the catalogs."""
        for catalog in (*self.catalogs.values(), *self._retiring):
            catalog.close()

    def stop_waiting(self) -> None:
        """Do not wait for a catalog any more."""
        for catalog in (*self.catalogs.values(), *self._retiring):
            if catalog.registrar is not None:
                catalog.registrar.stop_waiting()

    def _make(self, name: str, plugin: PluginReference, plugins: "Plugins", oversight: "Oversight") -> "Catalog":
        from corepilot.discovery.answers import Answers
        from corepilot.discovery.opening import opened
        from corepilot.supervisor.catalog import Catalog

        loaded = plugins.load(plugin)
        boundary = oversight.boundary(loaded)
        answers = Answers()

        def asked(operation: str, result: str) -> None:
            answers.take(operation, result)
            self._asked(operation, result)

        try:
            backend = opened(loaded, boundary, self._environment, asked)
        except BaseException:
            oversight.release(boundary)
            raise
        tell = lambda job, message: self._log("info", message, (("job", job),))  # noqa: E731
        job_of = lambda registration: self.job_of(registration)  # noqa: E731, PLW0108  - it is said later
        release = lambda: oversight.release(boundary)  # noqa: E731
        return Catalog(name, plugin, backend, self._log, release, tell=tell, job_of=job_of, answers=answers)

    def _use(self, configuration: Configuration, prepared: PreparedCatalogs) -> None:
        """The prepared catalogs from now on; one that stays may have another name."""
        self.catalogs = prepared.catalogs
        names = {}
        for name, catalog in self.catalogs.items():
            if catalog.name != name:
                names[catalog.name], catalog.name = name, name
            if name in prepared.made:
                catalog.open(report_failing=configuration.report_failing)
            elif catalog.registrar is not None:
                catalog.registrar.report_failing = configuration.report_failing
        registrars = {name: one.registrar for name, one in self.catalogs.items() if one.registrar is not None}
        self.registrations.use(registrars, names)

    def _change_watchers(self, configuration: Configuration, *, anew: bool) -> None:
        """Watches of the same things stay, whatever else has changed; those of others begin with what was told."""
        before = () if anew else self.watchers
        wanted = configuration.watches if self.catalogs else ()
        watchers = []
        for watch, follows in zip(wanted, successions([one.watch for one in before], wanted), strict=True):
            one = before[follows.number] if follows.number is not None else None
            views = [catalog.view() for catalog in self._looked_in(watch)]
            if one is None or not follows.same:
                watchers.append(self._watcher(watch, views, one))
                continue
            one.change(watch)
            one.look_in(views)
            watchers.append(one)
        for watcher in self.watchers:
            if watcher not in watchers:
                watcher.close()
        self.watchers = tuple(watchers)
        for watcher in self.watchers:
            watcher.start()  # nothing for one that has been started

    def _retire(self, catalog: "Catalog") -> None:
        """Let go of a catalog in the background, once its instances have arrived where they belong.

        Where another client of the same store has taken over, nothing is taken out, because that would only take out
        what the new one has written.
        """
        end = catalog.hand_over if any(_same_place(catalog, one) for one in self.catalogs.values()) else catalog.leave
        self._retiring[catalog] = greenlet = gevent.spawn(end, self.registrations)
        greenlet.link(lambda _: self._retiring.pop(catalog, None))

    def _looked_in(self, watch: Watch) -> "list[Catalog]":
        if watch.catalog:
            return [catalog for name, catalog in self.catalogs.items() if name == watch.catalog]
        return [catalog for catalog in self.catalogs.values() if catalog.can("services")]

    def _watcher(self, watch: Watch, views: "list[CatalogView]", before: "Watcher | None") -> "Watcher":
        from corepilot.discovery.watcher import Watcher

        told = before.told if before is not None else None
        answered = lambda: self.answered()  # noqa: E731, PLW0108  - it is set later
        return Watcher(watch, views, self._publish, answered=answered, told=told)

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


def _facets_used(configuration: Configuration, catalog: str) -> Iterator[str]:
    """Those of a catalog that a configuration uses beside its services."""
    if any(watch.kind != "service" and watch.catalog == catalog for watch in configuration.watches):
        yield "keys"
    if any(lock.catalog == catalog for lock in configuration.locks):
        yield "locks"


def _same_place(one: "Catalog", other: "Catalog") -> bool:
    return one.plugin.name == other.plugin.name and one.backend.address == other.backend.address
