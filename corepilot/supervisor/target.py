"""What control requests act on: the supervisor, in the words of the control socket (contract, section 9.1)."""

import os
import time
from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

from corepilot import _version
from corepilot.control.target import PlanOutcome, ReloadOutcome
from corepilot.errors import ControlError, CorepilotError
from corepilot.events import EventBus
from corepilot.jobs.environment import ChildEnvironment
from corepilot.jobs.jobset import JobSet
from corepilot.jobs.runner import Runner
from corepilot.model.configuration import Configuration
from corepilot.model.event import GLOBAL, Event
from corepilot.model.plugin import PluginReference
from corepilot.observers.facts import Facts
from corepilot.output.log import Log
from corepilot.sources.locations import identity_of
from corepilot.supervisor.arguments import RunArguments
from corepilot.supervisor.by_hand import NOT_WAITING, Action, Condition, JobsByHand, mark_of_client
from corepilot.supervisor.difference import Change
from corepilot.supervisor.discovery import Discovery
from corepilot.supervisor.endpoint import ControlEndpoint
from corepilot.supervisor.exposition import Exposition
from corepilot.supervisor.incoming import stacks
from corepilot.supervisor.locks import JobLocks
from corepilot.supervisor.observers import Observers
from corepilot.supervisor.operations import Operation, Operations
from corepilot.supervisor.probes import Probes
from corepilot.supervisor.reload import Mode
from corepilot.supervisor.reloader import Reloader
from corepilot.supervisor.renders import Renders
from corepilot.supervisor.shutdown import Shutdown
from corepilot.supervisor.tail import Tail
from corepilot.supervisor.tails import Tails
from corepilot.telemetry.metrics import Metrics

MAINTENANCE = {True: Event("enterMaintenance", GLOBAL), False: Event("exitMaintenance", GLOBAL)}

METRIC_TEXT_MAX = 256
"""Characters of the name and of the value of a metric in its event: events are kept, and wait, in numbers."""


class Controlled(Protocol):
    """What requests act on: the supervisor's parts."""

    arguments: RunArguments
    bus: EventBus
    configuration: Configuration
    control: ControlEndpoint
    discovery: Discovery
    locks: JobLocks
    renders: Renders
    environment: ChildEnvironment
    exposition: Exposition
    facts: Facts
    jobs: JobSet
    log: Log
    metrics: Metrics
    observers: Observers
    reloader: Reloader
    shutdown: Shutdown
    started_at: float
    tails: Tails


class SupervisorTarget:
    """Carries out control requests. Called from the greenlets of the control server."""

    def __init__(self, app: Controlled) -> None:
        self._app = app
        self._operations = Operations(lambda: app.shutdown.ending)
        self._by_hand = JobsByHand(app.jobs, self._operations, app.shutdown)
        self._probes = Probes(self._by_hand, app.shutdown)
        self.probe = self._probes.answer
        self.trouble = self._probes.trouble
        self.config = identity_of(app.arguments.locations)

    def status(self) -> dict[str, object]:
        """Everything `corepilot status` shows."""
        app = self._app
        discovery = app.discovery
        return {
            "version": _version.__version__,
            "pid": os.getpid(),
            "uptime_s": round(time.monotonic() - app.started_at, 3),
            "config": app.configuration.location,
            "socket": app.control.path,
            "stopping": app.shutdown.begun,
            "maintenance": app.jobs.maintenance,
            "dropped_output_bytes": app.log.dropped_bytes,
            "catalogs": [catalog.status() for catalog in discovery.catalogs.values()]
            or [_not_in_use(name, plugin) for name, plugin in app.configuration.catalogs],
            "jobs": self._by_hand.status(()),
            "services": discovery.services(),
            "locks": app.locks.status(),
            "watches": [watcher.status() for watcher in discovery.watchers],
            "render": app.renders.status(),
            "sinks": [outlet.status() for outlet in app.exposition.outlets],
            "observers": [observer.status() for observer in app.observers.attached],
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
        """See `JobsByHand.status`."""
        return self._by_hand.status(patterns)

    def act(self, action: Action, jobs: Sequence[str], client_pid: int | None) -> Operation:
        """See `JobsByHand.act`."""
        return self._by_hand.act(action, jobs, client_pid)

    def reload_jobs(self, jobs: Sequence[str]) -> Operation:
        """Have jobs read their own configuration again.

        Raises:
            ControlError: a name is not known, or one of them does not run: nothing is done; or everything stops.
        """
        from corepilot.supervisor.job_reloads import begin_reloads

        app, by_hand = self._app, self._by_hand
        if app.shutdown.ending:
            raise ControlError(f"cannot reload jobs: corepilot is stopping ({app.shutdown.ending})")
        return begin_reloads(by_hand.named(jobs), lambda: by_hand.named(()), app.bus.publish, self._operations)

    def signal(self, number: int, jobs: Sequence[str], *, group: bool) -> list[dict[str, object]]:
        """See `JobsByHand.signal`."""
        return self._by_hand.signal(number, jobs, group=group)

    def wait_for(self, condition: Condition, jobs: Sequence[str]) -> Operation:
        """See `JobsByHand.wait_for`."""
        return self._by_hand.wait_for(condition, jobs)

    # ------------------------------------------------------------------------------------------------------ reloads
    def reload(self, mode: Mode, client_pid: int | None) -> Operation:
        """Load the configuration again; the operation ends when everything has been stopped and begun.

        Raises:
            ControlError: everything stops.
        """
        app = self._app
        reload = app.reloader.ask(mode)
        marked = mark_of_client(client_pid)

        def work(operation: Operation) -> None:
            try:
                text = reload.await_judged()
                if text:
                    operation.finish("refused", text)
                    return
                if marked and reload.mode == "everything":
                    operation.finish("done", NOT_WAITING)
                difference = reload.await_done()
            except CorepilotError as error:
                operation.finish("refused", str(error))
                return
            if difference is not None:
                self._by_hand.report(operation, difference, everything=reload.mode == "everything")

        return self._operations.begin("reload", work)

    def reload_judged(self, mode: Mode, client_pid: int | None) -> ReloadOutcome:
        """Load the configuration again; returns when it has been judged and everything acquired, before any change.

        Raises:
            ControlError: everything stops.
        """
        del client_pid
        text = self._app.reloader.ask(mode).await_judged()
        return ReloadOutcome(ok=not text, text=text)

    def plan(self, locations: Sequence[str]) -> PlanOutcome:
        """What a reload would do, or one with another configuration."""
        result, difference = self._app.reloader.plan(locations)
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
        if app.log.debugging or app.facts.wanted:  # else nobody would receive them
            for name, value in values.items():
                if not app.bus.offer(Event("metric", name[:METRIC_TEXT_MAX], str(value)[:METRIC_TEXT_MAX])):
                    break
        return app.metrics.record(values)

    def maintenance(self, *, enable: bool) -> None:
        """Enter or leave maintenance (contract, section 4.5)."""
        self._app.bus.publish(MAINTENANCE[enable])

    def logs(self, jobs: Sequence[str], *, since_s: float, last: int | None, follow: bool) -> Tail[Any]:
        """The last lines of jobs, and those that follow; to be closed."""
        runners = self._by_hand.named(jobs)
        names = _as_logged(runners) if jobs else []
        tail = self._app.tails.lines(
            names, since_s=since_s, last=last, follow=follow, also=partial(self._is_meant, jobs)
        )
        raw = [str(runner.key) for runner in runners if runner.plan.job.command and runner.plan.job.command.raw]
        if raw:
            tail.begin_with({"raw": raw})
        return tail

    def _is_meant(self, jobs: Sequence[str], name: str) -> bool:
        """Whether lines of this name are of the jobs that are meant, as those are now."""
        from corepilot.output.ring import names_of

        try:
            meant = _as_logged(self._by_hand.named(jobs))
        except ControlError:  # there is none of them any more
            return False
        return bool(meant) and names_of(meant)(name)

    def events(self, *, since_s: float, last: int | None, follow: bool) -> Tail[Any]:
        """The last events, and those that follow; to be closed."""
        return self._app.tails.events(since_s=since_s, last=last, follow=follow)

    def stacks(self) -> str:
        """What every greenlet and thread is doing."""
        return "\n".join(stacks())

    def shutdown(self) -> None:
        """Begin to stop, as SIGTERM does. A hook may ask for it as well: a second request changes nothing."""
        self._app.shutdown.stop("a shutdown request", impatient=False)


def _planned(change: Change) -> dict[str, object]:
    return {
        "what": change.what,
        "name": change.name,
        "kind": change.kind,
        "settings": [list(setting) for setting in change.settings],
        "consequence": change.consequence,
    }


def _not_in_use(name: str, plugin: PluginReference) -> dict[str, object]:
    """A catalog that is named and could not be made, or is not made yet."""
    return {
        "name": name, "backend": plugin.name, "address": "", "mode": "", "connected": False, "faults": 0, "off": "",
        "stuck": 0, "refused": False,
    }  # fmt: skip


def _as_logged(runners: Sequence[Runner]) -> list[str]:
    """What the log calls these jobs."""
    return [str(runner.key) if runner.key.replica else runner.name for runner in runners]
