"""Competing for a lock, keeping it, and telling its loss in time; on the catalog in memory."""

import time
from collections.abc import Callable, Iterator

import gevent
import pytest

from corepilot.discovery.connection import Connection
from corepilot.discovery.lock_keeper import LockKeeper
from corepilot.errors import BackendUnavailableError
from corepilot.model.configuration import Lock
from corepilot.testing.backends import context
from corepilot.testing.memory import MemoryBackend, MemoryCatalog

DEADLINE_S = 30.0


class World:
    def __init__(self) -> None:
        self.catalog = MemoryCatalog()
        self.keepers: list[LockKeeper] = []
        self.lines: list[str] = []
        self.slept_s = 1000.0

    def keeper(self, name: str, ttl_s: float = 3.3) -> tuple[LockKeeper, list[str]]:
        told: list[str] = []
        backend = MemoryBackend(self.catalog, context())
        assert backend.locks is not None
        keeper = LockKeeper(
            Lock("primary", ttl_s),
            backend.locks,
            holder=name,
            tell=told.append,
            connection=Connection(1.0),
            log=lambda _level, message: self.lines.append(message),
            suspended=lambda: self.slept_s,
        )
        self.keepers.append(keeper)
        return keeper, told


@pytest.fixture
def world() -> Iterator[World]:
    one = World()
    yield one
    one.catalog.down = False
    for keeper in one.keepers:
        keeper.give_back()
    gevent.sleep(0)


def until(condition: Callable[[], object]) -> None:
    with gevent.Timeout(DEADLINE_S, AssertionError("did not come true")):
        while not condition():
            gevent.sleep(0.002)


def test_nobody_needs_it_and_nothing_is_asked(world: World) -> None:
    world.keeper("a")
    gevent.sleep(0)
    assert not world.catalog.calls


def test_it_goes_from_one_to_the_other_with_a_higher_token(world: World) -> None:
    (one, told), (other, _) = world.keeper("one"), world.keeper("other")
    one.use(wanted=True, busy=False, stop_s=0.1)
    until(lambda: one.grant)
    other.use(wanted=True, busy=False, stop_s=0.1)
    until(lambda: other.holder == "one")
    assert not other.status()["held"]
    first = one.grant
    assert first is not None
    one.use(wanted=False, busy=False, stop_s=0.1)
    until(lambda: other.grant)
    second = other.grant
    assert second is not None
    assert second.token > first.token
    assert (told[0], told[-1]) == ("acquired", "lost")
    assert (one.acquisitions, one.losses) == (1, 0), "it was given back, not lost"
    assert other.status()["holder"] == "other"


def test_it_is_renewed(world: World) -> None:
    keeper, told = world.keeper("a", ttl_s=0.9)
    keeper.use(wanted=True, busy=True, stop_s=-0.9)
    keeper.use(wanted=True, busy=False, stop_s=-0.9)
    until(lambda: told.count("renewed") >= 3)
    assert set(told) == {"acquired", "renewed"}


def test_one_renewal_that_fails_does_no_harm(world: World) -> None:
    keeper, told = world.keeper("a", ttl_s=0.9)
    keeper.use(wanted=True, busy=False, stop_s=-0.9)
    until(lambda: keeper.grant)
    world.catalog.fail("keep", BackendUnavailableError("cannot reach the catalog"))
    until(lambda: told.count("renewed") >= 2)
    assert "lost" not in told


def test_the_loss_is_told_before_the_promise_ends(world: World) -> None:
    keeper, told = world.keeper("a", ttl_s=2.0)
    keeper.use(wanted=True, busy=False, stop_s=0.3)
    until(lambda: keeper.grant)
    keeper.use(wanted=True, busy=True, stop_s=0.3)
    world.catalog.down = True
    until(lambda: "lost" in told)
    assert keeper.until - time.monotonic() > 0.3
    assert keeper.grant is None
    assert any("is lost" in line for line in world.lines)
    assert (keeper.acquisitions, keeper.losses) == (1, 1)


def test_what_is_lost_by_the_clock_is_given_back_before_it_is_asked_for_again(world: World) -> None:
    """The store may think that it is still ours, and what the first run has sent may still be under way."""
    keeper, told = world.keeper("a")
    keeper.use(wanted=True, busy=False, stop_s=0.0)
    until(lambda: told == ["acquired"])
    assert keeper.grant is not None
    before = keeper.grant.token
    away = BackendUnavailableError("cannot reach the catalog")
    world.catalog.fail("keep", away, times=1000)
    world.catalog.fail("release", away)
    until(lambda: told[-2:] == ["lost", "acquired"])
    assert keeper.grant.token > before
    assert any("cannot give the lock primary back" in line for line in world.lines)


def test_what_ran_under_it_has_to_be_gone_before_it_is_asked_for_again(world: World) -> None:
    keeper, told = world.keeper("a", ttl_s=2.0)
    keeper.use(wanted=True, busy=False, stop_s=0.1)
    until(lambda: keeper.grant)
    keeper.use(wanted=True, busy=True, stop_s=0.1)
    world.catalog.down = True
    until(lambda: "lost" in told)
    world.catalog.down = False
    asked = sum(call.method == "acquire" for call in world.catalog.calls)
    gevent.sleep(0.1)
    assert sum(call.method == "acquire" for call in world.catalog.calls) == asked
    keeper.use(wanted=True, busy=False, stop_s=0.1)
    until(lambda: told.count("acquired") == 2)


def test_what_could_not_be_given_back_is_given_back_later(world: World) -> None:
    def released() -> int:
        return sum(call.method == "release" for call in world.catalog.calls)

    keeper, told = world.keeper("a", ttl_s=0.6)
    keeper.use(wanted=True, busy=False, stop_s=-0.9)
    until(lambda: keeper.grant)
    world.catalog.fail("release", BackendUnavailableError("cannot reach the catalog"), times=2)
    keeper.use(wanted=False, busy=False, stop_s=-0.9)
    until(lambda: released() == 3)
    gevent.sleep(0.05)
    assert released() == 3, "it was given back"
    assert told[-1] == "lost"
    assert sum("cannot give the lock primary back" in line for line in world.lines) == 1


def test_what_was_asked_for_without_an_answer_is_given_back(world: World) -> None:
    keeper, _ = world.keeper("a", ttl_s=0.6)
    world.catalog.fail("acquire", BackendUnavailableError("the connection was lost"))
    world.catalog.fail("release", BackendUnavailableError("cannot reach the catalog"))
    keeper.use(wanted=True, busy=False, stop_s=-0.9)
    until(lambda: keeper.last_error)
    keeper.use(wanted=False, busy=False, stop_s=-0.9)
    until(lambda: [call.method for call in world.catalog.calls][-2:] == ["release", "release"])


def test_what_the_machine_has_slept_is_gone_from_the_promise(world: World) -> None:
    """Also where the catalog cannot be asked, as after waking up without a network."""
    keeper, told = world.keeper("a", ttl_s=60.0)
    keeper.use(wanted=True, busy=False, stop_s=0.1)
    until(lambda: keeper.grant)
    promised = keeper.until
    usable = [keeper.usable]
    world.slept_s += 59.0
    usable.append(keeper.usable)  # before anybody has noticed
    assert usable == [True, False]
    world.slept_s -= 9.0
    keeper.use(wanted=True, busy=True, stop_s=0.2)
    until(lambda: told[1:] == ["renewed", "renewed"])
    assert keeper.until >= promised, "it was renewed at once, because a third of the ttl was over"
    world.catalog.down = True
    world.slept_s += 60.0
    keeper.use(wanted=True, busy=False, stop_s=0.1)
    until(lambda: told[-1] == "lost")
    assert keeper.until < promised
    assert (keeper.losses, keeper.last_error) == (1, "it could not be renewed in time")


def test_at_the_end_a_lock_is_given_back_after_the_pause_that_the_catalog_asks_for(world: World) -> None:
    keeper, told = world.keeper("a")
    keeper.use(wanted=True, busy=False, stop_s=0.0)
    until(lambda: told == ["acquired"])
    world.catalog.fail("release", BackendUnavailableError("cannot do so yet", retry_after_s=0.1), times=2)
    keeper.give_back()
    other, its = world.keeper("b")
    other.use(wanted=True, busy=False, stop_s=0.0)
    until(lambda: its == ["acquired"])
    world.catalog.fail("release", BackendUnavailableError("cannot do so yet", retry_after_s=3600.0))
    other.give_back()
    assert other.status()["held"], "what does not fit in is not waited for"
