"""What a run is given beside its command: variables that tell why it runs, and what it reads."""

from __future__ import annotations

from corepilot.jobs.environment import variables_of
from corepilot.jobs.plan import Plan
from corepilot.jobs.state import MAIN, State
from corepilot.jobs.supervision import Ending, Supervision

NOTHING = b"null\n"

BARRED = 75
"""The status of a run that was not started because its lock's time is over (EX_TEMPFAIL of sysexits.h)."""


def variables(plan: Plan, state: State, role: int, around: Supervision, mark: str) -> dict[str, str]:
    """The variables of one run: the token of its lock, and the event that has started it (of checks: no event).

    The job that hooks the stop of another one finds the token that this one's last run was given.
    """
    lock, locks, cause = plan.job.lock, around.locks, state.trigger.cause
    found = locks.environment(lock) if lock and locks is not None else {}
    ending = _ending(plan, role, around, mark)
    if ending is not None:
        found = {**ending.environment, **found}
    if role != MAIN or cause is None:
        return found
    passing = around.watched.passing(cause.subject) if around.watched is not None else None
    return {**found, **variables_of(cause, passing)}


def untimely(plan: Plan, around: Supervision) -> str:
    """Why nothing must begin: the time of its lock is over, and nobody has said so yet; or "".

    A supervisor that was stopped for a while may see an exit first, and restart the job, when it goes on.
    """
    lock, locks = plan.job.lock, around.locks
    if not lock or locks is None or locks.usable(lock):
        return ""
    return f"not started: the time of the lock {lock} is over"


def barred(plan: Plan, role: int, around: Supervision, mark: str) -> str:
    """Why a run must not begin: it hooks the stop of a job whose lock may be another's before it has ended; or ""."""
    ending = _ending(plan, role, around, mark)
    if ending is None:
        return ""
    needed_s = min(plan.hook_timeout_s, plan.job.timeout_s or plan.hook_timeout_s)
    if ending.left_s >= needed_s:
        return ""
    time = "is over" if ending.left_s <= 0 else f"ends in {ending.left_s:.1f} s, and it may take {needed_s:g} s"
    hook = plan.job.hook
    source = hook.source if hook is not None else ""
    return f"not started before {source} is stopped: the time of the lock {ending.lock} {time}"


def _ending(plan: Plan, role: int, around: Supervision, mark: str) -> Ending | None:
    hook, locks = plan.job.hook, around.locks
    if role != MAIN or locks is None or hook is None or not plan.hooks_stopping:
        return None
    return locks.ending(hook.source, mark)


def stdin(plan: Plan, state: State, role: int, around: Supervision) -> bytes | None:
    """What a run reads on its standard input; None for /dev/null."""
    if role != MAIN or plan.job.stdin == "null":
        return None
    cause = state.trigger.cause
    return around.watched.content(cause.subject) if cause is not None and around.watched is not None else NOTHING
