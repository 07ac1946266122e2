"""The event bus: one order for everybody, nothing re-entered, nothing starved, nobody silenced by another."""

from collections import deque
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepilot.events import SLICE_S, WAITING_MAX, EventBus
from corepilot.model.event import Event


class Turns:
    """A hub whose turns the test takes."""

    def __init__(self) -> None:
        self.waiting: deque[Callable[[], None]] = deque()
        self.broken: list[tuple[Event, Exception]] = []
        self.now = 0.0
        self.bus = EventBus(
            self.waiting.append, lambda event, error: self.broken.append((event, error)), clock=lambda: self.now
        )

    def turn(self) -> None:
        for _ in range(len(self.waiting)):
            self.waiting.popleft()()

    def run(self) -> None:
        while self.waiting:
            self.turn()


@pytest.mark.parametrize(
    ("event", "key", "spelling"),
    [
        (Event("exitSuccess", "app"), ("exitSuccess", "app"), "ExitSuccess app"),
        (Event("changed", "watch.db"), ("changed", "watch.db"), "StatusChanged watch.db"),
        (Event("SIGHUP", "SIGHUP"), ("SIGHUP", "SIGHUP"), "SIGHUP SIGHUP"),
        (Event("error", "app", "no such file"), ("error", "app: no such file"), "Error app: no such file"),
        (Event("metric", "a_b", "1.5"), ("metric", "a_b"), "Metric a_b|1.5"),
    ],
)
def test_an_event_has_a_key_for_when_and_containerpilots_spelling(
    event: Event, key: tuple[str, str], spelling: str
) -> None:
    assert event.key == key
    assert str(event) == spelling


def test_publishing_delivers_nothing_before_the_next_turn() -> None:
    turns = Turns()
    heard: list[Event] = []
    turns.bus.subscribe(heard.append)
    turns.bus.publish(Event("healthy", "a"))
    assert not heard
    assert turns.waiting
    turns.run()
    assert heard == [Event("healthy", "a")]
    assert not turns.waiting


@given(st.lists(st.integers(0, 5), max_size=30))
def test_every_subscriber_hears_one_order_also_of_what_is_published_meanwhile(codes: list[int]) -> None:
    turns = Turns()
    one: list[Event] = []
    other: list[Event] = []

    def answer(event: Event) -> None:
        one.append(event)
        if event.subject == "ask":
            turns.bus.publish(Event(event.code, "answer"))

    turns.bus.subscribe(answer)
    turns.bus.subscribe(other.append)
    for code in codes:
        turns.bus.publish(Event(str(code), "ask"))
    turns.run()
    assert one == other
    assert [event.code for event in one if event.subject == "answer"] == [str(code) for code in codes]


def test_a_conversation_without_end_leaves_turns_to_others() -> None:
    turns = Turns()
    count: list[int] = []

    def answer(event: Event) -> None:
        count.append(1)
        turns.now += SLICE_S / 4
        turns.bus.publish(event)

    turns.bus.subscribe(answer)
    turns.bus.publish(Event("healthy", "a"))
    turns.turn()
    assert len(count) == 4
    assert len(turns.waiting) == 1


def test_a_subscriber_with_much_to_do_is_interrupted_and_goes_on_before_the_next_event() -> None:
    turns = Turns()
    done: list[tuple[str, int]] = []

    def parts(event: Event) -> Iterator[None]:
        for part in range(6):
            turns.now += SLICE_S / 3
            done.append((event.subject, part))
            yield

    turns.bus.subscribe(parts)
    turns.bus.publish(Event("healthy", "a"))
    turns.bus.publish(Event("healthy", "b"))
    turns.turn()
    assert done == [("a", 0), ("a", 1), ("a", 2)]
    turns.run()
    assert done == [(subject, part) for subject in "ab" for part in range(6)]


def test_what_clients_can_make_any_number_of_is_bounded() -> None:
    turns = Turns()
    heard: list[Event] = []
    turns.bus.subscribe(heard.append)
    taken = [turns.bus.offer(Event("metric", "m", str(number))) for number in range(WAITING_MAX + 5)]
    assert taken.count(False) == 5
    turns.run()
    assert len(heard) == WAITING_MAX
    assert turns.bus.offer(Event("metric", "m", "again"))


def test_a_broken_subscriber_silences_nobody() -> None:
    turns = Turns()
    heard: list[Event] = []

    def break_down(_: Event) -> None:
        raise ValueError("broken")

    turns.bus.subscribe(break_down)
    turns.bus.subscribe(heard.append)
    turns.bus.publish(Event("healthy", "a"))
    turns.run()
    assert heard == [Event("healthy", "a")]
    assert [str(error) for _, error in turns.broken] == ["broken"]


def test_who_has_left_hears_nothing_more() -> None:
    turns = Turns()
    heard: list[Event] = []
    leave = turns.bus.subscribe(heard.append)
    turns.bus.publish(Event("healthy", "a"))
    turns.run()
    leave()
    turns.bus.publish(Event("healthy", "b"))
    turns.run()
    assert heard == [Event("healthy", "a")]
