"""Acts for one job: turns the machine's actions into processes, timers, events and registrations, and back."""

from __future__ import annotations

import os
from functools import partial

from corepilot.jobs import given
from corepilot.jobs.account import OUT_OF_MEMORY, Account
from corepilot.jobs.actor import Actor
from corepilot.jobs.plan import Plan
from corepilot.jobs.process import blamed
from corepilot.jobs.remains import Remains
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
    Ended,
    Exited,
    Kill,
    Publish,
    Report,
    SetTimer,
    Signal,
    Start,
    Sweep,
    Timer,
    Unstarted,
    Withdraw,
)
from corepilot.jobs.strays import Strays
from corepilot.jobs.supervision import CheckCall, CheckResult, Supervision
from corepilot.jobs.timing import LOGGED_AS, QUIET_TIMER, JobTimers
from corepilot.model.job import StopPolicy
from corepilot.output.held import HeldPipes
from corepilot.system.kernel import signal
from corepilot.system.process import SpawnError, describe_status

_KILLED = 128 + signal.SIGKILL


class Runner(Actor):
    """A job that lives. Everything happens in the hub's thread, in callbacks that do not switch.

    Attributes:
        account: What is told and remembered of its runs.
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
        self._strays = Strays(around.orphans, self.mark)
        self._remains = Remains(around.loop, self._runs, self._strays, self.handle)
        self.account = Account(self, around)
        self._readiness = Showing(around.loop, self.handle, self._complain)
        self._needed_lock = False
        self._told = self.state

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
            self.account.moved(before, pid=self.pid, delay_s=self.restart_delay_s)
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
        self._remains.close()
        while self._asked:
            self._asked.popitem()[1].cancel()
        for run in self._runs.values():
            run.close()
        self._readiness.close()
        self._held.close()
        self._strays.forget()

    def perform(self, action: Action) -> None:
        """Do what the machine asks for."""
        around = self._around
        match action:
            case Publish():
                around.publish(action.event)
            case SetTimer():
                self._timers.set(action.timer, action.after_s, every=action.every)
            case ClearTimer():
                self._timers.clear(action.timer)
            case Start():
                self._start(action.role)
            case Kill(role, force, why):
                self._kill(role, force=force, why=why)
            case Signal(number):
                self.signal(number, group=False)
            case Sweep():
                self._begin_sweep(action)
            case Advertise(registration, status, output):
                around.registrations.advertise(registration, status, output)
            case Report(instance, status, output):
                around.registrations.report(instance, status, output)
            case Withdraw(registration):
                around.registrations.withdraw(registration)
            case AwaitGone(registration):
                around.await_gone(registration, self.gone())
            case Ended(outcome):
                self.reset()
                around.ended(self, outcome)

    # -------------------------------------------------------------------------------------------------- processes
    def _start(self, role: int) -> None:
        job = self.plan.job
        command = job.command if role == MAIN else job.checks[role].command
        account = self.account
        account.trace(role, "start")
        untimely = given.untimely(self.plan, self._around)
        if untimely:
            if role == MAIN or self.state.process.stage != "standby":  # one in standby has said what it waits for
                account.log("warning", untimely, role)
            if role == MAIN:
                account.failed_to_start(untimely)
            self._around.loop.run_callback(self._settle, Unstarted(role))
            return
        if command is None:  # the machine starts what there is: a plugin's check
            plugin_checks = self._around.plugin_checks
            assert plugin_checks is not None  # noqa: S101  - there is one where checks are plugins
            account.results.begin(role)
            self._asked[role] = plugin_checks.ask(
                job, job.checks[role], account.name(role), partial(self._answered, role)
            )
            return
        barred = given.barred(self.plan, role, self._around, self.mark)
        if barred:
            account.log("warning", barred, role)
            account.failed_to_start()
            self._around.loop.run_callback(self._settle, Exited(role, given.BARRED, barred, barred=True))
            return
        try:
            shown = self._readiness.begin(job.ready) if role == MAIN else NOTHING
            run = Run(
                self._around,
                command,
                lambda run, status: self._exited(role, run, status),
                mark=self.mark,
                name=account.name(role),
                check=role != MAIN,
                withhold=role != MAIN and job.checks[role].logged == "failures",
                more={**given.variables(self.plan, self.state, role, self._around, self.mark), **shown.environment},
                inherited=shown.descriptors,
                stdin=given.stdin(self.plan, self.state, role, self._around),
                stop=(lambda: self.plan.job.stop) if role == MAIN else StopPolicy,
                cgroup=self._control_group() if role == MAIN and command.settings.cgroup else "",
            )
        except SpawnError as error:
            if role == MAIN:
                account.failed_to_start(str(error))
                self._readiness.close()
            if error.shortage:
                self._around.shortages.failed("spawn", f"{account.name(role)}: {error}; it is started later")
            else:
                account.log("error", str(error), role)
            account.trace(role, "end")
            failed = Unstarted(role) if error.shortage else Exited(role, error.status, str(error))
            # Not at once: the machine's other actions of this step come first.
            self._around.loop.run_callback(self._settle, failed)
            return
        run.read(account.fields(role, run.pid))
        self._runs[role] = run
        if role != MAIN:
            account.results.begin(role)
        else:
            self.spawned = True
            shown.begin(run.pid, run.pipes)
            account.started(run.pid)

    def _control_group(self) -> str:
        """The directory of the job's control group; "" where there can be none, which is said once."""
        from corepilot.system.cgroups import control_group  # few jobs have one

        group = control_group(self.mark)
        if group is not None:
            self._strays.within(group)
            return group.path
        if self.starts == 1:
            why = "there is no control group of version 2 here in which corepilot may make one"
            self.account.log("warning", f"cgroup has no effect: {why}", MAIN)
        return ""

    def _complain(self, sentence: str) -> None:
        self.account.log("warning", sentence, MAIN, self.pid)

    def _settle(self, stimulus: Exited | Unstarted) -> None:
        if stimulus.role == MAIN and isinstance(stimulus, Exited):
            stimulus = blamed(self.plan, self.state.process, stimulus)
            self._readiness.close()
            self.account.ended(stimulus)
        elif stimulus.role == MAIN:
            self.starts -= 1
        elif isinstance(stimulus, Exited) and self._counts(stimulus.role):
            self.account.answered(stimulus)
        self.handle(stimulus)
        self._remains.look()

    def _counts(self, role: int) -> bool:
        """Whether a check's end says something: not if the stop of the job, or a reload, has ended it."""
        checks = self.state.checks
        return not self.state.stopping and role < len(checks) and checks[role].stage != "outdated"

    def _exited(self, role: int, run: Run, status: int) -> None:
        account = self.account
        account.trace(role, "end")
        for pipe in run.pipes:
            if pipe.open:
                self._held.hold(pipe)
        how = run.failure or describe_status(status)
        if status == _KILLED and not run.forced and self._around.memory.killed():
            how = OUT_OF_MEMORY
        account.exited(role, run, status, how)
        remains = run.remains
        if remains:
            self._remains.expect()
        else:
            del self._runs[role]
        tail = run.tail
        if run.failure and role == MAIN:
            account.failed_to_start()  # as if it could not be spawned
        self._settle(Exited(role, status, how, tail, remains=remains))

    def _answered(self, role: int, answer: CheckResult) -> None:
        """A plugin's check has answered."""
        del self._asked[role]
        self.account.trace(role, "end")
        if not answer.passed:
            self.account.log("debug", f"not healthy: {answer.text}", role)
        self._settle(Exited(role, 0 if answer.passed else 1, "" if answer.passed else answer.text, answer.text))

    def _kill(self, role: int, *, force: bool, why: str) -> None:
        if role in self._asked:
            self._asked.pop(role).cancel()
            if why:
                self.account.log("warning", f"giving the check up: {why}", role)
            self._around.loop.run_callback(self._settle, Exited(role, 128 + signal.SIGKILL, why, why))
        run = self._runs.get(role)
        if run is None:
            return
        if why:
            self.account.signals(role, run, force=force, why=why)
        self.account.trace(role, "kill" if force else "term")
        if force:
            run.kill()
        else:
            run.end()

    def _begin_sweep(self, sweep: Sweep) -> None:
        if sweep.force and MAIN not in self._runs:
            self.account.kills_strays(self._remains.strays, sweep.why)
        kill = partial(self._kill, MAIN, force=sweep.force, why=sweep.why)
        self._remains.sweep(sweep, group=self.plan.job.stop.mode == "group", kill=kill)

    # ----------------------------------------------------------------------------------------------------- timers
    def _due(self, timer: Timer) -> None:
        if self._around.log.debugging:
            name = f"{self.account.name(MAIN)}.{LOGGED_AS.get(timer.name, timer.name)}"
            if name != QUIET_TIMER:
                self._around.log("debug", f"timer: {{TimerExpired {name}}}")
        self.handle(Due(timer))
