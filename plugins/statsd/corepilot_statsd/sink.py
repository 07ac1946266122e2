"""Tells a StatsD server what has happened since the last time."""

import time
from typing import Any

from corepilot.telemetry.sink import Sink, SinkContext
from corepilot_statsd.datagrams import Datagrams
from corepilot_statsd.lines import Writer, packets

WAIT_S = 0.5
"""How long one flush waits for room in full buffers, all datagrams together."""


class StatsdSink(Sink):
    """Sends datagrams. What a flush cannot send of a counter is in the next one."""

    def __init__(self, options: Any, context: SinkContext) -> None:
        super().__init__(options, context)
        self.interval_s = options.interval
        self._writer = Writer(options.prefix, tags=options.tags == "datadog", extra_tags=options.extraTags)
        self._resets = context.metrics.resets
        self._datagrams = Datagrams(*options.target())

    @property
    def address(self) -> str:
        """As configured."""
        return str(self.options.address)

    def start(self) -> None:
        """Leave out what the sinks before a reload have told already."""
        if self.context.reloaded:
            now = time.monotonic()
            self._writer.sent(self._writer.lines(self.context.metrics.collect(), now))

    def flush(self) -> None:
        """Send everything that is to be told.

        Raises:
            OSError: a datagram could not be sent. Those before it have been.
        """
        now = time.monotonic()
        if self.context.metrics.resets != self._resets:
            self._resets = self.context.metrics.resets
            self._writer.forget()
        lines = self._writer.lines(self.context.metrics.collect(), now)
        for packet, held in packets(lines, self.options.packetBytes):
            if packet:
                self._datagrams.send(packet, now + WAIT_S)
            else:
                self.dropped += len(held)
            self._writer.sent(held)

    def close(self) -> None:
        """Close the socket."""
        self._datagrams.close()
