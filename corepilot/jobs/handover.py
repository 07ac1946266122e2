"""What becomes of each running job when the configuration changes: the decisions of a reload, and no more. Pure."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from corepilot.jobs.actor import Actor
from corepilot.jobs.compare import JobChange
from corepilot.jobs.plan import Plan
from corepilot.model.job import JobKey

Move = Literal["make", "keep", "replace", "renew", "remove"]

_RUNS = frozenset(("restarts", "success_statuses", "timeout_s"))
"""Settings that say how often, and how long, a job runs, and how that ends."""

_BEGINS = frozenset(("autostart",))
"""What has kept a job from beginning."""


class Handover(NamedTuple):
    """What becomes of one job.

    Attributes:
        move: "make": it is new. "keep": it goes on under its new plan. "replace": it stops, in order with the others
            that stop, and then begins anew. "renew": nothing of it runs; it begins anew. "remove": it stops for good.
        actor: The job as it is; None for a new one.
        plan: Its plan from now on; None for one that is removed.
        run: Whether it runs at once when it begins anew, whatever its `when` says: it was running.
    """

    move: Move
    actor: Actor | None
    plan: Plan | None
    run: bool = False


def handovers(
    actors: Mapping[JobKey, Actor], plans: Sequence[Plan], changes: Sequence[JobChange]
) -> tuple[Handover, ...]:
    """The new jobs in their order, then those that are removed.

    Args:
        actors: The jobs as they are, by key.
        plans: The new plans.
        changes: From `compare_jobs`.
    """
    by_new = {change.new: change for change in changes if change.new is not None}
    found = [_of(actors, plan, by_new[plan.key]) for plan in plans]
    removed = [actors[change.old] for change in changes if change.old is not None and change.new is None]
    found += [Handover("remove", actor, None) for actor in removed]
    stopping = stopping_names(found)
    while True:
        # A hook that waits for a stop which is coming has that to do before it can begin anew.
        awaited = [
            index
            for index, one in enumerate(found)
            if one.move == "renew" and one.actor is not None and _awaits(one.actor, stopping)
        ]
        if not awaited:
            return tuple(found)
        for index in awaited:
            found[index] = found[index]._replace(move="replace")
        stopping = stopping_names(found)


def stopping_names(found: Sequence[Handover]) -> frozenset[str]:
    """The names of the jobs that stop."""
    return frozenset(
        one.actor.name
        for one in found
        if one.move in {"replace", "remove"} and one.actor is not None and not one.actor.state.ended
    )


def old_plan(actor: Actor, stopping: frozenset[str]) -> Plan:
    """The plan that a job stops under: it waits for those only that stop, too."""
    plan = actor.plan
    hook = plan.job.hook
    startable = plan.startable and hook is not None and hook.source in stopping
    return plan.changed(startable=startable, stops_after=plan.stops_after & stopping)


def _of(actors: Mapping[JobKey, Actor], plan: Plan, change: JobChange) -> Handover:
    if change.old is None:
        return Handover("make", None, plan)
    actor, kind = actors[change.old], change.kind
    state = actor.state
    if kind == "updated" and state.phase == "complete" and change.concerns(_RUNS):
        kind = "renewed"  # it would not have ended, or not so
    if state.phase == "stopped" and plan.job.autostart and change.concerns(_BEGINS):
        return Handover("renew", actor, plan)
    if kind in {"unchanged", "updated"} or state.phase == "stopped":
        return Handover("keep", actor, plan)
    run = kind == "restarted" and state.process.stage in {"running", "emptying", "standby"} and not plan.is_hook
    idle = state.ended or not (state.process.runs or state.stopping)
    return Handover("renew" if idle else "replace", actor, plan, run)


def _awaits(actor: Actor, stopping: frozenset[str]) -> bool:
    hook = actor.plan.job.hook
    return hook is not None and hook.source in stopping and not actor.state.ended
