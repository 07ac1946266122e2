"""The checks of a job: one machine for each, and what they say together. Pure.

A check has at most one process group. A tick that finds it busy is skipped; if the check ends soon after, the skipped
tick counts, so that one which is killed at its timeout gives a result at every interval.
"""

from __future__ import annotations

from collections.abc import Sequence

from corepilot.jobs.plan import Plan
from corepilot.jobs.state import (
    Action,
    CheckState,
    ClearTimer,
    Exited,
    Health,
    Kill,
    Publish,
    SetTimer,
    Start,
    Timer,
)
from corepilot.model.event import Event, exit_event
from corepilot.model.job import Check

TICK_KEPT = 0.5
"""A skipped tick counts for this part of the interval."""

SHORTAGES = 3
"""How often in a row a check may not be started, for want of something that others hold, until that is a failure."""

Result = tuple[CheckState, tuple[Action, ...]]


def begin(checks: Sequence[Check]) -> tuple[Action, ...]:
    """Ticks count from the job's beginning, not from its start (contract, section 4.4)."""
    return tuple([SetTimer(Timer("check", index), check.interval_s, every=True) for index, check in enumerate(checks)])


def rest(checks: Sequence[Check]) -> tuple[Action, ...]:
    """No more ticks."""
    return tuple([ClearTimer(Timer("check", index)) for index in range(len(checks))])


def tick(plan: Plan, index: int, state: CheckState, now: float) -> Result:
    """It is time for a check that has a command."""
    if state.stage != "none":
        return state.changed(missed_at=now), ()
    timeout_s = plan.job.checks[index].timeout_s
    actions: tuple[Action, ...] = (Start(index),)
    if timeout_s is not None:
        actions += (SetTimer(Timer("check-timeout", index), timeout_s),)
    return state.changed(stage="running", missed_at=None), actions


def unstarted(plan: Plan, index: int, state: CheckState) -> tuple[CheckState, tuple[Action, ...], bool]:
    """It could not be started for want of something that others hold; the last value: whether that is a failure now."""
    count = state.unstarted + 1
    actions = (ClearTimer(Timer("check-timeout", index)),) if plan.job.checks[index].timeout_s is not None else ()
    return state.changed(stage="none", unstarted=count % SHORTAGES), actions, count >= SHORTAGES


def exited(plan: Plan, index: int, state: CheckState, exit_: Exited) -> Result:
    """Its command has ended, or could not be started."""
    name = f"check.{plan.job.name}"
    actions: list[Action] = [Publish(exit_event(name, exit_.status))]
    if plan.job.checks[index].timeout_s is not None:
        actions.append(ClearTimer(Timer("check-timeout", index)))
    if exit_.status:
        actions.append(Publish(Event("error", name, exit_.reason)))
    if exit_.remains:
        actions.append(SetTimer(Timer("check-group", index), max(plan.job.stop.timeout_s, 0.0)))
    stage = "emptying" if exit_.remains else "none"
    return state.changed(stage=stage, passed=exit_.status == 0, unstarted=0), tuple(actions)


def emptied(index: int, state: CheckState) -> Result:
    """Nothing is left of its process group."""
    return state.changed(stage="none"), (ClearTimer(Timer("check-group", index)),)


def owed(check: Check, state: CheckState, now: float) -> bool:
    """Whether a skipped tick counts now that the check is free."""
    missed_at = state.missed_at
    return state.stage == "none" and missed_at is not None and now - missed_at < check.interval_s * TICK_KEPT


def timed_out(plan: Plan, index: int) -> tuple[Action, ...]:
    """It has taken longer than it may."""
    return (Kill(index, force=True, why=f"timeout after {plan.job.checks[index].timeout_s:g} s"),)


def overdue(plan: Plan, index: int) -> tuple[Action, ...]:
    """What it left in its group has not ended."""
    why = f"left by the check and still running {plan.job.stop.timeout_s:g} s after its stop signal"
    return (Kill(index, force=True, why=why),)


def together(checks: Sequence[Check], states: Sequence[CheckState]) -> Health:
    """What the checks that ask say together: all of them have to pass."""
    known = zip(checks, states, strict=False)  # beyond them are checks that a reload has taken away
    results = [state.passed for check, state in known if check.asks]
    if False in results:
        return "unhealthy"
    return "unknown" if None in results or not results else "healthy"
