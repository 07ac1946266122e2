"""A world with a virtual clock for the job machine: processes are scripted, time jumps, nothing really runs."""

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from corepilot.config.model import JobConfig
from corepilot.events import GLOBAL, Event
from corepilot.jobs import machine
from corepilot.jobs.model import (
    Advertise,
    ClearTimer,
    Complete,
    Due,
    Emptied,
    Exited,
    Happened,
    Hurry,
    Kill,
    Plan,
    Publish,
    Report,
    Role,
    SetTimer,
    SiblingExited,
    Start,
    State,
    Stimulus,
    Timer,
    Withdraw,
)
from corepilot.jobs.planning import plans


@dataclass
class Behaviour:
    """How the runs of a command go: seconds and exit status of each; the last one repeats. None runs for ever."""

    runs: tuple[tuple[float | None, int], ...] = ((0.1, 0),)
    term_s: float | None = 0.0  # seconds from TERM to the exit; None ignores it
    rest_s: float | None = 0.0  # seconds from the exit until its process group is empty; None: until it is killed
    count: int = 0

    def next(self) -> tuple[float | None, int]:
        run = self.runs[min(self.count, len(self.runs) - 1)]
        self.count += 1
        return run


@dataclass
class Simulated:
    plan: Plan
    main: Behaviour
    check: Behaviour
    state: State = field(default_factory=State)
    running: dict[str, int] = field(default_factory=dict)
    group: int | None = None
    own_exits: int = 0
    timers: dict[str, int] = field(default_factory=dict)


class World:
    def __init__(
        self,
        jobs: Iterable[JobConfig],
        behaviours: dict[str, Behaviour] | None = None,
        stop_timeout_s: float = 5.0,
    ) -> None:
        self.now = 0.0
        self.log: list[tuple[float, str]] = []
        self.catalog: list[tuple[float, str, str]] = []
        self.complete: list[str] = []
        self._token = 0
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._bus: deque[Event] = deque()
        behaviours = behaviours or {}
        self.jobs = [
            Simulated(
                plan, behaviours.get(plan.job.name, Behaviour()), behaviours.get(f"check.{plan.job.name}", Behaviour())
            )
            for plan in plans(tuple(jobs), stop_timeout_s)
        ]
        for job in self.jobs:
            job.state, actions = machine.begin(job.plan)
            self._act(job, actions)
        self.publish("startup")

    # what a test says
    def publish(self, code: str, source: str = GLOBAL) -> None:
        self._bus.append(Event(code, source))
        self._drain()

    def run(self, seconds: float) -> "World":
        end = self.now + seconds
        while self._agenda and self._agenda[0][0] <= end:
            self.now, _, act = heapq.heappop(self._agenda)
            act()
            self._drain()
        self.now = end
        return self

    def hurry(self) -> None:
        for job in self.jobs:
            self._handle(job, Hurry())
        self._drain()

    def starts(self, name: str) -> list[float]:
        return [at for at, text in self.log if text == f"start {name}"]

    def events(self, *sources: str) -> list[str]:
        return [text for _, text in self.log if text.startswith("event ") and text.rpartition(" ")[2] in sources]

    @property
    def over(self) -> bool:
        return len(self.complete) == len(self.jobs)

    # how it works
    def _drain(self) -> None:
        while self._bus:
            event = self._bus.popleft()
            self.log.append((self.now, f"event {event.code} {event.source}"))
            for job in self.jobs:
                if event.source == GLOBAL or event in job.plan.interests():
                    self._handle(job, Happened(event))
            if event.code in {"exitSuccess", "exitFailed"}:
                self._tell_siblings(event.source)

    def _tell_siblings(self, name: str) -> None:
        named = [job for job in self.jobs if job.plan.job.name == name]
        for job in named if len(named) > 1 else []:
            if job.own_exits:
                job.own_exits -= 1
            else:
                self._handle(job, SiblingExited())

    def _handle(self, job: Simulated, stimulus: Stimulus) -> None:
        before = job.state
        job.state, actions = machine.step(job.plan, job.state, stimulus, self.now)
        assert not (before.phase == "complete" and actions), (before, stimulus, actions)
        self._act(job, actions)

    def _later(self, seconds: float, act: Callable[[], None]) -> int:
        self._token += 1
        heapq.heappush(self._agenda, (self.now + seconds, self._token, act))
        return self._token

    def _act(self, job: Simulated, actions: tuple[object, ...]) -> None:
        name = job.plan.job.name
        for action in actions:
            match action:
                case Publish(event):
                    self._bus.append(event)
                case Start(role):
                    self._start(job, role)
                case Kill(role, force, _):
                    self._kill(job, role, force=force)
                case SetTimer(timer, after_s, every):
                    self._set(job, timer, after_s, after_s if every else None)
                case ClearTimer(timer):
                    job.timers.pop(timer, None)
                case Advertise(status, _):
                    self.catalog.append((self.now, "advertise", status))
                case Report(status, _):
                    self.catalog.append((self.now, "report", status))
                case Withdraw():
                    self.catalog.append((self.now, "withdraw", ""))
                case Complete():
                    assert not job.running, f"{name} is complete with a process"
                    assert job.group is None, f"{name} is complete, and its process group is not empty"
                    assert not job.timers.keys() - {"timeout", "check-timeout"}, job.timers
                    self.complete.append(name)

    def _start(self, job: Simulated, role: Role) -> None:
        assert role not in job.running, f"two processes for {role} of {job.plan.job.name}"
        name = job.plan.job.name if role == "main" else f"check.{job.plan.job.name}"
        self.log.append((self.now, f"start {name}"))
        lasts, status = (job.main if role == "main" else job.check).next()
        job.running[role] = self._token + 1
        if lasts is None:
            self._token += 1
        else:
            self._exit_in(job, role, lasts, status)

    def _exit_in(self, job: Simulated, role: Role, seconds: float, status: int) -> None:
        def ended() -> None:
            if job.running.get(role) != token:
                return
            del job.running[role]
            main = role == "main"
            job.own_exits += main
            remains = main and (job.main.rest_s != 0.0 or status == 137)
            self._handle(job, Exited(role, status, f"status {status}", remains=remains))
            if remains and job.state.ending:
                job.group = -1
                if status == 137 or job.main.rest_s is not None:
                    self._empty_in(job, 0.0 if status == 137 else job.main.rest_s or 0.0)

        token = self._later(seconds, ended)
        job.running[role] = token

    def _empty_in(self, job: Simulated, seconds: float) -> None:
        def emptied() -> None:
            if job.group == token:
                job.group = None
                self._handle(job, Emptied())

        token = self._later(seconds, emptied)
        job.group = token

    def _kill(self, job: Simulated, role: Role, *, force: bool) -> None:
        if role not in job.running:
            if role == "main" and job.group is not None and force:
                self._empty_in(job, 0.0)
            return
        behaviour = job.main if role == "main" else job.check
        if force:
            self._exit_in(job, role, 0.0, 137)
        elif behaviour.term_s is not None:
            self._exit_in(job, role, behaviour.term_s, 143)

    def _set(self, job: Simulated, timer: Timer, after_s: float, every: float | None) -> None:
        def due() -> None:
            if job.timers.get(timer) != token:
                return
            if every is None:
                del job.timers[timer]
            else:
                self._set(job, timer, every, every)
            self._handle(job, Due(timer))

        token = self._later(after_s, due)
        job.timers[timer] = token
