"""From snapshots to events, by ContainerPilot's rule, against a catalog that fails when told to."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent.event import Event as Flag
from leaks import collector_off

from corepilot.discovery.connection import Connection
from corepilot.discovery.debounce import Debounce
from corepilot.discovery.follower import FIRST_S, REOPEN_S
from corepilot.discovery.watcher import CatalogView, Watcher
from corepilot.errors import BackendRefusedError, BackendUnavailableError
from corepilot.model.configuration import Watch
from corepilot.model.event import Event
from corepilot.model.service import Query, Registration, Snapshot, Status
from corepilot.system.backoff import Backoff
from corepilot.testing.backends import context
from corepilot.testing.memory import MemoryBackend, MemoryCatalog

DEADLINE_S = 30.0
CHANGED, HEALTHY, UNHEALTHY = (Event(code, "watch.web") for code in ("changed", "healthy", "unhealthy"))


class World:
    def __init__(self) -> None:
        self.catalog = MemoryCatalog()
        self.backend = MemoryBackend(self.catalog, context())
        self.events: list[Event] = []
        self.lines: list[tuple[str, str]] = []
        self.watchers: list[Watcher] = []

    def watch(
        self,
        name: str = "web",
        tag: str = "",
        backend: MemoryBackend | None = None,
        *,
        at_start: bool = True,
        first_s: float = FIRST_S,
        reopen_s: float = REOPEN_S,
    ) -> Watcher:
        watcher = Watcher(
            Watch(name, 1, tag=tag, at_start=at_start),
            [CatalogView("memory", backend or self.backend, Connection(1.0), self.log)],
            self.events.append,
            backoff=Backoff(0.01, 0.05),
            first_s=first_s,
            reopen_s=reopen_s,
        )
        self.watchers.append(watcher)
        watcher.start()
        return watcher

    def log(self, level: str, message: str) -> None:
        self.lines.append((level, message))

    def put(self, number: int, status: Status = "passing", *, port: int = 80, tags: tuple[str, ...] = ()) -> None:
        registration = Registration(f"web-{number}", "web", f"10.0.0.{number}", port, tags, ttl_s=3600)
        self.catalog.put(registration, status, 3600)

    def remove(self, number: int) -> None:
        del self.catalog.entries[f"web-{number}"]
        self.catalog.changed()

    def caught_up(self, watcher: Watcher) -> None:
        """Wait until the watcher has seen the catalog's present state."""
        wanted = self.catalog.snapshot(watcher.watch.name, watcher.watch.tag)
        until(lambda: watcher.status()["connected"] and watcher.instances == wanted)


@pytest.fixture
def world() -> Iterator[World]:
    one = World()
    yield one
    for watcher in one.watchers:
        watcher.close()
    gevent.sleep(0)


def until(condition: Callable[[], object]) -> None:
    with gevent.Timeout(DEADLINE_S, AssertionError("did not come true")):
        while not condition():
            gevent.sleep(0.002)


def test_the_first_look_is_after_one_interval(world: World) -> None:
    world.put(1)
    patient, eager = world.watch(at_start=False), world.watch()
    world.caught_up(eager)
    assert not patient.status()["connected"]
    assert world.events == [CHANGED, HEALTHY]
    world.caught_up(patient)
    until(lambda: world.events == [CHANGED, HEALTHY] * 2)


def test_a_service_that_is_absent_at_the_start_causes_no_event(world: World) -> None:
    world.caught_up(world.watch())
    assert world.events == []


def test_a_service_that_is_there_at_the_start_causes_events(world: World) -> None:
    world.put(1)
    world.caught_up(world.watch())
    assert world.events == [CHANGED, HEALTHY]


def test_only_the_passing_ones_count(world: World) -> None:
    watcher = world.watch()
    world.put(1, "critical")
    world.put(2, "warning")
    world.caught_up(watcher)
    assert world.events == []
    assert [one.status for one in watcher.instances] == ["critical", "warning"]
    world.put(1)
    world.caught_up(watcher)
    assert world.events == [CHANGED, HEALTHY]
    world.put(1, "warning")
    world.caught_up(watcher)
    assert world.events == [CHANGED, HEALTHY, CHANGED, UNHEALTHY]


def test_number_address_and_port_count(world: World) -> None:
    watcher = world.watch()
    expected = []
    changes: list[Callable[[], None]] = [
        lambda: world.put(1),
        lambda: world.put(2),
        lambda: world.put(2, port=81),
        lambda: world.remove(1),
    ]
    for change in changes:
        change()
        world.caught_up(watcher)
        expected += [CHANGED, HEALTHY]
        assert world.events == expected
    world.remove(2)
    world.caught_up(watcher)
    assert world.events == [*expected, CHANGED, UNHEALTHY]


def test_tags_and_ids_do_not_count(world: World) -> None:
    watcher = world.watch()
    world.put(1)
    world.caught_up(watcher)
    world.put(1, tags=("new",))
    world.caught_up(watcher)
    world.catalog.entries.clear()
    world.catalog.put(Registration("web-other", "web", "10.0.0.1", 80), "passing", 3600)
    world.caught_up(watcher)
    assert world.events == [CHANGED, HEALTHY]


def test_watches_on_one_name_do_not_disturb_each_other(world: World) -> None:
    blue, green = world.watch(tag="blue"), world.watch(tag="green")
    world.put(1, tags=("blue",))
    world.caught_up(blue)
    world.caught_up(green)
    assert world.events == [CHANGED, HEALTHY]
    world.put(2, tags=("green",))
    world.caught_up(blue)
    world.caught_up(green)
    assert world.events == [CHANGED, HEALTHY] * 2
    assert (len(blue.instances), len(green.instances)) == (1, 1)


def test_an_outage_causes_a_warning_and_no_event(world: World) -> None:
    watcher = world.watch()
    world.put(1)
    world.caught_up(watcher)
    world.catalog.down = True
    until(lambda: sum(call.method == "watch" for call in world.catalog.calls) > 4)
    assert not watcher.status()["connected"]
    assert watcher.last_error == "cannot reach the catalog in memory: it is down"
    assert len(watcher.instances) == 1
    world.catalog.down = False
    until(lambda: watcher.status()["connected"])
    assert world.events == [CHANGED, HEALTHY]
    assert [level for level, _ in world.lines] == ["warning", "info"]
    assert world.lines[0][1].startswith("watch.web: cannot reach the catalog in memory: it is down; trying again")


def test_what_changed_during_an_outage_is_seen_after_it(world: World) -> None:
    watcher = world.watch()
    world.put(1)
    world.caught_up(watcher)
    world.catalog.down = True
    until(lambda: watcher.last_error)
    world.remove(1)
    world.catalog.down = False
    until(lambda: watcher.status()["connected"])
    assert world.events == [CHANGED, HEALTHY, CHANGED, UNHEALTHY]


def test_reopening_is_no_event(world: World) -> None:
    world.put(1)
    watcher = world.watch(reopen_s=0.02)
    until(lambda: sum(call.method == "watch" for call in world.catalog.calls) > 5)
    assert world.events == [CHANGED, HEALTHY]
    assert world.lines == []
    assert len(world.catalog.open_watches) <= 1
    world.put(2)
    world.caught_up(watcher)
    assert world.events == [CHANGED, HEALTHY] * 2


def test_a_stream_that_was_reopened_leaves_nothing_to_the_garbage_collector(world: World) -> None:
    world.put(1)
    with collector_off(gevent.Timeout) as made_since:
        watcher = world.watch(reopen_s=0.02)
        until(lambda: sum(call.method == "watch" for call in world.catalog.calls) > 5)
        watcher.close()
        gevent.sleep(0)
        assert made_since() == []


def test_a_catalog_that_does_not_answer_is_given_up_and_tried_again(world: World) -> None:
    with world.catalog.hanging():
        watcher = world.watch(first_s=0.02)
        until(lambda: watcher.last_error)
        assert watcher.last_error == "cannot watch web: no answer from the catalog within 0.02 s"
    world.put(1)
    world.caught_up(watcher)
    assert watcher.last_error == ""


class Buggy(MemoryBackend):
    """Its first stream raises what no backend may raise, its second one just ends."""

    def __init__(self, catalog: MemoryCatalog) -> None:
        super().__init__(catalog, context())
        self.streams = 0

    def watch(self, query: Query) -> Iterator[Snapshot]:
        self.streams += 1
        if self.streams == 1:
            raise KeyError("oops")
        if self.streams == 2:
            yield ()
            return
        yield from super().watch(query)


def test_a_bug_in_a_backend_does_not_end_the_watch(world: World) -> None:
    backend = Buggy(world.catalog)
    watcher = world.watch(backend=backend)
    until(lambda: backend.streams == 1 and watcher.last_error)
    assert "KeyError: 'oops'" in watcher.last_error
    until(lambda: backend.streams == 2 and "just ended" in watcher.last_error)
    world.put(1)
    world.caught_up(watcher)
    assert world.events == [CHANGED, HEALTHY]


def test_status(world: World) -> None:
    watcher = world.watch(tag="blue")
    world.put(1, tags=("blue",))
    world.put(2, "critical", tags=("blue",))
    world.caught_up(watcher)
    assert watcher.status() == {
        "name": "web",
        "kind": "service",
        "service": "web",
        "catalogs": ["memory"],
        "tag": "blue",
        "dc": "",
        "instances": 2,
        "passing": 1,
        "connected": True,
        "last_error": "",
    }


def test_no_event_comes_after_close(world: World) -> None:
    watcher = world.watch()
    world.caught_up(watcher)
    world.put(1)
    watcher.close()
    watcher.close()
    until(lambda: not world.catalog.open_watches)
    assert world.events == []


def test_a_watch_that_breaks_is_opened_again(world: World) -> None:
    watcher = world.watch()
    for number in range(1, 6):
        world.caught_up(watcher)
        world.catalog.break_watches(BackendUnavailableError("connection reset"))
        world.put(number)
    world.caught_up(watcher)
    assert world.events == [CHANGED, HEALTHY] * 5


def test_of_a_stream_that_breaks_it_is_told_whether_it_had_answered(world: World) -> None:
    """What had answered is opened again after the first pause; a try without an answer is followed by a longer one."""
    told: list[bool] = []

    class Noted(Connection):
        def down(self, begun_at: float, now: float, *, answered: bool = False, pause_s: float = 0.0) -> None:
            told.append(answered)
            super().down(begun_at, now, answered=answered, pause_s=pause_s)

    watch = Watch("web", 1, at_start=True)
    watcher = Watcher(watch, [CatalogView("memory", world.backend, Noted(1.0), world.log)], world.events.append)
    world.watchers.append(watcher)
    watcher.start()
    world.caught_up(watcher)
    world.catalog.down = True
    until(lambda: len(told) > 1)
    assert told[:2] == [True, False]


class Noted(Connection):
    """Counts how often it goes down."""

    downs = 0

    def down(self, begun_at: float, now: float, *, answered: bool = False, pause_s: float = 0.0) -> None:
        self.downs += 1
        super().down(begun_at, now, answered=answered, pause_s=pause_s)


def alone(world: World, error: Exception) -> tuple[Noted, list[float]]:
    """A watch that fails whenever it is tried, and when that was; its connection."""
    tries: list[float] = []

    class Far(MemoryBackend):
        def watch(self, query: Query) -> Iterator[Snapshot]:
            del query
            tries.append(time.monotonic())
            raise error

    connection = Noted(60.0, random=lambda: 0.0)
    view = CatalogView("memory", Far(world.catalog, context()), connection, world.log)
    watcher = Watcher(Watch("web", 1, at_start=True), [view], world.events.append, backoff=Backoff(0.01, 0.05))
    world.watchers.append(watcher)
    watcher.start()
    return connection, tries


def test_what_fails_while_the_catalog_answers_others_does_not_keep_them_from_it(world: World) -> None:
    connection, tries = alone(world, BackendUnavailableError("cannot reach the datacenter"))
    until(lambda: connection.downs)
    connection.up()  # somebody else was answered
    until(lambda: len(tries) >= 6)
    assert connection.downs == 1
    assert connection.connected


def test_what_is_refused_does_not_keep_the_others_waiting(world: World) -> None:
    connection, tries = alone(world, BackendRefusedError("cannot watch web: 403"))
    now = time.monotonic()
    connection.begun(now)
    connection.down(now, now)
    until(lambda: tries)
    assert connection.wait_s(time.monotonic()) == 0, "they would wait for the 60 s that this try might have taken"
    assert connection.downs == 1


# --------------------------------------------------------------------------------------------- several catalogs, keys
def test_several_catalogs_are_one_list(world: World) -> None:
    other = MemoryCatalog()
    views = [
        CatalogView("one", world.backend, Connection(1.0), world.log),
        CatalogView("two", MemoryBackend(other, context()), Connection(1.0), world.log),
    ]
    watcher = Watcher(Watch("web", 1, at_start=True), views, world.events.append, backoff=Backoff(0.01, 0.05))
    world.watchers.append(watcher)
    world.put(1, "critical")
    world.put(2)
    other.put(Registration("web-1", "web", "10.0.0.1", 80), "passing", 3600)
    other.put(Registration("web-2", "web", "10.0.0.9", 80), "passing", 3600)
    watcher.start()
    until(lambda: watcher.passing == 3)
    assert [(one.id, one.address, one.status) for one in watcher.instances] == [
        ("web-1", "10.0.0.1", "passing"),
        ("web-2", "10.0.0.2", "passing"),
        ("web-2#2", "10.0.0.9", "passing"),
    ]
    until(lambda: world.events[-2:] == [CHANGED, HEALTHY])
    other.down = True
    until(lambda: watcher.last_error)
    assert watcher.passing == 3  # what the catalog that is away said last
    told = list(world.events)
    watcher.look_in(views[:1])
    assert (watcher.passing, watcher.catalogs) == (1, ("one",))
    assert world.events == [*told, CHANGED, HEALTHY]


def test_a_client_that_is_replaced_tells_nothing_anew(world: World) -> None:
    world.put(1)
    watcher = world.watch()
    world.caught_up(watcher)
    successor = MemoryBackend(world.catalog, context())
    watcher.look_in([CatalogView("memory", successor, Connection(1.0), world.log)])
    until(lambda: watcher.status()["connected"])
    world.put(2)
    world.caught_up(watcher)
    assert world.events == [CHANGED, HEALTHY] * 2


def test_a_stream_that_ends_because_its_client_was_replaced_is_nobodys_bug(world: World) -> None:
    world.put(1)
    backend = Ending(world.catalog)
    watcher = world.watch(backend=backend)
    world.caught_up(watcher)
    backend.ends.set()  # the stream ends before its greenlet does
    watcher.look_in([CatalogView("memory", world.backend, Connection(1.0), world.log)])
    world.caught_up(watcher)
    assert (world.lines, world.events) == ([], [CHANGED, HEALTHY])


def test_a_catalog_that_is_called_something_else_keeps_its_stream(world: World) -> None:
    world.put(1)
    watcher = world.watch()
    world.caught_up(watcher)
    other = SilentBackend(MemoryCatalog(), context())
    watcher.look_in(
        [
            CatalogView("old", world.backend, Connection(1.0), world.log),
            CatalogView("memory", other, Connection(1.0), world.log),
        ]
    )
    assert watcher.catalogs == ("old", "memory")
    world.put(2)
    until(lambda: watcher.passing == 2)
    other.may_answer.set()
    until(lambda: watcher.status()["connected"])
    assert sum(call.method == "watch" for call in world.catalog.calls) == 1
    assert world.events == [CHANGED, HEALTHY] * 2


def test_what_a_catalog_said_counts_until_the_one_in_its_place_has_answered(world: World) -> None:
    world.put(1)
    watcher = world.watch()
    world.caught_up(watcher)
    successor = SilentBackend(world.catalog, context())
    watcher.look_in([CatalogView("other", successor, Connection(1.0), world.log)])
    gevent.sleep(0)
    assert (watcher.passing, watcher.catalogs) == (1, ("other",))
    world.put(2)
    successor.may_answer.set()
    until(lambda: watcher.passing == 2)
    world.remove(1)
    until(lambda: watcher.passing == 1)
    assert world.events == [CHANGED, HEALTHY] * 3


def test_debounced_changes_are_told_once(world: World) -> None:
    watch = Watch("web", 1, at_start=True, debounce_s=0.2)
    watcher = Watcher(watch, [CatalogView("memory", world.backend, Connection(1.0), world.log)], world.events.append)
    world.watchers.append(watcher)
    watcher.start()
    for number in range(1, 6):
        world.put(number)
        until(lambda number=number: watcher.passing == number)  # type: ignore[misc]  # mypy cannot infer a default
    assert world.events == []
    until(lambda: world.events == [CHANGED, HEALTHY])


def test_a_change_waits_for_quiet_but_not_for_ever() -> None:
    debounce = Debounce(2.0)
    debounce.changed(0.0)
    assert (debounce.pending, debounce.due_s(0.5)) == (True, 1.5)
    for now in range(1, 9):
        debounce.changed(now)
    assert debounce.due_s(9.0) == 1.0  # at the latest five times the quiet after the first
    debounce.told()
    assert (debounce.pending, debounce.due_s(9.0)) == (False, 0.0)


# ------------------------------------------------------------------------------------------ known and not known yet
def test_that_there_is_nothing_is_known_when_all_catalogs_have_said_so(world: World) -> None:
    answered: list[bool] = []
    away = SilentBackend(MemoryCatalog(), context())
    views = [
        CatalogView(name, backend, Connection(1.0), world.log)
        for name, backend in (("here", world.backend), ("away", away))
    ]
    watcher = Watcher(
        Watch("web", 1, at_start=True), views, world.events.append, answered=lambda: answered.append(True)
    )
    world.watchers.append(watcher)
    watcher.start()
    until(lambda: world.catalog.open_watches)
    gevent.sleep(0)  # what is there is taken by then
    assert (watcher.known, answered) == (False, [])
    away.may_answer.set()
    until(lambda: watcher.known)
    assert answered == [True]
    assert world.events == []


def test_what_one_catalog_has_is_known_while_another_is_silent(world: World) -> None:
    answered: list[bool] = []
    world.put(1)
    views = [
        CatalogView(name, backend, Connection(1.0), world.log)
        for name, backend in (("here", world.backend), ("away", SilentBackend(MemoryCatalog(), context())))
    ]
    watcher = Watcher(
        Watch("web", 1, at_start=True), views, world.events.append, answered=lambda: answered.append(True)
    )
    world.watchers.append(watcher)
    watcher.start()
    until(lambda: watcher.known)
    assert answered == [True]
    assert [one.id for one in watcher.passing_instances] == ["web-1"]


class Ending(MemoryBackend):
    """One whose stream ends when it is told to, as that of a client that is closed may."""

    def __init__(self, catalog: MemoryCatalog) -> None:
        super().__init__(catalog, context())
        self.ends = Flag()

    def watch(self, query: Query) -> Iterator[Snapshot]:
        yield self.options.snapshot(query.service)
        self.ends.wait()


class SilentBackend(MemoryBackend):
    """One that answers when it may."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.may_answer = Flag()

    def watch(self, query: Query) -> Iterator[Snapshot]:
        self.may_answer.wait()
        yield from super().watch(query)
