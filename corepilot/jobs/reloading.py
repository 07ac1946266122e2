"""A job reads its own configuration again because what that is made of has changed, as one of its machines. Pure.

Before a run is ready it may not be told: it would miss a command, and a signal would end it. Then it is told as soon as
it is ready. A job that does not run reads what there is when it starts.
"""

from __future__ import annotations

from corepilot.jobs import process
from corepilot.jobs.plan import Plan
from corepilot.jobs.state import Action, Publish, Signal, State, Step
from corepilot.model.event import Event


def hear(plan: Plan, state: State, event: Event) -> Step:
    """What a job does about an event because of its `reloadOn`."""
    if event.code != "changed" or event.subject not in plan.job.reload_on:
        return state, ()
    if not process.alive(plan, state.process) or state.stop.stage in {"terminating", "done"}:
        return state, ()
    if state.readiness.stage == "waiting":
        return state.changed(readiness=state.readiness.changed(reload_due=True)), ()
    return state, actions(plan)


def actions(plan: Plan) -> tuple[Action, ...]:
    """Make the run that goes on read its configuration again: the event starts the command that does."""
    told = Publish(Event("reload", plan.job.name))
    return (Signal(plan.job.reload_signal), told) if plan.job.reload_signal else (told,)
