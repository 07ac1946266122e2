"""The sink: `NAME VALUE TIME` lines on one connection, which is opened anew after an error.

The protocol: https://graphite.readthedocs.io/en/latest/feeding-carbon.html
"""

import re
import time
from collections.abc import Iterator
from typing import Any

from gevent import socket

from corepilot.telemetry.metrics import Family
from corepilot.telemetry.sink import FLUSH_S, Sink, SinkContext

_UNFIT = re.compile(r"[^A-Za-z0-9_-]+")


class GraphiteSink(Sink):
    def __init__(self, options: Any, context: SinkContext) -> None:
        super().__init__(options, context)
        self.interval_s = options.interval_s
        self._connection: Any = None

    @property
    def address(self) -> str:
        return f"graphite at {self.options.address}"

    def flush(self) -> None:
        now = int(time.time())
        lines = [
            f"{self.options.prefix}{line} {now}\n" for one in self.context.metrics.collect() for line in values(one)
        ]
        try:
            if self._connection is None:
                host, _, port = self.options.address.rpartition(":")
                self._connection = socket.create_connection((host, int(port)), timeout=FLUSH_S)
            self._connection.sendall("".join(lines).encode())
        except BaseException:  # also the deadline's: what was sent of a line is not known
            self.close()
            raise

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def values(family: Family) -> Iterator[str]:
    """`NAME VALUE` for each value of a family; labels become parts of the name."""
    for labels, series in family.series.items():
        name = ".".join([family.name, *(_UNFIT.sub("_", label) or "_" for label in labels)])
        if family.kind in {"counter", "gauge"}:
            yield f"{name} {series.value!r}"
        else:
            yield f"{name}.sum {series.value!r}"
            yield f"{name}.count {series.count}"
