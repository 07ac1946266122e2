"""A watch whose settings change at a reload: nothing is told twice, and nothing is left out."""

from collections.abc import Callable, Iterator
from typing import cast

import gevent
import pytest

from corepilot.discovery.answers import Answers
from corepilot.discovery.guarded import GuardedBackend
from corepilot.model.configuration import Configuration, Logging, Watch
from corepilot.model.event import Event
from corepilot.model.plugin import PluginReference
from corepilot.model.service import Registration
from corepilot.output.log import Log
from corepilot.supervisor.catalog import Catalog
from corepilot.supervisor.discovery import Discovery, PreparedCatalogs
from corepilot.supervisor.watch_succession import Succession, successions
from corepilot.telemetry.metrics import Metrics
from corepilot.testing.backends import context
from corepilot.testing.memory import MemoryBackend, MemoryCatalog

DEADLINE_S = 30.0
WATCH = Watch("app", 3600, at_start=True)
LATER = WATCH.changed(at_start=False)


class Store(MemoryBackend):
    """With the capabilities that a catalog is asked for."""

    capabilities = frozenset({"services"})


class World:
    """The watches of a supervisor with a catalog in memory."""

    def __init__(self) -> None:
        self.store = MemoryCatalog()
        self.catalog = Catalog(
            "memory",
            PluginReference("memory", "corepilot.testing.memory", "", "corepilot", "1"),
            cast("GuardedBackend", Store(self.store, context())),
            lambda _level, _message: None,
            lambda: None,
            tell=lambda _job, _message: None,
            job_of=lambda registration: registration.service,
            answers=Answers(),
        )
        self.events: list[str] = []
        self.log = Log(Logging())
        self.discovery = Discovery(self.log, self.take, {}, Metrics(), lambda _call, _result: None)

    def take(self, event: Event) -> None:
        self.events.append(event.code)

    def put(self, service: str, number: int = 1) -> None:
        self.store.put(Registration(f"{service}-{number}", service, f"192.0.2.{number}", 80, (), 600), "passing", 600)

    def remove(self, service: str) -> None:
        del self.store.entries[f"{service}-1"]
        self.store.changed()

    def reload(self, *watches: Watch, anew: bool = False) -> None:
        catalogs = {"memory": self.catalog}
        self.discovery.commit(Configuration(watches=watches), PreparedCatalogs(catalogs, frozenset()), anew=anew)

    def looked(self) -> bool:
        """Whether each watch has a stream that has answered."""
        return all(one.status()["connected"] for one in self.discovery.watchers)


@pytest.fixture
def world() -> Iterator[World]:
    one = World()
    yield one
    one.discovery.stop_watching()
    one.discovery.close()
    one.log.close(DEADLINE_S)
    gevent.sleep(0)


def until(condition: Callable[[], object]) -> None:
    with gevent.Timeout(DEADLINE_S, AssertionError("did not come true")):
        while not condition():
            gevent.sleep(0.002)


@pytest.mark.parametrize(
    "other",
    [
        WATCH.changed(debounce_s=0.02),
        WATCH.changed(interval_s=1800),
        LATER.changed(interval_s=1800, debounce_s=0.02),
        LATER.changed(subject="app", catalog="memory"),
    ],
    ids=["debounce", "interval", "several", "the same, said otherwise"],
)
def test_a_watch_of_the_same_thing_goes_on(world: World, other: Watch) -> None:
    world.put("app")
    world.reload(WATCH)
    until(lambda: world.events == ["changed", "healthy"])
    (before,) = world.discovery.watchers
    world.reload(other)
    until(world.looked)
    assert world.discovery.watchers == (before,)
    assert world.events == ["changed", "healthy"], "nothing has changed"
    world.remove("app")
    until(lambda: world.events[2:] == ["changed", "unhealthy"])


def test_what_goes_while_a_reload_is_carried_out_is_told(world: World) -> None:
    world.put("app")
    world.reload(WATCH)
    until(lambda: world.events == ["changed", "healthy"])
    del world.store.entries["app-1"]  # nobody is woken: the stream of before will not say so
    world.reload(LATER.changed(interval_s=1800))
    until(lambda: world.events[2:] == ["changed", "unhealthy"])


def test_a_change_that_waits_for_quiet_waits_for_that_of_now(world: World) -> None:
    world.reload(WATCH.changed(debounce_s=3600.0))
    until(world.looked)
    world.put("app")
    until(lambda: world.discovery.watchers[0].passing)
    assert world.events == []
    world.reload(WATCH.changed(debounce_s=0.01))
    until(lambda: world.events == ["changed", "healthy"])


@pytest.mark.parametrize("service", ["other", "nothing", "alike"])
def test_a_watch_of_another_thing_is_compared_with_what_was_told(world: World, service: str) -> None:
    world.put("app")
    world.put("other", 2)
    world.put("alike")
    world.reload(WATCH)
    until(lambda: world.events == ["changed", "healthy"])
    world.reload(LATER.changed(subject=service))
    until(world.looked)
    told = {"other": ["changed", "healthy"], "nothing": ["changed", "unhealthy"], "alike": []}[service]
    until(lambda: world.events[2:] == told)
    assert [event.code for event in world.discovery.facts()] == ([] if service == "nothing" else ["changed", "healthy"])


def test_two_reloads_before_there_is_an_answer(world: World) -> None:
    world.put("app")
    world.reload(WATCH)
    until(lambda: len(world.events) == 2)
    with world.store.hanging():
        world.reload(WATCH.changed(subject="other"))
        gevent.sleep(0.01)
        world.reload(WATCH)
        gevent.sleep(0.01)
    until(world.looked)
    assert world.events == ["changed", "healthy"]


def test_anew_is_anew(world: World) -> None:
    world.put("app")
    world.reload(WATCH)
    until(lambda: len(world.events) == 2)
    world.reload(WATCH, anew=True)
    until(lambda: world.events == ["changed", "healthy"] * 2)


def test_the_closest_one_is_followed_and_each_has_one_successor() -> None:
    plain, tagged, quiet = WATCH, WATCH.changed(tag="blue"), WATCH.changed(debounce_s=1.0)
    other = Watch("db")
    assert successions([plain, tagged], [tagged, plain]) == [Succession(1, same=True), Succession(0, same=True)]
    assert successions([plain, quiet], [quiet, plain]) == [Succession(1, same=True), Succession(0, same=True)]
    assert successions([plain], [tagged, quiet]) == [Succession(), Succession(0, same=True)]
    assert successions([plain, other], [tagged]) == [Succession(0, same=False)]
    assert successions([other], [plain]) == [Succession()]
    assert successions([plain], [plain.changed(kind="key")]) == [Succession(0, same=False)]
    assert successions([], [plain]) == [Succession()]
