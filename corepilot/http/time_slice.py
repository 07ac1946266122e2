"""Letting others run in the middle of work that never has to wait."""

from time import monotonic

import gevent

_TURN_S = 0.01
# Any time at all: what counts is that it is a timer.
_A_MOMENT_S = 1e-5


def full_turn() -> None:
    """Let the hub go once through everything: callbacks, timers and I/O.

    `gevent.sleep(0)` does not: it queues a callback, and gevent's loop runs up to 50 of those that are queued
    meanwhile before it looks at timers and descriptors again. With 10 ms of work in each, that is half a second.
    """
    gevent.sleep(_A_MOMENT_S)


class TimeSlice:
    """Keeps work that may never have to wait from holding the hub for more than 10 ms at a time.

    One loop may have it to itself, or several greenlets share it: together they then take no more than that.
    """

    __slots__ = ("_ends",)

    def __init__(self) -> None:
        self._ends = monotonic() + _TURN_S

    def check(self) -> None:
        """Give the hub a turn if ours has been long enough. To be called often; switches now and then."""
        while monotonic() > self._ends:
            used_up = self._ends
            full_turn()
            # Of several that have waited, the first one begins the next slice, and the others may find it used up.
            if self._ends == used_up:
                self._ends = monotonic() + _TURN_S
