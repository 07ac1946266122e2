"""The checks of a job: one machine for each, and what they say together. Pure.

A check has at most one process group. A tick that finds it busy is skipped; if the check ends soon after, the skipped
tick counts, so that one which is killed at its timeout gives a result at every interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

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
    return state.changed(stage="running", missed_at=None), _asking(index, plan.job.checks[index].timeout_s)


# Made once, since there may be a thousand results a second.
@lru_cache(256)
def _asking(index: int, timeout_s: float | None) -> tuple[Action, ...]:
    start = Start(index)
    return (start,) if timeout_s is None else (start, SetTimer(Timer("check-timeout", index), timeout_s))


@lru_cache(256)
def _answered(index: int) -> ClearTimer:
    return ClearTimer(Timer("check-timeout", index))


def unstarted(plan: Plan, index: int, state: CheckState) -> tuple[CheckState, tuple[Action, ...], bool]:
    """It could not be started for want of something that others hold; the last value: whether that is a failure now."""
    count = state.unstarted + 1
    actions = (_answered(index),) if plan.job.checks[index].timeout_s is not None else ()
    return state.changed(stage="none", unstarted=count % SHORTAGES), actions, count >= SHORTAGES


def exited(plan: Plan, index: int, state: CheckState, exit_: Exited, *, now: float, started_at: float) -> Result:
    """Its command has ended, or could not be started.

    Args:
        plan: The job's.
        index: Which check.
        state: The state so far.
        exit_: How it ended.
        now: When.
        started_at: When the present run of the job began.
    """
    name = plan.job.check_source(index)
    actions: list[Action] = [Publish(exit_event(name, exit_.status, failed=exit_.status != 0))]
    if plan.job.checks[index].timeout_s is not None:
        actions.append(_answered(index))
    if exit_.status:
        actions.append(Publish(Event("error", name, exit_.reason)))
    if exit_.remains:
        actions.append(SetTimer(Timer("check-group", index), max(plan.job.stop.timeout_s, 0.0)))
    stage = "emptying" if exit_.remains else "none"
    counted = _counted(plan.job.checks[index], state, exit_, now, started_at)
    return state.changed(**counted, stage=stage, unstarted=0, result_at=now), tuple(actions)


def _counted(check: Check, state: CheckState, exit_: Exited, now: float, started_at: float) -> dict[str, Any]:
    """What the results say now. A job may still be starting: until a check has passed, its failures do not count."""
    if exit_.status == 0:
        passes = min(state.passes + 1, check.successes)
        return {"passes": passes, "failures": 0, "passed": True if passes >= check.successes else state.passed}
    said = {"passes": 0, "output": exit_.output or exit_.reason}
    if state.passed is None and now - started_at < check.start_period_s:
        return said
    failures = min(state.failures + 1, check.failures)
    return {**said, "failures": failures, "passed": False if failures >= check.failures else state.passed}


def forgotten(state: CheckState) -> CheckState:
    """The job starts anew: what its results said is over."""
    return state.changed(passed=None, passes=0, failures=0)


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


def fresh(checks: Sequence[Check], states: Sequence[CheckState], now: float) -> bool:
    """Whether each check has given a result within its TTL: one that hangs is not covered by the others."""
    known = zip(checks, states, strict=False)
    return all(now - one.result_at <= check.ttl_s for check, one in known if check.asks and check.level == "ready")


def failing(checks: Sequence[Check], states: Sequence[CheckState]) -> str:
    """What the checks said that make the service critical, each with its name where it has one."""
    known = zip(checks, states, strict=False)
    found = [(one.name, state.output) for one, state in known if state.passed is False and one.level == "ready"]
    return "\n".join([f"{name}: {output}" if name else output for name, output in found])


def service(checks: Sequence[Check], states: Sequence[CheckState]) -> Health:
    """What the catalog is to hold: what those say together that ask about it; without any, a job that runs is fine."""
    if any(one.level == "ready" for one in checks):
        return together(checks, states, level="ready")
    return "healthy"


def together(checks: Sequence[Check], states: Sequence[CheckState], level: str = "") -> Health:
    """What the checks that ask say together, or those of one level: all of them have to pass."""
    known = zip(checks, states, strict=False)  # beyond them are checks that a reload has taken away
    results = [state.passed for check, state in known if check.asks and level in {"", check.level}]
    if False in results:
        return "unhealthy"
    return "unknown" if None in results or not results else "healthy"
