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
        state = other.state
        if state.health in {"healthy", "unhealthy"}:
            yield Event(state.health, other.name)
        if state.ended:
            if state.phase == "complete" and state.process.status is not None:
                yield exit_event(other.name, state.process.status)
            yield Event("stopped", other.name)
