"""The application: everything wired together, from the first job to the last word. It alone knows everyone."""

import gc
import os
import time
from typing import TYPE_CHECKING, Any

import gevent
from gevent.event import Event as Flag

from corepilot import _version
from corepilot.config.model import Config
from corepilot.control.locations import is_there
from corepilot.control.paths import bind_control_socket
from corepilot.errors import CorepilotError
from corepilot.events import Event
from corepilot.jobs.environment import ChildEnvironment
from corepilot.output.log import Log
from corepilot.supervisor.arguments import LOAD_DEADLINE_S, REFUSED, RunArguments, refuse
from corepilot.supervisor.generation import DRAIN_S, Generation
from corepilot.supervisor.leftovers import end_leftovers
from corepilot.supervisor.signals import Signals
from corepilot.system.process import Reaper

if TYPE_CHECKING:
    from corepilot.config.loading.loader import LoadResult
    from corepilot.control.paths import ControlSocket
    from corepilot.control.server import ControlServer
    from corepilot.guard import Channel
    from corepilot.supervisor.target import Target

GUARD_SLACK_S = 3.0
"""What a stop may take beyond the waits that are announced: leaving the catalog, flushing, exiting."""

LOST_GUARD_S = 1.0
"""Seconds the jobs get when the guard has died: nobody but us can end them now."""

NAMED_MAX = 20
"""How many killed processes are named in the log."""

QUIT = 2
"""Exit status after SIGQUIT, which prints all stacks and ends (ContainerPilot contract, section 4.9)."""

BROKEN = 70
"""Exit status when corepilot itself broke (sysexits.h, EX_SOFTWARE)."""


class App:
    """The supervisor of one container, over all its configurations.

    Args:
        config: The first configuration.
        arguments: What `corepilot run` was asked to do; a reload asks for the same again.
        channel: The line to the guard.
        signals: What has arrived before there was a hub, and will arrive later.
    """

    def __init__(self, config: Config, arguments: RunArguments, channel: "Channel", signals: Signals) -> None:
        self.arguments = arguments
        self.started_at = time.monotonic()
        self._channel = channel
        self._signals = signals
        self._loop = gevent.get_hub().loop
        self.reaper = Reaper(self._loop)
        self.environment = ChildEnvironment(arguments.environment, os.getpid())
        self._config = config
        self._next: Config | None = None
        self._finished = Flag()
        self._settled = Flag()
        self._stop_reason = ""
        self._stop_asked = False
        self._hurried = False
        self._left_behind = 0
        self._signal_watcher: Any = None
        self._stop_deadline = 0.0
        self._guard_lost = False
        self._ill_status = 0
        self._server: ControlServer | None = None
        self._control_socket: ControlSocket
        self._target: Target
        self.log: Log
        self.generation: Generation

    # ----------------------------------------------------------------------------------------------------- the life
    def run(self) -> int:
        """Run until every job has ended or a stop was asked for; returns the exit status."""
        try:
            self.log = Log(self._config.logging)
        except OSError as error:
            return refuse(
                f"cannot open the log file {self._config.logging.output}: {error.strerror}; see logging.output"
            )
        try:
            self._control_socket = bind_control_socket(
                self._config.control_socket,
                self.arguments.environment,
                strict=self._config.control_strict,
                on_wait=lambda message: self.log("warning", message),
                give_up=lambda: self._signals.stop_asked,
            )
        except CorepilotError as error:
            self.log.close()
            return 0 if self._signals.stop_asked else refuse(str(error))
        self._signal_watcher = self._signals.deliver_to(self._loop, self._signalled)
        guard = self._loop.io(self._channel.fileno(), 1)
        guard.start(self._guard_spoke)
        try:
            self._start_generation()
            gevent.sleep(0)  # the first jobs are started here, before anything else is imported
            gc.enable()
            from corepilot.control.server import ControlServer
            from corepilot.supervisor.target import Target

            self._target = Target(self)
            self._server = ControlServer(
                self._control_socket,
                self._target,
                log=self._say,
                on_event=self._security_event,
                on_request=lambda path, code: self.generation.control_requests.record(1, (str(code), path)),
                on_error=self._control_broke,
            )
            self._server.start()
            self._start_rest()
            self._live()
            return self._end()
        finally:
            guard.stop()
            self._control_socket.remove()
            self.log.close()

    def _start_generation(self) -> None:
        self._finished.clear()
        if self.log.debugging:
            from corepilot.supervisor.showing import shown

            self.log("debug", f"loaded config: {shown(self._config, self.environment.current())}")
        self.generation = Generation(
            self._config,
            loop=self._loop,
            reaper=self.reaper,
            log=self.log,
            environment=self.environment,
            patience=self._be_patient,
            finished=self._finished.set,
            last=lambda reason: self.stop(reason, asked=False),
        )
        try:
            self.generation.start(lambda: self.stopping)
        except OSError as error:
            self._give_up(f"the telemetry address cannot be had: {error.strerror}")

    def _start_rest(self) -> None:
        generation = self.generation
        generation.start_rest(self.arguments.environment, self._target.status)
        self._channel.ready(generation.stop_budget_s())
        config = generation.config
        backend = generation.backend.address if generation.backend else ""
        self.log(
            "info",
            f"corepilot {_version.__version__} runs {config.source}: {_count(len(config.jobs), 'job')}, catalog "
            f"{config.discovery.name + ' at ' + backend if config.discovery else 'none'}, socket {self.control_path}",
        )
        for warning in (*config.warnings, *self._control_socket.warnings):
            self.log("warning", warning)
        self._settled.set()

    def _live(self) -> None:
        """Until the last generation's jobs are complete; a reload that was accepted starts the next one."""
        while True:
            self._finished.wait()
            self._leave_generation()
            if self._next is None or self._stop_reason:
                return
            self._config, self._next = self._next, None
            log = self.log
            try:
                self.log = Log(self._config.logging)
            except OSError as error:
                log(
                    "error",
                    f"cannot open the log file {self._config.logging.output}: {error.strerror}; it stays as it was",
                )
            else:
                log.close()
            self._move_control_socket()
            self._start_generation()
            self._start_rest()

    def _move_control_socket(self) -> None:
        """Be where the new configuration says (ContainerPilot contract, section 4.11), or stay where clients are."""
        configured, environment = self._config.control_socket, self.arguments.environment
        if self._server is None or is_there(self.control_path, configured, environment):
            return
        try:
            # No wait for a directory: there is a socket, and the jobs do not stand still for another one.
            control_socket = bind_control_socket(
                configured, environment, retry_s=0, strict=self._config.control_strict, sleep=gevent.sleep
            )
        except CorepilotError as error:
            self.log("error", f"{error}; the control socket stays at {self.control_path}")
            return
        self._server.move(control_socket)
        self.log("info", f"the control socket is now at {control_socket.path}, and no longer at {self.control_path}")
        self._control_socket = control_socket

    def _leave_generation(self) -> None:
        """After the last job: its orphans go, then the catalog, so that nothing of it meets what comes next."""
        self.generation.close()
        timeout_s = max(self._config.stop_timeout_s, 0.0)
        self._be_patient(timeout_s)
        left = end_leftovers(self.reaper, timeout_s, hurry=lambda: self._guard_lost or self._hurried)
        self._left_behind += len(left)
        for name in left[:NAMED_MAX]:
            self.log(
                "warning",
                f"killed {name}, which a job left behind: still running {timeout_s:g} s after its stop signal; "
                "raise stopTimeout to give it longer",
            )
        if len(left) > NAMED_MAX:
            self.log("warning", f"killed {len(left) - NAMED_MAX} more processes that jobs left behind")

    def _end(self) -> int:
        crew = self.generation.crew
        status = crew.ended_by or 0
        why = self._stop_reason or "every job has ended"
        if crew.failure and not self._stop_reason:
            why = f"job {crew.failure[0]} failed for good with status {crew.failure[1]}"
            status = crew.failure[1]
        if self._config.exit_status == "zero":
            status = 0
        if self._guard_lost:
            status = BROKEN
        elif self._ill_status:
            status = self._ill_status
        if self._server is not None:
            self._server.stop()
        killed = list(crew.killed)
        if self._left_behind:
            killed.append(f"{_count(self._left_behind, 'process', 'processes')} that jobs left behind")
        self.log(
            "info",
            f"corepilot ends after {time.monotonic() - self.started_at:.1f} s: {why}; "
            f"killed: {', '.join(killed) or 'nobody'}",
        )
        self._channel.stopping(GUARD_SLACK_S, status)
        return status

    # ------------------------------------------------------------------------------------------------- stop, signals
    def stop(self, reason: str, *, asked: bool = True) -> None:
        """Begin to stop; asked again, wait for nothing any more (contract, section 4.8; our decision).

        Args:
            reason: Why, for the log.
            asked: Whether somebody outside wants it, and not a job with whose end everything ends.
        """
        again, self._stop_asked = self._stop_asked, self._stop_asked or asked
        under_way, self._stop_reason = self.stopping, self._stop_reason or reason
        self._be_patient(max(self._config.stop_timeout_s, 0.0))
        if again:
            if not self._hurried:
                self.log("warning", f"{reason} again: every process that is left is killed now")
            self._hurried = True
            self.generation.hurry()
        elif not under_way:
            self.log("info", f"stopping: {reason}")
            self.generation.crew.stop()

    @property
    def control_path(self) -> str:
        """Where the control socket is."""
        return self._control_socket.path

    @property
    def stopping(self) -> bool:
        """Whether a stop has been asked for."""
        return bool(self._stop_reason)

    def _be_patient(self, seconds: float) -> None:
        """Tell the guard how long the stop may still take. What was promised before is never taken back."""
        if not self._stop_reason:
            return
        now = time.monotonic()
        self._stop_deadline = max(self._stop_deadline, now + seconds + max(self._config.stop_timeout_s, 0.0) + DRAIN_S)
        self._channel.stopping(self._stop_deadline - now + GUARD_SLACK_S, 0)

    def _signalled(self, number: int) -> None:
        import signal

        name = signal.Signals(number).name
        if number in {signal.SIGTERM, signal.SIGINT}:
            self._guard_spoke()  # the kernel sends SIGTERM when the guard has died: that is no second request
            if not self._guard_lost:
                self.stop(name)
        elif number in {signal.SIGHUP, signal.SIGUSR2}:
            self.generation.bus.publish(Event("signal", name))
        elif number == signal.SIGUSR1:
            self.log.reopen()
        else:
            from io import StringIO

            from gevent.util import print_run_info

            stacks = StringIO()
            print_run_info(file=stacks)
            self.log("error", f"stacks of all greenlets, because of {name}:\n{stacks.getvalue()}")
            self._ill_status = QUIT
            self.stop(name)

    def _give_up(self, message: str) -> None:
        self._ill_status = REFUSED
        self.stop(message)

    def _guard_spoke(self) -> None:
        if self._guard_lost or not self._channel.guard_lost():
            return
        self._guard_lost = True
        self.log("error", f"the guard has died: every job is ended within {LOST_GUARD_S:g} s")
        self.stop("the guard has died")
        gevent.spawn_later(LOST_GUARD_S, self.generation.hurry)

    def _say(self, level: str, message: str) -> None:
        self.log(level, message)  # the log of this moment: a reload may change it

    def _security_event(self, event: dict[str, object]) -> None:
        facts = ", ".join(f"{name} {value}" for name, value in event.items())
        self.log("warning" if str(event["event"]).endswith("fail") else "debug", f"control socket: {facts}")

    def _control_broke(self, trace: str) -> None:
        self.log("error", f"a bug in corepilot: {trace}")

    # --------------------------------------------------------------------------------------------------------- reload
    def reload(self) -> "LoadResult":
        """Load the configuration again; if it is good, end this generation and start the next one.

        Returns when the configuration has been judged. A bad one changes nothing. Switches greenlets.

        Raises:
            CorepilotError: a stop is under way, or the loader broke.
        """
        from corepilot.errors import ControlError
        from corepilot.supervisor import reloading

        if not self._settled.wait(LOAD_DEADLINE_S * 3):
            raise ControlError("cannot reload: the last reload has not ended yet; try again later")
        self._settled.clear()
        accepted = False
        try:
            if self._stop_reason:
                raise ControlError(f"cannot reload: corepilot is stopping ({self._stop_reason})")
            request = self.arguments.request(self.environment.current())
            result = reloading.load(request, self.reaper, LOAD_DEADLINE_S)
            if result.config is None or self._stop_reason:
                self.log("error", "reload refused: the old configuration stays")
                for problem in result.problems:
                    if problem.is_error:
                        self.log("error", problem.sentence())
                return result
            accepted = True
            self._next = Config.from_plain(result.config)
            self.log("info", "reloading")
            self.generation.crew.stop()
            return result
        finally:
            if not accepted:
                self._settled.set()


def _count(number: int, noun: str, plural: str = "") -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {plural or noun + 's'}"
