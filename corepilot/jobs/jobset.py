"""All jobs: what a reload makes of them, what people want, and what they tell each other. No gevent, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial

from corepilot.events import EventBus
from corepilot.jobs.actor import Actor
from corepilot.jobs.audience import Audience
from corepilot.jobs.compare import JobChange
from corepilot.jobs.ending import Endings
from corepilot.jobs.handover import handovers, old_plans
from corepilot.jobs.holding import STARTUP, concerning, holding, hooks_end
from corepilot.jobs.levels import Standings
from corepilot.jobs.observer import Observer
from corepilot.jobs.plan import Plan
from corepilot.jobs.seating import Seating
from corepilot.jobs.state import Began, Happened, KillNow, Order, Outcome, Over, SiblingExited
from corepilot.model.event import EXITS, GLOBAL, Event
from corepilot.model.service import Registration

SHUTDOWN = Event("shutdown", GLOBAL)

AT_ONCE = 16
"""How many new jobs are started at once: spawning one takes a third of a millisecond."""


class JobSet:
    """Runs jobs, from one configuration to the next.

    Args:
        bus: The bus their events travel on.
        make: Makes the actor of a plan; it tells `ended` of each `Ended`.
        observer: See `Observer`.
        facts: The events that hold now besides those of jobs: a new job hears them.
        watched: The sources of the watches, such as `watch.db`, and of files; None if they are not known.
    """

    def __init__(
        self,
        bus: EventBus,
        make: Callable[[Plan], Actor],
        observer: Observer,
        facts: Callable[[], Iterable[Event]] = tuple,
        watched: Callable[[], Collection[str] | None] = lambda: None,
    ) -> None:
        self._bus = bus
        self._make = make
        self._observer = observer
        self._facts = facts
        self.actors: list[Actor] = []
        self._leaving: list[Actor] = []
        self._arriving: dict[Actor, None] = {}  # in order
        self._never: dict[Actor, None] = {}  # those that were to begin when everything stopped
        self._newcomers: list[Actor] = []
        self._replacing: set[Actor] = set()
        self._seating = Seating()
        self.standings = Standings(bus.after, lambda actor: actor not in self._arriving)
        self.endings = Endings(bus.after, observer, self, watched)
        self.stopping = False
        self.maintenance = False
        self._changing = False
        self._deaf = False
        bus.subscribe(self._hear)

    # ---------------------------------------------------------------------------------------------- configurations
    def start(self, audience: Audience) -> None:
        """Begin with a configuration, where there was none, and publish `startup`, the first event that they hear."""
        self.stopping = self.maintenance = False
        self._never = {}
        self._deaf = True
        self._bus.after(self._listen)
        self.actors = [self._made(plan) for plan in audience.plans]
        self.endings.start(self.actors)
        self._seat(audience)
        for actor in self.actors:
            actor.begin()
        self._bus.publish(STARTUP)

    def change(self, audience: Audience, changes: Sequence[JobChange]) -> None:
        """Go from one configuration to the next. `Observer.settled` comes when everything has been done.

        Args:
            audience: The new configuration's.
            changes: From `compare_jobs`.
        """
        if self.stopping:
            return  # nothing begins any more
        self._changing = True
        moves = handovers({actor.key: actor for actor in self.actors}, audience.plans, changes)
        old = old_plans(moves)
        self.actors = []
        for move, actor, plan, run in moves:
            if move == "make" and plan is not None:
                made = self._made(plan)
                self._arriving[made] = None
                self.endings.began(made)
                self.actors.append(made)
                continue
            assert actor is not None  # noqa: S101  - all others are there
            if plan is None:
                self._leaving.append(actor)
                self.endings.left(actor)
                actor.plan = old[actor]
                continue
            self.actors.append(actor)
            if move == "keep":
                continue
            actor.successor = (plan, run)
            if move == "renew":
                self._arrive(actor)
            else:
                self._replacing.add(actor)
                actor.plan = old[actor]
        self._seat(audience)
        for move, actor, plan, _ in moves:
            if move == "keep" and actor is not None and plan is not None:
                actor.go_on(plan)
                self.standings.introduce(actor)
        self._tell_who_is_over()
        for move, actor, _, _ in moves:
            if move in {"replace", "remove"} and actor is not None:
                actor.handle(Order("replace" if move == "replace" else "remove"))
        self._settle()

    def stop(self) -> None:
        """Begin to stop everything (contract, section 4.8). Asked again, it changes nothing."""
        if not self.stopping:
            self.stopping = True
            self._never = never = self._arriving
            self._arriving = {}
            self.actors = [actor for actor in self.actors if actor not in never]
            self._seating.vacate(never)
            for actor in never:
                self.endings.left(actor)
                actor.withdraw()
                actor.discard()
            self._newcomers.clear()
            self._replacing.clear()
            self._bus.publish(SHUTDOWN)
            self._bus.after(self._tell_who_is_over)
        self.endings.consider_soon(by_itself=False)

    def _made(self, plan: Plan) -> Actor:
        actor = self._make(plan)
        # What it waits for now may be over: it can have been the last that others waited for, or wait in vain itself.
        actor.rested = lambda: self.endings.consider_soon(by_itself=True)
        return actor

    def _tell_who_is_over(self) -> None:
        """Let nobody wait for the stop of a job that has ended, or does not begin.

        Nor for a hook that is yet to begin: it does not hear of a stop that comes sooner.
        """
        arriving = {actor.name for actor in self._arriving}
        there = {actor.name for actor in self.actors if actor not in self._arriving and not actor.state.ended}
        for name, others in self._seating.concerned_by():
            for other in others if name not in there else ():
                if other not in self._arriving and (name not in arriving or other.plan.awaited_hook == name):
                    other.handle(Over(name))

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
    def order(self, actor: Actor, order: Order) -> bool:
        """Do what a person wants with one job; False if nothing is done: everything stops, or there is no such job."""
        if self.stopping or actor not in self.actors:
            return False
        afresh = actor in self._arriving or actor.state.ended
        if actor in self._arriving or (actor.successor is not None and actor.state.ended):
            self._arriving.pop(actor, None)  # a person need not wait until all that has to stop has stopped
            self._renew(actor, run=False)
        actor.handle(order)
        if afresh and not actor.state.ended:
            self._began(actor)
            self._replay_facts(actor, starting=False)
        self._settle()
        return True

    @property
    def all_actors(self) -> list[Actor]:
        """Also those that are configured no more, and have not stopped yet."""
        return [*self.actors, *self._leaving]

    def job_of(self, registration: Registration) -> str:
        """What the job is known by whose instance it is: of a job with replicas one of them."""
        name = registration.service
        for actor in (*self._seating.replicas(name), *self._leaving):
            service = actor.plan.job.service
            if actor.name == name and service is not None and service.registration.id == registration.id:
                return str(actor.key)
        return name

    @property
    def settled(self) -> bool:
        """Whether nothing is left to do of the last reload."""
        return not (self._leaving or self._arriving or self._newcomers or self._replacing)

    @property
    def changing_hands(self) -> bool:
        """Whether jobs of a reload have yet to leave, or to begin."""
        return bool(self._leaving or self._arriving or self._newcomers)

    @property
    def done(self) -> bool:
        """Whether every job is complete."""
        return self.endings.complete and not self._leaving

    # ------------------------------------------------------------------------------------------------------- events
    def _listen(self) -> None:
        self._deaf = False

    def _hear(self, event: Event) -> Iterator[None] | None:
        if self._deaf:
            return None  # it was published for the jobs of the last configuration
        if not self._leaving and not self._seating.concerns(event):  # nearly all results of checks
            return None
        return self._tell(event)

    def _tell(self, event: Event) -> Iterator[None]:
        if event.subject == GLOBAL and event.code in {"enterMaintenance", "exitMaintenance"}:
            self.maintenance = event.code == "enterMaintenance"
        everyone = event.subject == GLOBAL
        for actor in list(self.actors) if everyone else self._seating.interested(event):
            if actor in self._arriving or actor in self._never:  # a stop may have come since the last one heard of it
                continue
            if not self._is_partial(event, actor):
                actor.handle(Happened(event))
                yield
        for actor in list(self._leaving):
            if self._is_partial(event, actor):
                continue
            if event.key in actor.plan.interests() or event == SHUTDOWN:
                actor.handle(Happened(event))
        if event.code in EXITS:
            own = event.origin[-1][0] if event.origin else ""
            for actor in self._seating.siblings(event.subject):
                if str(actor.key) != own and actor not in self._arriving:
                    actor.handle(SiblingExited(failed=event.code == "exitFailed"))
        if event == STARTUP:
            self.endings.consider_soon(by_itself=True)

    def _is_partial(self, event: Event, actor: Actor) -> bool:
        """Whether a replica has stopped and others have not: the job has not, for one that waits for that.

        One that stops at a reload waits for those that stop there, too: the others go on.
        """
        if event.code != "stopped" or not actor.plan.awaits_stop_of(event.subject):
            return False
        goes = not self.stopping and (actor in self._leaving or actor in self._replacing)
        stay = self._replacing if goes else self._seating.replicas(event.subject)
        replicas = [one for one in (*stay, *self._leaving) if one.key.replica and one.name == event.subject]
        return not all(one.state.ended for one in replicas)

    def _seat(self, audience: Audience) -> None:
        self._seating.seat(audience, self.actors, self._replacing)
        self.standings.seat(audience.plans, self.actors)

    def ended(self, actor: Actor, outcome: Outcome) -> None:
        """A stop of a job is over: to be told by its actor, as the last thing of a step."""
        if actor.plan.hooks_stopping and (hook := actor.plan.job.hook) is not None:
            self._bus.after(partial(self._hook_ended, hook.source))
        if actor.state.phase == "complete":
            self.endings.left(actor)
        if actor in self._leaving:
            self._leaving.remove(actor)
        elif self.stopping:
            # What the old jobs say at their end is not for those that follow.
            self.endings.consider_soon(by_itself=False)
        elif outcome == "again":
            self._bus.after(lambda: self._again(actor))  # everybody hears that it has stopped before
        elif outcome == "complete":
            self.endings.completed(actor, handled=actor.name in self._seating.handled)
        elif actor.successor is not None:  # a person has stopped it in the middle of a reload
            plan, actor.successor = actor.successor[0], None
            self._replacing.discard(actor)
            actor.go_on(plan)
        self._observer.job_ended(actor, outcome)
        self._settle()

    def _hook_ended(self, source: str) -> None:
        for actor in [one for one in self.actors if one.name == source]:
            self._again(actor)

    def _again(self, actor: Actor) -> None:
        if self.stopping or not actor.state.ended or actor.state.stop.outcome != "again":
            return  # everything stops, or a person was quicker
        if hooks_end(self._seating.concerned(actor.name), actor.name):
            return  # it begins when they have ended: else they would not be there for its next stop
        if actor.successor is None or actor.successor[1]:
            armed = actor.successor is None and actor.state.stop.armed
            self._renew(actor, run=not armed)
            self._replay_facts(actor, starting=False)
        else:
            self._replacing.discard(actor)
            self._arrive(actor)
        self._settle()

    def _arrive(self, actor: Actor) -> None:
        """Let a job begin when nothing is left to stop: sooner, it would hear what the old jobs say at their end."""
        actor.reset()
        self._arriving[actor] = None

    def _renew(self, actor: Actor, *, run: bool) -> None:
        """Begin anew, under its next plan if there is one."""
        plan = actor.successor[0] if actor.successor else actor.plan
        actor.withdraw(plan)
        self._replacing.discard(actor)
        self.endings.began(actor)
        actor.begin(plan)
        self.standings.introduce(actor)
        self._began(actor)
        if run:
            actor.handle(Order("start"))

    def _began(self, actor: Actor) -> None:
        """What was over is not any more: hooks on its stop are armed again, and others wait for it again at a stop."""
        self.endings.began(actor)
        for other in self._seating.concerned(actor.name):
            was_ended = other.state.ended
            other.handle(Began(actor.name))
            self.endings.open_again(other)
            if was_ended and not other.state.ended:
                self._began(other)

    def _replay_facts(self, actor: Actor, *, starting: bool) -> None:
        """Let a job that begins hear what holds, once each: also what starts it, or only the rest."""
        others = [other for other in self.actors if other is not actor and other not in self._arriving]
        holds = [*holding(others, maintenance=self.maintenance), *self._facts()]
        for event in concerning(actor.plan, holds, starting=starting):
            if not self._is_partial(event, actor):
                actor.handle(Happened(event))

    def _settle(self) -> None:
        if not self._changing or self._leaving or self._replacing:
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
            self._replay_facts(actor, starting=True)
        if self._newcomers and not self.stopping:
            self._bus.after(self._introduce)
        else:
            self._finish_change()

    def _finish_change(self) -> None:
        if self._changing and self.settled:
            self._changing = False
            self._observer.settled()
            self.endings.consider_soon(by_itself=False)
