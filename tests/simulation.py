"""A world with a virtual clock for jobs: processes are scripted, time jumps, nothing really runs."""

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from corepilot.events import EventBus
from corepilot.jobs.actor import Actor
from corepilot.jobs.audience import Audience
from corepilot.jobs.compare import compare_jobs
from corepilot.jobs.jobset import JobSet
from corepilot.jobs.plan import Plan, plans
from corepilot.jobs.state import (
    MAIN,
    Action,
    Advertise,
    AwaitGone,
    Began,
    ClearTimer,
    Due,
    Emptied,
    Ended,
    Exited,
    Kill,
    Notified,
    Order,
    Outcome,
    Publish,
    Report,
    SetTimer,
    Signal,
    Start,
    Stimulus,
    Sweep,
    Swept,
    Timer,
    Unstarted,
    Withdraw,
)
from corepilot.model.event import EXITS, GLOBAL, Event
from corepilot.model.job import Dependency, Job
from corepilot.model.replicas import keyed
from corepilot.model.service import Registration, Status


@dataclass
class Behaviour:
    """How the runs of a command go: seconds and exit status of each; the last one repeats. None runs for ever."""

    runs: tuple[tuple[float | None, int], ...] = ((0.1, 0),)
    term_s: float | None = 0.0  # seconds from TERM to the exit; None ignores it
    rest_s: float | None = 0.0  # seconds from the exit until its process group is empty; None: until it is killed
    strays_s: float | None = 0.0  # from a sweep until what has left the group has ended; None: until it is killed
    shortages: int = 0  # so many starts fail at first, for want of something that others hold
    count: int = 0

    def next(self) -> tuple[float | None, int]:
        run = self.runs[min(self.count, len(self.runs) - 1)]
        self.count += 1
        return run


class Simulated(Actor):
    """A job whose processes are agenda entries: `running` and `groups` hold their tokens by role."""

    def __init__(self, plan: Plan, world: "World") -> None:
        super().__init__(plan, lambda: world.now)
        self.world = world
        self.running: dict[int, int] = {}
        self.groups: dict[int, int] = {}
        self.timers: dict[Timer, int] = {}
        self.sweeping: bool | None = None
        self.strays = 0  # the token of what has left the group, while a sweep waits for it
        self.killed: list[int] = []
        self.acted = 0
        self.history: deque[tuple[float, str, Stimulus]] = deque(maxlen=12)  # put into words only where one fails
        self.started_at: list[float] = []
        self.causes: list[Event | None] = []

    def handle(self, stimulus: Stimulus) -> None:
        before, acted = self.state, self.acted
        self.history.append((self.world.now, before.phase, stimulus))
        super().handle(stimulus)
        if before.phase == "complete" and not isinstance(stimulus, Order | Began):
            assert self.acted == acted, (before, stimulus, self.state)

    def reset(self) -> None:
        self.timers.clear()

    def moved(self) -> None:
        """There are no locks here."""

    def discard(self) -> None:
        self.reset()

    def behaviour(self, role: int) -> Behaviour:
        name = self.name if role == MAIN else self.plan.job.check_source(role)
        if self.key.replica and str(self.key) in self.world.behaviours:
            name = str(self.key)
        return self.world.behaviours.setdefault(name, Behaviour())

    def perform(self, action: Action) -> None:
        world = self.world
        self.acted += 1
        match action:
            case Publish(event):
                world.bus.publish(event)
            case Start(role):
                self._start(role)
            case Kill(role, force, _):
                self._kill(role, force=force)
            case Signal(number):
                assert MAIN in self.running, f"a signal for nobody: {list(self.history)}"
                world.log.append((world.now, f"signal {number} {self.name}"))
            case Sweep(force, _):
                self._sweep(force=force)
            case SetTimer(timer, after_s, every):
                self._set(timer, after_s, after_s if every else None)
            case ClearTimer(timer):
                self.timers.pop(timer, None)
            case Advertise(registration, status, _):
                world.tell("advertise", status, registration)
            case Report(instance, status, _):
                world.tell("report", status, instance)
            case Withdraw(registration):
                world.tell("withdraw", "", registration)
            case AwaitGone():
                if world.leaves_s is not None:
                    world.later(world.leaves_s, self.gone())
            case Ended(outcome):
                assert not self.running, f"{self.name} has ended with a process: {list(self.history)}"
                assert not self.groups, (
                    f"{self.name} has ended, and a process group of it is not empty: {list(self.history)}"
                )
                assert not {timer.name for timer in self.timers} - {"timeout", "check-timeout"}, self.timers
                if outcome == "complete":
                    world.complete.append(self.name)
                world.jobs.ended(self, outcome)

    def _start(self, role: int) -> None:
        assert role not in self.running, f"two processes for {role} of {self.name}: {list(self.history)}"
        assert role not in self.groups, f"the group of {role} of {self.name} is not empty: {list(self.history)}"
        name = self.name if role == MAIN else self.plan.job.check_source(role)
        if self.behaviour(role).shortages:
            self.behaviour(role).shortages -= 1
            self.world.soon.append(lambda: self._unstarted(role))
            return
        self.world.log.append((self.world.now, f"start {name}"))
        lasts, status = self.behaviour(role).next()
        self.running[role] = self.world.token()
        if role == MAIN:
            self.spawned = True
            assert self.world.may_start(self), f"{self.name} is started before its dependencies: {list(self.history)}"
            self.started_at.append(self.world.now)
            self.causes.append(self.state.trigger.cause)
        if lasts is not None:
            self._exit_in(role, lasts, status)

    def _unstarted(self, role: int) -> None:
        self.starts -= role == MAIN
        self.handle(Unstarted(role))

    def _exit_in(self, role: int, seconds: float, status: int) -> None:
        def ended() -> None:
            if self.running.get(role) != token:
                return
            del self.running[role]
            self.world.exits += role == MAIN and not self.state.alone
            rest_s = self.behaviour(role).rest_s
            remains = rest_s != 0.0 and status != 137
            if remains:
                self.groups[role] = -1
                if rest_s is not None:
                    self._empty_in(role, rest_s)
            self.handle(Exited(role, status, f"status {status}", remains=remains))
            self._look()

        token = self.world.later(seconds, ended)
        self.running[role] = token

    def _empty_in(self, role: int, seconds: float) -> None:
        def emptied() -> None:
            if self.groups.get(role) == token:
                del self.groups[role]
                self.handle(Emptied(role))
                self._look()

        token = self.world.later(seconds, emptied)
        self.groups[role] = token

    def _sweep(self, *, force: bool) -> None:
        def ended() -> None:
            if self.strays == token:
                self.strays = 0
                self._look()

        lasts = 0.0 if force else self.behaviour(MAIN).strays_s
        if self.sweeping is None or force:
            self.strays = token = -1 if lasts is None else self.world.later(lasts, ended)
        self.sweeping = force
        self._kill(MAIN, force=force)

    def _look(self) -> None:
        if self.sweeping is not None and not self.strays and MAIN not in self.running and MAIN not in self.groups:
            self.sweeping = None
            self.handle(Swept())

    def _kill(self, role: int, *, force: bool) -> None:
        if force:
            self.killed.append(role)
        if role in self.groups and force:
            self._empty_in(role, 0.0)
        if role not in self.running:
            return
        if force:
            self._exit_in(role, 0.0, 137)
        elif self.behaviour(role).term_s is not None:
            self._exit_in(role, self.behaviour(role).term_s or 0.0, 143)

    def _set(self, timer: Timer, after_s: float, every: float | None) -> None:
        def due() -> None:
            if self.timers.get(timer) != token:
                return
            if every is None:
                del self.timers[timer]
            else:
                self._set(timer, every, every)
            self.handle(Due(timer))

        token = self.world.later(after_s, due)
        self.timers[timer] = token


class World:
    """Jobs from one configuration to the next."""

    def __init__(self, jobs: Iterable[Job], behaviours: dict[str, Behaviour] | None = None) -> None:
        self.now = 0.0
        self.log: list[tuple[float, str]] = []
        self.catalog: list[tuple[float, str, str]] = []
        self.registered: dict[str, Registration | None] = {}
        self.statuses: dict[str, Status | str] = {}
        self.complete: list[str] = []
        self.told: list[str] = []
        self.ends = 0
        self.leaves_s: float | None = 0.5  # from a withdrawal until it is seen; None: it never is
        self.exits = 0
        self.behaviours = behaviours or {}
        self.soon: deque[Callable[[], None]] = deque()
        self._token = 0
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self.bus = EventBus(self.soon.append, self._broken, clock=lambda: 0.0)
        self.bus.subscribe(lambda event: self.log.append((self.now, f"event {event.code} {event.key[1]}")))
        self.jobs = JobSet(self.bus, lambda plan: Simulated(plan, self), self)
        self.config = keyed(tuple(jobs))
        self.jobs.start(Audience(plans(self.config)))
        self._drain()

    # what a test says
    def publish(self, code: str, source: str = GLOBAL, *, status: int | None = None) -> None:
        if code == "shutdown":
            self.jobs.stop()
        else:
            self.bus.publish(Event(code, source, status=status))
        self._drain()

    def run(self, seconds: float) -> Self:
        end = self.now + seconds
        while self._agenda and self._agenda[0][0] <= end:
            self.now, _, act = heapq.heappop(self._agenda)
            act()
            self._drain()
        self.now = end
        return self

    def kill_now(self) -> None:
        self.jobs.kill_now()
        self._drain()

    def order(self, wanted: str, name: str) -> None:
        for actor in self.jobs.actors:
            if actor.name == name:
                self.jobs.order(actor, Order(wanted))  # type: ignore[arg-type]  # as a test writes it
        self._drain()

    def notify(self, name: str, **told: Any) -> None:
        self.actor(name).handle(Notified(**told))
        self._drain()

    def reload(self, jobs: Iterable[Job], *, restart_all: bool = False) -> None:
        new = keyed(tuple(jobs))
        changes = compare_jobs(self.config, new, restart_all=restart_all)
        self.config = new
        self.jobs.change(Audience(plans(new)), changes)
        self._drain()

    def may_start(self, actor: Simulated) -> bool:
        """Whether what a job depends on holds, or has until what is being told just now; not asked of a late hook."""
        needs = () if actor.state.stop.shutdown else actor.plan.job.depends_on
        return all(self.jobs.standings.meets(one) or self.jobs.standings.is_telling(one) for one in needs)

    def check_bindings(self) -> None:
        """No job runs whose binding is broken, once everybody has been told."""
        for actor in self.jobs.actors:
            state, job = actor.state, actor.plan.job
            bound = [one for one in job.depends_on if one.job in job.binds_to]
            if state.process.stage == "running" and not (state.stopping or state.lingering or state.stop.shutdown):
                broken = [one for one in bound if not self.jobs.standings.keeps(one)]
                assert not broken, f"{actor.name} runs although it is bound: {broken}"

    def exits_told(self) -> int:
        """How many exits of jobs, not of checks, have been on the bus."""
        return sum(
            text.split()[1] in EXITS and not text.split()[2].startswith("check.")
            for _, text in self.log
            if text.startswith("event ")
        )

    def starts(self, name: str) -> list[float]:
        return [at for at, text in self.log if text == f"start {name}"]

    def events(self, *sources: str, starts: bool = False) -> list[str]:
        """What these sources have published; of starts, which are in the log as such, only where they are asked for."""
        told = [text for _, text in self.log if text.startswith("event ") and text.rpartition(" ")[2] in sources]
        return [text for text in told if starts or text.split()[1] not in {"started", "ready"}]

    def actor(self, name: str) -> Simulated:
        found = next(actor for actor in self.actors if actor.name == name)
        assert isinstance(found, Simulated)
        return found

    @property
    def actors(self) -> Sequence[Actor]:
        return self.jobs.actors

    @property
    def over(self) -> bool:
        return self.jobs.done

    # what the jobs tell
    def tell(self, what: str, status: str, whom: Registration | str) -> None:
        self.catalog.append((self.now, what, status))
        if isinstance(whom, Registration):
            self.registered[whom.id] = whom if what == "advertise" else None
        self.statuses[whom.id if isinstance(whom, Registration) else whom] = status

    def job_ended(self, actor: Actor, outcome: Outcome) -> None:
        self.told.append(f"{outcome} {actor.key}")

    def all_ended(self) -> None:
        self.ends += 1

    def ends_with(self, reason: str) -> None:
        self.told.append(reason)
        self.jobs.stop()

    def waits_in_vain(self, actor: Actor, never: Sequence[Dependency]) -> None:
        self.told.append(" ".join([f"in vain {actor.key}", *[f"{one.job}:{one.condition}" for one in never]]))

    def nothing_runs(self, stopped: Sequence[Actor]) -> None:
        self.told.append(f"only {', '.join(str(actor.key) for actor in stopped)}")

    def settled(self) -> None:
        self.told.append("settled")

    # how it works
    def token(self) -> int:
        self._token += 1
        return self._token

    def later(self, seconds: float, act: Callable[[], None]) -> int:
        token = self.token()
        heapq.heappush(self._agenda, (self.now + seconds, token, act))
        return token

    def _drain(self) -> None:
        while self.soon:
            self.soon.popleft()()
        self.check_bindings()

    @staticmethod
    def _broken(_event: Event, error: Exception) -> None:
        raise error
