"""The supervisor: everything wired together, from the first job to the last word. It alone knows everyone."""

import gc
import os
import signal
import time
from typing import TYPE_CHECKING, Any

import gevent

from corepilot import _version
from corepilot.control.locations import is_there
from corepilot.control.paths import bind_control_socket
from corepilot.errors import CorepilotError
from corepilot.events import EventBus
from corepilot.guard import Channel
from corepilot.jobs.environment import ChildEnvironment
from corepilot.jobs.jobset import JobSet
from corepilot.jobs.run import Spawner
from corepilot.jobs.runner import Runner, Supervision
from corepilot.model.configuration import Configuration
from corepilot.model.event import Event
from corepilot.output.log import Log
from corepilot.supervisor.arguments import REFUSED, RunArguments, refuse
from corepilot.supervisor.desired import addresses_of, jobs_of, stop_budget_s
from corepilot.supervisor.discovery import DRAIN_S, Discovery
from corepilot.supervisor.exposition import Exposition
from corepilot.supervisor.outcome import last_line, status_of
from corepilot.supervisor.progress import Progress
from corepilot.supervisor.shutdown import Shutdown
from corepilot.supervisor.signals import STOPPING, Signals
from corepilot.system.process import Reaper
from corepilot.system.reserve import DescriptorReserve
from corepilot.telemetry.metrics import Metrics
from corepilot.wording.counting import counted
from corepilot.wording.failures import one_line_traceback

if TYPE_CHECKING:
    from corepilot.control.paths import ControlSocket
    from corepilot.control.server import ControlServer
    from corepilot.plugin.manager import Plugins
    from corepilot.supervisor.reloader import Reloader

RESERVED = 16
"""Descriptors that are kept for imports, reloads, the control socket and the stop, when jobs have taken all others."""

LOOK_AT_SOCKET_S = 1.0
"""How often it is looked whether clients still find the control socket."""


class App:
    """The supervisor of one container, over all its configurations.

    Args:
        configuration: The first one.
        arguments: What `corepilot run` was asked to do; a reload asks for the same again.
        channel: The line to the guard.
        signals: Notes signals, also before this exists.
    """

    reloader: "Reloader"
    shutdown: Shutdown
    log: Log

    def __init__(
        self, configuration: Configuration, arguments: RunArguments, channel: Channel, signals: Signals
    ) -> None:
        self.configuration, self.arguments = configuration, arguments
        self.started_at = time.monotonic()
        self.observed = False
        self._channel, self._signals = channel, signals
        self._loop: Any = gevent.get_hub().loop
        self.reaper = Reaper(self._loop)
        self.environment = ChildEnvironment(arguments.environment, os.getpid())
        self._control_socket: ControlSocket
        self._server: ControlServer | None = None

    def run(self) -> int:
        """Run until every job has ended or a stop was asked for; returns the exit status."""
        try:
            self.log = Log(self.configuration.logging)
        except OSError as error:
            output = self.configuration.logging.output
            return refuse(f"cannot open the log file {output}: {error.strerror}; see logging.output")
        try:
            self._control_socket = bind_control_socket(
                self.configuration.control.socket,
                self.arguments.environment,
                strict=self.configuration.control.strict,
                on_wait=lambda message: self.log("warning", message),
                give_up=lambda: self._signals.stop_asked,
            )
        except CorepilotError as error:
            self.log.close()
            return 0 if self._signals.stop_asked else refuse(str(error))
        self._wire()
        self._signals.deliver_to(self._loop, self._signalled)
        guard = self._loop.io(self._channel.fileno(), 1)
        guard.start(self._guard_spoke)
        try:
            self._start_jobs()
            gevent.sleep(0)  # the first jobs are started here, before anything else is imported
            gc.enable()
            self.reserve.release()
            self._start_rest()
            self.reserve.refill()
            self.shutdown.finished.wait()
            return self._end()
        finally:
            guard.stop()
            (self._server.control_socket if self._server else self._control_socket).remove()
            self.log.close()

    # ------------------------------------------------------------------------------------------------------- the start
    def _wire(self) -> None:
        self.reserve = DescriptorReserve(RESERVED)
        self.bus = EventBus(self._loop.run_callback, self._broken)
        self.metrics = Metrics()
        self.progress = Progress(self)
        self.discovery = Discovery(self.log, self.bus.publish, self.arguments.environment, self.metrics)
        self.exposition = Exposition(self.log, self.metrics, self._status)
        self.bus.subscribe(self.progress.hear)
        supervision = Supervision(
            Spawner(self._loop, self.reaper, self.log, self.environment),
            self.discovery.registrations,
            self.bus.publish,
            lambda seconds: self.shutdown.extend(seconds),  # noqa: PLW0108  - it is made below
        )
        self.jobs = JobSet(self.bus, lambda plan: Runner(plan, supervision), self.progress, self.discovery.facts)
        supervision.ended = self.jobs.ended
        self.shutdown = Shutdown(
            lambda: self.configuration,
            self.log,
            self._channel,
            jobs=self.jobs,
            discovery=self.discovery,
            reaper=self.reaper,
        )

    def _start_jobs(self) -> None:
        """Have the telemetry address, then start the jobs, in this order (contract, section 5)."""
        if self.log.debugging:
            from corepilot.config.diagnostics.shown import shown

            self.log("debug", f"loaded config: {shown(self.configuration, self.environment.current())}")
        telemetry = self.configuration.telemetry
        self.metrics.declare(telemetry.metrics if telemetry else ())
        self.environment.advertise(addresses_of(self.configuration))
        try:
            self.exposition.listen(telemetry, lambda: self.shutdown.begun)
        except OSError as error:
            self.shutdown.give_up(REFUSED, f"the telemetry address cannot be had: {error.strerror}")
        if not self.shutdown.begun:
            self.jobs.start(jobs_of(self.configuration))

    def _start_rest(self) -> None:
        """Import and start what the first jobs did not need. A plugin's failure is logged."""
        from corepilot.control.server import ControlServer
        from corepilot.supervisor.reloader import Reloader
        from corepilot.supervisor.target import Target

        self.reloader = Reloader(self, self._plugins)
        self.progress.reloader = self.reloader
        self._target = Target(self)
        self._server = ControlServer(
            self._control_socket,
            self._target,
            log=self.log,
            on_event=self._security_event,
            on_request=lambda path, code: self.progress.requests.record(1, (str(code), path)),
            on_error=lambda trace: self.log("error", f"a bug in corepilot: {trace}"),
        )
        self._server.start()
        gevent.spawn(self._keep_control)
        configuration = self.configuration
        telemetry = configuration.telemetry
        if configuration.catalogs or (telemetry and telemetry.sinks):
            plugins = self._plugins()
            try:
                self.discovery.commit(configuration, self.discovery.prepare(configuration, plugins))
            except CorepilotError as error:
                self.log("error", f"{error}; nothing is registered and nothing is watched")
            self.exposition.start(plugins)
            if plugins.observing:
                self.observed = True
                self.bus.subscribe(plugins.event)
        self.ready()
        self._tell_start()

    def _tell_start(self) -> None:
        configuration, backend = self.configuration, self.discovery.backend
        plugin = configuration.catalog()
        catalog = f"{plugin.name} at {backend.address if backend else ''}" if plugin else "none"
        self.log(
            "info",
            f"corepilot {_version.__version__} runs {configuration.location}: "
            f"{counted(len(configuration.jobs), 'job')}, catalog {catalog}, socket {self.control_path}",
        )
        for warning in (*configuration.warnings, *self._control_socket.warnings):
            self.log("warning", warning)

    def ready(self) -> None:
        """Everything is up: tell the guard the stop's budget."""
        self._channel.ready(stop_budget_s(self.configuration, DRAIN_S))

    def _plugins(self) -> "Plugins":
        from corepilot.plugin.manager import Plugins

        return Plugins(lambda name, error: self.log("error", f"{name}: {one_line_traceback(error)}"))

    # --------------------------------------------------------------------------------------------------------- the end
    def _end(self) -> int:
        """After the last job: its orphans go, then the catalog, then everything else."""
        self.reserve.close()
        self.discovery.stop_watching()
        self.shutdown.end_orphans()
        self.shutdown.leave_catalog()
        self.exposition.close()
        if self._server is not None:
            self._server.stop()
        self.jobs.discard()
        reasons = self.shutdown.reasons.changed(
            ended_by=self.jobs.ended_by, failure=self.jobs.failure, mode=self.configuration.exit_status
        )
        status = status_of(reasons)
        self.log("info", last_line(reasons, self.shutdown.account(time.monotonic() - self.started_at)))
        self.shutdown.announce_end(status)
        return status

    # ---------------------------------------------------------------------------------------------- the control socket
    @property
    def control_path(self) -> str:
        """Where the control socket is."""
        return (self._server.control_socket if self._server else self._control_socket).path

    def bind_control(self, configuration: Configuration) -> "ControlSocket | None":
        """Bind the control socket of a configuration (ContainerPilot contract, section 4.11); None if it stays.

        Raises:
            CorepilotError: it cannot be had.
        """
        configured, environment = configuration.control.socket, self.arguments.environment
        if is_there(self.control_path, configured, environment):
            return None
        # No wait for a directory: there is a socket, and nobody stands still for another one.
        return bind_control_socket(
            configured, environment, retry_s=0, strict=configuration.control.strict, sleep=gevent.sleep
        )

    def move_control(self, control_socket: "ControlSocket") -> None:
        """Answer there from now on."""
        assert self._server is not None  # noqa: S101  - a reload comes through it
        old = self.control_path
        self._server.move(control_socket)
        self.log("info", f"the control socket is now at {control_socket.path}, and no longer at {old}")

    def _keep_control(self) -> None:
        """Listen again where somebody has removed the socket's file."""
        told = ""
        while self._server is not None:
            gevent.sleep(LOOK_AT_SOCKET_S)
            self.reserve.refill()
            try:
                if self._server.restore():
                    self.log("warning", f"the control socket {self.control_path} was removed; it is there again")
                    told = ""
            except CorepilotError as error:
                if str(error) != told:
                    told = str(error)
                    self.log("error", told)

    # --------------------------------------------------------------------------------------------------- what comes in
    def _signalled(self, number: int) -> None:
        name = signal.Signals(number).name
        if number in STOPPING:
            self._guard_spoke()  # the kernel sends SIGTERM when the guard has died: that is no second request
            if not self.shutdown.reasons.guard_lost:
                self.shutdown.stop(name)
        elif number in {signal.SIGHUP, signal.SIGUSR2}:
            self.bus.publish(Event("signal", name))
        elif number == signal.SIGUSR1:
            self.log.reopen()
        else:
            self._print_stacks(name)
            self.shutdown.reasons = self.shutdown.reasons.changed(quit=True)
            self.shutdown.stop(name)

    def _print_stacks(self, name: str) -> None:
        from io import StringIO

        from gevent.util import print_run_info

        stacks = StringIO()
        print_run_info(file=stacks)
        self.log("error", f"stacks of all greenlets, because of {name}:")
        self.log.lines("error", stacks.getvalue().split("\n"))

    def _guard_spoke(self) -> None:
        if self._channel.guard_lost():
            self.shutdown.guard_lost()

    def _status(self) -> dict[str, object]:
        return self._target.status()

    def _security_event(self, event: dict[str, object]) -> None:
        facts = ", ".join(f"{name} {value}" for name, value in event.items())
        self.log("warning" if str(event["event"]).endswith("fail") else "debug", f"control socket: {facts}")

    def _broken(self, event: Event, error: Exception) -> None:
        self.log("error", f"a bug in corepilot: event {event}: {one_line_traceback(error)}")
