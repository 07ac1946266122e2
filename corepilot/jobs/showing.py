"""What shows that the present run of a job is ready: one run after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from corepilot.jobs.shown import NOTHING, Shown
from corepilot.jobs.state import Notified
from corepilot.model.job import Ready


class Showing:
    """What shows that the present run of a job is ready.

    Args:
        loop: gevent's loop.
        told: Called from the hub with what the run has shown.
        complain: Takes a sentence for the log about what was not accepted.
    """

    def __init__(self, loop: Any, told: Callable[[Notified], None], complain: Callable[[str], None]) -> None:
        self._loop, self._told, self._complain = loop, told, complain
        self._shown = NOTHING

    def begin(self, ready: Ready | None) -> Shown:
        """A run is about to be started.

        Args:
            ready: What is configured, if anything is.

        Raises:
            SpawnError: no descriptors are left; nothing is open then.
        """
        self.close()
        if ready is not None:
            from corepilot.jobs.announced import announced  # few jobs need it

            self._shown = announced(ready, self._loop, self._told, self._complain)
        return self._shown

    def close(self) -> None:
        """The run has ended, or could not be started. Idempotent."""
        self._shown.close()
        self._shown = NOTHING
