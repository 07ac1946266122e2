"""What the log says of a job's changes of state: one line for each, and none for what only repeats itself. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from corepilot.jobs.plan import Plan
from corepilot.jobs.starting import awaited
from corepilot.jobs.state import State

_ENDS = {"complete": "complete", "stopped": "stopped by hand", "removed": "removed: it is configured no more"}


def changes(plan: Plan, before: State, after: State, *, pid: int | None, why: str, delay_s: float) -> Iterator[str]:
    """The lines about one step of a job, in the order in which they are to be logged.

    A job with an interval tells only its first start, because it would tell one at every tick.

    Args:
        plan: What the job does.
        before: Its state before the step.
        after: Its state after it.
        pid: The pid of its main process, if that runs.
        why: What the last check that failed said.
        delay_s: The delay of the restart that it waits for.
    """
    if after.health != before.health and (plan.job.checks or plan.job.service):
        yield from _health(before, after, why)
    if after.stop.stage != before.stop.stage or after.stop.left != before.stop.left:
        yield from _stop(plan, after)
    new, old = after.process, before.process
    if new.runs > old.runs and pid is not None and not (plan.periodic and old.runs):
        yield f"started (pid {pid})"
    if after.readiness.achieved and not before.readiness.achieved and not (plan.periodic and new.runs > 1):
        yield "ready"
    if new.stage != old.stage and new.stage == "backoff":
        yield f"restarting in {delay_s:.3g} s"
    if new.stage != old.stage and new.stage == "standby":
        yield f"waiting for {', '.join(awaited(plan, after))}"


def _health(before: State, after: State, why: str) -> Iterator[str]:
    if before.health == "maintenance" and not after.stopping:
        yield "maintenance has ended"
    match after.health:
        case "healthy":
            yield "healthy"
        case "unhealthy":
            yield f"unhealthy: {why}" if why else "unhealthy"
        case "maintenance":
            yield "in maintenance"


def _stop(plan: Plan, after: State) -> Iterator[str]:
    stop = after.stop
    match stop.stage:
        case "lingering":
            yield f"stops after {', '.join(sorted(plan.stops_after - stop.gone))}"
        case "hooked":
            yield f"stops when {plan.awaited_hook} has stopped"
        case "draining" if stop.left:
            yield f"out of the catalog; goes on for {plan.job.stop.drain_s or 0.0:g} s"
        case "draining":
            yield "leaving the catalog before it is stopped"
        case "terminating" if after.alone and stop.outcome == "again":
            yield "stopping, to begin anew"
        case "done" if stop.outcome == "stopped" and not (plan.job.autostart or after.process.runs):
            yield "waits to be started by hand"
        case "done" if stop.outcome in _ENDS:
            yield _ENDS[stop.outcome]
