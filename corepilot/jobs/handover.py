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
    stopping = _names(stopping_actors(found))
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
        stopping = _names(stopping_actors(found))


def stopping_actors(found: Sequence[Handover]) -> list[Actor]:
    """The jobs that stop."""
    return [
        one.actor
        for one in found
        if one.move in {"replace", "remove"} and one.actor is not None and not one.actor.state.ended
    ]


def old_plans(found: Sequence[Handover]) -> dict[Actor, Plan]:
    """The plans that jobs stop under: they wait for those only that stop, too.

    A hook waits for its source only if that stops without having to wait for the hook. It may have the name of its
    source, or be a hook for a job that has the name of its own source's hook.
    """
    actors = stopping_actors(found)
    stopping = _names(actors)
    # A hook on what goes on has nothing to wait for, and stops at once.
    hooks = [one for one in actors if one.plan.startable and any(_hooks(one, other) for other in actors)]
    sure = _names([actor for actor in actors if actor not in hooks])
    waiting: set[Actor] = set()
    while more := {actor for actor in hooks if actor not in waiting and _source(actor) in sure}:
        waiting |= more
        sure |= _names([*more])
    circle = _names([actor for actor in hooks if actor not in waiting])
    return {
        one.actor: _stopping_plan(one.actor.plan, stopping, startable=one.actor in waiting, circle=circle)
        for one in found
        if one.move in {"replace", "remove"} and one.actor is not None
    }


def _stopping_plan(plan: Plan, stopping: frozenset[str], *, startable: bool, circle: frozenset[str]) -> Plan:
    """The plan that one job stops under.

    Args:
        plan: Its plan so far.
        stopping: The names of the jobs that stop.
        startable: Whether it is a hook that is to run before it stops.
        circle: The names of hooks that would wait for each other: none of them runs, and they wait for none of them.
    """
    awaited = "" if plan.job.name in circle and plan.awaited_hook in circle else plan.awaited_hook
    return plan.changed(startable=startable, awaited_hook=awaited, stops_after=plan.stops_after & stopping)


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


def _names(actors: Sequence[Actor]) -> frozenset[str]:
    return frozenset([actor.name for actor in actors])


def _source(actor: Actor) -> str:
    return actor.plan.job.hook.source if actor.plan.job.hook else ""


def _hooks(actor: Actor, other: Actor) -> bool:
    return actor is not other and _source(actor) == other.name


def _awaits(actor: Actor, stopping: frozenset[str]) -> bool:
    hook = actor.plan.job.hook
    return hook is not None and hook.source in stopping and not actor.state.ended
