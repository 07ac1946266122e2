"""The suite that every sink has to pass, with a fault proxy in the place of the network."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from socket import SHUT_RDWR, create_server

import pytest
from corepilot_graphite.plugin import Options
from corepilot_graphite.sink import GraphiteSink, values

from corepilot.plugin import OptionError
from corepilot.plugin.verify import assert_light
from corepilot.telemetry.metrics import Family
from corepilot.telemetry.sink import Sink, SinkContext
from corepilot.testing.proxy import FaultProxy
from corepilot.testing.sinks import SinkOutageSuite


class Carbon(threading.Thread):
    """Takes lines."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.listener = create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.start()

    def run(self) -> None:
        takers = []
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                break
            takers.append(threading.Thread(target=self.take, args=(connection.makefile("r"),)))
            connection.close()
            takers[-1].start()
        for taker in takers:
            taker.join()

    def take(self, lines: Iterator[str]) -> None:
        with suppress(OSError), lines:  # type: ignore[attr-defined]  # a file
            self.lines.extend(lines)

    def close(self) -> None:
        self.listener.shutdown(SHUT_RDWR)
        self.listener.close()
        self.join()


class TestGraphite(SinkOutageSuite):
    @pytest.fixture(autouse=True)
    def _carbon(self) -> Iterator[None]:
        self.carbon = Carbon()
        with FaultProxy("127.0.0.1", self.carbon.port) as self.proxy:
            yield
        self.carbon.close()

    def sink(self, context: SinkContext) -> Sink:
        return GraphiteSink(Options(address=f"{self.proxy.host}:{self.proxy.port}", prefix="suite."), context)

    def stop(self) -> None:
        self.proxy.refuse()

    def start(self) -> None:
        self.proxy.heal()

    def test_a_hole_in_the_network_ends_with_the_deadline(self) -> None:
        """Nothing is lost but what was on its way."""
        sink = self.kept()
        self.use(sink)
        self.proxy.hold()
        self._flush(sink)
        self.proxy.heal()
        self.use(sink)


def test_names_and_values() -> None:
    gauge = Family("level", "gauge", "", ("job",))
    gauge.record(1.5, ("a b/c",))
    assert list(values(gauge)) == ["level.a_b_c 1.5"]
    histogram = Family("took", "histogram", "")
    histogram.record(0.25)
    assert list(values(histogram)) == ["took.sum 0.25", "took.count 1"]


def test_the_light_module_is_light() -> None:
    assert_light("corepilot_graphite.plugin")


def test_an_address_without_port_is_refused() -> None:
    with pytest.raises(OptionError, match="HOST:PORT"):
        Options(address="carbon")
