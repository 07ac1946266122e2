"""A lock whose settings change at a reload, or that goes and comes back: one holder, and what is told is true."""

from collections.abc import Callable, Iterable, Iterator
from typing import cast

import gevent
import pytest

from corepilot.discovery.answers import Answers
from corepilot.discovery.guarded import GuardedBackend
from corepilot.errors import BackendUnavailableError
from corepilot.jobs import starting
from corepilot.jobs.plan import Plan
from corepilot.model.command import Command
from corepilot.model.configuration import Lock
from corepilot.model.job import Job, JobKey
from corepilot.model.plugin import PluginReference
from corepilot.supervisor.catalog import Catalog
from corepilot.supervisor.locks import JobLocks
from corepilot.testing.backends import context
from corepilot.testing.memory import MemoryBackend, MemoryCatalog

DEADLINE_S = 30.0
LOCK = Lock("primary", 60.0, "memory")
OTHER_TTL = LOCK.changed(ttl_s=90.0)


class App:
    """A job that needs the lock, as far as locks see it: standing by, or with a process."""

    def __init__(self, lock: str = "primary") -> None:
        self.plan = Plan(Job("app", Command(("app",)), lock=lock), JobKey("app"))
        state, _ = starting.begin(self.plan)
        self.state = state.changed(process=state.process.changed(stage="standby"))
        self.groups: list[int] = []
        self.mark = "1-1"


class World:
    """The locks of a supervisor with one job, in a catalog in memory, and another client of it."""

    def __init__(self) -> None:
        self.store = MemoryCatalog()
        backend = MemoryBackend(self.store, context())
        self.catalog = Catalog(
            "memory",
            PluginReference("memory", "corepilot.testing.memory", "", "corepilot", "1"),
            cast("GuardedBackend", backend),
            lambda _level, _message: None,
            lambda: None,
            tell=lambda _job, _message: None,
            job_of=lambda registration: registration.service,
            answers=Answers(),
        )
        self.events: list[str] = []
        self.known: dict[int, tuple[float, list[int], list[str]]] = {}  # what the guard has heard of, by slot
        self.slots: set[int] = set()
        self.locks = JobLocks(lambda event: self.events.append(event.code), self, "here")
        self.app = App()
        other = MemoryBackend(self.store, context()).locks
        assert other is not None
        self.other = other

    def locked(self, slot: int, until: float, groups: Iterable[int], marks: Iterable[str] = ()) -> None:
        """As the guard."""
        self.known.pop(slot, None)
        if groups or marks:
            self.known[slot] = (until, [*groups], [*marks])
            self.slots.add(slot)

    def reload(self, *locks: Lock) -> None:
        self.locks.commit(locks, {"memory": self.catalog})

    def run(self, *groups: int) -> None:
        self.app.groups = list(groups)
        self.locks.tell(self.app)

    @property
    def held(self) -> bool:
        return self.locks.counts()["primary"].held

    @property
    def is_true(self) -> bool:
        """Whether who believes that it holds the lock does."""
        found = self.store.store.held("primary")
        return found is not None and self.locks.environment("primary") == {"COREPILOT_LOCK_TOKEN": str(found.token)}


@pytest.fixture
def world() -> Iterator[World]:
    one = World()
    yield one
    one.store.resume()
    one.locks.give_back()
    gevent.sleep(0)


def until(condition: Callable[[], object]) -> None:
    with gevent.Timeout(DEADLINE_S, AssertionError("did not come true")):
        while not condition():
            gevent.sleep(0.002)


def calls(world: World) -> list[str]:
    return [call.method for call in world.store.calls if call.method in {"acquire", "release"}]


def test_another_ttl_is_another_grant_and_what_the_old_one_gives_back_is_not_it(world: World) -> None:
    world.reload(LOCK)
    world.run()
    until(lambda: world.held)
    world.run(17)
    first = world.locks.environment("primary")
    world.reload(OTHER_TTL)
    assert world.events == ["acquired", "lost"]
    world.store.pause()  # from here on the order of what is asked decides
    world.run()  # what ran under it has ended
    gevent.sleep(0.01)
    world.store.resume()
    until(lambda: world.held and "release" in calls(world))
    assert world.is_true, "it was given back by the keeper before"
    assert calls(world) == ["acquire", "release", "acquire"]
    assert world.locks.environment("primary") != first
    assert world.other.acquire("primary", "other", 60.0, 0.0) is None


def test_who_hooks_the_stop_finds_the_token_and_the_time_of_the_lock_that_is_lost(world: World) -> None:
    world.reload(LOCK)
    world.run()
    until(lambda: world.held)
    assert world.locks.ending("app", "1-2") is None, "it has not run"
    environment = world.locks.environment("primary")
    world.app.state = world.app.state.changed(process=world.app.state.process.changed(stage="running", runs=1))
    world.run(17)
    world.reload(OTHER_TTL)
    assert world.events == ["acquired", "lost"]
    assert world.locks.environment("primary") == {}
    ending = world.locks.ending("app", "1-2")
    assert ending is not None
    assert (ending.lock, ending.environment) == ("primary", environment)
    assert 0.0 < ending.left_s <= LOCK.ttl_s
    assert world.locks.ending("other", "1-2") is None


def test_a_lock_that_goes_and_comes_back_while_the_job_still_ends(world: World) -> None:
    world.reload(LOCK)
    world.run()
    until(lambda: world.held)
    world.run(17)
    world.reload()
    world.reload(LOCK)
    assert calls(world) == ["acquire"], "what runs under the lock of before has not ended"
    world.run()
    until(lambda: world.held and "release" in calls(world))
    assert world.is_true
    assert calls(world) == ["acquire", "release", "acquire"]


def test_who_stands_by_goes_on_standing_by_with_another_ttl(world: World) -> None:
    assert world.other.acquire("primary", "other", 60.0, 0.0) is not None
    world.store.calls.clear()
    world.reload(LOCK)
    world.run()
    until(lambda: "acquire" in calls(world))
    world.reload(OTHER_TTL)
    until(lambda: calls(world) == ["acquire", "release", "acquire"])
    world.other.release("primary")
    until(lambda: world.held)
    assert world.is_true


def test_a_lock_that_cannot_be_given_back_is_asked_for_all_the_same(world: World) -> None:
    world.reload(LOCK)
    world.run()
    until(lambda: world.held)
    world.store.fail("release", BackendUnavailableError("cannot reach the catalog"))
    world.reload(OTHER_TTL)
    until(lambda: world.held)
    assert world.is_true


def test_two_reloads_in_a_row_leave_one_keeper(world: World) -> None:
    world.reload(LOCK)
    world.run()
    until(lambda: world.held)
    with world.store.hanging():
        world.reload(OTHER_TTL)
        gevent.sleep(0.01)  # the first one is being given back
        world.reload(LOCK)
        gevent.sleep(0.01)
    until(lambda: world.held)
    assert world.is_true
    assert calls(world) == ["acquire", "release", "acquire"]


def test_locks_that_run_nothing_any_more_leave_nothing_behind(world: World) -> None:
    kept = Lock("kept", 60.0, "memory")
    keeper = App("kept")
    keeper.groups = [3]
    world.locks.tell(keeper)
    for number in range(40):
        name = f"shard-{number}"
        world.reload(kept, Lock(name, 60.0, "memory"))
        world.app = App(name)
        world.run(100 + number)
        assert sorted(groups for _, groups, _ in world.known.values()) == [[3], [100 + number]]
        world.run()
        app = world.app
        app.state = app.state.changed(process=app.state.process.changed(stage="none"))
        world.locks.tell(app)
    assert world.slots == {0, 1}
    keeper.groups = []
    world.locks.tell(keeper)
    assert world.known == {}
