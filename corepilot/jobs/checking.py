"""What a job does about the results of its checks: its health, its service, its events. Pure.

The machine of one check is in `check`; here is what they mean together, and for the rest of the job.
"""

from __future__ import annotations

from corepilot.jobs import check, process, readiness, registration, stopping
from corepilot.jobs.plan import Plan
from corepilot.jobs.state import Action, Exited, Publish, State, Step
from corepilot.model.event import Event


def ended(plan: Plan, state: State, exited: Exited, now: float) -> Step:
    """A check has given a result."""
    index = exited.role
    if index >= len(plan.job.checks) or state.checks[index].stage == "outdated":
        return outdated(plan, state, index, remains=exited.remains)
    result = check.exited(plan, index, state.checks[index], exited, now=now, started_at=state.process.started_at)
    state, actions = _put(state, index, result)
    if state.stop.stage == "terminating":
        state, more = stopping.ended(plan, state)
        return state, (*actions, *more)
    if state.stopping or state.health in {"maintenance", "idle"}:
        return state, actions
    state, more = _judged(plan, state, now, passed=not exited.status)
    actions += more
    state, more = _ended_for(plan, state, index)
    actions += more
    state, more = _owed(plan, state, index, now)
    return state, (*actions, *more)


def _judged(plan: Plan, state: State, now: float, *, passed: bool) -> Step:
    """A check has given a result: what that means for the job.

    Each result that agrees with the job's health is an event (contract, section 4.3). One that is still forgiven is
    none, but it keeps the service where it is.
    """
    health, before = check.together(plan.job.checks, state.checks), state.health
    if health != before:
        state = state.changed(health=health)
    actions: tuple[Action, ...] = ()
    if health in {"healthy", "unhealthy"} and (health != before or passed == (health == "healthy")):
        actions = (Publish(Event(health, plan.job.name)),)
    state, more = _told(plan, state, now)
    actions += more
    if health == "healthy" and plan.job.ready is not None and plan.job.ready.check:
        readiness_, more = readiness.achieved(plan, state.readiness)
        state, actions = state.changed(readiness=readiness_), (*actions, *more)
    return state, actions


def _told(plan: Plan, state: State, now: float) -> Step:
    """What the catalog is told now."""
    checks, service = plan.job.checks, plan.job.service
    match check.service(checks, state.checks):
        case "unhealthy":
            advertised, told = registration.failed(service, state.advertised, check.failing(checks, state.checks))
        case "healthy" if check.fresh(checks, state.checks, now):
            advertised, told = registration.passed(service, state.advertised)
        case _:
            return state, ()
    return state if advertised == state.advertised else state.changed(advertised=advertised), told


def _ended_for(plan: Plan, state: State, index: int) -> Step:
    """End the run, if that is what the failure of a check is for."""
    one, said = plan.job.checks[index], state.checks[index]
    if said.passed is not False or one.on_unhealthy != "restart" or not process.alive(plan, state.process):
        return state, ()
    process_, actions = process.fail(plan, state.process, f"{plan.job.check_source(index)} fails: {said.output}")
    return state.changed(process=process_), actions


def outdated(plan: Plan, state: State, index: int, *, remains: bool) -> Step:
    """The process of a check has ended that a reload has taken away or changed, and killed."""
    if index >= len(state.checks):
        return state, ()
    left = state.checks[index].changed(stage="emptying" if remains else "none")
    state = _trimmed(plan, _put(state, index, (left, ()))[0])
    return stopping.ended(plan, state) if state.stop.stage == "terminating" else (state, ())


def _owed(plan: Plan, state: State, index: int, now: float) -> Step:
    """It is free: make up for a tick that it has skipped."""
    if not check.owed(plan.job.checks[index], state.checks[index], now):
        return state, ()
    return tick(plan, state, index, now)


def tick(plan: Plan, state: State, index: int, now: float) -> Step:
    """It is time for a check."""
    if state.health in {"idle", "maintenance"} or not readiness.may_be_checked(plan, state.readiness):
        return state, ()
    if not plan.job.checks[index].asks:
        advertised, actions = registration.passed(plan.job.service, state.advertised)
        return state.changed(advertised=advertised), actions
    return _put(state, index, check.tick(plan, index, state.checks[index], now))


def _put(state: State, index: int, result: check.Result) -> Step:
    checks = (*state.checks[:index], result[0], *state.checks[index + 1 :])
    return state.changed(checks=checks), result[1]


def _trimmed(plan: Plan, state: State) -> State:
    """Without the checks that a reload has taken away and of which nothing is left."""
    checks = state.checks
    while len(checks) > len(plan.job.checks) and checks[-1].stage == "none":
        checks = checks[:-1]
    return state.changed(checks=checks) if len(checks) < len(state.checks) else state


def emptied(plan: Plan, state: State, index: int, now: float) -> Step:
    """Nothing is left of the process group of a check."""
    state, actions = _put(state, index, check.emptied(index, state.checks[index]))
    state = _trimmed(plan, state)
    if state.stop.stage == "terminating":
        state, more = stopping.ended(plan, state)
    else:
        state, more = _owed(plan, state, index, now) if index < len(plan.job.checks) else (state, ())
    return state, (*actions, *more)


def unstarted(plan: Plan, state: State, index: int, now: float) -> Step:
    """A check could not be started for want of something that others hold."""
    if index >= len(plan.job.checks):
        return outdated(plan, state, index, remains=False)
    check_, actions, failed = check.unstarted(plan, index, state.checks[index])
    state, _ = _put(state, index, (check_, ()))
    if failed and not state.stopping:
        reason = "it could not be started for want of descriptors, processes or memory"
        state, more = ended(plan, state, Exited(index, 126, reason), now)
        return state, (*actions, *more)
    if state.stop.stage == "terminating":
        state, more = stopping.ended(plan, state)
        return state, (*actions, *more)
    return state, actions
