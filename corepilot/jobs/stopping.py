"""How a job ends, as one of its machines: who is waited for, and in which order (contract, sections 4.1, 4.6 to 4.8).

`lingering` (it goes on until those have stopped that it stops after) ──▶ `hooked` (the job that hooks our `stopping`
runs, bounded) ──▶ `draining` (where that is configured: it leaves the catalog and goes on for a while, bounded) ──▶
`terminating` (TERM, bounded, KILL) ──▶ `done`, with what the stop is for as its outcome.
"""

from __future__ import annotations

from corepilot.jobs import check, process, readiness, registration, trigger
from corepilot.jobs.plan import Plan
from corepilot.jobs.state import (
    MAIN,
    Action,
    AwaitGone,
    ClearTimer,
    Ended,
    Kill,
    Outcome,
    Publish,
    SetTimer,
    State,
    Step,
    Sweep,
    Timer,
)
from corepilot.model.event import Event
from corepilot.model.job import HOOK_TIMEOUT_S, LEAVE_S

HOOK = Timer("hook")
DRAIN = Timer("drain")


def shutdown(plan: Plan, state: State, outcome: Outcome = "complete") -> Step:
    """It is to stop with others (contract, section 4.8): begin, unless the job has something to do before."""
    stop_ = state.stop.changed(shutdown=True, outcome=outcome)
    state = state.changed(stop=stop_, trigger=state.trigger.changed(waiting=()))
    if plan.is_hook and plan.job.command is not None and plan.startable:
        if process.busy(plan, state.process):
            state, actions = bound(plan, state)
            return state.changed(trigger=state.trigger.changed(starts_left=0)), actions
        if state.trigger.starts_left and not state.stop.source_done:
            idle = state.process.changed(stage="none")
            waiting = state.trigger.changed(starts_left=1)
            return state.changed(process=idle, trigger=waiting), (ClearTimer(process.RESTART),)
    if state.process.stage == "running" and not plan.stops_after <= state.stop.gone:
        lingering = state.changed(
            stop=state.stop.changed(stage="lingering"), trigger=state.trigger.changed(starts_left=0)
        )
        return lingering, (*trigger.rest(), ClearTimer(process.RESTART))
    return stop(plan, state, outcome)


def bound(plan: Plan, state: State) -> Step:
    """Begin to count the time of a hook, once (contract, section 4.7, FIX)."""
    if state.stop.bounded:
        return state, ()
    return state.changed(stop=state.stop.changed(bounded=True)), (SetTimer(HOOK, plan.hook_timeout_s),)


def overdue(plan: Plan, state: State) -> Step:
    """A hook has had its time, or what it was waited for: the stop goes on."""
    if state.stop.stage == "hooked":
        return terminate(plan, state)
    hook = plan.job.hook
    where = f"of this job, or of {hook.source}" if hook is not None and plan.hooks_stopping else "of this job"
    why = f"a hook that has not ended within {plan.hook_timeout_s:g} s; raise stopTimeout {where} to give it longer"
    return stop(plan, state, state.stop.outcome or "complete", why)


def stop(plan: Plan, state: State, outcome: Outcome, why: str = "") -> Step:
    """Begin to stop: tell, let the hook that waits for it run, then terminate (contract, sections 4.1 and 4.6)."""
    if state.stop.armed and outcome == "complete" and not state.stop.shutdown:
        outcome = "again"
    state = state.changed(
        stop=state.stop.changed(stage="hooked", outcome=outcome),
        trigger=state.trigger.changed(starts_left=0, waiting=()),
    )
    if state.process.stage in {"backoff", "standby"}:
        state = state.changed(process=state.process.changed(stage="none"))
    actions: tuple[Action, ...] = (
        *check.rest(plan.job.checks),
        *trigger.rest(),
        ClearTimer(process.RESTART),
        ClearTimer(HOOK),
        Publish(Event("stopping", plan.job.name)),
    )
    if plan.awaited_hook and not state.stop.hook_done:
        return state, (*actions, SetTimer(HOOK, plan.job.stop.hook_timeout_s or HOOK_TIMEOUT_S))
    state, more = terminate(plan, state, why)
    return state, (*actions, *more)


def terminate(plan: Plan, state: State, why: str = "") -> Step:
    """Signal what runs and leave the catalog, at the same moment (contract, section 7.3).

    After its own end a job keeps the children that have left its process group (contract, section 4.2); a stop that
    somebody asked for takes them, too.
    """
    if _drains(plan, state):
        return _drain(plan, state)
    own_end = state.stop.outcome == "complete" and not state.stop.shutdown
    advertised, actions = registration.withdraw(plan.job.service)
    if state.stop.stage == "draining":
        advertised, actions = None, (ClearTimer(DRAIN),)  # it has left already
    elif plan.awaited_hook:
        actions = (ClearTimer(HOOK), *actions)
    if plan.job.command is None:
        state = state.changed(process=state.process.changed(stage="none", up=False))
    sweeping = not own_end and plan.job.command is not None and state.process.runs > 0
    readiness_, waits = readiness.end(state.readiness)
    actions += waits
    # From here on the time of the stop counts, whatever the run was to be ended for.
    state = state.changed(advertised=advertised, readiness=readiness_, process=state.process.changed(blame=""))
    state = state.changed(stop=state.stop.changed(stage="terminating", sweeping=sweeping))
    actions += tuple([Kill(one, force=False) for one, state_ in enumerate(state.checks) if state_.stage == "running"])
    if sweeping:
        actions += (Sweep(why=why),)
    elif process.alive(plan, state.process):
        actions += (Kill(MAIN, force=False, why=why),)
    if _busy(plan, state):
        actions += process.await_group(plan)
    state, more = ended(plan, state)
    return state, (*actions, *more)


def _drains(plan: Plan, state: State) -> bool:
    stop_ = state.stop
    if not plan.job.stop.drain_s or stop_.hurried or stop_.stage == "draining":
        return False
    return state.advertised is not None and process.alive(plan, state.process)


def _drain(plan: Plan, state: State) -> Step:
    """Leave the catalog first, and go on until nobody can be expected to come any more: seen to be out, and a while."""
    service = plan.job.service
    advertised, actions = registration.withdraw(service)
    if plan.awaited_hook:
        actions = (ClearTimer(HOOK), *actions)
    state = state.changed(advertised=advertised, stop=state.stop.changed(stage="draining", left=False))
    wait = (AwaitGone(service.registration),) if service is not None else ()
    return state, (*actions, SetTimer(DRAIN, LEAVE_S), *wait)


def left(plan: Plan, state: State) -> Step:
    """It is out of the catalog: from now on its time to drain counts."""
    if state.stop.stage != "draining" or state.stop.left:
        return state, ()
    return state.changed(stop=state.stop.changed(left=True)), (SetTimer(DRAIN, plan.job.stop.drain_s or 0.0),)


def drained(plan: Plan, state: State) -> Step:
    """The time has passed in which it was to be seen out of the catalog, or to drain."""
    if state.stop.stage != "draining":
        return state, ()
    return terminate(plan, state) if state.stop.left else left(plan, state)


def main_ended(plan: Plan, state: State) -> Step:
    """The main process of a job that stops has ended, or was never there: its hook is waited for all the same."""
    match state.stop.stage:
        case "terminating":
            return ended(plan, state)
        case "draining":
            return terminate(plan, state)
    return state, ()


def ended(plan: Plan, state: State) -> Step:
    """`stopped` means that the processes are gone; ContainerPilot says it at the signal already (section 4.1, FIX)."""
    if _busy(plan, state):
        return state, ()
    state = state.changed(health="idle", stop=state.stop.changed(stage="done"))
    outcome = state.stop.outcome or "complete"
    return state, (ClearTimer(process.KILL), Publish(Event("stopped", plan.job.name)), Ended(outcome))


def late(plan: Plan, state: State) -> Step:
    """The stop deadline has passed."""
    return state, _kill_all(plan, state, process.late(plan))


def kill_now(plan: Plan, state: State) -> Step:
    """Wait for nothing any more."""
    if state.ended:
        return state, ()
    actions: tuple[Action, ...] = ()
    state = state.changed(stop=state.stop.changed(hurried=True))
    if not state.stopping:
        state, actions = stop(plan, state.changed(stop=state.stop.changed(shutdown=True)), "complete")
    if state.stop.stage in {"hooked", "draining"}:
        state, more = terminate(plan, state)
        actions += more
    return state, (*actions, *_kill_all(plan, state, "the stop was asked for twice"))


def heard(plan: Plan, state: State, event: Event) -> State:
    """Take note of jobs that have stopped."""
    if event.code != "stopped":
        return state
    stop_ = state.stop
    if plan.job.hook is not None and event.subject == plan.job.hook.source:
        stop_ = stop_.changed(source_done=True)
    if plan.awaited_hook and event.subject == plan.awaited_hook:
        stop_ = stop_.changed(hook_done=True)
    if event.subject in plan.stops_after:
        stop_ = stop_.changed(gone=stop_.gone | {event.subject})
    return state.changed(stop=stop_)


def go_on(plan: Plan, state: State) -> Step | None:
    """The next part of a stop, if what it waited for has come; None if not."""
    if state.stop.stage == "hooked" and (state.stop.hook_done or not plan.awaited_hook):
        return terminate(plan, state)
    if state.lingering and plan.stops_after <= state.stop.gone:
        return stop(plan, state, state.stop.outcome or "complete")
    return None


def _busy(plan: Plan, state: State) -> bool:
    stop_ = state.stop
    return stop_.sweeping or process.busy(plan, state.process) or any(one.stage != "none" for one in state.checks)


def _kill_all(plan: Plan, state: State, why: str) -> tuple[Action, ...]:
    killed = [Kill(one, force=True, why=why) for one, state_ in enumerate(state.checks) if state_.stage != "none"]
    if state.stop.sweeping:
        return (Sweep(force=True, why=why), *killed)
    if process.busy(plan, state.process):
        return (Kill(MAIN, force=True, why=why), *killed)
    return tuple(killed)
