"""Writes what there is to tell to a file, in a thread of its own: a disk may be slow, the hub may not wait for it."""

import time
from collections import deque
from functools import partial
from typing import Any

from gevent.threadpool import ThreadPool

from corepilot.model.fact import Fact, RunEnded
from corepilot.telemetry.jsonl.lines import of_metrics, of_run
from corepilot.telemetry.jsonl.rotated import RotatedFile
from corepilot.telemetry.sink import Sink, SinkContext

RUNS_MAX = 1000
"""Completed runs that wait for the next flush, at most."""


class JsonlSink(Sink):
    """A flush hands one block to the thread. While that is stuck nothing is added to what it has to do."""

    def __init__(self, options: Any, context: SinkContext) -> None:
        super().__init__(options, context)
        self.interval_s = options.interval
        self._file = RotatedFile(options.path, options.maxBytes, options.keep)
        self._runs: deque[str] = deque()
        self._threads = ThreadPool(1)

    @property
    def address(self) -> str:
        """The file."""
        return str(self.options.path)

    def observe(self, fact: Fact) -> None:
        """Keep a run that has ended; the oldest goes when there are too many."""
        if not self.options.runs or not isinstance(fact, RunEnded):
            return
        if len(self._runs) >= RUNS_MAX:
            self._runs.popleft()
            self.dropped += 1
        self._runs.append(of_run(fact))

    def flush(self) -> None:
        """Write a line for each run that has ended and for each series.

        Raises:
            OSError: the file cannot be written. The runs are kept for the next time.
        """
        runs = tuple(self._runs)
        lines = [*runs, *of_metrics(self.context.metrics.collect(), time.time(), time.monotonic())]
        # As a value: gevent prints a traceback of whatever is raised in its threads.
        failure = self._threads.apply(partial(_attempt, self._file, "".join(lines).encode("utf-8", "replace")))
        if failure is not None:
            raise failure
        for written in runs:
            if self._runs and self._runs[0] is written:
                self._runs.popleft()

    def close(self) -> None:
        """End the thread; one that the disk holds up is left to itself."""
        if not len(self._threads):
            self._threads.kill()


def _attempt(file: RotatedFile, block: bytes) -> OSError | None:
    try:
        file.append(block)
    except OSError as error:
        return error
    return None
