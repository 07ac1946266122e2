"""Whether a job is as it should be, for whoever asks about the container from outside: a probe. No gevent, no I/O.

Two questions. Live: has it come up, and does it go on? Ready: can it be given work? Both are about a job that has been
started. One that waits for its event is asked about only by its name: nobody else knows whether it is ever to run.
"""

from __future__ import annotations

from corepilot.jobs import process
from corepilot.jobs.check import together
from corepilot.jobs.plan import Plan
from corepilot.jobs.starting import awaited
from corepilot.jobs.state import State
from corepilot.model.value import Value


class Trouble(Value):
    """Why a job is not as it should be.

    Attributes:
        what: What it is instead: it goes after "job web".
        said: What the check said, for those who may see that; it may hold anything.
    """

    what: str
    said: str = ""


def not_live(plan: Plan, state: State, *, named: bool = False) -> Trouble | None:
    """Why a job neither runs nor has ended well; None if it does.

    Args:
        plan: The job's.
        state: Where it is.
        named: Whether it was asked for by its name, so that it should have been started.
    """
    last = process.failed(plan, state.process)
    status = f"exit status {state.process.status}"
    if state.phase == "stopped" and state.process.runs:
        return Trouble("was stopped by hand")
    if state.ended and state.stop.outcome == "complete":
        return Trouble(f"has failed ({status})") if last else None
    if state.stopping and not state.ended:
        return Trouble("is stopping")
    if state.process.stage == "backoff" and state.process.delayed == "any":
        return Trouble("could not be started for want of descriptors, processes or memory, and is tried again")
    if last and _waits_for_restart(plan, state):
        return Trouble(f"has failed ({status}) and waits for its restart")
    if named and state.process.runs == 0:
        waits = awaited(plan, state)
        return Trouble(f"waits for {' and '.join(waits)}" if waits else "has not been started")
    return None


def _waits_for_restart(plan: Plan, state: State) -> bool:
    if state.process.stage == "backoff":
        return state.process.delayed == "restart"
    return state.process.stage == "emptying" and not plan.periodic


def not_ready(plan: Plan, state: State, *, named: bool = False) -> Trouble | None:
    """Why a job cannot be given work; None if it can, and for one that need not.

    Args:
        plan: The job's.
        state: Where it is.
        named: Whether it was asked for by its name.
    """
    trouble = not_live(plan, state, named=named)
    if trouble is not None or state.ended or state.process.stage != "running":
        return trouble
    if state.health == "maintenance":
        return Trouble("is in maintenance")
    if plan.job.ready is not None and not state.readiness.achieved:
        return Trouble("is not ready yet")
    if any(one.asks for one in plan.job.checks):
        health = together(plan.job.checks, state.checks)
        if health == "unhealthy":
            return _unhealthy(plan, state)
        if health != "healthy":
            return Trouble("has not passed its check yet")
    return None


def _unhealthy(plan: Plan, state: State) -> Trouble:
    known = zip(plan.job.checks, state.checks, strict=False)
    failing = [(one.name, said.output) for one, said in known if one.asks and said.passed is False]
    names = ", ".join(name for name, _ in failing if name)
    return Trouble(f"is unhealthy ({names})" if names else "is unhealthy", failing[0][1] if failing else "")
