"""The suite that every sink has to pass, and what is this one's own."""

import socket
from collections.abc import Iterator

import pytest
from corepilot_first_sink.plugin import CAPABILITIES, Options
from corepilot_first_sink.sink import FirstSinkSink

from corepilot.plugin import OptionError
from corepilot.plugin.verify import assert_light
from corepilot.telemetry.metrics import Family
from corepilot.telemetry.sink import Sink, SinkContext
from corepilot.testing.sinks import SinkOutageSuite


class TestFirstSink(SinkOutageSuite):
    capabilities = CAPABILITIES

    @pytest.fixture(autouse=True)
    def _receiver(self) -> Iterator[None]:
        self.receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.receiver.bind(("127.0.0.1", 0))
        self.port = self.receiver.getsockname()[1]
        yield
        self.receiver.close()

    def sink(self, context: SinkContext) -> Sink:
        return FirstSinkSink(Options(address=f"127.0.0.1:{self.port}"), context)

    def stop(self) -> None:
        self.receiver.close()

    def start(self) -> None:
        if self.receiver.fileno() < 0:
            self.receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.receiver.bind(("127.0.0.1", self.port))

    def test_values_arrive(self) -> None:
        """A value that is recorded is in a datagram."""
        self.metrics.add(Family("answer", "gauge", "the answer")).record(42)
        self.use(self.kept())
        self.receiver.settimeout(10)
        while self.receiver.recv(65536) != b"answer{} 42":
            pass


def test_the_light_module_is_light() -> None:
    assert_light("corepilot_first_sink.plugin")


def test_an_address_without_port_is_refused() -> None:
    with pytest.raises(OptionError, match="the port is missing"):
        Options(address="localhost")
