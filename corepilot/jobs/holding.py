"""What holds of all jobs, as events: what a job that begins late hears, once each, as if it had been there. Pure.

And whether what a job's last stop has started is over: its next run begins after that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from corepilot.jobs.actor import Actor
from corepilot.jobs.plan import Plan
from corepilot.model.event import GLOBAL, Event, exit_event
from corepilot.model.trigger import keys

STARTUP = Event("startup", GLOBAL)


def holding(others: Iterable[Actor], *, maintenance: bool) -> Iterator[Event]:
    """The events that hold: states, and no edges that have passed.

    Args:
        others: The jobs that have begun.
        maintenance: Whether there is maintenance.
    """
    if maintenance:
        yield Event("enterMaintenance", GLOBAL)
    yield STARTUP
    for other in others:
        state, job = other.state, other.plan.job
        if state.process.up and not state.stopping:
            yield Event("started", other.name)
            if job.ready is None or state.readiness.achieved:
                yield Event("ready", other.name)
        if state.health in {"healthy", "unhealthy"}:
            yield Event(state.health, other.name)
        if state.ended:
            if state.phase == "complete" and state.process.status is not None:
                status = state.process.status
                yield exit_event(other.name, status, failed=not job.succeeds(status))
            yield Event("stopped", other.name)


def concerning(plan: Plan, events: Iterable[Event], *, starting: bool) -> Iterator[Event]:
    """Those of the events that a job hears: also what starts it, or only the rest."""
    interests, starts = plan.interests(), frozenset(keys(plan.trigger))
    for event in events:
        if (event.subject == GLOBAL or event.key in interests) and (starting or event.key not in starts):
            yield event


def hooks_end(others: Iterable[Actor], name: str) -> bool:
    """Whether a job goes on that was started by the last stop of the job called `name`, before that was signalled.

    It is bounded, and ends: by itself, or because its time is over.
    """
    for other in others:
        hook, stop = other.plan.job.hook, other.state.stop
        ends = (stop.bounded or other.state.stopping) and not other.state.ended
        if ends and other.plan.hooks_stopping and hook is not None and hook.source == name:
            return True
    return False
