"""The supervisor: everything wired together, from the first job to the last word. It alone knows everyone."""

import gc
import os
import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import gevent

from corepilot import _version
from corepilot.errors import ControlError, CorepilotError
from corepilot.events import EventBus
from corepilot.guard import Channel
from corepilot.jobs.audience import Audience
from corepilot.jobs.environment import ChildEnvironment
from corepilot.jobs.jobset import JobSet
from corepilot.jobs.plan import plans
from corepilot.jobs.run import Spawner
from corepilot.jobs.runner import Runner
from corepilot.jobs.supervision import Supervision
from corepilot.model.configuration import Configuration
from corepilot.model.event import Event
from corepilot.observers.facts import Facts
from corepilot.output.log import Log
from corepilot.supervisor.arguments import REFUSED, RunArguments, refuse
from corepilot.supervisor.checks import Checks
from corepilot.supervisor.desired import addresses_of, jobs_of, sources_of, stop_budget_s
from corepilot.supervisor.discovery import DRAIN_S, Discovery
from corepilot.supervisor.endpoint import ControlEndpoint
from corepilot.supervisor.exposition import Exposition
from corepilot.supervisor.incoming import Incoming
from corepilot.supervisor.job_sockets import JobSockets
from corepilot.supervisor.locks import JobLocks, holder_of
from corepilot.supervisor.measured import Measured
from corepilot.supervisor.observers import Observers
from corepilot.supervisor.outcome import last_line, status_of
from corepilot.supervisor.prepared import names_plugins
from corepilot.supervisor.progress import Progress
from corepilot.supervisor.renders import Renders
from corepilot.supervisor.shutdown import Shutdown
from corepilot.supervisor.signals import Signals
from corepilot.supervisor.tails import Tails
from corepilot.supervisor.tidying import Tidying
from corepilot.supervisor.watched import Watched
from corepilot.system import light_imports, light_typing, memory
from corepilot.system.process import Reaper
from corepilot.system.reserve import DescriptorReserve
from corepilot.system.search_path import complete
from corepilot.telemetry.metrics import Metrics
from corepilot.wording.counting import counted
from corepilot.wording.failures import one_line_traceback

if TYPE_CHECKING:
    from corepilot.plugin.manager import Plugins
    from corepilot.plugin.oversight import Oversight
    from corepilot.supervisor.reloader import Reloader
    from corepilot.supervisor.target import SupervisorTarget

RESERVED = 16
"""Descriptors that are kept for imports, reloads, the control socket and the stop, when jobs have taken all others."""


class App:
    """The supervisor of one container, over all its configurations.

    Args:
        configuration: The first one.
        arguments: What `corepilot run` was asked to do; a reload asks for the same again.
        channel: The line to the guard.
        signals: Notes signals, also before this exists.
    """

    log: Log
    control: ControlEndpoint
    shutdown: Shutdown
    reloader: "Reloader"
    target: "SupervisorTarget"
    oversight: "Oversight"

    def __init__(
        self, configuration: Configuration, arguments: RunArguments, channel: Channel, signals: Signals
    ) -> None:
        self.configuration, self.arguments = configuration, arguments
        self.started_at = time.monotonic()
        self._channel, self._signals = channel, signals
        self._loop: Any = gevent.get_hub().loop
        self.reaper = Reaper(self._loop)
        self.environment = ChildEnvironment(arguments.environment, os.getpid())

    def run(self) -> int:
        """Run until every job has ended or a stop was asked for; returns the exit status."""
        logging, control = self.configuration.logging, self.configuration.control
        try:
            self.log = Log(logging)
        except OSError as error:
            return refuse(f"cannot open the log file {logging.output}: {error.strerror}; see logging.output")
        try:
            self.control = ControlEndpoint(
                control, self.arguments.environment, self.log, lambda: self._signals.stop_asked
            )
        except CorepilotError as error:
            self.log.close()
            return 0 if self._signals.stop_asked else refuse(str(error))
        self._wire()
        guard = self._loop.io(self._channel.fileno(), 1)
        guard.start(self._incoming.look_at_guard)
        try:
            self._start_jobs()
            gevent.sleep(0)  # the first jobs are started here, before anything else is imported
            memory.forget_explanations("corepilot.supervisor")
            gc.enable()
            self.reserve.release()
            self._start_rest()
            gc.freeze()  # what is imported by now stays: a full collection need not look at it
            self.reserve.refill()
            while not self._ended():
                pass
            return self._end()
        finally:
            guard.stop()
            self.control.remove()
            self.log.close()

    def _wire(self) -> None:
        self.reserve = DescriptorReserve(RESERVED, self.control.stir)
        self.metrics = Metrics()
        self.bus = EventBus(self._loop.run_callback, self._broken)
        self.progress = Progress(self)
        self.bus.subscribe(self.progress.hear)
        self.measured = Measured(self)
        self._tidying = Tidying(self._loop, self._tidy)
        configuration = self.configuration
        self.tails = Tails(self.log.output, self.bus, configuration.logging.keep_bytes)
        environment = MappingProxyType(self.arguments.environment)  # plugins get it, and the next reload too
        self.discovery = Discovery(self.log, self.bus.publish, environment, self.metrics, self.measured.asked)
        self.facts = Facts(wanted=bool(configuration.observers or configuration.telemetry))
        self.bus.subscribe(self.facts.hear)
        status = lambda: self.target.status()  # noqa: E731, PLW0108  - it is made later
        probe = lambda path, query: self.target.probe(path, query)  # noqa: E731, PLW0108  - the same
        self.exposition = Exposition(self.log, self.metrics, status, self.facts, environment, probe=probe)
        self.observers = Observers(self.log, self.facts, environment)
        self.checks = Checks(self.log, self.environment.current)
        self.sockets = JobSockets()
        self.locks = JobLocks(self.bus.publish, self._channel, holder_of(environment, os.uname().nodename))
        self.renders = Renders(
            self.log,
            self.bus.publish,
            watches=lambda: self.configuration.watches,
            watchers=lambda: self.discovery.watchers,
            environment=self.environment.current,
            reaper=self.reaper,
        )
        self.discovery.answered = self.renders.answered
        self.bus.subscribe(self.renders.hear)
        supervision = Supervision(
            Spawner(self._loop, self.reaper, self.log, self.environment),
            self.discovery.registrations,
            self.bus.publish,
            lambda seconds: self.shutdown.extend(seconds),  # noqa: PLW0108  - it is made below
            facts=self.facts,
            checked=self.measured.checked,
        )
        self.jobs = JobSet(
            self.bus,
            lambda plan: Runner(plan, supervision),
            self.progress,
            lambda: (*self.discovery.facts(), *self.locks.facts(), *self.renders.facts()),
            lambda: sources_of(self.configuration),
        )
        self._memory = supervision.memory
        supervision.ended = self.jobs.ended
        self.discovery.job_of = self.jobs.job_of
        supervision.sockets = self.sockets.descriptors
        supervision.plugin_checks = self.checks
        supervision.locks = self.locks
        supervision.await_gone = self.discovery.await_gone
        supervision.watched = Watched(lambda: self.discovery.watchers)
        self.shutdown = Shutdown(
            lambda: self.configuration,
            self.log,
            self._channel,
            jobs=self.jobs,
            discovery=self.discovery,
            reaper=self.reaper,
        )
        self._incoming = Incoming(self.log, self._channel, self.shutdown, self.bus.publish, self._signals)
        self._stop_with(self.configuration.stop_signals)
        self._signals.deliver_to(self._loop, self._incoming.signalled)

    def _start_jobs(self) -> None:
        """Have the telemetry address, then start the jobs, in this order (contract, section 5)."""
        self.show_configuration()
        telemetry = self.configuration.telemetry
        self.metrics.declare(telemetry.metrics if telemetry else ())
        self.environment.advertise(addresses_of(self.configuration))
        try:
            self.exposition.listen(telemetry, lambda: self.shutdown.begun)
            self.sockets.commit(self.configuration, self.sockets.prepare(self.configuration))
        except OSError as error:
            self.shutdown.refuse_start(REFUSED, f"{error.strerror}; choose another telemetry.port")
        except ControlError as error:
            self.shutdown.refuse_start(REFUSED, str(error))
        if not self.shutdown.begun:
            self.jobs.start(Audience(plans(jobs_of(self.configuration))))

    def _start_rest(self) -> None:
        """Import and start what the first jobs did not need. A plugin's failure is logged."""
        light_imports.import_socket()
        light_imports.import_h11()
        from corepilot.supervisor.reloader import Reloader
        from corepilot.supervisor.target import SupervisorTarget

        self.reloader = self.progress.reloader = Reloader(self, self._plugins, self.progress.reloaded)
        self.target = SupervisorTarget(self)
        self.control.serve(self.target, self.progress.requests, self.reserve.refill)
        configuration = self.configuration
        self.oversight = self._oversee()
        if names_plugins(configuration):
            plugins, oversight = self._plugins(), self.oversight
            self.checks.start(configuration, plugins, oversight)
            self.observers.start(configuration.observers, plugins, oversight)
            try:
                self.discovery.commit(configuration, self.discovery.prepare(configuration, plugins, oversight))
                self.locks.commit(configuration.locks, self.discovery.catalogs)
            except CorepilotError as error:
                self.log("error", f"{error}; nothing is registered and nothing is watched")
            self.exposition.start(plugins, oversight)
        self.renders.commit(configuration.render)
        self.facts.begin()
        self.ready()
        catalogs = [f"{name} at {catalog.backend.address}" for name, catalog in self.discovery.catalogs.items()]
        self.log(
            "info",
            f"corepilot {_version.__version__} runs {configuration.location}: "
            f"{counted(len(configuration.jobs), 'job')}, catalog {' and '.join(catalogs) or 'none'}, "
            f"socket {self.control.path or 'none'}",
        )
        for warning in (*configuration.warnings, *self.control.warnings):
            self.log("warning", warning)

    def show_configuration(self) -> None:
        """Write the configuration to the debug log (contract, section 6), without its secrets."""
        if self.log.debugging:
            from corepilot.config.diagnostics.shown import shown

            self.log("debug", f"loaded config: {shown(self.configuration, self.environment.current())}")

    def _stop_with(self, numbers: tuple[int, ...]) -> None:
        """Let further signals ask for a stop."""
        self._signals.stop_with(numbers)
        self._channel.stop_signals(numbers)

    def ready(self) -> None:
        """Everything is up: tell the guard how long a stop may take, and what asks for one."""
        self._stop_with(self.configuration.stop_signals)
        self.oversight.signals_are_ours()
        self._channel.ready(stop_budget_s(self.configuration, DRAIN_S))

    def _ended(self) -> bool:
        """Wait for the last job; whether it has ended. A plugin that kills greenlets does not end corepilot so."""
        try:
            return bool(self.shutdown.finished.wait())
        except (gevent.Timeout, gevent.GreenletExit) as error:
            what = f"something raised {type(error).__name__} in corepilot's main greenlet, which goes on"
            self.log("error", f"{what}; {self.oversight.in_use()}")
            return False

    def _end(self) -> int:
        """After the last job: its orphans go, then the catalog, then everything else."""
        self.reserve.close()
        self.oversight.hurry()
        self.renders.close()
        self.discovery.stop_watching()
        self.shutdown.end_orphans()
        self.reloader.end()
        self.shutdown.leave_catalogs(self.locks.give_back)
        self.shutdown.close_plugins(
            self.discovery.close, self.exposition.close, self.observers.close, self.checks.close
        )
        self.oversight.stop()
        self._tidying.stop()
        self.tails.close()
        self.control.stop()
        self.sockets.close()
        self.jobs.discard()
        reasons = self.shutdown.reasons.changed(
            ended_by=self.jobs.endings.ended_by, failure=self.jobs.endings.failure, mode=self.configuration.exit_status
        )
        status = status_of(reasons)
        self.log("info", last_line(reasons, self.shutdown.account(time.monotonic() - self.started_at)))
        self.shutdown.announce_end(status)
        return status

    def _plugins(self) -> "Plugins":
        complete()
        light_imports.import_pluggy()
        light_typing.end()  # what plugins import is as it would be elsewhere
        from corepilot.plugin.manager import Plugins

        return Plugins()

    def _oversee(self) -> "Oversight":
        from corepilot.plugin.oversight import Oversight

        channel, tidying = self._channel, self._tidying

        def turned(seconds: float) -> None:
            self.measured.turned(seconds)
            tidying.turned()

        oversight = Oversight(
            self._loop,
            self.log,
            self.log.lines,
            note=channel.busy_with,
            working=channel.turning,
            turned=turned,
            reaper=self.reaper,
        )
        oversight.start()
        self._signals.hurry = oversight.hurry
        self.shutdown.begins = oversight.look_often
        return oversight

    def _tidy(self) -> None:
        """Give back what restarts, checks, requests and reloads have left in pieces, and look at the socket's file."""
        memory.give_back()
        count = self._memory.others()  # a worker of a job's, for example: no end of a job has told of it
        if count:
            what = counted(count, "process", "processes")
            self.log("warning", f"the kernel has killed {what} that jobs have started, because memory ran out")
        self.control.look()

    def _broken(self, event: Event, error: Exception) -> None:
        self.log("error", f"a bug in corepilot: event {event}: {one_line_traceback(error)}")
