"""What holds of all jobs, as events: what a job that begins late hears, once each, as if it had been there. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from corepilot.jobs.actor import Actor
from corepilot.model.event import GLOBAL, Event, exit_event

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
