"""What people want of jobs that a reload takes away at the same moment: a clear answer, and nothing is done.

The jobs' machines and the set of jobs are real; nothing runs.
"""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from building import job

from corepilot.events import EventBus
from corepilot.jobs.audience import Audience
from corepilot.jobs.compare import compare_jobs
from corepilot.jobs.jobset import JobSet
from corepilot.jobs.plan import Plan, plans
from corepilot.jobs.runner import Runner
from corepilot.jobs.state import MAIN, Action, Ended, Exited, Publish, Start, Sweep, Swept
from corepilot.model.job import Job
from corepilot.model.replicas import keyed
from corepilot.supervisor.by_hand import Action as Wanted
from corepilot.supervisor.by_hand import JobsByHand
from corepilot.supervisor.operations import Operations

REMOVED = "there is no job gone any more: a reload has removed it"
ANEW = "a reload has begun gone anew meanwhile; try again"
STOPPING = "cannot {} jobs: everything is being stopped for a reload; try again later"
ACTIONS: tuple[Wanted, ...] = ("start", "stop", "restart")


class Scripted(Runner):
    """A job whose process is a word. It ends when it is told to, unless `world.holds` names it."""

    def __init__(self, plan: Plan, world: "World") -> None:
        loop = gevent.get_hub().loop
        around = SimpleNamespace(made=0, clock=lambda: 0.0, log=lambda *_: None, orphans=None, loop=loop)
        super().__init__(plan, around)  # type: ignore[arg-type]  # all it needs
        self.world = world
        self.runs = False

    @property
    def pid(self) -> int | None:
        return 1 if self.runs else None

    def perform(self, action: Action) -> None:
        match action:
            case Publish(event):
                self.world.bus.publish(event)
            case Start():
                self.runs = True
            case Sweep():
                gevent.get_hub().loop.run_callback(self.end)
            case Ended(outcome):
                self.world.jobs.ended(self, outcome)
            case _:
                pass

    def end(self) -> None:
        if self.name in self.world.holds:
            return
        if self.runs:
            self.runs = False
            self.handle(Exited(MAIN, 143, "status 143", remains=False))
        self.handle(Swept())


class World:
    """Jobs, and people who want something of them.

    Attributes:
        broken: Exceptions in the hub.
        holds: What does not end until `let_go`.
    """

    def __init__(self) -> None:
        self.broken: list[Exception] = []
        self.holds: set[str] = set()
        self.bus = EventBus(gevent.get_hub().loop.run_callback, lambda _event, error: self.broken.append(error))
        self.jobs = JobSet(self.bus, lambda plan: Scripted(plan, self), self)
        self.by_hand = JobsByHand(self.jobs, Operations(lambda: ""), SimpleNamespace(ending=""))  # type: ignore[arg-type]
        self.config = keyed((job("gone"), job("stays")))
        self.start()
        gevent.idle()

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None  # what an observer is told

    def reload(self, *jobs: Job) -> None:
        new = keyed(jobs)
        changes, self.config = compare_jobs(self.config, new), new
        self.jobs.change(Audience(plans(new)), changes)

    def start(self) -> None:
        self.jobs.start(Audience(plans(self.config)))

    def let_go(self, runner: Scripted) -> None:
        self.holds.clear()
        runner.end()

    def runner(self, name: str) -> Scripted:
        found = next(actor for actor in self.jobs.actors if actor.name == name)
        assert isinstance(found, Scripted)
        return found


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    assert made.broken == []


def answer(operation: Any) -> tuple[list[tuple[object, object]], object, object]:
    *changes, result = operation.lines(20)
    return [(one["name"], one["kind"]) for one in changes], result["result"], result["message"]


@pytest.mark.parametrize("ended", [True, False], ids=["ended", "ending"])
@pytest.mark.parametrize("action", ACTIONS)
def test_what_is_wanted_of_a_job_that_has_just_been_removed_is_refused(
    world: World, action: Wanted, *, ended: bool
) -> None:
    gone = world.runner("gone")
    operation = world.by_hand.act(action, ["gone", "stays"], None)
    world.holds |= set() if ended else {"gone"}
    world.reload(job("stays"))  # before the request has had its turn
    if ended:
        gevent.idle()
    starts = gone.starts
    changes, result, message = answer(operation)
    assert (result, message) == ("refused", REMOVED)
    assert [name for name, _ in changes] == ["stays"]
    assert gone.starts == starts
    if not ended:
        world.let_go(gone)
    gevent.idle()
    assert world.jobs.settled
    assert not gone.runs


@pytest.mark.parametrize("action", ["stop", "restart"])
def test_a_job_that_is_removed_while_somebody_waits_for_it_is_no_success_but_of_a_stop(
    world: World, action: Wanted
) -> None:
    gone = world.runner("gone")
    world.holds.add("gone")
    operation = world.by_hand.act(action, ["gone"], None)
    gevent.sleep(0)  # it is carried out
    world.reload(job("stays"))
    gevent.sleep(0)
    world.let_go(gone)
    expected = ([("gone", "stopped")], "done", "") if action == "stop" else ([], "refused", REMOVED)
    assert answer(operation) == expected


@pytest.mark.parametrize("action", ACTIONS)
def test_what_is_wanted_in_the_moment_in_which_everything_stops_for_a_reload_is_refused(
    world: World, action: Wanted
) -> None:
    operation = world.by_hand.act(action, ["gone"], None)
    world.holds.add("stays")
    world.jobs.stop()
    assert answer(operation) == ([], "refused", STOPPING.format(action))
    world.let_go(world.runner("stays"))


@pytest.mark.parametrize("action", ["stop", "restart"])
def test_what_a_reload_of_everything_has_overtaken_says_so(world: World, action: Wanted) -> None:
    world.holds.add("gone")
    gone = world.runner("gone")
    operation = world.by_hand.act(action, ["gone"], None)
    gevent.sleep(0)
    world.jobs.stop()
    gevent.sleep(0)
    world.let_go(gone)
    gevent.sleep(0)
    world.start()
    assert answer(operation) == ([], "refused", ANEW)
    gevent.idle()
    assert world.runner("gone").starts == 1
