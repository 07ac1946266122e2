"""One configuration, alive: bus, jobs, catalog, watches, sinks. A reload ends one generation and starts the next."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from corepilot import _version
from corepilot.config.model import CheckConfig, Config, JobConfig, PluginConfig
from corepilot.discovery.catalog import Catalog
from corepilot.errors import CorepilotError
from corepilot.events import Event, EventBus
from corepilot.jobs.crew import Crew
from corepilot.jobs.environment import ChildEnvironment
from corepilot.jobs.runner import Surroundings
from corepilot.output.log import Log
from corepilot.system.process import Reaper
from corepilot.telemetry.listener import listen
from corepilot.telemetry.metrics import Metrics

if TYPE_CHECKING:
    import socket

    from corepilot.discovery.backend import Backend
    from corepilot.discovery.registrar import Registrar
    from corepilot.discovery.watcher import Watcher
    from corepilot.plugin.manager import Plugins
    from corepilot.telemetry.sink import Sink

DRAIN_S = 2.0
"""Seconds of a stop that are spent on leaving the catalog, at most: what stays there expires by itself."""

TELEMETRY_JOB = "containerpilot"
TELEMETRY_CHECK = CheckConfig(interval_s=5, ttl_s=15)
"""The job that stands for telemetry: it registers itself and never ends (contract, sections 4.8 and 7.5)."""


class Generation:
    """The living parts of one configuration.

    Args:
        config: The configuration.
        loop: gevent's loop.
        reaper: The process's one reaper.
        log: The log of this configuration.
        environment: What commands are started with.
        patience: Told of every stretch of waiting within a stop, in seconds.
        finished: Called once, when every job is complete.
        last: Called with the reason when a job is complete that everything ends with.
    """

    def __init__(
        self,
        config: Config,
        *,
        loop: Any,
        reaper: Reaper,
        log: Log,
        environment: ChildEnvironment,
        patience: Callable[[float], None],
        finished: Callable[[], None],
        last: Callable[[str], None],
    ) -> None:
        self.config = config
        self._log = log
        self.bus = EventBus(loop.run_callback, self._broken)
        self.catalog = Catalog()
        self.backend: Backend | None = None
        self.registrar: Registrar | None = None
        self.watchers: tuple[Watcher, ...] = ()
        self.sinks: list[Sink] = []
        self._listener: socket.socket | None = None
        self.metrics = Metrics(config.telemetry.metrics if config.telemetry else ())
        self._events = self.metrics.family("corepilot_events", "counter", "events on the bus", ("code", "source"))
        self.control_requests = self.metrics.family(
            "corepilot_control_requests", "counter", "requests on the control socket", ("code", "path")
        )
        self.bus.subscribe(self._count)
        jobs = config.jobs
        if config.telemetry is not None:
            service = config.telemetry.service
            jobs += (JobConfig(TELEMETRY_JOB, health=TELEMETRY_CHECK, service=service),)
        environment.advertise({job.name: job.service.registration.address for job in jobs if job.service is not None})
        around = Surroundings(
            loop=loop,
            reaper=reaper,
            log=log,
            environment=environment,
            catalog=self.catalog,
            publish=self.bus.publish,
            patience=patience,
            completed=lambda _runner: None,
        )
        self.crew = Crew(replace(config, jobs=jobs), self.bus, around, finished, last)

    def start(self, stopped: Callable[[], bool]) -> None:
        """Have the telemetry address, then start the jobs, in this order (contract, section 5).

        Args:
            stopped: Whether a stop has been asked for meanwhile: then no job is started.

        Raises:
            OSError: the address cannot be had; no job has been started.
        """
        if self.config.telemetry is not None and self.config.sinks:
            self._listener = listen(self.config.telemetry, lambda message: self._log("warning", message), stopped)
        if not stopped():
            self.crew.start()

    def start_rest(self, environment: Mapping[str, str], status: Callable[[], Mapping[str, Any]]) -> None:
        """Import and start what the first jobs did not need: catalog, watches, sinks. A plugin's failure is logged.

        Args:
            environment: What corepilot was given, for the backend.
            status: What sinks show as status.
        """
        if self.config.discovery is None and not self.config.sinks:
            return
        from corepilot.plugin.manager import Plugins

        plugins = Plugins(lambda name, error: self._log("error", f"{name}: {trace_of(error)}"))
        if self.config.discovery is not None:
            self._start_discovery(plugins, self.config.discovery, environment)
        for sink in self.config.sinks:
            self._start_sink(plugins, sink, status)
        if plugins.observing:
            self.bus.subscribe(plugins.event)

    def _start_discovery(self, plugins: "Plugins", plugin: PluginConfig, environment: Mapping[str, str]) -> None:
        from corepilot.discovery.backend import BackendContext
        from corepilot.discovery.registrar import Registrar
        from corepilot.discovery.watcher import Watcher

        tell = self._teller(plugin.name)
        try:
            loaded = plugins.load(plugin)
            context = BackendContext(tell, environment, _version.__version__)
            backend: Backend = loaded.implementation(loaded.options, context)
        except CorepilotError as error:
            self._log("error", f"{error}; nothing is registered and nothing is watched")
            return
        self.backend = backend
        self.registrar = Registrar(
            backend, log=tell, report_failing=self.config.report_failing, expires="expiry" in loaded.capabilities
        )
        self.catalog.attach(self.registrar)
        self.watchers = tuple(Watcher(backend, watch, self.bus.publish, log=tell) for watch in self.config.watches)
        self.metrics.before_collecting(self._count_instances)
        for watcher in self.watchers:
            watcher.start()

    def _start_sink(self, plugins: "Plugins", plugin: PluginConfig, status: Callable[[], Mapping[str, Any]]) -> None:
        from corepilot.telemetry.sink import SinkContext

        if self.config.telemetry is None or self._listener is None:
            return  # the loader names sinks only for a telemetry section
        tell = self._teller(plugin.name)
        try:
            loaded = plugins.load(plugin, "sink")
            context = SinkContext(
                self.metrics, status, tell, self.config.telemetry, _version.__version__, self._listener
            )
            sink: Sink = loaded.implementation(loaded.options, context)
        except CorepilotError as error:
            self._log("error", f"{error}; no telemetry goes there")
            return
        try:
            sink.start()
        except OSError as error:
            self._log("error", f"cannot start {plugin.name} at {sink.address}: {error}; no telemetry goes there")
            sink.close()
            return
        self.sinks.append(sink)

    def _count_instances(self) -> None:
        gauge = self.metrics.family("corepilot_watch_instances", "gauge", "passing instances", ("service",))
        for watcher in self.watchers:
            passing = sum(one.status == "passing" for one in watcher.instances)
            gauge.record(passing, (watcher.watch.name,))

    def _teller(self, name: str) -> Callable[[str, str], None]:
        return lambda level, message: self._log(level, f"{name}: {message}")

    def close(self) -> None:
        """End what is left after the jobs: watches, registrations (at most `DRAIN_S`), backend, sinks."""
        for watcher in self.watchers:
            watcher.close()
        if self.registrar is not None:
            if not self.registrar.drain(DRAIN_S):
                self._log("warning", "left the catalog without its answer; what is registered expires there")
            self.registrar.close()
        if self.backend is not None:
            self.backend.close()
        for sink in self.sinks:
            sink.close()
        if self._listener is not None:
            self._listener.close()  # nothing where a sink has taken it
        self.crew.close()

    def hurry(self) -> None:
        """Wait for nothing any more: every process is killed, the catalog is left as it is."""
        self.crew.hurry()
        if self.registrar is not None:
            self.registrar.give_up()

    def stop_budget_s(self) -> float:
        """How long a stop may take: the hooks' time and the stop deadline, with room for leaving the catalog."""
        from corepilot.jobs.model import HOOK_TIMEOUT_S

        hooked = any(runner.plan.awaited_hook or runner.plan.is_hook for runner in self.crew.runners)
        return max(self.config.stop_timeout_s, 0.0) + (HOOK_TIMEOUT_S if hooked else 0.0) + DRAIN_S

    def _count(self, event: Event) -> None:
        if event.code == "metric":
            return  # contract, section 9.2: all but these
        # The text of an error is free: as a label it would make series without end. Its command's name is bounded.
        source = event.source.partition(": ")[0] if event.code == "error" else event.source
        self._events.record(1, (event.code, source))

    def _broken(self, event: Event, error: Exception) -> None:
        self._log("error", f"a bug in corepilot: event {event.code} of {event.source}: {trace_of(error)}")


def trace_of(error: BaseException) -> str:
    """A traceback on one line, for the log."""
    from traceback import format_exception

    return "".join(format_exception(error)).replace("\n", " | ")
