"""One job that lives: its plan, its state, and the machine between them. What acts for it is a subclass's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from corepilot.jobs import machine, starting
from corepilot.jobs.descent import descending
from corepilot.jobs.plan import Plan
from corepilot.jobs.replan import replan
from corepilot.jobs.state import Action, Left, Publish, Spawned, Start, State, Stimulus, Withdraw
from corepilot.model.job import JobKey


class Actor(ABC):
    """A job between two plans. Pure but for `perform`.

    Args:
        plan: What it is to do.
        clock: Monotonic seconds.

    Attributes:
        plan: What it does now.
        state: Where it is.
        successor: The plan that it goes on with when it has stopped, and whether it runs at once then; None for the
            same plan, and at once.
        starts: How often its command was started, over all plans.
        rested: Told when it has run and waits for what starts it again, or is to run and stands by.
        depended: Told of each step, where other jobs depend on this one.
        spawned: Its main process has been started in this step: `Spawned` is the next stimulus.
    """

    def __init__(self, plan: Plan, clock: Callable[[], float]) -> None:
        self.plan = plan
        self.state = State()
        self.successor: tuple[Plan, bool] | None = None
        self.starts = 0
        self.rested: Callable[[], None] = lambda: None
        self.depended: Callable[[Actor], None] | None = None
        self.spawned = False
        self._rests = False
        self._clock = clock

    @property
    def key(self) -> JobKey:
        """What it is known by."""
        return self.plan.key

    @property
    def name(self) -> str:
        """As configured; not unique."""
        return self.plan.job.name

    def begin(self, plan: Plan | None = None) -> None:
        """As if nothing had happened yet: timers, and the first registration if one is asked for."""
        self.reset()
        self.plan = plan or self.plan
        self.successor = None
        self.state, actions = starting.begin(self.plan)
        self._perform(self.state, actions)

    def handle(self, stimulus: Stimulus) -> None:
        """Let something happen to the job."""
        before = self.state
        self.state, actions = machine.step(self.plan, before, stimulus, self._clock())
        self._perform(before, actions)

    def go_on(self, plan: Plan) -> None:
        """Go on under another plan, with the same process."""
        old, self.plan = self.plan, plan
        before = self.state
        self.state, actions = replan(old, plan, before, self._clock())
        self._perform(before, actions)

    def withdraw(self, plan: Plan | None = None) -> None:
        """Take what it has advertised out of the catalog, unless it goes on there under its next plan."""
        old, new = self.plan.job.service, plan.job.service if plan else None
        if old is None or self.state.advertised is None:
            return
        if new is None or new.registration.id != old.registration.id:
            self.perform(Withdraw(old.registration))

    def gone(self) -> Callable[[], None]:
        """What to call when the job's service is seen to be out of the catalog: it says nothing of a later run."""
        starts = self.starts

        def left() -> None:
            if self.starts == starts:
                self.handle(Left())

        return left

    @abstractmethod
    def reset(self) -> None:
        """Stop all timers."""

    @abstractmethod
    def discard(self) -> None:
        """Let go of everything: the job is not needed any more. Idempotent."""

    @abstractmethod
    def perform(self, action: Action) -> None:
        """Do what the machine asks for. May let something happen only later, or as the last action of a step."""

    def _perform(self, state: State, actions: tuple[Action, ...]) -> None:
        """Carry out the actions of a step. What precedes a start is said of the run before, which `state` knows."""
        for action in actions:
            if type(action) is Publish:
                self.perform(Publish(descending(action.event, self.key, state)))
                continue
            if type(action) is Start and action.role < 0:
                self.starts += 1
                state = self.state
            self.perform(action)
        if self.spawned:
            self.spawned = False
            self.handle(Spawned())
            return
        self.moved()
        if self.depended is not None:
            self.depended(self)
        process = self.state.process
        rests = process.stage == "none" and process.runs > 0 and self.state.stop.stage == "none"
        rests = rests or process.stage == "standby"
        if rests and not self._rests:
            self.rested()
        self._rests = rests

    @abstractmethod
    def moved(self) -> None:
        """Something has happened to the job, and its actions are performed."""
