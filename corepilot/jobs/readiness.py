"""Whether a run of a job is ready, as one of its machines: what it has told, or what was seen of it. Pure.

A run is started, and ready once: by a message (sd_notify(3)), a newline on a descriptor, a line of output, a file, a
passing check, or because it has been up for a while. One that is not ready in time, or that misses its watchdog, is
ended and counts as failed.
"""

from __future__ import annotations

from corepilot.jobs import reloading
from corepilot.jobs.plan import Plan
from corepilot.jobs.state import Action, ClearTimer, Notified, Publish, ReadyState, SetTimer, Timer
from corepilot.model.event import Event

AFTER = Timer("ready-after")
TIMEOUT = Timer("ready-timeout")
WATCHDOG = Timer("watchdog")

TEXT_MAX = 256
"""Characters of a STATUS= that are kept."""

Result = tuple[ReadyState, tuple[Action, ...]]


def begin(plan: Plan) -> Result:
    """A run begins."""
    ready = plan.job.ready
    if ready is None or plan.job.command is None:
        return ReadyState(), ()
    actions: list[Action] = []
    if ready.after_s is not None:
        actions.append(SetTimer(AFTER, ready.after_s))
    if plan.job.ready_timeout_s is not None:
        actions.append(SetTimer(TIMEOUT, plan.job.ready_timeout_s))
    return ReadyState(stage="waiting"), tuple(actions)


def replan(old: Plan, new: Plan, readiness: ReadyState, left_s: float) -> tuple[Action, ...]:
    """The run goes on under another plan.

    Args:
        old: The plan so far.
        new: The plan from now on; what shows that the run is ready is the same in both.
        readiness: The state.
        left_s: Seconds until it has to be ready by the new plan, if that has a limit.
    """
    if readiness.stage != "waiting" or old.job.ready_timeout_s == new.job.ready_timeout_s:
        return ()
    return (ClearTimer(TIMEOUT),) if new.job.ready_timeout_s is None else (SetTimer(TIMEOUT, max(left_s, 0.0)),)


def end(readiness: ReadyState) -> Result:
    """The run has ended, or is to end."""
    if readiness.stage == "none":
        return readiness, ()
    return ReadyState(), (ClearTimer(AFTER), ClearTimer(TIMEOUT), ClearTimer(WATCHDOG))


def achieved(plan: Plan, readiness: ReadyState) -> Result:
    """The run is ready, for the first time or after it has reloaded its configuration."""
    if readiness.stage == "none":
        return readiness, ()
    if readiness.stage != "waiting":
        return readiness.changed(stage="ready"), ()
    actions: tuple[Action, ...] = (ClearTimer(TIMEOUT), Publish(Event("ready", plan.job.name)))
    actions += _watch(readiness.watchdog_s or _watchdog_s(plan))
    if readiness.reload_due:
        actions += reloading.actions(plan)
    return readiness.changed(stage="ready", reload_due=False), actions


def notified(plan: Plan, readiness: ReadyState, told: Notified) -> tuple[ReadyState, tuple[Action, ...], str]:
    """The run has told something of itself.

    Returns:
        The state, the actions, and why the run has to be ended; "" if it has not.
    """
    if readiness.stage == "none":
        return readiness, (), ""
    actions: tuple[Action, ...] = ()
    if told.text is not None:
        readiness = readiness.changed(text=told.text[:TEXT_MAX])
    if told.watchdog_s is not None:
        readiness = readiness.changed(watchdog_s=told.watchdog_s)
    if told.extend_s is not None and readiness.stage == "waiting" and plan.job.ready_timeout_s is not None:
        actions = (SetTimer(TIMEOUT, told.extend_s),)
    if told.state == "ready":
        readiness, more = achieved(plan, readiness)
        actions += more
    elif told.state is not None and readiness.stage != "waiting":
        readiness = readiness.changed(stage=told.state)
    if told.watchdog == "trigger":
        return readiness, actions, "it reports that its watchdog has fired"
    if told.watchdog == "alive" and readiness.stage != "waiting":
        actions += _watch(readiness.watchdog_s or _watchdog_s(plan))
    return readiness, actions, ""


def late(plan: Plan) -> str:
    """Why a run is ended that is not ready in time."""
    return f"not ready within {plan.job.ready_timeout_s:g} s; raise readyTimeout to give it longer"


def unwatched(plan: Plan, readiness: ReadyState) -> str:
    """Why a run is ended that has missed its watchdog."""
    return f"no WATCHDOG=1 within {readiness.watchdog_s or _watchdog_s(plan):g} s"


def may_be_checked(plan: Plan, readiness: ReadyState) -> bool:
    """Whether checks are asked: not before a run is ready that says so otherwise than by them."""
    ready = plan.job.ready
    return ready is None or ready.check or readiness.stage != "waiting"


def _watchdog_s(plan: Plan) -> float:
    return plan.job.ready.watchdog_s or 0.0 if plan.job.ready is not None else 0.0


def _watch(watchdog_s: float) -> tuple[Action, ...]:
    return (SetTimer(WATCHDOG, watchdog_s),) if watchdog_s > 0 else ()
