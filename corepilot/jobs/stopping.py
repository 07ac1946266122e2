"""How a job ends, as a part of the pure function in `corepilot.jobs.machine` (contract, sections 4.1 and 4.6 to 4.8).

`hooked` (the job that hooks our `stopping` runs, bounded) ──▶ `terminating` (TERM, bounded, KILL) ──▶ `complete`. A job
that stops after others goes on as it was until they have, and begins with this then.
"""

from dataclasses import replace

from corepilot.events import Event
from corepilot.jobs.model import (
    HOOK_TIMEOUT_S,
    Action,
    ClearTimer,
    Complete,
    Kill,
    Plan,
    Publish,
    Role,
    SetTimer,
    State,
    Step,
    Timer,
    Withdraw,
)

RUN_TIMERS: tuple[Timer, ...] = ("check", "interval", "when", "restart", "hook")
"""Timers that a job which stops has no more use for."""


def shutdown(plan: Plan, state: State) -> Step:
    """Everything is to stop (contract, section 4.8): begin with it, unless the job has something to do before."""
    state = replace(state, shutdown=True, restarts_left=0, pending=0)
    if plan.is_hook and plan.job.exec is not None and plan.startable:
        if state.alive:
            state, actions = bound(plan, state)
            return replace(state, starts_left=0), actions
        if state.starts_left and not state.source_done:
            return replace(state, phase="idle", starts_left=1), (ClearTimer("restart"),)
    if state.phase == "running" and not plan.stops_after <= state.gone:
        timers: tuple[Timer, ...] = ("interval", "when", "restart")
        return replace(state, lingers=True, starts_left=0), tuple(ClearTimer(timer) for timer in timers)
    return stop(plan, state)


def bound(plan: Plan, state: State) -> Step:
    """Begin to count the time of a hook, once (contract, section 4.7, FIX)."""
    if state.bounded:
        return state, ()
    return replace(state, bounded=True), (SetTimer("hook", plan.hook_timeout_s),)


def overdue(plan: Plan, state: State) -> Step:
    """A hook has had its time, or what it was waited for: the stop goes on."""
    if state.phase == "hooked":
        return terminate(plan, state)
    where = f"of this job, or of {plan.job.when.source}" if plan.hooks_stopping else "of this job"
    why = f"a hook that has not ended within {plan.hook_timeout_s:g} s; raise stopTimeout {where} to give it longer"
    return stop(plan, state, why)


def stop(plan: Plan, state: State, why: str = "") -> Step:
    """Begin to stop: tell, let the hook that waits for it run, then terminate (contract, sections 4.1 and 4.6)."""
    state = replace(state, phase="hooked", restarts_left=0, starts_left=0, pending=0, lingers=False)
    actions: tuple[Action, ...] = (
        *(ClearTimer(timer) for timer in RUN_TIMERS),
        Publish(Event("stopping", plan.job.name)),
    )
    if plan.awaited_hook and not state.hook_done:
        return state, (*actions, SetTimer("hook", plan.job.stop_timeout_s or HOOK_TIMEOUT_S))
    state, more = terminate(plan, state, why)
    return state, (*actions, *more)


def terminate(plan: Plan, state: State, why: str = "") -> Step:
    """Signal what runs and leave the catalog, at the same moment (contract, section 7.3).

    The catalog is told of every service, also of one that was never registered: an earlier life may have left it there.
    """
    state = replace(state, phase="terminating")
    actions: list[Action] = [ClearTimer("hook")] if plan.awaited_hook else []
    if plan.job.service is not None:
        actions.append(Withdraw())
    if state.checking:
        actions.append(Kill("check", force=False))
    if state.alive:
        actions.append(Kill("main", force=False, why=why))
    if _busy(state):
        actions.append(SetTimer("kill", max(plan.stop_timeout_s, 0.0)))
    state, more = ended(plan, state)
    return state, (*actions, *more)


def ended(plan: Plan, state: State) -> Step:
    """`stopped` means that the processes are gone; ContainerPilot says it at the signal already (section 4.1, FIX)."""
    if _busy(state):
        return state, ()
    state = replace(state, phase="complete", advertised=False)
    return state, (ClearTimer("kill"), Publish(Event("stopped", plan.job.name)), Complete())


def late(plan: Plan, state: State) -> Step:
    """The stop deadline has passed."""
    why = f"still running {plan.stop_timeout_s:g} s after its stop signal; raise stopTimeout to give it longer"
    return state, _kill_all(state, why)


def hurry(plan: Plan, state: State) -> Step:
    """Wait for nothing any more."""
    if state.phase == "complete":
        return state, ()
    actions: tuple[Action, ...] = ()
    if not state.ending:
        state, actions = stop(plan, replace(state, shutdown=True))
    if state.phase == "hooked":
        state, more = terminate(plan, state)
        actions += more
    return state, (*actions, *_kill_all(state, "the stop was asked for twice"))


def _busy(state: State) -> bool:
    return state.alive or state.checking or state.remains


def _kill_all(state: State, why: str) -> tuple[Action, ...]:
    running: tuple[tuple[Role, bool], ...] = (("main", state.alive or state.remains), ("check", state.checking))
    return tuple(Kill(role, force=True, why=why) for role, alive in running if alive)
