"""The sink: what `corepilot.telemetry.sink.Sink` asks for, as lines of text in UDP datagrams."""

from typing import Any

from gevent import socket

from corepilot.plugin.network import network_address
from corepilot.telemetry.metrics import Family
from corepilot.telemetry.sink import Sink, SinkContext


class FirstSinkSink(Sink):
    """Sends `NAME{LABELS} VALUE`, one datagram for each value."""

    def __init__(self, options: Any, context: SinkContext) -> None:
        super().__init__(options, context)
        self.interval_s = options.interval_s
        self._socket: socket.socket | None = None

    @property
    def address(self) -> str:
        """Where it sends to, for people. No secrets."""
        return f"udp://{self.options.address}"

    def flush(self) -> None:
        """Send every value as it is now. What goes wrong is an OSError; the next call sends what holds then."""
        if self._socket is None:
            place = network_address("address", self.options.address, example="127.0.0.1:9125")
            opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            opened.connect((place.host, place.port))
            self._socket = opened
        for family in self.context.metrics.collect():
            for line in lines(family):
                self._socket.send(line.encode("utf-8", "replace"))

    def close(self) -> None:
        """Release the socket. Idempotent, does not wait."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def lines(family: Family) -> list[str]:
    """One line for each series of a family."""
    found = []
    for values, series in family.series.items():
        labels = ",".join(f"{name}={value!r}" for name, value in zip(family.labels, values, strict=True))
        found.append(f"{family.name}{{{labels}}} {series.value:g}")
    return found
