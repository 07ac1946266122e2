"""One sink at work: its flushes, its end, and what it may do wrong."""

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import gevent
import pytest
from gevent.event import Event as Flag
from sinking import context_with

from corepilot.model.fact import Fact, RunEnded
from corepilot.model.plugin import PluginReference
from corepilot.observers.facts import Facts
from corepilot.plugin.boundary import Boundary
from corepilot.plugin.manager import Loaded
from corepilot.telemetry.builtin import SINK_FLUSHES
from corepilot.telemetry.metrics import Metrics
from corepilot.telemetry.outlet import Outlet
from corepilot.telemetry.sink import Sink


class Scripted(Sink):
    """Flushes as the test says, and notes what happens to it."""

    interval_s = 0.1

    def __init__(self, script: Callable[[], None] = lambda: None) -> None:
        super().__init__(None, context_with(Metrics()))
        self.script = script
        self.under_way = self.most_under_way = self.flushes = 0
        self.closed = False

    @property
    def address(self) -> str:
        return "somewhere"

    def flush(self) -> None:
        self.flushes += 1
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            self.script()
        finally:
            self.under_way -= 1

    def close(self) -> None:
        self.closed = True


class Observing(Scripted):
    def observe(self, fact: Fact) -> None:
        self.facts = [*getattr(self, "facts", []), fact]


class Bench:
    def __init__(self) -> None:
        self.facts = Facts(wanted=True)
        self.metrics = Metrics()
        self.log: list[str] = []
        self._outlets: list[Outlet] = []

    def outlet(self, sink: Sink, listeners: Any = ()) -> Outlet:
        loaded = Loaded("scripted", "sink", type(sink), None, frozenset(), __name__, "corepilot-scripted 1.0")
        boundary = Boundary(loaded, lambda level, message: self.log.append(f"{level}: {message}"))
        reference = PluginReference("scripted", __name__, "", "corepilot-scripted", "1.0")
        made = Outlet(reference, sink, boundary, listeners, SINK_FLUSHES.family(self.metrics))
        self._outlets.append(made)
        made.start(self.facts)
        return made

    def flushes(self) -> dict[str, float]:
        family = next(one for one in self.metrics.collect() if one.name == SINK_FLUSHES.name)
        return {labels[1]: series.value for labels, series in family.series.items()}

    def close(self) -> None:
        gevent.joinall([gevent.spawn(outlet.stop, self.facts) for outlet in self._outlets])


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.close()
    gevent.sleep(0)


def wait_for(condition: Callable[[], object]) -> None:
    with gevent.Timeout(10):
        while not condition():
            gevent.sleep(0.01)


def test_a_flush_that_the_network_holds_up_is_ended_and_is_no_fault(bench: Bench) -> None:
    def hang() -> None:
        Flag().wait()

    outlet = bench.outlet(Scripted(hang))
    wait_for(lambda: outlet.failed >= 2)
    assert outlet.last_error == "no end within 0.1 s"
    assert (outlet.boundary.faults, outlet.boundary.off) == (0, "")
    assert bench.flushes()["failed"] >= 2
    assert len([line for line in bench.log if "cannot send telemetry to somewhere" in line]) == 1, "now and then"


def test_a_flush_that_goes_on_all_the_same_is_a_fault(bench: Bench) -> None:
    let_go = Flag()

    def deaf() -> None:
        while not let_go.is_set():
            with suppress(BaseException):  # as a bad plugin does
                let_go.wait(0.1)

    outlet = bench.outlet(Scripted(deaf))
    wait_for(lambda: outlet.boundary.faults)
    assert "flush did not return" in outlet.last_error
    outlet.stop(bench.facts)  # in time, whatever it does
    assert outlet.boundary.faults
    let_go.set()
    gevent.sleep(0)


def test_a_stop_waits_for_the_flush_under_way_and_makes_a_last_one(bench: Bench) -> None:
    sink = Scripted()
    entered, go_on = Flag(), Flag()

    def slow() -> None:
        entered.set()
        go_on.wait()

    sink.interval_s, sink.script = 1.0, slow
    outlet = bench.outlet(sink)
    assert entered.wait(10)
    stopping = gevent.spawn(outlet.stop, bench.facts)
    gevent.sleep(0)
    go_on.set()
    stopping.get(timeout=10)
    assert (sink.flushes, sink.most_under_way, sink.closed) == (2, 1, True)
    assert outlet.failed == 0


def test_a_stop_ends_the_flush_under_way_that_does_not_get_on(bench: Bench) -> None:
    sink, entered = Scripted(), Flag()

    def first_hangs() -> None:
        if sink.flushes == 1:
            entered.set()
            Flag().wait()

    sink.interval_s, sink.script = 1.0, first_hangs
    outlet = bench.outlet(sink)
    assert entered.wait(10)
    outlet.stop(bench.facts)
    assert (sink.flushes, sink.most_under_way, sink.closed) == (2, 1, True)
    assert outlet.failed == 1


def test_a_sink_that_is_only_asked_is_never_flushed_and_its_listeners_are_closed(bench: Bench) -> None:
    sink = Scripted()
    sink.interval_s = 0.0
    listener = socket.create_server(("127.0.0.1", 0))
    outlet = bench.outlet(sink, [listener])
    assert outlet.pulls
    outlet.stop(bench.facts)
    assert (sink.flushes, sink.closed, listener.fileno()) == (0, True, -1)


def test_facts_reach_a_sink_that_takes_them_before_its_last_flush(bench: Bench) -> None:
    run = RunEnded(0.0, "app", 1, 1, 0, "exit status 0", 1.0)
    seen: list[int] = []
    sink = Observing()
    sink.interval_s, sink.script = 3600.0, lambda: seen.append(len(sink.facts))
    outlet = bench.outlet(sink)
    bench.facts.tell(run)
    outlet.stop(bench.facts)
    assert (sink.facts, seen) == ([run], [1])


def test_what_a_sink_says_it_has_dropped_is_shown_and_judged(bench: Bench) -> None:
    sink = Scripted()
    outlet = bench.outlet(sink)
    sink.dropped = 3
    wait_for(lambda: outlet.lost == 3)
    assert outlet.status()["dropped"] == 3
    sink.dropped = "many"  # type: ignore[assignment]
    wait_for(lambda: outlet.boundary.faults)
    assert "must be a number of things" in outlet.last_error


def test_a_sink_that_recovers_says_so(bench: Bench) -> None:
    sink = Scripted()

    def at_first() -> None:
        if sink.flushes < 3:
            raise ConnectionRefusedError(111, "Connection refused")

    sink.script = at_first
    outlet = bench.outlet(sink)
    wait_for(lambda: outlet.flushed)
    assert (outlet.failed, outlet.last_error) == (2, "")
    assert any("telemetry reaches somewhere again" in line for line in bench.log)
