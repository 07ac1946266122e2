"""What starts a job, as one of its machines: events, ticks, and the starts that wait for the end of a run. Pure."""

from __future__ import annotations

from corepilot.jobs.plan import Plan
from corepilot.jobs.state import Action, ClearTimer, SetTimer, Timer, TriggerState
from corepilot.model.event import Event
from corepilot.model.trigger import OnInterval, keys, matches

PENDING_MAX = 1000
"""Triggers that wait while a run goes on; ContainerPilot's queue has the same length."""

INTERVAL = Timer("interval")
WHEN = Timer("when")


def begin(plan: Plan) -> tuple[TriggerState, tuple[Action, ...]]:
    """The state before anything happened. Timers count from here, not from the first start (contract, section 4.1)."""
    when = plan.job.when
    actions: tuple[Action, ...] = ()
    if isinstance(when.trigger, OnInterval):
        actions = (SetTimer(INTERVAL, when.trigger.every_s, every=True),)
    elif when.timeout_s is not None and when.timeout_s > 0:
        actions = (SetTimer(WHEN, when.timeout_s),)
    return TriggerState(starts_left=plan.starts), actions


def hear(plan: Plan, trigger: TriggerState, event: Event) -> tuple[TriggerState, bool]:
    """Whether an event starts the job; of the starts that count, one is used up then."""
    if not trigger.starts_left or event.key not in keys(plan.trigger):
        return trigger, False
    if not matches(plan.trigger, event, trigger.seen):
        return trigger.changed(seen=trigger.seen | {event.key}), False
    return used(trigger), True


def used(trigger: TriggerState) -> TriggerState:
    """One of the starts that count is used up."""
    left = trigger.starts_left - 1 if trigger.starts_left > 0 else trigger.starts_left
    return trigger.changed(starts_left=left, seen=frozenset())


def wait(trigger: TriggerState, cause: Event | None) -> TriggerState:
    """A start has to wait for the end of the run: one at a time (contract, section 4.2), and not without end."""
    return trigger if trigger.pending >= PENDING_MAX else trigger.changed(waiting=(*trigger.waiting, cause))


def wait_first(trigger: TriggerState) -> TriggerState:
    """The start that was to come next has to wait for another run."""
    return trigger.changed(waiting=(trigger.cause, *trigger.waiting[: PENDING_MAX - 1]))


def started(plan: Plan) -> tuple[Action, ...]:
    """The job runs: `when.timeout` is about the first start only."""
    return (ClearTimer(WHEN),) if plan.job.when.timeout_s is not None else ()


def rest() -> tuple[Action, ...]:
    """The job is being stopped: no clock starts it."""
    return ClearTimer(INTERVAL), ClearTimer(WHEN)
