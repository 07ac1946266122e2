"""Who is told what becomes of jobs and events: the counters, the debug log, the stop, and the reload under way."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from corepilot.jobs.actor import Actor
from corepilot.jobs.runner import Runner
from corepilot.jobs.state import Outcome
from corepilot.model.event import Event
from corepilot.model.fact import Reloaded, ReloadResult
from corepilot.model.job import Dependency
from corepilot.model.trigger import described
from corepilot.observers.facts import Facts, stamp
from corepilot.output.log import Log
from corepilot.telemetry.builtin import CONTROL_REQUESTS, EVENTS, RELOADS
from corepilot.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from corepilot.supervisor.reloader import Reloader
    from corepilot.supervisor.shutdown import Shutdown


class Supervisor(Protocol):
    """The parts that are told."""

    facts: Facts
    log: Log
    metrics: Metrics
    shutdown: "Shutdown"


class Progress:
    """Observes the jobs; see `corepilot.jobs.jobset.Observer`.

    Args:
        supervisor: The parts.

    Attributes:
        requests: Counts requests on the control socket.
        reloader: Once there is one.
    """

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        metrics = supervisor.metrics
        self._events = EVENTS.family(metrics)
        self.requests = CONTROL_REQUESTS.family(metrics)
        self._reloads = RELOADS.family(metrics)
        self.reloader: Reloader | None = None

    def hear(self, event: Event) -> None:
        """An event on the bus."""
        if self._supervisor.log.debugging:
            self._supervisor.log("debug", f"event: {{{event}}}")
        if event.code != "metric":  # contract, section 9.2: all but these
            self._events.record(1, (event.code, event.subject))

    def job_ended(self, actor: Actor, outcome: Outcome) -> None:
        """A stop of a job is over."""
        if isinstance(actor, Runner):
            self._supervisor.shutdown.job_ended(actor, outcome)

    def all_ended(self) -> None:
        """Every job has ended, or waits in vain."""
        if self.reloader is None or not self.reloader.all_ended():
            self._supervisor.shutdown.finished.set()
        if self.reloader is not None and self._supervisor.shutdown.begun:
            self.reloader.stop()

    def ends_with(self, reason: str) -> None:
        """A job has ended with which everything ends."""
        self._supervisor.shutdown.stop(reason, asked=False)

    def waits_in_vain(self, actor: Actor, never: Sequence[Dependency]) -> None:
        """Nothing starts a job any more."""
        if actor.plan.job.reloads:
            return  # what it reloads has ended, as its own lines say
        awaited = described(actor.plan.trigger)
        what = f"it waits for {awaited}, which cannot come any more" if awaited else "its when names no event"
        by_hand = str(actor.key)
        if never:
            which = " and ".join(one.awaited for one in never)
            what = f"it depends on {which}, which cannot come true any more"
            by_hand = " ".join(one.job for one in never)
        self._supervisor.log(
            "warning", f"cannot start any more: {what}; by hand: corepilot start {by_hand}", (("job", actor.name),)
        )

    def nothing_runs(self, stopped: Sequence[Actor]) -> None:
        """Jobs that were stopped by hand are all that is left."""
        names = " ".join(str(actor.key) for actor in stopped)
        never = any(not actor.plan.job.autostart and not actor.starts for actor in stopped)
        how = "waits to be started by hand" if never else "was stopped by hand"
        self._supervisor.log(
            "warning",
            f"nothing runs any more: {names} {how} and keeps corepilot up; "
            f"corepilot start {names}, or corepilot shutdown",
        )

    def reloaded(self, result: ReloadResult, detail: str) -> None:
        """A reload is over."""
        self._reloads.record(1, (result,))
        if self._supervisor.facts.wanted:
            self._supervisor.facts.tell(Reloaded(stamp(), result, detail))

    def settled(self) -> None:
        """Everything that a reload had to stop has stopped, and what it added has begun."""
        if self.reloader is not None:
            self.reloader.settled.set()
