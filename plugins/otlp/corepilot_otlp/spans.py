"""Completed runs of jobs as spans, kept for the next request. No I/O."""

import os
from collections import deque
from collections.abc import Sequence

from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from corepilot.model.fact import RunEnded
from corepilot_otlp.resource import Attribute, attributes


class Spans:
    """The spans that wait. Where there are too many, the oldest go.

    Args:
        most: How many may wait.

    Attributes:
        dropped: How many were thrown away.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: deque[Span] = deque()
        self.dropped = 0

    def add(self, run: RunEnded) -> None:
        """Keep a run for the next request."""
        if len(self._waiting) >= self._most:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(span_of(run))

    def take(self) -> tuple[Span, ...]:
        """All that wait, oldest first. They wait no more."""
        taken = tuple(self._waiting)
        self._waiting.clear()
        return taken

    def give_back(self, spans: Sequence[Span]) -> None:
        """These could not be sent: they wait again, before those that have come meanwhile."""
        room = self._most - len(self._waiting)
        kept = spans[len(spans) - room :] if room < len(spans) else spans
        self.dropped += len(spans) - len(kept)
        self._waiting.extendleft(reversed(kept))


def span_of(run: RunEnded) -> Span:
    """A run as the only span of its trace: what the job does inside, it may tell by itself."""
    end_ns = int(run.at_s * 1e9)
    values: dict[str, Attribute] = {
        "corepilot.job": run.job,
        "corepilot.run": run.number,
        "corepilot.reason": run.reason,
        "process.exit.code": run.status,
    }
    if run.pid:
        values["process.pid"] = run.pid
    failed = Status(code=Status.STATUS_CODE_ERROR, message=run.reason)
    return Span(
        trace_id=os.urandom(16),
        span_id=os.urandom(8),
        name=run.job,
        kind=Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=end_ns - int(run.duration_s * 1e9),
        end_time_unix_nano=end_ns,
        attributes=attributes(values),
        status=failed if run.status else Status(),
    )
