"""Timers that give lost time again, on a clock that the test moves."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepilot.system.clock import ALLOWANCES, LATE_S, PERIOD_S, SHORT_PERIOD_S, Pauses, Timers


class Watcher:
    def __init__(self, loop: "Loop", after_s: float, every_s: float, *, ref: bool) -> None:
        self.loop, self.after_s, self.every_s, self.ref = loop, after_s, every_s, ref
        self.due = 0.0
        self.callback: Callable[[], None] = lambda: None

    def start(self, callback: Callable[[], None], *, update: bool) -> None:
        assert update, "gevent's loop counts from its own idea of now otherwise"
        self.callback, self.due = callback, self.loop.now + self.after_s
        self.loop.active.append(self)

    def stop(self) -> None:
        if self in self.loop.active:
            self.loop.active.remove(self)

    close = stop


class Loop:
    """An event loop whose time is the test's."""

    def __init__(self) -> None:
        self.now = 100.0
        self.active: list[Watcher] = []
        self.turns = 0

    def timer(self, after_s: float, every_s: float = 0.0, *, ref: bool = True) -> Any:
        return Watcher(self, after_s, every_s, ref=ref)

    def run(self, seconds: float) -> None:
        """Run for so long."""
        end = self.now + seconds
        while due := [watcher for watcher in self.active if watcher.due <= end]:
            first = min(due, key=lambda watcher: watcher.due)
            self.now = max(self.now, first.due)
            self._fire(first)
        self.now = end

    def pause(self, seconds: float, *, last_first: bool = False) -> None:
        """Not run for so long; then everything that has become due is called at once."""
        self.now += seconds
        late = sorted((one for one in self.active if one.due <= self.now), key=lambda one: one.due, reverse=last_first)
        for watcher in late:
            if watcher in self.active:
                self._fire(watcher)

    def _fire(self, watcher: Watcher) -> None:
        self.turns += 1
        if watcher.every_s:
            watcher.due = self.now + watcher.every_s
        else:
            self.active.remove(watcher)
        watcher.callback()


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def timers(loop: Loop) -> Timers:
    return Timers(loop, lambda: loop.now)


def test_without_a_pause_a_timer_is_a_timer(loop: Loop, timers: Timers) -> None:
    fired: list[float] = []
    timers.start(1.0, lambda: fired.append(loop.now))
    loop.run(10)
    assert fired == [101.0]
    assert loop.active == []


@pytest.mark.parametrize("last_first", [False, True])
@pytest.mark.parametrize("ran_s", [0.0, 0.1, 0.3, 0.9])
@pytest.mark.parametrize("pause_s", [0.6, 0.95, 3.0, 3600.0])
def test_a_pause_does_not_count(loop: Loop, timers: Timers, ran_s: float, pause_s: float, *, last_first: bool) -> None:
    fired: list[float] = []
    timers.start(1.0, lambda: fired.append(loop.now))
    loop.run(ran_s)
    loop.pause(pause_s, last_first=last_first)
    loop.run(5)
    ran = fired[0] - 100 - pause_s
    assert 1.0 - 1e-6 <= ran <= 2.0 + 1e-6  # what it has run of its second, and at most all of it again
    assert loop.active == []


def test_a_timer_that_begins_after_a_pause_owes_it_nothing(loop: Loop, timers: Timers) -> None:
    timers.start(60.0, lambda: None)
    loop.run(1.5)
    loop.now += 30
    fired: list[float] = []
    timers.start(1.0, lambda: fired.append(loop.now))
    loop.run(5)
    assert fired == [132.5]


def test_a_busy_loop_is_no_pause(loop: Loop, timers: Timers) -> None:
    fired: list[float] = []
    timers.start(1.0, lambda: fired.append(loop.now))
    for _ in range(20):
        loop.run(0.1)
        loop.pause(LATE_S * 0.9)
    assert fired[0] <= 101.0 + LATE_S
    assert timers.lost_s == 0


def test_a_machine_that_is_starved_for_ever_does_not_put_a_timer_off_for_ever(loop: Loop, timers: Timers) -> None:
    fired: list[float] = []
    timers.start(1.0, lambda: fired.append(loop.now))
    for _ in range(ALLOWANCES + 1):
        assert not fired
        loop.pause(3)
    assert len(fired) == 1


def test_a_timer_that_was_stopped_never_calls(loop: Loop, timers: Timers) -> None:
    timer = timers.start(1.0, lambda: pytest.fail("called"))
    loop.run(0.5)
    timer.stop()
    timer.stop()
    assert loop.active == []
    loop.pause(10)


@pytest.mark.parametrize(("seconds", "period_s"), [(1.0, SHORT_PERIOD_S), (3600.0, PERIOD_S)])
def test_the_clock_is_looked_at_no_more_often_than_the_timers_need(
    loop: Loop, timers: Timers, seconds: float, period_s: float
) -> None:
    timer = timers.start(seconds, lambda: None)
    (ticker,) = [watcher for watcher in loop.active if watcher.every_s]
    assert ticker.every_s == period_s
    assert not ticker.ref
    timer.stop()
    turns = loop.turns
    loop.run(3600)
    assert loop.turns == turns


def test_a_callback_may_start_the_next_timer(loop: Loop, timers: Timers) -> None:
    fired: list[float] = []

    def again() -> None:
        fired.append(loop.now)
        if len(fired) < 3:
            timers.start(5.0, again)

    timers.start(5.0, again)
    loop.run(60)
    assert fired == [105.0, 110.0, 115.0]
    assert loop.active == []


@given(st.lists(st.floats(0, 5), max_size=40))
def test_what_was_lost_is_never_less_than_the_late_looks(gaps: list[float]) -> None:
    now = 0.0
    pauses = Pauses(now)
    for gap in gaps:
        now += gap
        assert (pauses.look(now, PERIOD_S) > 0) == (now - (now - gap) > PERIOD_S + LATE_S)
    assert pauses.lost_s <= now + 1e-9
