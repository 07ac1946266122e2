"""What people do with single jobs: find them by name, start, stop, restart and signal them, and wait for them."""

import fnmatch
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

from corepilot.errors import ControlError, UnknownJobError
from corepilot.http.time_slice import TimeSlice
from corepilot.jobs.jobset import JobSet
from corepilot.jobs.levels import levels
from corepilot.jobs.runner import Runner
from corepilot.jobs.starting import awaited
from corepilot.jobs.state import Order
from corepilot.supervisor.difference import Difference
from corepilot.supervisor.operations import UP_S, Operation, Operations
from corepilot.supervisor.shutdown import Shutdown
from corepilot.system.groups import mark_of

Action = Literal["start", "stop", "restart"]
Condition = Literal["running", "ready", "healthy", "complete", "stopped"]

_DONE = {"start": "started", "stop": "stopped", "restart": "restarted"}

_BEGINS = frozenset(("restarted", "renewed", "added"))
"""The changes of a job after which it comes up, or does not."""

NOT_WAITING = "not waiting: this request stops the job it comes from"


class JobsByHand:
    """The jobs, as people see and order them.

    Args:
        jobs: All of them.
        operations: Where what takes time is carried out.
        shutdown: Whether everything stops.
    """

    def __init__(self, jobs: JobSet, operations: Operations, shutdown: Shutdown) -> None:
        self._jobs, self._operations, self._shutdown = jobs, operations, shutdown

    def named(self, patterns: Sequence[str]) -> list[Runner]:
        """The jobs that patterns mean, in the order of the configuration; all of them for none.

        Raises:
            UnknownJobError: One pattern matches nothing.
        """
        return self._match(patterns)

    def status(self, patterns: Sequence[str]) -> list[dict[str, object]]:
        """The status of jobs.

        Raises:
            ControlError: a name is not known.
        """
        return [_job(runner) for runner in self._match(patterns)]

    def act(self, action: Action, jobs: Sequence[str], client_pid: int | None) -> Operation:
        """Start, stop or restart jobs; the operation ends when they are there.

        Raises:
            ControlError: a name is not known, and nothing is done; or everything stops.
        """
        runners = self._match(jobs)
        if why := self._why_not(action):
            raise ControlError(why)
        before = [(runner, runner.starts, runner.state.ended, runner.pid is not None) for runner in runners]
        inside = action != "start" and self._inside(client_pid, runners)

        def work(operation: Operation) -> None:
            if inside:
                operation.finish("done", NOT_WAITING)
            given = [self._jobs.order(runner, Order(action)) for runner in runners]
            failed, lost = [], []
            for (runner, starts, was_ended, was_running), is_given in zip(before, given, strict=True):
                if not is_given:
                    lost.append(runner)
                    continue
                if action == "start" and was_running:
                    operation.add(**_line(runner, "already"))
                    continue
                settled = _has_stopped if action == "stop" else _has_started
                reached = partial(self._settled, settled, runner, starts)
                if not self._operations.wait_until(operation, reached):
                    operation.finish("refused", f"corepilot is stopping ({self._shutdown.ending})")
                    return
                if self._is_lost(runner, action):
                    lost.append(runner)
                    continue
                if action != "stop" and (not _is_up(runner) or runner.state.phase == "stopped"):
                    failed.append(runner)
                operation.add(**_line(runner, "already" if action == "stop" and was_ended else _DONE[action]))
            if lost:
                operation.finish("refused", self._why_not(action) or self._why_lost(lost))
            _conclude(operation, failed)

        return self._operations.begin(action, work)

    def signal(self, number: int, jobs: Sequence[str], *, group: bool) -> list[dict[str, object]]:
        """Send a signal to the main process of jobs, or to its group.

        Raises:
            ControlError: a name is not known, and nothing is sent.
        """
        return [
            {"job": str(runner.key), "pid": runner.pid, "signalled": runner.signal(number, group=group)}
            for runner in self._match(jobs)
        ]

    def wait_for(self, condition: Condition, jobs: Sequence[str]) -> Operation:
        """Wait until jobs are in a state.

        Raises:
            ControlError: a name is not known, or the state cannot come.
        """
        runners = self._match(jobs)
        names = [str(runner.key) for runner in runners]
        for runner in runners:
            _require_possible(runner, condition)
        holds: Callable[[Runner], bool] = {
            "running": lambda runner: runner.state.process.stage == "running" and not runner.state.ended,
            "ready": lambda runner: levels(runner.plan, runner.state).ready,
            "healthy": lambda runner: runner.state.health == "healthy",
            "complete": lambda runner: runner.state.phase == "complete",
            "stopped": lambda runner: runner.state.ended,
        }[condition]

        def reached(name: str) -> bool:  # by its name: a reload may bring another job, or none
            runner = self._find(name)
            return runner is None or holds(runner)

        def work(operation: Operation) -> None:
            for name in names:
                in_time = self._operations.wait_until(operation, partial(reached, name))
                runner = self._find(name)
                if runner is None:
                    operation.finish("refused", f"there is no job {name} any more: a reload has removed it")
                    return
                if not in_time and not holds(runner):
                    operation.finish("refused", f"corepilot is stopping ({self._shutdown.reason})")
                    return
                operation.add(**_line(runner, ""))
            operation.finish("done")

        return self._operations.begin("wait", work, of_reader=True)

    def report(self, operation: Operation, difference: Difference, *, everything: bool) -> None:
        """Say what a reload has done with each job, once it is known whether those that were started came up."""
        if difference.nothing and not everything:
            operation.finish("done", "nothing has changed")
            return
        by_name = {str(runner.key): runner for runner in self._runners}
        for change in difference.changes:
            runner = by_name.get(change.name) if change.what == "job" else None
            if runner is None or not (everything or change.kind in _BEGINS):
                continue
            # One that ends and runs again all the time has come up, though it is never seen to run for long.
            if not self._operations.wait_until(operation, partial(_has_begun, runner, runner.starts)):
                operation.finish("refused", f"corepilot is stopping ({self._shutdown.ending})")
                return
        failed = []
        for change in difference.changes:
            kind = "restarted" if everything and change.kind in {"unchanged", "updated"} else change.kind
            if kind == "unchanged" or (everything and change.what == "watch"):
                continue
            runner = by_name.get(change.name) if change.what == "job" else None
            if runner is None:
                operation.add(what=change.what, name=change.name, kind=kind)
                continue
            if kind in _BEGINS and not _is_up(runner):
                failed.append(runner)
            operation.add(**_line(runner, kind))
        _conclude(operation, failed)

    def _settled(self, settled: Callable[[Runner, int], bool], runner: Runner, starts: int) -> bool:
        return settled(runner, starts) or runner not in self._jobs.all_actors

    def _why_not(self, action: Action) -> str:
        """Why nothing can be done with jobs now; "" if it can."""
        if self._shutdown.ending:
            return f"cannot {action} jobs: corepilot is stopping ({self._shutdown.ending})"
        if self._jobs.stopping:
            return f"cannot {action} jobs: everything is being stopped for a reload; try again later"
        return ""

    def _is_lost(self, runner: Runner, action: Action) -> bool:
        """Whether a reload has taken the job away. One that has stopped, and is nowhere to be seen, has stopped."""
        return runner not in self._jobs.actors and (action != "stop" or self._find(str(runner.key)) is not None)

    def _why_lost(self, lost: Sequence[Runner]) -> str:
        names = [str(runner.key) for runner in lost]
        removed = [name for name in names if self._find(name) is None]
        if removed:
            return f"there is no job {', '.join(removed)} any more: a reload has removed it"
        return f"a reload has begun {', '.join(names)} anew meanwhile; try again"

    @property
    def _runners(self) -> list[Runner]:
        return [actor for actor in self._jobs.actors if isinstance(actor, Runner)]

    def _find(self, name: str) -> Runner | None:
        return next((runner for runner in self._runners if str(runner.key) == name), None)

    def _match(self, patterns: Sequence[str]) -> list[Runner]:
        """The jobs that names and globs mean, in the order of the configuration. An exact name wins over a glob."""
        runners = self._runners
        if not patterns:
            return runners
        chosen: set[int] = set()
        unknown = []
        time_slice = TimeSlice()
        for pattern in patterns:
            time_slice.check()
            found = _named(runners, pattern)
            found = found or [runner for runner in runners if fnmatch.fnmatchcase(str(runner.key), pattern)]
            chosen |= {id(runner) for runner in found}
            if not found:
                unknown.append(pattern)
        if unknown:
            known = ", ".join(str(runner.key) for runner in runners) or "none"
            raise UnknownJobError(f"cannot find a job called {', '.join(map(repr, unknown))}; jobs: {known}")
        return [runner for runner in runners if id(runner) in chosen]

    def _inside(self, client_pid: int | None, runners: Sequence[Runner]) -> bool:
        mark = mark_of_client(client_pid)
        return bool(mark) and any(runner.mark == mark for runner in runners)


def mark_of_client(client_pid: int | None) -> str:
    """Which job's run a client belongs to; "" for one from elsewhere."""
    return mark_of(client_pid).decode("ascii", "replace") if client_pid else ""


def _require_possible(runner: Runner, condition: Condition) -> None:
    """Refuse to wait for what cannot come.

    Raises:
        ControlError: it cannot.
    """
    job = runner.plan.job
    if condition == "healthy" and not any(check.asks for check in job.checks):
        raise ControlError(
            f"cannot wait for {runner.key} to be healthy: nothing checks it; give it health.exec or health.http"
        )
    if condition == "complete" and job.command is None:
        raise ControlError(f"cannot wait for {runner.key} to be complete: it has no exec, and runs until it is stopped")
    if condition in {"running", "ready", "healthy"} and runner.state.phase == "complete":
        raise ControlError(f"cannot wait for {runner.key} to be {condition}: it is complete; start it first")


def _named(runners: Sequence[Runner], pattern: str) -> list[Runner]:
    """The job of a name, with all its replicas: one that is called so, else the `name@2` of several."""
    found = [runner for runner in runners if runner.name == pattern and runner.key.number == 1]
    if found:
        return found
    name, _, number = pattern.rpartition("@")
    return [
        runner for runner in runners if runner.name == name and str(runner.key.replica or runner.key.number) == number
    ]


def _is_decided(runner: Runner) -> bool:
    """Whether it is known if a job has come up: it is not being stopped, and has run for a while or not at all."""
    state = runner.state
    if state.stop.shutdown:
        return True  # everything stops: it will not come up
    if state.stop.stage in {"hooked", "draining", "terminating"} or state.phase == "terminating":
        return False
    if state.process.stage != "running" or runner.plan.job.command is None or runner.account.started_at is None:
        return True
    return time.monotonic() - runner.account.started_at >= UP_S


def _has_begun(runner: Runner, starts: int) -> bool:
    return runner.starts > starts or _is_decided(runner)


def _has_stopped(runner: Runner, starts: int) -> bool:
    """Whether a job has ended since it had been started so often, or somebody else wants it to go on."""
    state = runner.state
    return state.ended or runner.starts > starts or not (state.stopping or state.lingering)


def _has_started(runner: Runner, starts: int) -> bool:
    """Whether a job has been started since it had been so often, and it is known whether it has come up.

    Or whether it will not be: somebody else has stopped it meanwhile.
    """
    state = runner.state
    if state.ended and state.stop.outcome != "again":
        return True
    waits = state.phase in {"backoff", "standby"}
    begun = runner.starts > starts or runner.plan.job.command is None or waits or state.stop.shutdown
    return begun and _is_decided(runner)


def _is_up(runner: Runner) -> bool:
    """Whether a job has come up: it goes on, or its last run has succeeded, and the next one waits for its delay."""
    status, phase = runner.state.process.status, runner.state.phase
    if phase not in {"backoff", "complete"}:
        return True
    return phase == "complete" if status is None else runner.plan.job.succeeds(status)


def _conclude(operation: Operation, failed: Sequence[Runner]) -> None:
    if failed:
        troubles = [(str(runner.key), runner.account.trouble) for runner in failed]
        told = [f"{key} ({trouble})" if trouble else key for key, trouble in troubles]
        operation.finish("incomplete", f"did not come up: {', '.join(told)}")
    operation.finish("done")


def _line(runner: Runner, kind: str) -> dict[str, Any]:
    waits = awaited(runner.plan, runner.state) if runner.state.phase == "standby" else ()
    return {
        "what": "job", "name": str(runner.key), "kind": kind, "state": runner.state.phase, "pid": runner.pid,
        "message": f"waits for {', '.join(waits)}" if waits else "",
    }  # fmt: skip


def _job(runner: Runner) -> dict[str, object]:
    state, job, account = runner.state, runner.plan.job, runner.account
    settings = job.command.settings if job.command else None
    return {
        "name": str(runner.key),
        "state": state.phase,
        "waits_for": [*awaited(runner.plan, state)],
        "health": state.health,
        "address": job.service.registration.address if job.service else "",
        "port": job.service.registration.port if job.service else 0,
        "user": settings.user if settings else "",
        "listen": [str(one) for one in settings.listen] if settings else [],
        "pid": runner.pid,
        "starts": runner.starts,
        "last_status": account.last_status,
        "trouble": account.trouble,
        "up_s": round(time.monotonic() - account.started_at, 3) if account.started_at and runner.pid else None,
        "ready": state.readiness.achieved if job.ready is not None else None,
        "said": state.readiness.text,
        "checks": account.results.status(job, state.checks),
    }
