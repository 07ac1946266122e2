"""What people and reloads want of a job: start, stop, restart, make room for another plan, go. Pure."""

from __future__ import annotations

from corepilot.jobs import process, starting, stopping, trigger
from corepilot.jobs.plan import Plan
from corepilot.jobs.state import Order, Outcome, State, Step, StopState
from corepilot.model.event import Event


def ordered(plan: Plan, state: State, order: Order, now: float) -> Step:
    """What a job does about an order."""
    if order.wanted in {"replace", "remove"}:
        return _leave(plan, state, "again" if order.wanted == "replace" else "removed")
    if order.wanted == "stop" and state.stop.outcome == "again":
        return state.changed(stop=state.stop.changed(outcome="stopped")), ()
    if state.stop.shutdown and not state.ended:
        return state, ()  # whoever asks is told that it stops with others
    if order.wanted == "stop":
        return (state, ()) if state.stopping else stopping.stop(plan, state, "stopped")
    if state.ended or (order.wanted == "restart" and not state.process.runs):
        return _anew(plan, state, now)
    if state.stopping:
        return state.changed(stop=state.stop.changed(outcome="again", armed=False)), ()
    if order.wanted == "restart":
        return stopping.stop(plan, state, "again")
    if state.process.stage == "running":
        return state, ()
    if process.busy(plan, state.process):
        return state.changed(trigger=trigger.wait(_by_hand(plan, state).trigger, None)), ()
    state = _by_hand(plan, state)
    if state.process.stage == "backoff" and state.process.delayed == "event":
        state = starting.interrupted(state)
    return starting.start(plan, state.changed(trigger=state.trigger.changed(cause=None)), now)


def _anew(plan: Plan, before: State, now: float) -> Step:
    """As at its beginning, and run, whatever its `when` says."""
    state, actions = starting.begin(plan, by_hand=True)
    state, more = starting.start(plan, _by_hand(plan, _knowing(state, before)), now)
    return state, (*actions, *more)


def _knowing(begun: State, before: State) -> State:
    """What it knew of others goes on to hold: who depends on them, or has the lock already, is not told again."""
    return begun.changed(met=before.met, locked=before.locked)


def _by_hand(plan: Plan, state: State) -> State:
    """A start by hand is one of those that count; a hook stays armed, for the stop that it is there for."""
    return state if plan.is_hook else state.changed(trigger=trigger.used(state.trigger))


def _leave(plan: Plan, state: State, outcome: Outcome) -> Step:
    """Stop together with others, in order (contract, section 4.8)."""
    if state.ended:
        return stopping.ended(plan, state.changed(stop=state.stop.changed(outcome=outcome)))
    if state.stopping or state.lingering:
        return state.changed(stop=state.stop.changed(outcome=outcome, shutdown=True)), ()
    return stopping.shutdown(plan, state, outcome)


def other_began(plan: Plan, state: State, name: str) -> Step:
    """What was over is not any more: what hooks its stop is armed again, and a stop waits for it again."""
    stop_ = state.stop.changed(gone=state.stop.gone - {name})
    if name == plan.awaited_hook:
        stop_ = stop_.changed(hook_done=False)
    state = state.changed(stop=stop_)
    if plan.job.hook is None or plan.job.hook.source != name or state.phase == "stopped" or state.stop.shutdown:
        return state, ()
    if state.ended:
        begun, actions = starting.begin(plan)
        return _knowing(begun, state), actions
    if state.stopping:
        by_itself = state.stop.outcome == "complete"
        return (state.changed(stop=stop_.changed(outcome="again", armed=True)) if by_itself else state), ()
    armed = plan.hooks_stopping and state.stop.bounded  # its run for the last stop goes on
    trigger_ = state.trigger.changed(starts_left=plan.starts)
    return state.changed(trigger=trigger_, stop=StopState(bounded=stop_.bounded, armed=armed, gone=stop_.gone)), ()


def other_is_over(plan: Plan, state: State, name: str) -> Step:
    """Nobody will say that this job has stopped, but it has."""
    if state.ended:
        return state, ()
    state = stopping.heard(plan, state, Event("stopped", name))
    further = stopping.go_on(plan, state)
    if further is not None:
        return further
    idle = state.process.stage == "none" and not state.trigger.pending and not state.stopping
    if state.stop.source_done and idle:  # a hook that nothing will start
        return stopping.stop(plan, state, state.stop.outcome or "complete")
    return state, ()
