"""Which jobs can still be started by what goes on: a wait that can never come true is an end (our decision). Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from corepilot.jobs.actor import Actor
from corepilot.jobs.levels import levels
from corepilot.jobs.starting import missing
from corepilot.model.event import EXITS, GLOBAL
from corepilot.model.job import Dependency, check_sources
from corepilot.model.trigger import AllOf, AnyOf, Never, OnEvent, OnInterval, OnSignal, Trigger, keys


def waiting_in_vain(
    actors: Iterable[Actor], watched: Collection[str] | None = None
) -> tuple[tuple[Actor, tuple[Dependency, ...]], ...]:
    """Jobs that wait for what nothing can bring about any more, but a person or a reload.

    Each comes with what it depends on that can never hold; without any it is its `when` that never comes true.

    What comes from outside can always come: watches, signals, maintenance, clocks. An event of a job can come as long
    as that job runs, or can still be started. A job that was stopped by hand can be started by hand.

    Args:
        actors: All jobs.
        watched: The sources of the watches, such as `watch.db`, and of files; None if they are not known.
    """
    actors = list(actors)
    hopeful: dict[str, list[Actor]] = {}  # those that run, or may, by name
    undecided = []
    for actor in actors:
        state = actor.state
        if state.phase == "complete":
            continue
        if state.process.stage == "standby" and missing(actor.plan, state):
            undecided.append(actor)
        elif state.ended or state.process.stage != "none" or state.stop.stage != "none" or state.trigger.pending:
            hopeful.setdefault(actor.name, []).append(actor)
        else:
            undecided.append(actor)
    while True:
        found = [
            actor
            for actor in undecided
            if _may_start(actor, hopeful, watched) and not _missing_in_vain(actor, actors, hopeful)
        ]
        if not found:
            return tuple([(actor, _missing_in_vain(actor, actors, hopeful)) for actor in undecided])
        for actor in found:
            hopeful.setdefault(actor.name, []).append(actor)
            undecided.remove(actor)


def _missing_in_vain(
    actor: Actor, actors: Sequence[Actor], hopeful: Mapping[str, Sequence[Actor]]
) -> tuple[Dependency, ...]:
    """What a job depends on, does not hold, and can never hold any more.

    Args:
        actor: The job.
        actors: All jobs.
        hopeful: Those that run, or can be started, by name.
    """
    return tuple(
        [
            one
            for one in missing(actor.plan, actor.state)
            if not all(_may_meet(other, one, hopeful) for other in actors if other.name == one.job)
        ]
    )


def _may_meet(actor: Actor, dependency: Dependency, hopeful: Mapping[str, Sequence[Actor]]) -> bool:
    if levels(actor.plan, actor.state).meet(dependency):
        return True
    return actor in hopeful.get(actor.name, ())


def _may_start(actor: Actor, hopeful: Mapping[str, Sequence[Actor]], watched: Collection[str] | None) -> bool:
    if actor.plan.job.when.timeout_s and not actor.state.process.runs:
        return True  # it gives up by itself
    if actor.state.process.stage == "standby":
        return True
    trigger = actor.state.trigger
    return bool(trigger.starts_left) and _may_come(actor.plan.trigger, hopeful, watched, trigger.seen)


def _may_come(
    trigger: Trigger,
    hopeful: Mapping[str, Sequence[Actor]],
    watched: Collection[str] | None,
    seen: frozenset[tuple[str, str]] = frozenset(),
) -> bool:
    match trigger:
        case Never():
            return False
        case OnSignal() | OnInterval():
            return True
        case AnyOf(triggers):
            return any(_may_come(one, hopeful, watched, seen) for one in triggers)
        case AllOf(triggers):
            return all(not seen.isdisjoint(keys(one)) or _may_come(one, hopeful, watched) for one in triggers)
        case OnEvent(code, source):
            if source == GLOBAL or code == "error":
                return True
            if source.startswith("lock.") and source not in hopeful:
                return code in {"acquired", "lost"} and any(
                    f"lock.{one.plan.job.lock}" == source for named in hopeful.values() for one in named
                )
            if source.startswith(("watch.", "render.")) and source not in hopeful:
                return watched is None or source in watched
            if code in EXITS and source.startswith("check.") and source not in hopeful:
                return any(source in check_sources(one.plan.job) for named in hopeful.values() for one in named)
            return any(_may_publish(one, code) for one in hopeful.get(source, ()))


def _may_publish(actor: Actor, code: str) -> bool:
    if code in {"healthy", "unhealthy"}:
        return _checks(actor)
    if code == "timerExpired":
        return bool(actor.plan.job.when.timeout_s) and not actor.state.process.runs
    return code not in EXITS or actor.plan.job.command is not None


def _checks(actor: Actor) -> bool:
    return any(check.asks for check in actor.plan.job.checks)
