"""What is done now and then, and only if something has happened since: an idle process is not woken up for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

TIDY_AFTER_S = 60.0
"""How long after something has happened it is tidied up, and how often at the most."""


class Tidying:
    """Tidies up some time after the event loop has turned.

    Args:
        loop: gevent's.
        tidy: Does it, from the hub. It must neither block nor raise.
        after_s: Seconds from the first turn after the last time.
    """

    def __init__(self, loop: Any, tidy: Callable[[], None], after_s: float = TIDY_AFTER_S) -> None:
        self._loop, self._tidy, self._after_s = loop, tidy, after_s
        self._timer: Any = None
        self._tidied = False

    def turned(self) -> None:
        """A turn of the loop is over."""
        if self._timer is not None:
            return
        if self._tidied:  # this turn was for nothing else
            self._tidied = False
            return
        self._timer = self._loop.timer(self._after_s, ref=False)
        self._timer.start(self._due)

    def stop(self) -> None:
        """Tidy up no more. Idempotent, as long as nobody tells of another turn."""
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()
            self._timer = None

    def _due(self) -> None:
        self.stop()
        self._tidied = True
        self._tidy()
