"""What a run is given beside its command: variables that tell why it runs, and what it reads."""

from __future__ import annotations

from corepilot.jobs.environment import variables_of
from corepilot.jobs.plan import Plan
from corepilot.jobs.state import MAIN, State
from corepilot.jobs.supervision import Supervision

NOTHING = b"null\n"


def variables(plan: Plan, state: State, role: int, around: Supervision) -> dict[str, str]:
    """The variables of one run: the token of its lock, and the event that has started it (of checks: no event)."""
    lock, locks, cause = plan.job.lock, around.locks, state.trigger.cause
    found = locks.environment(lock) if lock and locks is not None else {}
    if role != MAIN or cause is None:
        return found
    passing = around.watched.passing(cause.subject) if around.watched is not None else None
    return {**found, **variables_of(cause, passing)}


def stdin(plan: Plan, state: State, role: int, around: Supervision) -> bytes | None:
    """What a run reads on its standard input; None for /dev/null."""
    if role != MAIN or plan.job.stdin == "null":
        return None
    cause = state.trigger.cause
    return around.watched.content(cause.subject) if cause is not None and around.watched is not None else NOTHING
