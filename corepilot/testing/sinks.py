"""The conformance suite of telemetry sinks: what every sink must do, as tests to inherit.

    from corepilot.testing.sinks import SinkSuite
    from corepilot_gauges.plugin import CAPABILITIES, Options
    from corepilot_gauges.sink import GaugesSink

    class TestGauges(SinkSuite):
        capabilities = CAPABILITIES

        @pytest.fixture(autouse=True)
        def _receiver(self): ...           # who takes what the sink sends: any fixture will do

        def sink(self, context):           # a new sink, as corepilot would make it
            return GaugesSink(Options(address=self.receiver.address), context)

`SinkOutageSuite` is for a sink whose receiver can be taken away: `stop()` and `start()`. The context's metrics hold
each kind of family, with values and labels of all sorts; the context of a sink with the capability "pull" has a socket
that listens.

The rules are those of `corepilot.telemetry.sink` and, for what an instance does to the process, of
`corepilot.testing.conduct`. The suites need no import of pytest and skip nothing; their failures name the rule.
"""

import math
import socket
from contextlib import suppress
from typing import Any

import gevent

from corepilot.model.fact import Fact
from corepilot.telemetry.metrics import Family, Metrics
from corepilot.telemetry.sink import FLUSH_S, Sink, SinkContext
from corepilot.testing.conduct import Conduct
from corepilot.testing.observers import facts
from corepilot.testing.process_state import require
from corepilot.testing.ugly import TEXTS
from corepilot.testing.watchdog import bounded

__all__ = ["SinkOutageSuite", "SinkSuite", "metrics"]


def metrics() -> Metrics:
    """Metrics of each kind, with values and labels of all sorts."""
    made = Metrics()
    made.add(Family("corepilot_suite_events", "counter", "events", ("source",)))
    made.add(Family("corepilot_suite_level", "gauge", "a level, which may be negative"))
    made.add(Family("corepilot_suite_duration", "histogram", "how long it took", ("job",)))
    made.add(Family("corepilot_suite_size", "summary", "how large it was, with Grüße and a\\backslash"))
    record(made)
    return made


def record(made: Metrics) -> None:
    """Record more values."""
    for text in TEXTS:
        made.add(Family("corepilot_suite_events", "counter", "", ("source",))).record(1, (text,))
    for value in (-1e300, 0.0, 1.5, math.pi):
        made.add(Family("corepilot_suite_level", "gauge", "")).record(value)
    for value in (0.0, 0.003, 0.7, 1e6):
        made.add(Family("corepilot_suite_duration", "histogram", "", ("job",))).record(value, ("web",))
        made.add(Family("corepilot_suite_size", "summary", "")).record(value)


class SinkSuite(Conduct):
    """What every sink must do. A subclass supplies `sink`.

    Attributes:
        capabilities: What the plugin's light module declares as CAPABILITIES.
    """

    contract = Sink
    allowed = {"start": (OSError,), "flush": (OSError,)}  # noqa: RUF012  - read only
    capabilities: frozenset[str] = frozenset()

    def sink(self, context: SinkContext) -> Sink:
        """A new sink with this context. The suite closes it."""
        raise NotImplementedError("a suite needs sink(context): see corepilot.testing.sinks")

    def setup_method(self) -> None:
        """Called by pytest before each test."""
        super().setup_method()
        self.metrics = metrics()
        self._started: list[Any] = []
        self._given: list[socket.socket] = []

    def teardown_method(self) -> None:
        """Called by pytest after each test."""
        try:
            super().teardown_method()
        finally:
            self._take_back()

    def context(self) -> SinkContext:
        """A context for one sink. What it logs is dropped."""
        listeners = [socket.create_server(("127.0.0.1", 0))] if "pull" in self.capabilities else []
        self._given += listeners
        host, port = listeners[0].getsockname() if listeners else ("", 0)
        return SinkContext(
            metrics=self.metrics,
            status=lambda: {"jobs": [], "watches": [], "services": []},
            log=lambda *_: None,
            listen=((host, port),) if listeners else (),
            version="0",
            instance="suite",
            environment={},
            listeners=listeners,
        )

    def new(self) -> Sink:
        """See `Conduct.new`."""
        return self.sink(self.context())

    def use(self, plugin: Any) -> None:
        """See `Conduct.use`."""
        if not any(one is plugin for one in self._started):
            self._started.append(plugin)
            plugin.start()
        record(self.metrics)
        with gevent.Timeout(self.deadline_s):
            require(isinstance(plugin.address, str) and plugin.address, "address must say where telemetry goes")
            if plugin.interval_s > 0:
                plugin.flush()
            for fact in self.observed(plugin):
                plugin.observe(fact)
        gevent.sleep(0)

    def observed(self, plugin: Any) -> tuple[Fact, ...]:
        """What the sink is told of facts: nothing, unless its class has a method for them."""
        return () if plugin.__class__.observe is Sink.observe else facts()

    def test_the_interval_is_a_number_of_seconds(self) -> None:
        """`interval_s` is 0 for a sink that is only asked, and at most a day, after `start`."""
        sink = self.kept()
        sink.start()
        found: object = sink.interval_s
        good = isinstance(found, int | float) and not isinstance(found, bool) and 0 <= found < 86_400
        require(good, f"interval_s must be a number of seconds from 0 to 86400, and is {found!r}")

    def test_what_is_recorded_is_taken(self) -> None:
        """Every kind of family, empty and full, values and labels of all sorts; again and again."""
        self.metrics = Metrics()
        sink = self.kept()
        self.use(sink)
        self.metrics = metrics()
        sink = self.kept()
        for _ in range(3):
            self.use(sink)

    def test_two_sinks_do_not_mix(self) -> None:
        """Two entries of a configuration make two instances; closing one leaves the other as it is."""
        one, other = self.kept(), self.kept()
        self.use(one)
        self.use(other)
        self.teardown_of(one)
        self.use(other)

    def test_an_unused_sink_can_be_closed(self) -> None:
        """`close` before `start`."""
        self.made().close()

    def _come_and_go(self) -> None:
        super()._come_and_go()
        self._started.clear()
        self._take_back()

    def _take_back(self) -> None:
        """Close the sockets that a sink has left alone, as corepilot does."""
        while self._given:
            self._given.pop().close()


class SinkOutageSuite(SinkSuite):
    """For a sink that sends to a receiver, which can be taken away and brought back."""

    def stop(self) -> None:
        """Take the receiver away: connections break, new ones are refused."""
        raise NotImplementedError("SinkOutageSuite needs stop() and start(): see corepilot.testing.sinks")

    def start(self) -> None:
        """Bring it back at the same address. May be called when it is there."""
        raise NotImplementedError("SinkOutageSuite needs stop() and start(): see corepilot.testing.sinks")

    def teardown_method(self) -> None:
        """Called by pytest after each test."""
        self.start()
        super().teardown_method()

    def test_a_sink_outlives_its_receiver(self) -> None:
        """`flush` raises OSError or drops while nobody is there, within its time, and works again afterwards."""
        sink = self.kept()
        self.use(sink)
        self.stop()
        for _ in range(3):
            self._flush(sink)
        self.start()
        self._flush(sink)
        self.use(sink)

    def test_a_sink_may_be_made_without_its_receiver(self) -> None:
        """Constructor, `start` and `address` need nobody."""
        self.stop()
        sink = self.kept()
        sink.start()
        self._started.append(sink)
        require(sink.address, "address must be known without a connection")
        self._flush(sink)
        self.start()
        self.use(sink)

    def _flush(self, sink: Any) -> None:
        with suppress(OSError):
            bounded(FLUSH_S, "flush must end within its time", sink.flush)
