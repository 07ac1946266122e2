"""Acts for one job: turns the machine's actions into processes, timers, events and registrations, and back."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from corepilot.discovery.model import Registration, Status
from corepilot.events import Event
from corepilot.jobs import machine
from corepilot.jobs.environment import ChildEnvironment
from corepilot.jobs.model import (
    Action,
    Advertise,
    ClearTimer,
    Complete,
    Due,
    Emptied,
    Exited,
    Kill,
    Plan,
    Publish,
    Report,
    Role,
    SetTimer,
    Start,
    Stimulus,
    Timer,
    Withdraw,
)  # fmt: skip
from corepilot.output.log import Fields, Log
from corepilot.output.pipe import OutputPipe
from corepilot.system.process import NOT_EXECUTABLE, Reaper, SpawnError, describe_status, signal_group, spawn

CHECK_LOG_BYTES = 64 * 1024
"""How much of one check's output is logged."""


_TIMERS: dict[Timer, str] = {"check": "heartbeat", "interval": "run-every", "when": "wait-timeout"}
"""What ContainerPilot calls a job's timers in its debug log; the others are ours."""

QUIET_TIMER = "containerpilot.heartbeat"
"""Telemetry's own heartbeat, which would fill the debug log."""

EMPTY_POLL_S = 0.01
"""How often it is looked whether a process group is empty, which the kernel does not tell."""

HELD_MAX = 8
"""How many ended runs of a job may have left processes behind whose output is still read."""


class Catalog(Protocol):
    """What a runner tells about its service. Nothing here blocks; see `corepilot.discovery.registrar`."""

    def advertise(self, registration: Registration, status: Status, output: str = "") -> None:
        """Make the catalog hold the instance."""

    def report(self, instance_id: str, status: Status, output: str = "") -> None:
        """Tell the status of an instance."""

    def withdraw(self, registration: Registration) -> None:
        """Take the instance out, also one that was never put in by us."""


@dataclass(slots=True)
class Surroundings:
    """What all runners of a configuration share.

    Attributes:
        loop: gevent's loop.
        reaper: Who waits for the processes.
        log: The log.
        environment: What commands are started with.
        catalog: Where services are registered.
        publish: Puts an event on the bus.
        patience: Told of every stretch of waiting within a stop, in seconds: the stop may last at least that long.
        completed: Told of each job that has ended for good.
        clock: Monotonic seconds.
    """

    loop: Any
    reaper: Reaper
    log: Log
    environment: ChildEnvironment
    catalog: Catalog
    publish: Callable[[Event], None]
    patience: Callable[[float], None]
    completed: Callable[["Runner"], None]
    clock: Callable[[], float] = time.monotonic


class _Run:
    """One process of a job: a run of its main command, or of its check."""

    __slots__ = ("pid", "pipe", "told")

    def __init__(self, pid: int, pipe: OutputPipe | None) -> None:
        self.pid = pid
        self.pipe = pipe
        self.told = False  # to end, by a signal to its group


class Runner:
    """A job that lives. Everything happens in the hub's thread, in callbacks that do not switch."""

    def __init__(self, plan: Plan, around: Surroundings) -> None:
        self.plan = plan
        self._around = around
        self._timers: dict[Timer, Any] = {}
        self._runs: dict[Role, _Run] = {}
        self._held: list[OutputPipe] = []
        self._emptying: tuple[int, Any] | None = None  # a process group without its leader, and the timer that looks
        self._forced = False
        self.starts = 0
        self.own_exits = 0
        self.last_status: int | None = None
        self.started_at: float | None = None
        self.killed: list[str] = []
        self.state, self._first = machine.begin(plan)

    def begin(self) -> None:
        """Carry out the machine's first actions: timers, and the first registration if one is asked for."""
        for action in self._first:
            self._act(action)

    def handle(self, stimulus: Stimulus) -> None:
        """Let something happen to the job."""
        self.state, actions = machine.step(self.plan, self.state, stimulus, self._around.clock())
        for action in actions:
            self._act(action)

    @property
    def pid(self) -> int | None:
        """The pid of the main process, if it runs."""
        run = self._runs.get("main")
        return run.pid if run else None

    def discard(self) -> None:
        """Stop timers and close pipes, those of a complete job's daemons too. Idempotent."""
        self._rest()
        self._forget_group()
        for run in self._runs.values():
            if run.pipe is not None:
                run.pipe.close()
        while self._held:
            self._held.pop().close()

    def _act(self, action: Action) -> None:
        around, service = self._around, self.plan.job.service
        match action:
            case Publish(event):
                around.publish(event)
            case Start(role):
                self._start(role)
            case Kill(role, force, why):
                self._kill(role, force=force, why=why)
            case SetTimer(timer, after_s, every):
                self._set(timer, after_s, every=every)
            case ClearTimer(timer):
                self._clear(timer)
            case Advertise(status, output) if service is not None:
                around.catalog.advertise(service.registration, status, output)
            case Report(status, output) if service is not None:
                around.catalog.report(service.registration.id, status, output)
            case Withdraw() if service is not None:
                around.catalog.withdraw(service.registration)
            case Complete():
                self._rest()
                around.completed(self)

    # -------------------------------------------------------------------------------------------------- processes
    def _command(self, role: Role) -> tuple[str, tuple[str, ...], bool]:
        job = self.plan.job
        if role == "main":
            return job.name, job.exec or (), job.raw
        assert job.health is not None  # noqa: S101  - the machine starts checks of jobs that have one
        return f"check.{job.name}", job.health.exec or (), job.health.raw

    def _start(self, role: Role) -> None:
        around = self._around
        name, argv, raw = self._command(role)
        self._trace(role, "start")
        pipe: OutputPipe | None = None
        try:
            if not raw:
                limit = CHECK_LOG_BYTES if role == "check" else None
                pipe = OutputPipe(around.loop, around.log, log_limit_bytes=limit, keep=role == "check")
            output = pipe.write_end if pipe else None
            environment = around.environment.current()
            pid = spawn(argv, environment, around.reaper, lambda status: self._exited(role, status), output=output)
        except (SpawnError, OSError) as error:
            if pipe is not None:
                pipe.close()
            status = error.status if isinstance(error, SpawnError) else NOT_EXECUTABLE
            if not isinstance(error, SpawnError):
                error = SpawnError(f"cannot start {argv[0]!r}: {error.strerror}", status)
            around.log("error", str(error), self._fields(role, None))
            self._trace(role, "end")
            # Not at once: the machine's other actions of this step come first.
            around.loop.run_callback(self._settle, Exited(role, status, str(error)))
            return
        if pipe is not None:
            pipe.start(self._fields(role, pid))
        self._runs[role] = _Run(pid, pipe)
        around.environment.running(name, pid)
        if role == "main":
            self.starts += 1
            self.started_at = around.clock()

    def _exited(self, role: Role, status: int) -> None:
        run = self._runs.pop(role)
        name = self._command(role)[0]
        self._around.environment.running(name, None)
        self._trace(role, "end")
        # What the command left in its group goes with it (contract, section 4.2). It is told once: to many programs a
        # second SIGTERM means not to clean up.
        remains = signal_group(run.pid, 0 if run.told else signal.SIGTERM)
        tail = ""
        if run.pipe is not None:
            run.pipe.finish()
            tail = run.pipe.tail
            if run.pipe.open:
                self._hold(run.pipe)
        if status and role == "main" and not self.state.ending:
            self._around.log("error", f"{name} exited with error: {describe_status(status)}")
        self._settle(Exited(role, status, describe_status(status), tail, remains=remains))
        if remains and role == "main" and self.state.ending:
            looking = self._around.loop.timer(EMPTY_POLL_S, EMPTY_POLL_S)
            looking.start(self._look_at_group, update=True)
            self._emptying = (run.pid, looking)

    def _settle(self, exited: Exited) -> None:
        if exited.role == "main":
            self.last_status = exited.status
            self.own_exits += 1
        self.handle(exited)

    def _look_at_group(self) -> None:
        """Orphans of the group are ours, so its number is nobody else's until the last one has been reaped."""
        number = signal.SIGKILL if self._forced else 0  # again: one that forked meanwhile has got away
        if self._emptying is not None and not signal_group(self._emptying[0], number):
            self._forget_group()
            self.handle(Emptied())

    def _forget_group(self) -> None:
        if self._emptying is not None:
            self._emptying[1].stop()
            self._emptying[1].close()
            self._emptying = None

    def _hold(self, pipe: OutputPipe) -> None:
        """Go on reading what daemons of an ended run write, for the last `HELD_MAX` runs."""
        self._held = [one for one in self._held if one.open]
        self._held.append(pipe)
        if len(self._held) > HELD_MAX:
            self._held.pop(0).close()

    def _kill(self, role: Role, *, force: bool, why: str) -> None:
        name, run = self._command(role)[0], self._runs.get(role)
        group = run.pid if run is not None else self._emptying[0] if self._emptying and role == "main" else None
        if group is None:
            return
        if why:
            what = f"{'killing' if force else 'ending'} the {'job' if role == 'main' else 'check'}: {why}"
            self._around.log("warning", what, self._fields(role, group))
        self._trace(role, "kill" if force else "term")
        if force:
            signal_group(group, signal.SIGKILL)
            if self.state.phase == "terminating":
                self._forced = self._forced or role == "main"
                if why and name not in self.killed:
                    self.killed.append(name)
            return
        if run is not None:
            run.told = True
        signal_group(group, signal.SIGTERM)
        signal_group(group, signal.SIGCONT)  # a stopped process sees the signal only when it goes on

    def _fields(self, role: Role, pid: int | None) -> Fields:
        name = self.plan.job.name
        command = ("check", f"check.{name}") if role == "check" else ("job", name)
        return (command, ("pid", pid)) if pid else (command,)

    def _trace(self, role: Role, what: str) -> None:
        if self._around.log.debugging:
            self._around.log("debug", f"{self._command(role)[0]}.Run {what}")

    # ----------------------------------------------------------------------------------------------------- timers
    def _set(self, timer: Timer, after_s: float, *, every: bool) -> None:
        self._clear(timer)
        watcher = self._around.loop.timer(after_s, after_s if every else 0.0)
        watcher.start(self._due, timer, update=True)
        self._timers[timer] = watcher
        if timer in {"hook", "kill"}:
            self._around.patience(after_s)

    def _rest(self) -> None:
        for timer in list(self._timers):
            self._clear(timer)

    def _clear(self, timer: Timer) -> None:
        watcher = self._timers.pop(timer, None)
        if watcher is not None:
            watcher.stop()
            watcher.close()

    def _due(self, timer: Timer) -> None:
        if self._around.log.debugging:
            name = f"{self.plan.job.name}.{_TIMERS.get(timer, timer)}"
            if name != QUIET_TIMER:
                self._around.log("debug", f"timer: {{TimerExpired {name}}}")
        self.handle(Due(timer))
