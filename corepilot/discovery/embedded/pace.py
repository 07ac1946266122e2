"""Letting others run in the middle of thousands of files."""

import time
from collections.abc import Callable

import gevent

_TURN_S = 0.004
"""How long files are read before others may run."""

A_MOMENT_S = 1e-5
"""Any time at all: a timer lets the hub look at timers and descriptors too, which `sleep(0)` does not."""


class Pace:
    """Gives the hub a turn when ours has been long enough.

    Args:
        afterwards: Called when we run again: may raise.
    """

    def __init__(self, afterwards: Callable[[], None] = lambda: None) -> None:
        self._afterwards = afterwards
        self._ends = 0.0

    def begin(self) -> None:
        """We have just waited for something: our turn begins."""
        self._ends = time.monotonic() + _TURN_S

    def breathe(self) -> None:
        """To be called between two files."""
        if time.monotonic() > self._ends:
            gevent.sleep(A_MOMENT_S)
            self.begin()
            self._afterwards()
