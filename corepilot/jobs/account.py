"""What is told and remembered of a job's runs: lines of the log, facts for observers, counts, the last status."""

from __future__ import annotations

from collections.abc import Collection

from corepilot.jobs.actor import Actor
from corepilot.jobs.results import CheckResults
from corepilot.jobs.run import Run
from corepilot.jobs.state import MAIN, Exited, State
from corepilot.jobs.state_lines import changes
from corepilot.jobs.strays import named
from corepilot.jobs.supervision import Supervision
from corepilot.model.fact import RunEnded, RunStarted
from corepilot.observers.facts import stamp
from corepilot.output.records import Fields
from corepilot.system.children import name_of
from corepilot.system.groups import members

OUT_OF_MEMORY = "signal: killed by the kernel, because memory ran out"
"""How a run has ended that the kernel's OOM killer has taken, or a process of it on which it depends."""


class Account:
    """The account of one job. It only looks at the job, and decides nothing.

    Args:
        job: The job.
        around: What all jobs share.

    Attributes:
        exits: How often the main process has ended, by reason: see `corepilot.telemetry.builtin.JOB_EXITS`.
        last_status: The exit status of the last run; None if there was none.
        trouble: Why the last run failed; "" if it did not.
        started_at: When the last run began, in monotonic seconds; None if there was none.
        killed: The job and those of its checks that had to be killed within a stop, once each.
        results: The last results of its checks.
    """

    def __init__(self, job: Actor, around: Supervision) -> None:
        self._job, self._around = job, around
        self.exits: dict[str, int] = {}
        self.last_status: int | None = None
        self.trouble = ""
        self.started_at: float | None = None
        self.killed: list[str] = []
        self.results = CheckResults(around.clock)
        self._pid = 0
        self._unhealthy = ""

    # -------------------------------------------------------------------------------------------------------- runs
    def started(self, pid: int) -> None:
        """The main process has been started."""
        around, job = self._around, self._job
        self.started_at, self._pid = around.clock(), pid
        if around.facts.wanted:
            around.facts.tell(RunStarted(stamp(), str(job.key), pid, job.starts))

    def failed_to_start(self, why: str = "") -> None:
        """The main process, or the program in it, could not be started."""
        self.trouble, self._pid = why or self.trouble, 0

    def exited(self, role: int, run: Run, status: int, how: str) -> None:
        """Log the end of a process; of a job with an interval only what is not as it was the last time.

        Args:
            role: MAIN, or the index of a check.
            run: What has ended.
            status: Its exit status.
            how: The same in words.
        """
        job = self._job.plan.job
        if run.failure:
            self.log("error", f"{run.failure} (exit status {status})", role)
        elif role == MAIN and not job.succeeds(status) and not self._job.state.stopping:
            self.log("error", f"{self.name(MAIN)} exited with error: {how}", MAIN, run.pid)
        elif role == MAIN and (not self._job.plan.periodic or status != self.last_status):
            self.log("info", f"exited: {how}", MAIN, run.pid)
        elif role != MAIN and how == OUT_OF_MEMORY:
            self.log("warning", f"the check ended: {how}", role, run.pid)

    def ended(self, ended: Exited) -> None:
        """A run is over, before the machine has heard of it."""
        around, job = self._around, self._job
        if around.facts.wanted:
            lasted_s = 0.0 if self.started_at is None or self._pid == 0 else around.clock() - self.started_at
            status, reason = ended.status, ended.reason
            told = RunEnded(stamp(), str(job.key), self._pid, job.starts, status, reason, lasted_s)
            around.facts.tell(told)
        reason = self._reason(ended)
        self.exits[reason] = self.exits.get(reason, 0) + 1
        self.last_status = ended.status
        self.trouble = "" if job.plan.job.succeeds(ended.status) else ended.reason

    def _reason(self, ended: Exited) -> str:
        if self._pid == 0:
            return "unstarted"
        if self._job.state.stopping:
            return "stopped"
        if self._job.plan.job.succeeds(ended.status):
            return "success"
        if ended.reason == OUT_OF_MEMORY:
            return "oom"
        return "signal" if ended.reason.startswith("signal:") else "failure"

    def signals(self, role: int, run: Run, *, force: bool, why: str) -> None:
        """A process group is told to end, or killed, for a reason that people should know."""
        left = "" if run.alive else named([name for _, name in members(run.pid)])
        what = f"{'killing' if force else 'ending'} the {'job' if role == MAIN else 'check'}"
        self.log("warning", f"{what}{left}: {why}", role, run.pid)
        if force and (self._job.state.stopping or not run.alive):
            self._has_killed(role)

    def kills_strays(self, pids: Collection[int], why: str) -> None:
        """What has left the job's process group is killed at the end of its stop."""
        if pids:
            self.log("warning", f"killing the job{named([name_of(pid) for pid in sorted(pids)])}: {why}", MAIN)
            self._has_killed(MAIN)

    def _has_killed(self, role: int) -> None:
        if self.name(role) not in self.killed:
            self.killed.append(self.name(role))

    # ------------------------------------------------------------------------------------------------------ checks
    def answered(self, ended: Exited) -> None:
        """A check has given a result."""
        job = self._job.plan.job
        if ended.status:
            self._unhealthy = self.results.why(job, ended.role, ended.reason)
        lasted_s = self.results.end(job, ended.role, ended.output or ended.reason, passed=not ended.status)
        if lasted_s is not None:
            self._around.checked(str(self._job.key), lasted_s)

    # ----------------------------------------------------------------------------------------------------- the log
    def moved(self, before: State, *, pid: int | None, delay_s: float) -> None:
        """Log what has changed in the job's state.

        Args:
            before: Its state when this was asked last.
            pid: The pid of the main process, if that runs.
            delay_s: The delay of the restart that it waits for.
        """
        for line in changes(self._job.plan, before, self._job.state, pid=pid, why=self._unhealthy, delay_s=delay_s):
            self.log("info", line, MAIN, pid)

    def log(self, level: str, text: str, role: int, pid: int | None = None) -> None:
        """Log a line about the job, or about one of its checks."""
        self._around.log(level, text, self.fields(role, pid))

    def trace(self, role: int, what: str) -> None:
        """Say at the level debug what happens to a command."""
        if self._around.log.debugging:
            self._around.log("debug", f"{self.name(role)}.Run {what}")

    def name(self, role: int) -> str:
        """What the job, or one of its checks, is called."""
        job = self._job
        name = job.name if role == MAIN else job.plan.job.check_source(role)
        return f"{name}@{job.key.replica}" if job.key.replica else name

    def fields(self, role: int, pid: int | None) -> Fields:
        """What each line of the job's, or of a check's, carries."""
        command = ("job" if role == MAIN else "check", self.name(role))
        return (command, ("pid", pid)) if pid else (command,)
