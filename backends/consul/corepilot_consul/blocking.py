"""The rules of blocking queries: which index to ask with, how long to wait, how often to ask. Pure, no I/O, no clock.

Consul's page on blocking queries (developer.hashicorp.com/consul/api-docs/features/blocking) gives the rules: reset the
index when it goes backwards, never ask with one below 1, limit the rate, and expect the server to add up to wait/16.
"""

_LARGEST_INDEX = 2**64 - 1
_LONGEST_WAIT_S = 55
_BYTES_A_SECOND = 128 * 1024
_GRACE_S = 5.0

BURST = 10
PAUSE_S = 0.1
"""While something keeps changing: ten answers at once, then ten a second; what comes faster is seen together.

Our decision; Consul's page asks for a limit and leaves it open, consul-template has none by default.
"""

UNSURE_PAUSE_S = 1.0
"""After an answer whose index cannot be asked with, the first of its kind."""


def next_index(previous: int, header: str) -> int:
    """The index for the next query.

    Args:
        previous: The index that was asked with; 0 for the first query.
        header: The answer's X-Consul-Index; "" if there was none.

    Returns:
        0 to ask for the present state without blocking, else at least 1.
    """
    digits = header.strip()
    unsigned = digits.removeprefix("-")
    if not (unsigned.isascii() and unsigned.isdecimal()) or len(digits) > 20:
        return 0
    index = max(int(digits), 1)
    # Lower than before: the servers were restored or replaced, and asking with the old one would block for good.
    return 0 if index < previous or index > _LARGEST_INDEX else index


def wait_for(interval_s: float, length: int = 0) -> int:
    """How many seconds a query may block.

    The interval bounds how stale an answer may get if the server forgets to wake us up. But every answer comes whole,
    also the one that nothing has changed: the longer it is, the more rarely it is asked for only to be sure. 55 s keep
    idle connections shorter than the minute after which many proxies cut them.

    Args:
        interval_s: The interval of the watch.
        length: Bytes of the last answer.
    """
    return max(1, min(max(int(interval_s), length // _BYTES_A_SECOND), _LONGEST_WAIT_S))


def deadline_for(wait_s: float) -> float:
    """When a query that may block for `wait_s` is overdue: the wait, the server's jitter of a sixteenth, and 5 s."""
    return wait_s + wait_s / 16 + _GRACE_S


class Pace:
    """When the next query of one watch may be sent. Where queries block: `BURST` at once, then one each `PAUSE_S`.

    Where they do not, this is a poll with the interval of the configuration, as ContainerPilot's (contract, section
    7.4): an agent that sends no index, or answers at once that nothing has changed.

    Args:
        interval_s: The watch's interval.
        now: The monotonic clock, in seconds.
    """

    def __init__(self, interval_s: float, now: float) -> None:
        self._interval_s = interval_s
        self._full_at = now
        self._unsure = False

    def pause_s(self, asked: int, asked_at: float, index: int, now: float) -> float:
        """Seconds from an answer to the next question; 0 for none.

        Args:
            asked: The index that was asked with.
            asked_at: When.
            index: The one to ask with now: see `next_index`.
            now: When the answer was there.
        """
        start = max(self._full_at, now)
        self._full_at = start + PAUSE_S
        unsure, self._unsure = self._unsure, not index and not asked
        if not index and not asked:
            return self._interval_s - (now - asked_at) if unsure else UNSURE_PAUSE_S
        if index and index == asked and now - asked_at < wait_for(self._interval_s) / 2:
            return self._interval_s - (now - asked_at)
        return max(0.0, self._full_at - now - BURST * PAUSE_S)
