"""Facts on their way to observers: order, what came before, what a full queue drops."""

from collections.abc import Iterator

import gevent
import pytest
from gevent.event import Event as Flag
from http_script import eventually_switching

from corepilot.model.event import Event
from corepilot.model.fact import EventSeen, Fact
from corepilot.observers.facts import Facts, Feed


class Taker:
    """Remembers what it took; waits while it is held."""

    def __init__(self) -> None:
        self.taken: list[str | int] = []
        self.go_on = Flag()
        self.go_on.set()

    def strayed(self, error: BaseException) -> None:
        self.taken.append(type(error).__name__)

    def observe(self, fact: Fact) -> None:
        self.go_on.wait()
        assert isinstance(fact, EventSeen)
        self.taken.append(fact.event.code)

    def dropped(self, count: int) -> None:
        self.taken.append(count)


@pytest.fixture
def feeds() -> Iterator[list[Feed]]:
    made: list[Feed] = []
    yield made
    for feed in made:
        feed.close(0)
    gevent.sleep(0)


def seen(code: str) -> EventSeen:
    return EventSeen(0.0, Event(code, "global"))


def test_everything_comes_in_order_from_the_beginning_on(feeds: list[Feed]) -> None:
    facts = Facts(wanted=True)
    facts.hear(Event("startup", "global"))
    taker = Taker()
    feeds.append(Feed(taker))
    facts.attach(feeds[0])
    facts.begin()
    facts.hear(Event("shutdown", "global"))
    eventually_switching(lambda: taker.taken == ["startup", "shutdown"])


def test_one_that_comes_later_hears_what_happens_from_then_on(feeds: list[Feed]) -> None:
    facts = Facts(wanted=True)
    facts.hear(Event("startup", "global"))
    facts.begin()
    assert not facts.wanted
    facts.hear(Event("changed", "watch.a"))
    taker = Taker()
    feeds.append(Feed(taker))
    facts.attach(feeds[0])
    facts.hear(Event("shutdown", "global"))
    eventually_switching(lambda: taker.taken == ["shutdown"])
    facts.detach(feeds[0])
    assert not facts.wanted


def test_what_a_full_queue_drops_arrives_as_one_count(feeds: list[Feed]) -> None:
    taker = Taker()
    taker.go_on.clear()
    feed = Feed(taker, maximum=3)
    feeds.append(feed)
    feed.put(seen("startup"))
    gevent.sleep(0)  # it is being taken
    for number in range(6):
        feed.put(seen(f"e{number}"))
    assert (feed.waiting, feed.lost) == (4, 3)
    taker.go_on.set()
    eventually_switching(lambda: len(taker.taken) == 5)
    feed.put(seen("last"))
    eventually_switching(lambda: taker.taken == ["startup", "e0", "e1", "e2", 3, "last"])


def test_closing_waits_for_what_waits_and_not_for_ever(feeds: list[Feed]) -> None:
    taker = Taker()
    feed = Feed(taker)
    feeds.append(feed)
    feed.put(seen("startup"))
    assert feed.close(5)
    assert taker.taken == ["startup"]
    held = Taker()
    held.go_on.clear()
    other = Feed(held)
    feeds.append(other)
    other.put(seen("startup"))
    assert not other.close(0.01)
    assert held.taken == []


def test_a_timeout_that_an_observer_leaves_behind_does_not_end_its_queue(feeds: list[Feed]) -> None:
    class Leaving(Taker):
        def observe(self, fact: Fact) -> None:
            super().observe(fact)
            gevent.Timeout(0.001).start()

    taker = Leaving()
    feed = Feed(taker)
    feeds.append(feed)
    feed.put(seen("startup"))
    eventually_switching(lambda: taker.taken == ["startup", "Timeout"])
    feed.put(seen("shutdown"))
    eventually_switching(lambda: taker.taken[2:3] == ["shutdown"])
