"""The beginning of a job, and the start of its runs: what several of its machines do together. Pure."""

from __future__ import annotations

from corepilot.jobs import check, process, registration, trigger
from corepilot.jobs.plan import Plan
from corepilot.jobs.state import CheckState, ClearTimer, State, Step
from corepilot.model.event import Event


def begin(plan: Plan) -> Step:
    """The state of a job before anything happened, and the actions to begin with (contract, section 4.1)."""
    advertised, announced = registration.begin(plan.job.service)
    trigger_, clocks = trigger.begin(plan)
    checks = tuple([CheckState() for _ in plan.job.checks])
    state = State(advertised=advertised, trigger=trigger_, checks=checks)
    return state, (*announced, *check.begin(plan.job.checks), *clocks)


def run(plan: Plan, state: State, now: float, cause: Event | None = None) -> Step:
    """Start, or wait until the run that goes on has ended: one at a time (contract, section 4.2).

    Args:
        plan: The job's.
        state: The state so far.
        now: Seconds.
        cause: The event that asks for it; None for a clock.
    """
    if state.process.stage in {"backoff", "standby"} or process.busy(plan, state.process):
        return state.changed(trigger=trigger.wait(state.trigger, cause)), ()
    return start(plan, state.changed(trigger=state.trigger.changed(cause=cause)), now)


def start(plan: Plan, state: State, now: float) -> Step:
    """Begin a run, as soon as the job has its lock; none is under way."""
    if plan.job.lock and not state.locked:
        standby = state.process.changed(stage="standby")
        return state.changed(process=standby), (ClearTimer(process.RESTART), *trigger.started(plan))
    process_, actions = process.run(plan, state.process, now)
    health = "maintenance" if state.health == "maintenance" else "unknown"
    checks = tuple([check.forgotten(one) for one in state.checks])
    state = state.changed(process=process_, health=health, checks=checks)
    return state, (*trigger.started(plan), *actions)
