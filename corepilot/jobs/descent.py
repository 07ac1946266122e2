"""Which runs have led to an event: what tells a loop of jobs that start one another from news of the world. Pure.

What comes from catalogs, clocks, signals and people has no origin. What a job publishes descends from its present run,
and from all that the event which has started it descends from.
"""

from __future__ import annotations

from corepilot.jobs.state import State
from corepilot.model.event import Event
from corepilot.model.job import JobKey

JOBS_MAX = 64
"""How many jobs an event can descend from; the oldest are forgotten."""


def descending(event: Event, key: JobKey, state: State) -> Event:
    """An event that a job publishes, with its origin.

    Args:
        event: Without an origin.
        key: The job's.
        state: Where the job is when it publishes it.
    """
    run = state.process.runs
    if not run:
        return event
    name, cause = str(key), state.trigger.cause
    before = [one for one in cause.origin if one[0] != name] if cause is not None else []
    return event.changed(origin=(*before[1 - JOBS_MAX :], (name, run)))


def descends(event: Event | None, key: JobKey) -> bool:
    """Whether an event descends from a run of a job."""
    if event is None or not event.origin:
        return False
    name = str(key)
    return any(one[0] == name for one in event.origin)
