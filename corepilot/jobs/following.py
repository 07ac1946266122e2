"""What follows a run whose process group is empty: another one, a wait for what starts it, or the end. Pure."""

from __future__ import annotations

from corepilot.jobs import process, starting, stopping
from corepilot.jobs.plan import Plan
from corepilot.jobs.state import ClearTimer, SetTimer, State, Step


def failure(plan: Plan, state: State) -> int | None:
    """The exit status of the last run, if it failed."""
    return state.process.status if process.failed(plan, state.process) else None


def _restarts(plan: Plan, state: State, now: float) -> bool:
    failed = process.failed(plan, state.process)
    return not state.stop.shutdown and process.may_restart(plan, state.process, now, failed=failed)


def is_last(plan: Plan, state: State, now: float) -> bool:
    """Whether nothing starts the job again after this run."""
    if plan.periodic and not state.stop.shutdown:
        return False
    if state.trigger.pending or _restarts(plan, state, now):
        return False
    # A job stops once: what hooks its `stopping` waits for nothing more when it has run, and the job waits for it.
    has_run = plan.hooks_stopping and state.stop.bounded
    again = state.trigger.starts_left and not state.stop.shutdown
    return not again or state.stop.source_done or has_run


def next_run(plan: Plan, state: State, now: float) -> Step:
    """After a run whose group is empty: again, wait for a trigger, or stop."""
    if plan.periodic and not state.stop.shutdown:
        if not state.trigger.pending:
            return state, ()
        return starting.start(plan, state.changed(trigger=state.trigger.changed(waiting=(), cause=None)), now)
    throttled = starting.is_throttled(plan, state)
    if _restarts(plan, state, now) and not (throttled and state.trigger.pending):  # one start is enough then
        process_, delay_s = process.restart(plan, state.process, now)
        if delay_s <= 0:
            return starting.start(plan, state.changed(process=process_), now)
        return state.changed(process=process_.changed(stage="backoff")), (SetTimer(process.RESTART, delay_s),)
    if state.trigger.pending:
        cause, *waiting = state.trigger.waiting
        state = state.changed(trigger=state.trigger.changed(waiting=tuple(waiting), cause=cause))
        return starting.paced(plan, state, now)
    if is_last(plan, state, now):
        state = state.changed(stop=state.stop.changed(failed=failure(plan, state)))
        return stopping.stop(plan, state, state.stop.outcome or "complete")
    return state, ()


def decide_again(plan: Plan, state: State, now: float) -> Step:
    """What the restarts of a new plan make of a run that the old one has granted, and that has not begun yet.

    A restart that is waited for takes place at the time that the new plan says, or not at all; and a tick that waits
    for the end of a run is as if it had not come, if the new plan has no restart for it: the next one ends the job.
    """
    process_ = state.process
    if state.stopping or state.lingering:
        return state, ()
    if process_.stage == "backoff" and process_.delayed == "restart":
        before = process.unused(process_).changed(stage="none", quick=max(process_.quick - 1, 0))
        state, actions = next_run(plan, state.changed(process=before), now)
        return state, (ClearTimer(process.RESTART), *actions)
    if plan.periodic and state.trigger.pending:
        before = process.unused(process_)
        if not process.restarts_left(plan, before, now):
            return state.changed(process=before, trigger=state.trigger.changed(waiting=())), ()
    return state, ()
