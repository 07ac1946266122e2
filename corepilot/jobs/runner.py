"""Acts for one job: turns the machine's actions into processes, timers, events and registrations, and back."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any, Protocol

from corepilot.jobs.actor import Actor
from corepilot.jobs.plan import Plan
from corepilot.jobs.process import RESTART
from corepilot.jobs.run import Run, Spawner
from corepilot.jobs.state import (
    MAIN,
    Action,
    Advertise,
    ClearTimer,
    Due,
    Emptied,
    Ended,
    Exited,
    Kill,
    Outcome,
    Publish,
    Report,
    SetTimer,
    Start,
    Sweep,
    Swept,
    Timer,
    TimerName,
    Unstarted,
    Withdraw,
)
from corepilot.model.event import Event
from corepilot.model.fact import RunEnded, RunStarted
from corepilot.model.service import Registration, Status
from corepilot.observers.facts import Facts
from corepilot.output.pipe import OutputPipe
from corepilot.output.records import Fields
from corepilot.output.repeat import Repeat
from corepilot.system.clock import Timers
from corepilot.system.groups import Orphans, descendants, group_of, members
from corepilot.system.process import SpawnError, describe_status

POLL_S = 0.01
"""How often it is looked whether a process group is empty, which the kernel does not tell."""

HELD_MAX = 8
"""How many ended runs of a job may have left processes behind whose output is still read."""

NAMED_MAX = 5
"""How many processes of a group are named when they are killed."""

BOUNDING: frozenset[TimerName] = frozenset(("hook", "kill", "check-group"))
"""Timers that bound a wait within a stop."""

LIMITING: frozenset[TimerName] = BOUNDING | {"timeout", "check-timeout"}
"""Timers that end something: what a pause of the container took from it, it is given again."""

_TIMERS: dict[TimerName, str] = {"check": "heartbeat", "interval": "run-every", "when": "wait-timeout"}
"""What ContainerPilot calls a job's timers in its debug log; the others are ours."""

QUIET_TIMER = "containerpilot.heartbeat"
"""Telemetry's own heartbeat, which would fill the debug log."""


class Registrations(Protocol):
    """What a job tells about its service. Nothing here blocks; see `corepilot.discovery.registrar`."""

    def advertise(self, registration: Registration, status: Status, output: str = "") -> None:
        """Make the catalog hold the instance."""

    def report(self, instance_id: str, status: Status, output: str = "") -> None:
        """Tell the status of an instance."""

    def withdraw(self, registration: Registration) -> None:
        """Take the instance out, also one that was never put in by us."""


class Supervision(Spawner):
    """What all jobs share.

    Attributes:
        registrations: Where services are registered.
        publish: Puts an event on the bus.
        facts: Told of each run's start and end.
        checked: Told how long each check of a job took, in seconds.
        extend: Told of every stretch of waiting within a stop, in seconds: the stop may last at least that long.
        ended: Told of each job whose stop is over.
        orphans: Processes that have lost their parents.
        timers: Give the time of a pause again.
        shortages: Says now and then that starts fail for want of descriptors, processes or memory.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        spawner: Spawner,
        registrations: Registrations,
        publish: Callable[[Event], None],
        extend: Callable[[float], None],
        *,
        facts: Facts | None = None,
        checked: Callable[[str, float], None] = lambda _job, _seconds: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(spawner.loop, spawner.reaper, spawner.log, spawner.environment)
        self.registrations, self.publish, self.extend, self.clock = registrations, publish, extend, clock
        self.facts, self.checked = facts or Facts(wanted=False), checked
        self.ended: Callable[[Actor, Outcome], None] = lambda _actor, _outcome: None
        self.orphans = Orphans(spawner.reaper.is_ours, spawner.loop.now)
        self.timers = Timers(spawner.loop)
        self.shortages = Repeat(spawner.log)
        self.made = 0


class Runner(Actor):
    """A job that lives. Everything happens in the hub's thread, in callbacks that do not switch.

    Attributes:
        exits: How often its main process has ended, by reason: see `corepilot.telemetry.builtin.JOB_EXITS`.
    """

    def __init__(self, plan: Plan, around: Supervision) -> None:
        super().__init__(plan, around.clock)
        self._around = around
        around.made += 1
        self.mark = f"{os.getpid()}-{around.made}"
        self._timers: dict[Timer, tuple[Callable[[], None], float]] = {}
        self._runs: dict[int, Run] = {}
        self._held: list[OutputPipe] = []
        self._poll: Any = None
        self._sweep: Sweep | None = None
        self._named_strays: set[int] = set()
        self.last_status: int | None = None
        self.started_at: float | None = None
        self._last_pid = 0
        self._restart_s = 0.0
        self._checks_began: dict[int, float] = {}
        self.exits: dict[str, int] = {}
        self.trouble = ""
        self.killed: list[str] = []

    @property
    def pid(self) -> int | None:
        """The pid of the main process, if it runs."""
        run = self._runs.get(MAIN)
        return run.pid if run is not None and run.alive else None

    @property
    def waits_until(self) -> float:
        """When the last of the waits is over at the latest that bound its stop; 0 without one."""
        return max([due for timer, (_, due) in self._timers.items() if timer.name in BOUNDING], default=0.0)

    @property
    def restart_delay_s(self) -> float:
        """The delay of the restart that it waits for; 0 when it waits for none."""
        return self._restart_s if RESTART in self._timers else 0.0

    def signal(self, number: int, *, group: bool) -> bool:
        """Signal the main process, or its group; whether there was anybody to receive it."""
        pid = self.pid
        if pid is None:
            return False
        try:
            os.kill(-pid if group else pid, number)
        except OSError:
            return False
        return True

    def reset(self) -> None:
        """Stop all timers."""
        for timer in list(self._timers):
            self._clear(timer)

    def discard(self) -> None:
        """Stop timers and close pipes, those of a complete job's daemons too. Idempotent."""
        self.reset()
        self._stop_polling()
        for run in self._runs.values():
            run.close()
        while self._held:
            self._held.pop().close()

    def perform(self, action: Action) -> None:
        """Do what the machine asks for."""
        around = self._around
        match action:
            case Publish(event):
                around.publish(event)
            case Start(role):
                self._start(role)
            case Kill(role, force, why):
                self._kill(role, force=force, why=why)
            case Sweep():
                self._begin_sweep(action)
            case SetTimer(timer, after_s, every):
                self._set(timer, after_s, every=every)
            case ClearTimer(timer):
                self._clear(timer)
            case Advertise(registration, status, output):
                around.registrations.advertise(registration, status, output)
            case Report(instance, status, output):
                around.registrations.report(instance, status, output)
            case Withdraw(registration):
                around.registrations.withdraw(registration)
            case Ended(outcome):
                self.reset()
                around.ended(self, outcome)

    # -------------------------------------------------------------------------------------------------- processes
    def _start(self, role: int) -> None:
        job = self.plan.job
        command = job.command if role == MAIN else job.checks[role].command
        assert command is not None  # noqa: S101  - the machine starts what there is
        self._trace(role, "start")
        try:
            run = Run(
                self._around,
                command,
                lambda run, status: self._exited(role, run, status),
                mark=self.mark,
                name=self._name(role),
                check=role != MAIN,
            )
        except SpawnError as error:
            if role == MAIN:
                self.trouble, self._last_pid = str(error), 0
            if error.shortage:
                self._around.shortages.failed("spawn", f"{self._name(role)}: {error}; it is started later")
            else:
                self._around.log("error", str(error), self._fields(role, None))
            self._trace(role, "end")
            failed = Unstarted(role) if error.shortage else Exited(role, error.status, str(error))
            # Not at once: the machine's other actions of this step come first.
            self._around.loop.run_callback(self._settle, failed)
            return
        run.read(self._fields(role, run.pid))
        self._runs[role] = run
        if role != MAIN:
            self._checks_began[role] = self._around.clock()
        else:
            self.started_at = self._around.clock()
            self._last_pid = run.pid
            if self._around.facts.wanted:
                self._around.facts.tell(RunStarted(time.time(), str(self.key), run.pid, self.starts))

    def _settle(self, stimulus: Exited | Unstarted) -> None:
        if stimulus.role == MAIN and isinstance(stimulus, Exited):
            self._tell_end(stimulus)
            reason = self._reason(stimulus)
            self.exits[reason] = self.exits.get(reason, 0) + 1
            self.last_status = stimulus.status
            self.own_exits += not self.state.alone
            self.trouble = stimulus.reason if stimulus.status else ""
        elif stimulus.role == MAIN:
            self.starts -= 1
        self.handle(stimulus)
        self._poll_leaving()

    def _exited(self, role: int, run: Run, status: int) -> None:
        self._trace(role, "end")
        if role in self._checks_began:
            self._around.checked(str(self.key), self._around.clock() - self._checks_began.pop(role))
        if run.pipe is not None and run.pipe.open:
            self._hold(run.pipe)
        if status and role == MAIN and not self.state.stopping:
            self._around.log("error", f"{self._name(role)} exited with error: {describe_status(status)}")
        remains = run.remains
        if remains:
            self._start_polling()
        else:
            del self._runs[role]
        tail = run.pipe.tail if run.pipe is not None else ""
        self._settle(Exited(role, status, describe_status(status), tail, remains=remains))

    def _reason(self, ended: Exited) -> str:
        if self._last_pid == 0:
            return "unstarted"
        if self.state.stopping:
            return "stopped"
        if ended.status == 0:
            return "success"
        return "signal" if ended.reason.startswith("signal:") else "failure"

    def _tell_end(self, ended: Exited) -> None:
        if self._around.facts.wanted:
            lasted_s = 0.0 if self.started_at is None or self._last_pid == 0 else self._around.clock() - self.started_at
            told = RunEnded(
                time.time(), str(self.key), self._last_pid, self.starts, ended.status, ended.reason, lasted_s
            )
            self._around.facts.tell(told)

    def _hold(self, pipe: OutputPipe) -> None:
        """Go on reading what daemons of an ended run write, for the last `HELD_MAX` runs."""
        self._held = [one for one in self._held if one.open]
        self._held.append(pipe)
        if len(self._held) > HELD_MAX:
            self._held.pop(0).close()

    def _kill(self, role: int, *, force: bool, why: str) -> None:
        run = self._runs.get(role)
        if run is None:
            return
        self._signal_run(role, run, force=force, why=why)
        self._trace(role, "kill" if force else "term")
        if force:
            run.kill()
        else:
            run.end()

    def _signal_run(self, role: int, run: Run, *, force: bool, why: str) -> None:
        if not why:
            return
        what = f"{'killing' if force else 'ending'} the {'job' if role == MAIN else 'check'}"
        left = "" if run.alive else _named([name for _, name in members(run.pid)])
        self._around.log("warning", f"{what}{left}: {why}", self._fields(role, run.pid))
        if force and (self.state.stopping or not run.alive) and self._name(role) not in self.killed:
            self.killed.append(self._name(role))

    # ------------------------------------------------------------------------------------- what is left of a job
    def _begin_sweep(self, sweep: Sweep) -> None:
        """End the group and what has left it; `Swept` comes when all of it is gone, and not within this step."""
        run = self._runs.get(MAIN)
        first, self._sweep = self._sweep is None, sweep
        strays: set[int] = set()
        if run is not None:
            strays = {pid for pid in descendants(run.pid) if group_of(pid) != run.pid} if run.alive else set()
            self._kill(MAIN, force=sweep.force, why=sweep.why)
        self._end_strays(strays)
        if first:
            self._around.loop.run_callback(self._poll_leaving)

    def _strays(self) -> set[int]:
        groups = {run.pid for run in self._runs.values()}
        found = self._around.orphans.of(self.mark)
        return {pid for pid in found if group_of(pid) not in groups}

    def _end_strays(self, strays: set[int]) -> None:
        sweep = self._sweep
        if sweep is None:
            return
        if sweep.force:
            for pid in strays:
                _send(pid, signal.SIGKILL)
            return
        for pid in strays - self._named_strays:
            self._named_strays.add(pid)
            _send(pid, signal.SIGTERM)
            _send(pid, signal.SIGCONT)

    def _poll_leaving(self) -> None:
        """What the kernel does not tell: groups that have become empty, strays that have ended."""
        for role, run in list(self._runs.items()):
            if not run.alive and not run.remains:
                del self._runs[role]
                self.handle(Emptied(role))
        if self._sweep is not None and MAIN not in self._runs:
            strays = self._strays()
            self._end_strays(strays)
            if not strays:
                self._sweep = None
                self._named_strays.clear()
                self.handle(Swept())
        if self._sweep is not None or any(not run.alive for run in self._runs.values()):
            self._start_polling()
        else:
            self._stop_polling()

    def _start_polling(self) -> None:
        if self._poll is None:
            self._poll = self._around.loop.timer(POLL_S, POLL_S)
            self._poll.start(self._poll_leaving, update=True)

    def _stop_polling(self) -> None:
        if self._poll is not None:
            self._poll.stop()
            self._poll.close()
            self._poll = None

    # ---------------------------------------------------------------------------------------------------- the log
    def _name(self, role: int) -> str:
        return self.name if role == MAIN else f"check.{self.name}"

    def _fields(self, role: int, pid: int | None) -> Fields:
        command = ("job" if role == MAIN else "check", self._name(role))
        return (command, ("pid", pid)) if pid else (command,)

    def _trace(self, role: int, what: str) -> None:
        if self._around.log.debugging:
            self._around.log("debug", f"{self._name(role)}.Run {what}")

    # ----------------------------------------------------------------------------------------------------- timers
    def _set(self, timer: Timer, after_s: float, *, every: bool) -> None:
        self._clear(timer)
        around = self._around
        if after_s > 0 and not every and timer.name in LIMITING:
            stop = around.timers.start(after_s, lambda: self._due(timer)).stop
        else:
            stop = _plain_timer(around.loop, after_s, after_s if every else 0.0, lambda: self._due(timer))
        self._timers[timer] = (stop, around.clock() + after_s)
        if timer == RESTART:
            self._restart_s = after_s
        if timer.name in BOUNDING:
            around.extend(after_s)

    def _clear(self, timer: Timer) -> None:
        found = self._timers.pop(timer, None)
        if found is not None:
            found[0]()

    def _due(self, timer: Timer) -> None:
        if self._around.log.debugging:
            name = f"{self.name}.{_TIMERS.get(timer.name, timer.name)}"
            if name != QUIET_TIMER:
                self._around.log("debug", f"timer: {{TimerExpired {name}}}")
        self.handle(Due(timer))


def _plain_timer(loop: Any, after_s: float, every_s: float, due: Callable[[], None]) -> Callable[[], None]:
    """Start a timer of the event loop; returns what stops it."""
    watcher = loop.timer(after_s, every_s)
    watcher.start(due, update=True)

    def stop() -> None:
        watcher.stop()
        watcher.close()

    return stop


def _named(names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
    return f"'s processes {', '.join(names[:NAMED_MAX])}{more}"


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except OSError:
        return  # it has ended, or is not ours to signal
