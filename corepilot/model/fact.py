"""What observers are told: every event, and what becomes of runs and reloads. Each is told once, in order."""

from __future__ import annotations

from typing import Literal

from corepilot.model.event import Event
from corepilot.model.value import Value


class EventSeen(Value):
    """An event on the bus.

    Attributes:
        at_s: When, in seconds since 1970.
        event: The event.
    """

    at_s: float
    event: Event


class RunStarted(Value):
    """A job's main process has been started.

    Attributes:
        at_s: When, in seconds since 1970.
        job: The job's name; `name@2` for the second of one name.
        pid: Its pid.
        number: Which run of this job it is, from 1.
    """

    at_s: float
    job: str
    pid: int
    number: int


class RunEnded(Value):
    """A job's main process has ended, or could not be started.

    Attributes:
        at_s: When, in seconds since 1970.
        job: As in RunStarted.
        pid: Its pid; 0 where there was none.
        number: As in RunStarted.
        status: Its exit status, 128+n for signal n.
        reason: The status in words.
        duration_s: How long it ran, in seconds.
    """

    at_s: float
    job: str
    pid: int
    number: int
    status: int
    reason: str
    duration_s: float


ReloadResult = Literal["applied", "refused"]


class Reloaded(Value):
    """A reload has ended.

    Attributes:
        at_s: When, in seconds since 1970.
        result: What came of it: "refused" changed nothing.
        detail: What it changed, or the first line of why it was refused. No secrets.
    """

    at_s: float
    result: ReloadResult
    detail: str


QUEUE_MAX = 10_000
"""Facts that wait for one observer, at most."""

Fact = EventSeen | RunStarted | RunEnded | Reloaded
