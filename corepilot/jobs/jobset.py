"""All jobs: who hears which event, what a reload makes of them, and when everything has ended. No gevent, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from corepilot.events import EventBus
from corepilot.jobs.actor import Actor
from corepilot.jobs.compare import JobChange
from corepilot.jobs.future import waiting_in_vain
from corepilot.jobs.plan import Plan, plans
from corepilot.jobs.process import ALONE
from corepilot.jobs.state import Happened, KillNow, Order, Outcome, Rearm, SiblingExited, Withdraw
from corepilot.model.event import EXITS, GLOBAL, Event
from corepilot.model.job import Job, JobKey
from corepilot.model.trigger import OnEvent, keys

STARTUP = Event("startup", GLOBAL)
SHUTDOWN = Event("shutdown", GLOBAL)

RUNS = frozenset(("restarts", "timeout_s"))
"""Settings that say how often, and how long, a job runs."""

AT_ONCE = 16
"""How many new jobs are started at once: spawning one takes a third of a millisecond."""


class Observer(Protocol):
    """Who is told what becomes of the jobs. Nothing here may raise or switch."""

    def job_ended(self, actor: Actor, outcome: Outcome) -> None:
        """A stop of a job is over."""

    def all_ended(self) -> None:
        """Every job is complete, or waits for what can never come; there is at least one that ended by itself."""

    def ends_with(self, reason: str) -> None:
        """A job has ended whose `exitOn` says that everything ends with it."""

    def waits_in_vain(self, actor: Actor) -> None:
        """It has become certain that nothing starts a job any more. Told once for each."""

    def settled(self) -> None:
        """Everything that a reload had to stop has stopped, and what it added has begun."""


class JobSet:
    """Runs jobs, from one configuration to the next.

    Args:
        bus: The bus their events travel on.
        make: Makes the actor of a plan; it tells `ended` of each `Ended`.
        observer: See `Observer`.
        facts: The events that hold now besides those of jobs: a new job hears them.
    """

    def __init__(
        self,
        bus: EventBus,
        make: Callable[[Plan], Actor],
        observer: Observer,
        facts: Callable[[], Iterable[Event]] = tuple,
    ) -> None:
        self._bus = bus
        self._make = make
        self._observer = observer
        self._facts = facts
        self.actors: list[Actor] = []
        self._leaving: list[Actor] = []
        self._arriving: dict[Actor, None] = {}  # in order
        self._newcomers: list[Actor] = []
        self._interested: dict[tuple[str, str], list[Actor]] = {}
        self._siblings: dict[str, list[Actor]] = {}
        self._handled: frozenset[str] = frozenset()
        self._told: set[Actor] = set()
        self.failure: tuple[str, int] | None = None
        self.ended_by: int | None = None
        self.stopping = False
        self.maintenance = False
        self._changing = False
        bus.subscribe(self._hear)

    # ---------------------------------------------------------------------------------------------- configurations
    def start(self, jobs: Sequence[tuple[JobKey, Job]]) -> None:
        """Begin with a configuration, where there was none, and publish `startup`."""
        self.failure = self.ended_by = None
        self.stopping = self.maintenance = False
        self._told.clear()
        new_plans = plans(jobs)
        self.actors = [self._make(plan) for plan in new_plans]
        self._index(new_plans)
        for actor in self.actors:
            actor.begin()
        self._bus.publish(STARTUP)

    def change(self, jobs: Sequence[tuple[JobKey, Job]], changes: Sequence[JobChange]) -> None:
        """Go from one configuration to the next. `Observer.settled` comes when everything has been done.

        Args:
            jobs: The new configuration's.
            changes: From `compare_jobs`.
        """
        self._changing = True
        by_key = {actor.key: actor for actor in self.actors}
        new_plans = plans(jobs)
        by_new = {change.new: change for change in changes if change.new is not None}
        removed = [by_key[change.old] for change in changes if change.old is not None and change.kind == "removed"]
        self.actors = []
        for plan in new_plans:
            old = by_new[plan.key].old
            if old is None:
                actor = self._make(plan)
                self._arriving[actor] = None
            else:
                actor = by_key[old]
            self.actors.append(actor)
        self._leaving += removed
        self._index(new_plans)
        stopped: list[Actor] = []
        for actor, plan in zip(self.actors, new_plans, strict=True):
            change = by_new[plan.key]
            kind = change.kind
            if kind == "updated" and actor.state.phase == "complete" and change.concerns(RUNS):
                kind = "renewed"  # it would not have ended, or not so
            if actor in self._arriving:
                actor.plan = plan
            elif kind in {"unchanged", "updated"} or actor.state.phase == "stopped":
                actor.go_on(plan)
            else:
                runs = actor.state.process.stage in {"running", "emptying"}
                actor.successor = (plan, kind == "restarted" and runs)
                if actor.state.ended or not actor.state.process.runs:
                    self._arrive(actor)
                else:
                    stopped.append(actor)
        going = {actor.name for actor in (*stopped, *removed) if not actor.state.ended}
        for actor in removed:
            hook = actor.plan.job.hook
            actor.plan = actor.plan.changed(
                startable=actor.plan.startable and hook is not None and hook.source in going,
                stops_after=actor.plan.stops_after & going,
            )
        for actor in stopped:
            actor.handle(Order("restart"))
        for actor in removed:
            actor.handle(Order("remove"))
        self._settle()

    def stop(self) -> None:
        """Begin to stop everything (contract, section 4.8). Asked again, it changes nothing."""
        if not self.stopping:
            self.stopping = True
            self.actors = [actor for actor in self.actors if actor not in self._arriving]
            self._arriving.clear()
            self._newcomers.clear()
            self._bus.publish(SHUTDOWN)
        self._consider_end()

    def kill_now(self) -> None:
        """Stop without waiting for anything: every process is killed."""
        self.stopping = True
        for actor in self.all_actors:
            actor.handle(KillNow())

    def discard(self) -> None:
        """Let go of what is left: timers, pipes of daemons."""
        for actor in self.all_actors:
            actor.discard()

    # ------------------------------------------------------------------------------------------------------- people
    def order(self, actor: Actor, order: Order) -> None:
        """Do what a person wants with one job."""
        if actor in self._arriving:  # a person need not wait until all that has to stop has stopped
            del self._arriving[actor]
            self._renew(actor, run=False)
        was_ended = actor.state.ended
        actor.handle(order)
        if was_ended and not actor.state.ended:
            self._began(actor)

    @property
    def all_actors(self) -> list[Actor]:
        """Also those that are configured no more, and have not stopped yet."""
        return [*self.actors, *self._leaving]

    @property
    def settled(self) -> bool:
        """Whether nothing is left to do of the last reload."""
        return not (self._leaving or self._arriving or self._newcomers) and all(
            one.successor is None for one in self.actors
        )

    @property
    def done(self) -> bool:
        """Whether every job is complete."""
        return all(actor.state.phase == "complete" for actor in self.actors) and not self._leaving

    # ------------------------------------------------------------------------------------------------------- events
    def _hear(self, event: Event) -> Iterator[None]:
        if event.subject == GLOBAL and event.code in {"enterMaintenance", "exitMaintenance"}:
            self.maintenance = event.code == "enterMaintenance"
        everyone = event.subject == GLOBAL
        for actor in list(self.actors if everyone else self._interested.get(event.key, ())):
            if actor not in self._arriving:
                actor.handle(Happened(event))
                yield
        for actor in list(self._leaving):
            if event.key in actor.plan.interests() or event == SHUTDOWN:
                actor.handle(Happened(event))
        if event.code in EXITS and event.detail != ALONE:
            for actor in self._siblings.get(event.subject, ()):
                if actor.own_exits:
                    actor.own_exits -= 1
                elif actor not in self._arriving:
                    actor.handle(SiblingExited())
        if event == STARTUP:
            self._consider_end(by_itself=False)

    def ended(self, actor: Actor, outcome: Outcome) -> None:
        """A stop of a job is over: to be told by its actor, as the last thing of a step."""
        if actor in self._leaving:
            self._leaving.remove(actor)
        elif self.stopping:
            self._consider_end()
        elif outcome == "again":
            self._bus.after(lambda: self._again(actor))  # everybody hears that it has stopped before
        elif outcome == "complete":
            self._completed(actor)
        elif actor.successor is not None:  # a person has stopped it in the middle of a reload
            plan, actor.successor = actor.successor[0], None
            actor.go_on(plan)
        self._observer.job_ended(actor, outcome)
        self._settle()

    def _again(self, actor: Actor) -> None:
        if self.stopping or not actor.state.ended or actor.state.stop.outcome != "again":
            return  # everything stops, or a person was quicker
        if actor.successor is None or actor.successor[1]:
            self._renew(actor, run=True)
        else:
            self._arrive(actor)
        self._settle()

    def _arrive(self, actor: Actor) -> None:
        """Let a job begin when nothing is left to stop: sooner, it would hear what the old jobs say at their end."""
        actor.reset()
        self._arriving[actor] = None

    def _renew(self, actor: Actor, *, run: bool) -> None:
        """Begin anew, under its next plan if there is one."""
        old, plan = actor.plan.job.service, actor.successor[0] if actor.successor else actor.plan
        if actor.state.advertised is not None and old is not None:
            new = plan.job.service
            if new is None or new.registration.id != old.registration.id:
                actor.perform(Withdraw(old.registration))
        actor.begin(plan)
        if run:
            actor.handle(Order("start"))
            self._tell_facts(actor, starting=False)
        self._began(actor)

    def _began(self, actor: Actor) -> None:
        """Hooks on its stop are armed again; what it waits for at its own stop may have stopped before."""
        self._told.discard(actor)
        for other in self.actors:
            if other is not actor and other.plan.job.hook is not None and other.plan.job.hook.source == actor.name:
                other.handle(Rearm())
                self._told.discard(other)

    def _tell_facts(self, actor: Actor, *, starting: bool) -> None:
        """Let a job that begins hear what holds, once each: also what starts it, or only the rest."""
        interests = actor.plan.interests()
        starts = frozenset(keys(actor.plan.trigger))
        for event in self._holding(actor):
            if (event.subject == GLOBAL or event.key in interests) and (starting or event.key not in starts):
                actor.handle(Happened(event))

    def _holding(self, actor: Actor) -> Iterator[Event]:
        if self.maintenance:
            yield Event("enterMaintenance", GLOBAL)
        yield STARTUP
        for other in self.actors:
            if other is actor or other in self._arriving:
                continue
            state = other.state
            if state.health in {"healthy", "unhealthy"}:
                yield Event(state.health, other.name)
            if state.ended:
                if state.phase == "complete" and state.process.status is not None:
                    yield Event("exitFailed" if state.process.status else "exitSuccess", other.name)
                yield Event("stopped", other.name)
        yield from self._facts()

    # -------------------------------------------------------------------------------------------------------- ends
    def _completed(self, actor: Actor) -> None:
        status, name = actor.state.stop.failed, actor.name
        if status and self.failure is None and name not in self._handled:
            self.failure = (name, status)
        exit_on = actor.plan.job.exit_on
        if exit_on == "end" or (exit_on == "failure" and status):
            self.ended_by = actor.state.process.status or 0
            self._observer.ends_with(f"job {name} has ended with status {self.ended_by}")
        self._bus.after(self._consider_end)  # what it has said at its end may start others

    def _consider_end(self, *, by_itself: bool = True) -> None:
        if self._leaving or self._arriving or self._newcomers:
            return
        left = [actor for actor in self.actors if actor.state.phase != "complete"]
        if self.stopping:
            if not left:
                self._observer.all_ended()
            return
        in_vain = waiting_in_vain(self.actors) if left else ()
        for actor in in_vain:
            if actor not in self._told:
                self._told.add(actor)
                self._observer.waits_in_vain(actor)
        if by_itself and len(in_vain) == len(left) and self.actors:
            self._observer.all_ended()

    def _settle(self) -> None:
        if self._leaving or any(one.successor is not None and one not in self._arriving for one in self.actors):
            return
        if self._arriving:
            self._bus.after(self._begin_arriving)
        else:
            self._finish_change()

    def _begin_arriving(self) -> None:
        if self.stopping:
            return
        arriving, self._arriving = self._arriving, {}
        for actor in arriving:
            self._renew(actor, run=False)
        self._newcomers += arriving
        self._introduce()

    def _introduce(self) -> None:
        """Tell jobs that have begun what holds, a few at a time: that starts most of them."""
        few, self._newcomers = self._newcomers[:AT_ONCE], self._newcomers[AT_ONCE:]
        for actor in few:
            self._tell_facts(actor, starting=True)
        if self._newcomers and not self.stopping:
            self._bus.after(self._introduce)
        else:
            self._finish_change()

    def _finish_change(self) -> None:
        if self._changing and self.settled:
            self._changing = False
            self._observer.settled()
            self._consider_end(by_itself=False)

    def _index(self, new_plans: Sequence[Plan]) -> None:
        self._interested = {}
        named: dict[str, list[Actor]] = {}
        for actor, plan in zip(self.actors, new_plans, strict=True):
            for event in plan.interests():
                self._interested.setdefault(event, []).append(actor)
            named.setdefault(plan.key.name, []).append(actor)
        self._siblings = {name: actors for name, actors in named.items() if len(actors) > 1}
        triggers = [plan.job.when.trigger for plan in new_plans]
        self._handled = frozenset(
            [one.source for one in triggers if isinstance(one, OnEvent) and one.code == "exitFailed"]
        )
