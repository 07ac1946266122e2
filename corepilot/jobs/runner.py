"""Acts for one job: turns the machine's actions into processes, timers, events and registrations, and back."""

from __future__ import annotations

import os
import signal
from functools import partial
from typing import Any

from corepilot.jobs import given
from corepilot.jobs.actor import Actor
from corepilot.jobs.plan import Plan
from corepilot.jobs.process import blamed
from corepilot.jobs.results import CheckResults
from corepilot.jobs.run import Run
from corepilot.jobs.showing import Showing
from corepilot.jobs.shown import NOTHING
from corepilot.jobs.state import (
    MAIN,
    Action,
    Advertise,
    AwaitGone,
    ClearTimer,
    Due,
    Emptied,
    Ended,
    Exited,
    Kill,
    Left,
    Publish,
    Report,
    SetTimer,
    Start,
    Sweep,
    Swept,
    Timer,
    Unstarted,
    Withdraw,
)
from corepilot.jobs.state_lines import changes
from corepilot.jobs.strays import Strays, named
from corepilot.jobs.supervision import CheckCall, CheckResult, Supervision
from corepilot.jobs.timing import LOGGED_AS, QUIET_TIMER, JobTimers
from corepilot.model.fact import RunEnded, RunStarted
from corepilot.model.job import StopPolicy
from corepilot.observers.facts import stamp
from corepilot.output.held import HeldPipes
from corepilot.output.records import Fields
from corepilot.system.groups import descendants, group_of, members
from corepilot.system.process import SpawnError, describe_status

POLL_S = 0.01
"""How often it is looked whether a process group is empty, which the kernel does not tell."""


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
        self._timers = JobTimers(around, self._due)
        self._runs: dict[int, Run] = {}
        self._asked: dict[int, CheckCall] = {}
        self._held = HeldPipes()
        self._poll: Any = None
        self._sweep: Sweep | None = None
        self._strays = Strays(around.orphans, self.mark)
        self.last_status: int | None = None
        self.started_at: float | None = None
        self._last_pid = 0
        self.results = CheckResults(around.clock)
        self._readiness = Showing(around.loop, self.handle, self._complain)
        self.exits: dict[str, int] = {}
        self.trouble = ""
        self._needed_lock = False
        self._told = self.state
        self._unhealthy = ""
        self.killed: list[str] = []

    @property
    def pid(self) -> int | None:
        """The pid of the main process, if it runs."""
        run = self._runs.get(MAIN)
        return run.pid if run is not None and run.alive else None

    @property
    def groups(self) -> list[int]:
        """The process groups that are its own, as far as they are not empty."""
        return [run.pid for run in self._runs.values()]

    def moved(self) -> None:
        """Log what has changed, and tell who keeps the lock that it needs."""
        before, now = self._told, self.state
        self._told = now
        # Results of checks change the state a thousand times a second, and hardly ever what is told.
        if now.health != before.health or now.process is not before.process or now.stop is not before.stop:
            lines = changes(
                self.plan, before, self.state, pid=self.pid, why=self._unhealthy, delay_s=self.restart_delay_s
            )
            for line in lines:
                self._around.log("info", line, self._fields(MAIN, self.pid))
        needs = bool(self.plan.job.lock)
        if (needs or self._needed_lock) and self._around.locks is not None:
            self._needed_lock = needs
            self._around.locks.tell(self)

    @property
    def waits_until(self) -> float:
        """When the last of the waits is over at the latest that bound its stop; 0 without one."""
        return self._timers.waits_until

    @property
    def restart_delay_s(self) -> float:
        """The delay of the restart that it waits for; 0 when it waits for none."""
        return self._timers.restart_delay_s

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
        self._timers.reset()

    def discard(self) -> None:
        """Stop timers and close pipes, those of a complete job's daemons too. Idempotent."""
        self.reset()
        self._stop_polling()
        while self._asked:
            self._asked.popitem()[1].cancel()
        for run in self._runs.values():
            run.close()
        self._readiness.close()
        self._held.close()

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
                self._timers.set(timer, after_s, every=every)
            case ClearTimer(timer):
                self._timers.clear(timer)
            case Advertise(registration, status, output):
                around.registrations.advertise(registration, status, output)
            case Report(instance, status, output):
                around.registrations.report(instance, status, output)
            case Withdraw(registration):
                around.registrations.withdraw(registration)
            case AwaitGone(registration):
                around.await_gone(registration, lambda: self.handle(Left()))
            case Ended(outcome):
                self.reset()
                around.ended(self, outcome)

    # -------------------------------------------------------------------------------------------------- processes
    def _start(self, role: int) -> None:
        job = self.plan.job
        command = job.command if role == MAIN else job.checks[role].command
        self._trace(role, "start")
        if command is None:  # the machine starts what there is: a plugin's check
            plugin_checks = self._around.plugin_checks
            assert plugin_checks is not None  # noqa: S101  - there is one where checks are plugins
            self.results.begin(role)
            self._asked[role] = plugin_checks.ask(job, job.checks[role], partial(self._answered, role))
            return
        barred = given.barred(self.plan, role, self._around, self.mark)
        if barred:
            self._around.log("warning", barred, self._fields(role, None))
            self._last_pid = 0
            self._around.loop.run_callback(self._settle, Exited(role, given.BARRED, barred, barred=True))
            return
        try:
            shown = self._readiness.begin(job.ready) if role == MAIN else NOTHING
            run = Run(
                self._around,
                command,
                lambda run, status: self._exited(role, run, status),
                mark=self.mark,
                name=self._name(role),
                check=role != MAIN,
                withhold=role != MAIN and job.checks[role].logged == "failures",
                more={**given.variables(self.plan, self.state, role, self._around, self.mark), **shown.environment},
                inherited=shown.descriptors,
                stdin=given.stdin(self.plan, self.state, role, self._around),
                stop=(lambda: self.plan.job.stop) if role == MAIN else StopPolicy,
            )
        except SpawnError as error:
            if role == MAIN:
                self.trouble, self._last_pid = str(error), 0
                self._readiness.close()
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
            self.results.begin(role)
        else:
            self.started_at = self._around.clock()
            self._last_pid = run.pid
            self.spawned = True
            shown.begin(run.pid, run.pipes)
            if self._around.facts.wanted:
                self._around.facts.tell(RunStarted(stamp(), str(self.key), run.pid, self.starts))

    def _complain(self, sentence: str) -> None:
        self._around.log("warning", sentence, self._fields(MAIN, self.pid))

    def _settle(self, stimulus: Exited | Unstarted) -> None:
        if stimulus.role == MAIN and isinstance(stimulus, Exited):
            stimulus = blamed(self.plan, self.state.process, stimulus)
            self._readiness.close()
            self._tell_end(stimulus)
            reason = self._reason(stimulus)
            self.exits[reason] = self.exits.get(reason, 0) + 1
            self.last_status = stimulus.status
            self.own_exits += not self.state.alone
            self.trouble = "" if self.plan.job.succeeds(stimulus.status) else stimulus.reason
        elif stimulus.role == MAIN:
            self.starts -= 1
        elif isinstance(stimulus, Exited):
            self._tell_result(stimulus)
        self.handle(stimulus)
        self._poll_leaving()

    def _tell_result(self, ended: Exited) -> None:
        """A check has given a result."""
        if ended.status:
            self._unhealthy = self.results.why(self.plan.job, ended.role, ended.reason)
        lasted_s = self.results.end(self.plan.job, ended.role, ended.output or ended.reason, passed=not ended.status)
        if lasted_s is not None:
            self._around.checked(str(self.key), lasted_s)

    def _exited(self, role: int, run: Run, status: int) -> None:
        self._trace(role, "end")
        for pipe in run.pipes:
            if pipe.open:
                self._held.hold(pipe)
        if run.failure:
            self._around.log("error", f"{run.failure} (exit status {status})", self._fields(role, None))
        elif role == MAIN:
            self._tell_exit(run, status)
        remains = run.remains
        if remains:
            self._start_polling()
        else:
            del self._runs[role]
        tail = run.tail
        if run.failure and role == MAIN:
            self._last_pid = 0  # as for a program that could not be spawned
        self._settle(Exited(role, status, run.failure or describe_status(status), tail, remains=remains))

    def _tell_exit(self, run: Run, status: int) -> None:
        """Log it; of a job with an interval only what is not as it was the last time."""
        how, fields = describe_status(status), self._fields(MAIN, run.pid)
        if not self.plan.job.succeeds(status) and not self.state.stopping:
            self._around.log("error", f"{self._name(MAIN)} exited with error: {how}", fields)
        elif not self.plan.periodic or status != self.last_status:
            self._around.log("info", f"exited: {how}", fields)

    def _reason(self, ended: Exited) -> str:
        if self._last_pid == 0:
            return "unstarted"
        if self.state.stopping:
            return "stopped"
        if self.plan.job.succeeds(ended.status):
            return "success"
        return "signal" if ended.reason.startswith("signal:") else "failure"

    def _tell_end(self, ended: Exited) -> None:
        if self._around.facts.wanted:
            lasted_s = 0.0 if self.started_at is None or self._last_pid == 0 else self._around.clock() - self.started_at
            told = RunEnded(stamp(), str(self.key), self._last_pid, self.starts, ended.status, ended.reason, lasted_s)
            self._around.facts.tell(told)

    def _answered(self, role: int, answer: CheckResult) -> None:
        """A plugin's check has answered."""
        del self._asked[role]
        self._trace(role, "end")
        if not answer.passed:
            self._around.log("debug", f"not healthy: {answer.text}", self._fields(role, None))
        self._settle(Exited(role, 0 if answer.passed else 1, "" if answer.passed else answer.text, answer.text))

    def _kill(self, role: int, *, force: bool, why: str) -> None:
        if role in self._asked:
            self._asked.pop(role).cancel()
            if why:
                self._around.log("warning", f"giving the check up: {why}", self._fields(role, None))
            self._around.loop.run_callback(self._settle, Exited(role, 128 + signal.SIGKILL, why, why))
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
        left = "" if run.alive else named([name for _, name in members(run.pid)])
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
            told_now = run.alive and self.plan.job.stop.mode == "group"
            strays = {pid for pid in descendants(run.pid) if group_of(pid) != run.pid} if told_now else set()
            self._kill(MAIN, force=sweep.force, why=sweep.why)
        self._strays.end(strays, force=sweep.force)
        if first:
            self._around.loop.run_callback(self._poll_leaving)

    def _poll_leaving(self) -> None:
        """What the kernel does not tell: groups that have become empty, strays that have ended."""
        for role, run in list(self._runs.items()):
            if not run.alive and not run.remains:
                del self._runs[role]
                self.handle(Emptied(role))
        if self._sweep is not None and MAIN not in self._runs:
            strays = self._strays.beside(run.pid for run in self._runs.values())
            self._strays.end(strays, force=self._sweep.force)
            if not strays:
                self._sweep = None
                self._strays.forget()
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
        name = self.name if role == MAIN else self.plan.job.check_source(role)
        return f"{name}@{self.key.replica}" if self.key.replica else name

    def _fields(self, role: int, pid: int | None) -> Fields:
        command = ("job" if role == MAIN else "check", self._name(role))
        return (command, ("pid", pid)) if pid else (command,)

    def _trace(self, role: int, what: str) -> None:
        if self._around.log.debugging:
            self._around.log("debug", f"{self._name(role)}.Run {what}")

    # ----------------------------------------------------------------------------------------------------- timers
    def _due(self, timer: Timer) -> None:
        if self._around.log.debugging:
            name = f"{self._name(MAIN)}.{LOGGED_AS.get(timer.name, timer.name)}"
            if name != QUIET_TIMER:
                self._around.log("debug", f"timer: {{TimerExpired {name}}}")
        self.handle(Due(timer))
