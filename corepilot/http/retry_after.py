"""The pause that a server asks for with `Retry-After` (RFC 9110, section 10.2.3), and how much of it is granted."""

from collections.abc import Callable
from time import monotonic

LONGEST_PAUSE_S = 2.0
"""The most that is granted, in seconds: a third of the shortest usual TTL, the 6 s of a lock whose job has a
`stopTimeout` of 1 s. So at most one heartbeat or renewal fails for it, and every TTL allows for that."""

_STATUSES = (429, 503)
_DIGITS = 9


class RetryAfter:
    """Whether a server may be asked again.

    Args:
        clock: Monotonic, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._until = 0.0

    def heard(self, status: int, text: str) -> None:
        """Take an answer.

        Args:
            status: Its status. Only 429 and 503 ask for a pause.
            text: Its `Retry-After`, "" if it has none. A date is ignored: the server's clock may be wrong.
        """
        if status in _STATUSES and text.isascii() and text.isdecimal():
            self._until = self._clock() + min(int(text[:_DIGITS]), LONGEST_PAUSE_S)

    @property
    def left_s(self) -> float:
        """Seconds until the pause is over; 0 without one."""
        return max(0.0, self._until - self._clock())
