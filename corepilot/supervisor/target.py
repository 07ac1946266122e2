"""What control requests act on: the supervisor, in the words of the control socket (contract, section 9.1)."""

import fnmatch
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from corepilot import _version
from corepilot.errors import ControlError, CorepilotError, UnknownJobError
from corepilot.jobs.runner import Runner
from corepilot.jobs.state import Order
from corepilot.model.event import GLOBAL, Event
from corepilot.sources.file import absolute_path
from corepilot.supervisor.difference import Change, Difference
from corepilot.supervisor.operations import UP_S, Operation, Operations
from corepilot.supervisor.reloader import Mode
from corepilot.system.groups import mark_of

if TYPE_CHECKING:
    from corepilot.supervisor.app import App

MAINTENANCE = {True: Event("enterMaintenance", GLOBAL), False: Event("exitMaintenance", GLOBAL)}

_DONE = {"start": "started", "stop": "stopped", "restart": "restarted"}
_NOT_WAITING = "not waiting: this request stops the job it comes from"


class ReloadOutcome(NamedTuple):
    """How a reload was judged; `text` is the whole report."""

    ok: bool
    text: str


class PlanOutcome(NamedTuple):
    """What a reload would do; `text` is the report if the configuration is refused."""

    ok: bool
    text: str
    changes: list[dict[str, object]]


_BEGINS = frozenset({"restarted", "renewed", "added"})
"""The changes of a job after which it comes up, or does not."""


class Target:
    """Carries out control requests. Called from the greenlets of the control server."""

    def __init__(self, app: "App") -> None:
        self._app = app
        self._operations = Operations(lambda: app.shutdown.reason)
        self.config = absolute_path(app.arguments.location)

    def status(self) -> dict[str, object]:
        """Everything `corepilot status` shows."""
        app = self._app
        discovery = app.discovery
        plugin = app.configuration.catalog()
        backend = discovery.backend
        return {
            "version": _version.__version__,
            "pid": os.getpid(),
            "uptime_s": round(time.monotonic() - app.started_at, 3),
            "config": app.configuration.location,
            "socket": app.control.path,
            "stopping": app.shutdown.begun,
            "maintenance": app.jobs.maintenance,
            "dropped_output_bytes": app.log.dropped_bytes,
            "catalog": {
                "backend": plugin.name,
                "address": backend.address if backend else "",
                "mode": getattr(backend, "mode", ""),  # how the embedded catalog learns of changes
            }
            if plugin
            else None,
            "jobs": [_job(runner) for runner in self._runners],
            "services": discovery.registrar.status() if discovery.registrar else [],
            "watches": [watcher.status() for watcher in discovery.watchers],
        }

    def instances(self, service: str) -> list[dict[str, object]] | None:
        """The instances of a watched service as last seen, every status; None if no watch has that name."""
        for watcher in self._app.discovery.watchers:
            if watcher.watch.name == service:
                return [
                    {
                        "id": one.id,
                        "address": one.address,
                        "port": one.port,
                        "status": one.status,
                        "tags": list(one.tags),
                    }
                    for one in watcher.instances
                ]
        # In the first moments watches are not there yet, and know nothing; without a catalog that stays so.
        return [] if any(watch.name == service for watch in self._app.configuration.watches) else None

    # -------------------------------------------------------------------------------------------------------- jobs
    def jobs(self, patterns: Sequence[str]) -> list[dict[str, object]]:
        """The status of jobs.

        Raises:
            ControlError: a name is not known.
        """
        return [_job(runner) for runner in self._match(patterns)]

    def act(
        self, action: Literal["start", "stop", "restart"], jobs: Sequence[str], client_pid: int | None
    ) -> Operation:
        """Start, stop or restart jobs; the operation ends when they are there.

        Raises:
            ControlError: a name is not known, and nothing is done; or everything stops.
        """
        runners = self._match(jobs)
        app = self._app
        if app.shutdown.begun:
            raise ControlError(f"cannot {action} jobs: corepilot is stopping ({app.shutdown.reason})")
        before = [(runner, runner.starts, runner.state.ended, runner.pid is not None) for runner in runners]
        inside = action != "start" and self._inside(client_pid, runners)

        def work(operation: Operation) -> None:
            if inside:
                operation.finish("done", _NOT_WAITING)
            for runner in runners:
                app.jobs.order(runner, Order(action))
            failed = []
            for runner, starts, was_ended, was_running in before:
                if action == "stop":
                    self._operations.wait_until(lambda runner=runner: runner.state.ended)  # type: ignore[misc]
                    operation.add(**_line(runner, "already" if was_ended else "stopped"))
                    continue
                if action == "start" and was_running:
                    operation.add(**_line(runner, "already"))
                    continue
                up = self._operations.wait_until(lambda runner=runner, starts=starts: _has_started(runner, starts))  # type: ignore[misc]
                if not up or not _is_up(runner):
                    failed.append(str(runner.key))
                operation.add(**_line(runner, _DONE[action]))
            if app.shutdown.begun and action != "stop":
                operation.finish("refused", f"corepilot is stopping ({app.shutdown.reason})")
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

    def wait_for(
        self, condition: Literal["running", "healthy", "complete", "stopped"], jobs: Sequence[str]
    ) -> Operation:
        """Wait until jobs are in a state.

        Raises:
            ControlError: a name is not known.
        """
        runners = self._match(jobs)
        reached: Callable[[Runner], bool] = {
            "running": lambda runner: runner.state.process.stage == "running" and not runner.state.ended,
            "healthy": lambda runner: runner.state.health == "healthy",
            "complete": lambda runner: runner.state.phase == "complete",
            "stopped": lambda runner: runner.state.ended,
        }[condition]

        def work(operation: Operation) -> None:
            for runner in runners:
                if not self._operations.wait_until(lambda runner=runner: reached(runner)) and not reached(runner):  # type: ignore[misc]
                    operation.finish("refused", f"corepilot is stopping ({self._app.shutdown.reason})")
                    return
                operation.add(**_line(runner, condition))
            operation.finish("done")

        return self._operations.begin("wait", work)

    # ------------------------------------------------------------------------------------------------------ reloads
    def reload(self, mode: Mode, client_pid: int | None) -> Operation:
        """Load the configuration again; the operation ends when everything has been stopped and begun.

        Raises:
            ControlError: everything stops.
        """
        app = self._app
        reload = app.reloader.ask(mode)
        marked = self._mark_of_client(client_pid)

        def work(operation: Operation) -> None:
            try:
                text = reload.judged.get()
                if text:
                    operation.finish("refused", text)
                    return
                if marked and reload.mode == "everything":
                    operation.finish("done", _NOT_WAITING)
                difference = reload.done.get()
            except CorepilotError as error:
                operation.finish("refused", str(error))
                return
            if difference is not None:
                self._report(operation, difference, everything=reload.mode == "everything")

        return self._operations.begin("reload", work)

    def reload_judged(self, mode: Mode, client_pid: int | None) -> ReloadOutcome:
        """Load the configuration again; returns when it has been judged and everything acquired, before any change.

        Raises:
            ControlError: everything stops.
        """
        del client_pid
        text = self._app.reloader.ask(mode).judged.get() or ""
        return ReloadOutcome(ok=not text, text=text)

    def plan(self, location: str | None) -> PlanOutcome:
        """What a reload would do, or one with another configuration."""
        result, difference = self._app.reloader.plan(location)
        if difference is None:
            return PlanOutcome(ok=False, text="".join(problem.text() + "\n" for problem in result.problems), changes=[])
        return PlanOutcome(ok=True, text="", changes=[_planned(change) for change in difference.changes])

    def operation(self, id: int) -> Operation | None:  # noqa: A002  - as in the protocol
        """An operation that has been asked for before."""
        return self._operations.find(id)

    # ------------------------------------------------------------------------------------------------------- others
    def put_environ(self, values: dict[str, str | None]) -> None:
        """Set variables for commands that start from now on (contract, section 4.12)."""
        self._app.environment.put({name: value or "" for name, value in values.items()})

    def put_metric(self, values: dict[str, object]) -> list[str]:
        """Record metrics; returns one sentence for each that was rejected."""
        app = self._app
        if app.log.debugging or app.observed:  # else nobody would receive them
            for name, value in values.items():
                if not app.bus.offer(Event("metric", name, str(value))):
                    break
        return app.metrics.record(values)

    def maintenance(self, *, enable: bool) -> None:
        """Enter or leave maintenance (contract, section 4.5)."""
        self._app.bus.publish(MAINTENANCE[enable])

    def shutdown(self) -> None:
        """Begin to stop, as SIGTERM does."""
        self._app.shutdown.stop("a shutdown request")

    # -------------------------------------------------------------------------------------------------- how it works
    @property
    def _runners(self) -> list[Runner]:
        return [actor for actor in self._app.jobs.actors if isinstance(actor, Runner)]

    def _match(self, patterns: Sequence[str]) -> list[Runner]:
        """The jobs that names and globs mean, in the order of the configuration. An exact name wins over a glob."""
        runners = self._runners
        if not patterns:
            return runners
        chosen: set[int] = set()
        unknown = []
        for pattern in patterns:
            found = [runner for runner in runners if pattern == str(runner.key)]
            found = found or [runner for runner in runners if fnmatch.fnmatchcase(str(runner.key), pattern)]
            chosen |= {id(runner) for runner in found}
            if not found:
                unknown.append(pattern)
        if unknown:
            known = ", ".join(str(runner.key) for runner in runners) or "none"
            raise UnknownJobError(f"cannot find a job called {', '.join(map(repr, unknown))}; jobs: {known}")
        return [runner for runner in runners if id(runner) in chosen]

    def _report(self, operation: Operation, difference: Difference, *, everything: bool) -> None:
        by_name = {str(runner.key): runner for runner in self._runners}
        for change in difference.changes:
            if change.name in by_name and (everything or change.kind in _BEGINS):
                runner = by_name[change.name]
                # One that ends and runs again all the time has come up, though it is never seen to run for long.
                self._operations.wait_until(partial(_has_begun, runner, runner.starts))
        failed = []
        for change in difference.changes:
            kind = "restarted" if everything and change.kind in {"unchanged", "updated"} else change.kind
            if kind == "unchanged" or (everything and change.what == "watch"):
                continue
            one = by_name.get(change.name) if change.what == "job" else None
            if one is not None and kind in _BEGINS and not _is_up(one):
                failed.append(change.name)
            line = _line(one, kind) if one is not None else {"what": change.what, "name": change.name, "kind": kind}
            operation.add(**line)
        _conclude(operation, failed)

    def _inside(self, client_pid: int | None, runners: Sequence[Runner]) -> bool:
        mark = self._mark_of_client(client_pid)
        return bool(mark) and any(runner.mark == mark for runner in runners)

    @staticmethod
    def _mark_of_client(client_pid: int | None) -> str:
        return mark_of(client_pid).decode("ascii", "replace") if client_pid else ""


def _is_decided(runner: Runner) -> bool:
    """Whether it is known if a job has come up: it is not being stopped, and has run for a while or not at all."""
    state = runner.state
    if state.stop.stage in {"hooked", "terminating"} or state.phase == "terminating":
        return False
    if state.process.stage != "running" or runner.plan.job.command is None or runner.started_at is None:
        return True
    return time.monotonic() - runner.started_at >= UP_S


def _has_begun(runner: Runner, starts: int) -> bool:
    return runner.starts > starts or _is_decided(runner)


def _has_started(runner: Runner, starts: int) -> bool:
    """Whether a job has been started since it had been so often, and it is known whether it has come up."""
    return (runner.starts > starts or runner.plan.job.command is None) and _is_decided(runner)


def _is_up(runner: Runner) -> bool:
    state = runner.state
    if state.phase == "backoff":
        return False
    return state.phase != "complete" or not state.process.status


def _conclude(operation: Operation, failed: Sequence[str]) -> None:
    if failed:
        operation.finish("incomplete", f"did not come up: {', '.join(failed)}; see the log")
    operation.finish("done")


def _line(runner: Runner, kind: str) -> dict[str, Any]:
    return {
        "what": "job", "name": str(runner.key), "kind": kind, "state": runner.state.phase, "pid": runner.pid,
    }  # fmt: skip


def _planned(change: Change) -> dict[str, object]:
    return {
        "what": change.what,
        "name": change.name,
        "kind": change.kind,
        "settings": [list(setting) for setting in change.settings],
        "consequence": change.consequence,
    }


def _job(runner: Runner) -> dict[str, object]:
    state, job = runner.state, runner.plan.job
    return {
        "name": str(runner.key),
        "state": state.phase,
        "health": state.health,
        "address": job.service.registration.address if job.service else "",
        "port": job.service.registration.port if job.service else 0,
        "pid": runner.pid,
        "starts": runner.starts,
        "last_status": runner.last_status,
        "up_s": round(time.monotonic() - runner.started_at, 3) if runner.started_at and runner.pid else None,
    }
