"""What a client of `corepilot events` and `corepilot logs` is given, without a client."""

from collections.abc import Callable

import pytest

from corepilot.errors import ControlError
from corepilot.events import EventBus
from corepilot.model.event import Event
from corepilot.output.records import Output, Records
from corepilot.supervisor.tails import EVENTS_KEPT, FOLLOWERS_MAX, Tails


class World:
    def __init__(self, keep_bytes: int = 100_000) -> None:
        self.waiting: list[Callable[[], None]] = []
        self.bus = EventBus(self.waiting.append, lambda _event, error: pytest.fail(str(error)))
        self.output = Output(lambda _level, message: pytest.fail(message))
        self.tails = Tails(self.output, self.bus, keep_bytes)

    def publish(self, event: Event) -> None:
        self.bus.publish(event)
        while self.waiting:
            self.waiting.pop(0)()

    def write(self, *lines: bytes) -> None:
        self.output.publish(Records.now(lines, (("job", "app"), ("pid", 3)), "stderr"))


def test_an_event_has_what_is_known_of_it() -> None:
    world = World()
    world.publish(Event("exitFailed", "app", origin=(("db", 2), ("app", 1)), status=3))
    (shown,) = world.tails.events(since_s=0, last=None, follow=False)
    assert isinstance(shown.pop("time"), str)
    assert shown == {
        "code": "exitFailed", "source": "app", "detail": "", "status": 3, "origin": [["db", 2], ["app", 1]],
    }  # fmt: skip


def test_the_last_events_are_kept_and_a_slow_follower_loses_some() -> None:
    world = World()
    tail = world.tails.events(since_s=0, last=0, follow=True)
    for number in range(EVENTS_KEPT + 100):
        world.publish(Event("error", "app", str(number)))
    known = list(world.tails.events(since_s=0, last=None, follow=False))
    assert [one["detail"] for one in known] == [str(number) for number in range(100, EVENTS_KEPT + 100)]
    world.tails.close()
    found = list(tail)
    lost = found.pop()["lost"]
    assert [one["detail"] for one in found] == [str(number) for number in range(len(found))]
    assert lost == EVENTS_KEPT + 100 - len(found) > 0


def test_nothing_is_missing_between_what_is_kept_and_what_follows() -> None:
    world = World()
    world.write(b"1", b"2")
    tail = world.tails.lines(["app"], since_s=0, last=None, follow=True)
    world.write(b"3")
    assert [(one["lines"], one["stream"]) for one in (next(tail), next(tail))] == [
        (["1", "2"], "stderr"), (["3"], "stderr"),
    ]  # fmt: skip
    tail.close()
    tail.close()
    world.write(b"4")
    assert tail.follower.next() is None


def test_what_is_not_kept_is_not_looked_at() -> None:
    world = World(keep_bytes=0)
    world.write(b"1")
    assert list(world.tails.lines([], since_s=0, last=None, follow=False)) == []
    world.tails.resize(100_000)
    world.write(b"2")
    world.tails.resize(0)
    assert list(world.tails.lines([], since_s=0, last=None, follow=False)) == []


def test_who_follows_is_counted_until_it_is_closed() -> None:
    world = World()
    tails = [world.tails.lines([], since_s=0, last=0, follow=True) for _ in range(FOLLOWERS_MAX)]
    with pytest.raises(ControlError, match=f"{FOLLOWERS_MAX} clients follow already"):
        world.tails.events(since_s=0, last=0, follow=True)
    tails[0].close()
    world.tails.events(since_s=0, last=0, follow=True).close()
