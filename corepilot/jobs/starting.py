"""The beginning of a job, and the start of its runs: what several of its machines do together. Pure."""

from __future__ import annotations

from corepilot.jobs import check, process, readiness, registration, trigger
from corepilot.jobs.descent import descends
from corepilot.jobs.plan import Plan
from corepilot.jobs.state import CheckState, ClearTimer, SetTimer, State, Step, StopState
from corepilot.model.event import Event
from corepilot.model.job import Dependency


def begin(plan: Plan, *, by_hand: bool = False) -> Step:
    """The state of a job before anything happened, and the actions to begin with (contract, section 4.1).

    Args:
        plan: The job's.
        by_hand: Whether a person wants it to begin, also where it does not by itself.
    """
    if not plan.job.autostart and not by_hand:
        return State(stop=StopState(outcome="stopped", stage="done")), ()
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


def answer(plan: Plan, state: State, now: float, event: Event) -> Step:
    """An event starts the job. One that descends from an earlier run of it is delayed as a restart is, no other is.

    So jobs that start one another do not do so without end and without pause, and news of the world is never late.
    """
    if is_throttled(plan, state):
        return _taken_together(plan, state, now, event)
    echo = is_echo(plan, state, event)
    if state.process.stage == "backoff" and not echo and state.process.delayed != "any":
        state = interrupted(state)
    if state.process.stage != "none" or not echo:
        return run(plan, state, now, event)
    return paced(plan, state.changed(trigger=state.trigger.changed(cause=event)), now)


def is_throttled(plan: Plan, state: State) -> bool:
    """Whether what asks for a start is one with what has asked before. Hooks run at once in any case."""
    throttled = plan.job.when.throttle_s is not None and plan.job.command is not None
    return throttled and not plan.is_hook and not state.stop.shutdown


def _taken_together(plan: Plan, state: State, now: float, event: Event) -> Step:
    """An event starts a job that is throttled: the start that is to come anyway, if there is one, is told of it."""
    if process.busy(plan, state.process):
        return state.changed(trigger=state.trigger.changed(waiting=(event,))), ()
    told = state.trigger.changed(cause=event)
    if state.process.stage == "standby" or (state.process.stage == "backoff" and state.process.delayed != "restart"):
        return state.changed(trigger=told), ()
    if state.process.stage == "backoff":
        state = interrupted(state)
    return paced(plan, state.changed(trigger=told), now)


def is_echo(plan: Plan, state: State, event: Event | None) -> bool:
    """Whether an event descends from an earlier run of the job that it is to start. Hooks run at once in any case."""
    return descends(event, plan.key) and not plan.is_hook and not state.stop.shutdown


def paced(plan: Plan, state: State, now: float) -> Step:
    """Begin the run that an event asks for, `trigger.cause`, when it may begin; none is under way."""
    process_, delay_s = state.process, 0.0
    if is_echo(plan, state, state.trigger.cause):
        process_, delay_s = process.delayed(plan, process_, now)
    if is_throttled(plan, state):
        delay_s = max(delay_s, process.throttled_s(plan, process_, now))
    if delay_s <= 0:
        return start(plan, state.changed(process=process_), now)
    waiting = process_.changed(stage="backoff", delayed="event")
    return state.changed(process=waiting), (SetTimer(process.RESTART, delay_s),)


def interrupted(state: State) -> State:
    """Something starts the job at once that waits for a restart, which is not used up; a delayed event waits behind."""
    idle = state.changed(process=state.process.changed(stage="none"))
    if state.process.delayed == "event":
        return idle.changed(trigger=trigger.wait_first(state.trigger))
    return idle.changed(process=process.unused(idle.process))


def missing(plan: Plan, state: State) -> tuple[Dependency, ...]:
    """What does not hold of that which a job depends on. A hook that runs while everything stops waits for nothing."""
    if not plan.job.depends_on or state.stop.shutdown:
        return ()
    return tuple([one for one in plan.job.depends_on if one not in state.met])


def awaited(plan: Plan, state: State) -> tuple[str, ...]:
    """What a job in standby waits for, in words."""
    if state.phase != "standby":
        return ()
    needed = tuple([one.awaited for one in missing(plan, state)])
    return needed or (f"the lock {plan.job.lock}",)


def start(plan: Plan, state: State, now: float) -> Step:
    """Begin a run, as soon as what the job depends on holds and it has its lock; none is under way."""
    if missing(plan, state):  # `when.timeout` goes on: it is the time that a job has to be started
        return state.changed(process=state.process.changed(stage="standby")), (ClearTimer(process.RESTART),)
    if plan.job.lock and not state.locked:
        standby = state.process.changed(stage="standby")
        return state.changed(process=standby), (ClearTimer(process.RESTART), *trigger.started(plan))
    process_, actions = process.run(plan, state.process, now)
    readiness_, waits = readiness.begin(plan)
    health = "maintenance" if state.health == "maintenance" else "unknown"
    checks = tuple([check.forgotten(one) for one in state.checks])
    state = state.changed(process=process_, health=health, checks=checks, readiness=readiness_)
    return state, (*trigger.started(plan), *actions, *waits)


def stand_by(plan: Plan, state: State, now: float) -> Step:
    """What it depends on has changed: a run that stands by begins as soon as it can; one that has begun goes on."""
    if state.stopping or state.process.stage != "standby" or missing(plan, state):
        return state, ()
    return start(plan, state, now)
