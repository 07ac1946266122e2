"""One configuration, alive: bus, jobs, catalog, watches, sinks. A reload ends one generation and starts the next."""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from corepilot import _version
from corepilot.config.model import CheckConfig, Config, JobConfig
from corepilot.discovery.catalog import Catalog
from corepilot.errors import CorepilotError
from corepilot.events import Event, EventBus
from corepilot.jobs.crew import Crew
from corepilot.jobs.environment import ChildEnvironment
from corepilot.jobs.runner import Surroundings
from corepilot.output.log import Log
from corepilot.system.process import Reaper

if TYPE_CHECKING:
    from corepilot.discovery.backend import Backend
    from corepilot.discovery.registrar import Registrar
    from corepilot.discovery.watcher import Watcher
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
    ) -> None:
        self.config = config
        self._log = log
        self.bus = EventBus(loop.run_callback, self._broken)
        self.catalog = Catalog()
        self.backend: Backend | None = None
        self.registrar: Registrar | None = None
        self.watchers: tuple[Watcher, ...] = ()
        self.sinks: list[Sink] = []
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
        self.crew = Crew(replace(config, jobs=jobs), self.bus, around, finished)

    def start_rest(self, environment: Mapping[str, str]) -> None:
        """Import and start what the first jobs did not need: backend, registrar, watches. A failure is logged.

        Args:
            environment: What corepilot was given, for the backend.
        """
        plugin = self.config.discovery
        if plugin is None:
            return
        from corepilot.discovery.backend import BackendContext
        from corepilot.discovery.registrar import Registrar
        from corepilot.discovery.watcher import Watcher
        from corepilot.plugin.manager import Plugins

        def tell(level: str, message: str) -> None:
            self._log(level, f"{plugin.name}: {message}")

        try:
            loaded = Plugins().load(plugin)
            context = BackendContext(tell, environment, _version.__version__)
            made: Backend = loaded.implementation(loaded.options, context)
        except CorepilotError as error:
            self._log("error", f"{error}; nothing is registered and nothing is watched")
            return
        self.backend = made
        self.registrar = Registrar(made, log=tell, report_failing=self.config.report_failing)
        self.catalog.attach(self.registrar)
        self.watchers = tuple(Watcher(made, watch, self.bus.publish, log=self._log) for watch in self.config.watches)
        for watcher in self.watchers:
            watcher.start()

    def record(self, values: Mapping[str, Any]) -> list[str]:
        """Record values of the user's metrics; returns one sentence for each that was rejected."""
        return [f"cannot record {name!r}: no metric of that name is declared in telemetry.metrics" for name in values]

    def close(self) -> None:
        """End what is left after the jobs: watches, registrations (at most `DRAIN_S`), backend, sinks."""
        for watcher in self.watchers:
            watcher.close()
        if self.registrar is not None:
            if not self.registrar.drain(DRAIN_S):
                self._log("warning", f"left the catalog without its answer within {DRAIN_S:g} s; entries expire there")
            self.registrar.close()
        if self.backend is not None:
            self.backend.close()
        for sink in self.sinks:
            sink.close()
        self.crew.close()

    def stop_budget_s(self) -> float:
        """How long a stop may take: the hooks' time and the stop deadline, with room for leaving the catalog."""
        from corepilot.jobs.machine import HOOK_TIMEOUT_S

        hooked = any(runner.plan.awaited_hook or runner.plan.is_hook for runner in self.crew.runners)
        return max(self.config.stop_timeout_s, 0.0) + (HOOK_TIMEOUT_S if hooked else 0.0) + DRAIN_S

    def _broken(self, event: Event, error: Exception) -> None:
        from traceback import format_exception

        trace = "".join(format_exception(error)).replace(os.linesep, " | ")
        self._log("error", f"a bug in corepilot: event {event.code} of {event.source}: {trace}")
