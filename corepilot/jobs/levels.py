"""How far jobs have come, for those that depend on them: levels that hold, no edges that pass. No gevent, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import get_args

from corepilot.jobs.actor import Actor
from corepilot.jobs.plan import Plan
from corepilot.jobs.state import Holds, State
from corepilot.model.job import Condition, Dependency
from corepilot.model.value import Value


class Levels(Value):
    """What holds of a job; see `Dependency`.

    Attributes:
        run: The run that it holds of.
    """

    started: bool = False
    ready: bool = False
    healthy: bool = False
    completed: bool = False
    ended: bool = False
    run: int = 0

    def meet(self, dependency: Dependency) -> bool:
        """Whether what a dependency asks for holds."""
        return bool(getattr(self, dependency.condition))


_NOTHING = Levels()
_CONDITIONS: tuple[Condition, ...] = get_args(Condition)


def levels(plan: Plan, state: State, before: Levels = _NOTHING) -> Levels:
    """What holds of a job now.

    Args:
        plan: The job's.
        state: Where it is.
        before: What held until now: maintenance, in which nobody asks for a job's health, changes nothing about that.
    """
    process = state.process
    if state.stopping and state.alone:
        return Levels(run=process.runs)
    succeeded = process.status is not None and plan.job.succeeds(process.status)
    started = process.up or (process.runs > 0 and succeeded and process.stage != "standby")
    healthy = state.health == "healthy"
    if state.health in {"maintenance", "unknown"}:  # also until the first check after it
        healthy = before.healthy and before.run == process.runs
    ended = state.phase == "complete" and process.runs > 0
    ready = started and (plan.job.ready is None or not process.up or state.readiness.achieved)
    return Levels(started, ready, started and healthy and not state.ended, ended and succeeded, ended, process.runs)


class Standings:
    """Tells jobs whether what they depend on holds.

    Args:
        later: Calls its argument when everybody has heard all events that have been published so far.
        begun: Whether a job has begun under its present plan.
    """

    def __init__(self, later: Callable[[Callable[[], None]], object], begun: Callable[[Actor], bool]) -> None:
        self._later, self._begun = later, begun
        self._levels: dict[Actor, Levels] = {}
        self._providers: dict[str, list[Actor]] = {}
        self._dependents: dict[str, list[Actor]] = {}
        self._reached: set[tuple[Actor, str]] = set()
        self._lost: set[Dependency] = set()
        self._telling: set[str] = set()

    def seat(self, plans: Sequence[Plan], actors: Sequence[Actor]) -> None:
        """The jobs of a configuration, each under its plan from now on."""
        self._dependents, self._providers = {}, {}
        for plan, actor in zip(plans, actors, strict=True):
            for name in {one.job for one in plan.job.depends_on}:
                self._dependents.setdefault(name, []).append(actor)
        before, self._levels = self._levels, {}
        for actor in actors:
            wanted = actor.name in self._dependents
            actor.depended = self.moved if wanted else None
            if wanted:
                self._providers.setdefault(actor.name, []).append(actor)
                self._levels[actor] = levels(actor.plan, actor.state, before.get(actor, _NOTHING))
        self._reached = {one for one in self._reached if one[0] in self._levels}
        for actor, now in self._levels.items():
            self._reached.update(_held(actor, now))

    def introduce(self, actor: Actor) -> None:
        """Tell a job that begins, or goes on under another plan, what holds of those that it depends on."""
        for dependency in actor.plan.job.depends_on:
            actor.handle(Holds(dependency, holds=self.meets(dependency), lost=not self.keeps(dependency)))

    def meets(self, dependency: Dependency) -> bool:
        """Whether a dependency holds: of all jobs of the name."""
        providers = self._providers.get(dependency.job, ())
        return bool(providers) and all(self._begun(one) and self._levels[one].meet(dependency) for one in providers)

    def keeps(self, dependency: Dependency) -> bool:
        """Whether a job may go on that is bound to a dependency: one that has joined and never met it is no loss."""
        providers = self._providers.get(dependency.job, ())
        reached = [one for one in providers if (one, dependency.condition) in self._reached]
        return bool(reached) and all(self._begun(one) and self._levels[one].meet(dependency) for one in reached)

    def is_telling(self, dependency: Dependency) -> bool:
        """Whether something about a dependency has changed that jobs have not been told of yet."""
        return dependency.job in self._telling

    def moved(self, actor: Actor) -> None:
        """Something has happened to a job that others depend on."""
        before = self._levels.get(actor)
        if before is None:
            return
        now = self._levels[actor] = levels(actor.plan, actor.state, before)
        if now == before:
            return
        self._reached.update(_held(actor, now))
        self._lost.update(_lost(actor, before, now))
        if actor.name not in self._telling:
            self._telling.add(actor.name)
            self._later(lambda: self._tell(actor.name))

    def _tell(self, name: str) -> None:
        self._telling.discard(name)
        lost = {one for one in self._lost if one.job == name}
        self._lost -= lost
        for actor in self._dependents.get(name, ()):
            if self._begun(actor):
                self._tell_one(actor, [one for one in actor.plan.job.depends_on if one.job == name], lost)

    def _tell_one(self, actor: Actor, dependencies: Iterable[Dependency], lost: set[Dependency]) -> None:
        for dependency in dependencies:
            if dependency in lost:
                actor.handle(Holds(dependency, holds=False, lost=True))
            actor.handle(Holds(dependency, holds=self.meets(dependency), lost=not self.keeps(dependency)))


def _lost(actor: Actor, before: Levels, now: Levels) -> Iterable[Dependency]:
    """What has been lost, also where it holds again: of another run, after one that failed."""
    status = actor.state.process.status
    anew = now.run != before.run and not (status is not None and actor.plan.job.succeeds(status))
    for condition in _CONDITIONS:
        if getattr(before, condition) and (anew or not getattr(now, condition)):
            yield Dependency(actor.name, condition)


def _held(actor: Actor, now: Levels) -> Iterable[tuple[Actor, str]]:
    return [(actor, condition) for condition in _CONDITIONS if getattr(now, condition)]
