"""The rules of blocking queries: which index to ask with, how long to wait, how often to ask. Pure, no I/O, no clock.

Consul's page on blocking queries (developer.hashicorp.com/consul/api-docs/features/blocking) gives the rules: reset the
index when it goes backwards, never ask with one below 1, limit the rate, and expect the server to add up to wait/16.
"""

_LARGEST_INDEX = 2**64 - 1
_LONGEST_WAIT_S = 55
_GRACE_S = 5.0

BURST = 2
PAUSE_S = 0.1
"""While a service keeps changing: two answers at once, then one each 100 ms. A change that comes alone never waits."""

UNSURE_PAUSE_S = 1.0
"""Between two questions that cannot block, because the index of the last answer was unusable."""


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


def wait_for(interval_s: int) -> int:
    """How many seconds a query may block, for a watch with this interval.

    The interval bounds how stale an answer may get if the server forgets to wake us up; 55 s keeps idle connections
    shorter than the minute after which many proxies cut them.
    """
    return max(1, min(interval_s, _LONGEST_WAIT_S))


def deadline_for(wait_s: float) -> float:
    """When a query that may block for `wait_s` is overdue: the wait, the server's jitter of a sixteenth, and 5 s."""
    return wait_s + wait_s / 16 + _GRACE_S


class Pace:
    """A token bucket for the queries of one watch: `BURST` at once, then one each `PAUSE_S`.

    Args:
        now: The monotonic clock, in seconds.
    """

    def __init__(self, now: float) -> None:
        self._full_at = now

    def reserve(self, now: float) -> float:
        """Take the right to ask once more; returns the seconds to wait until then, 0 for none."""
        start = max(self._full_at, now)
        self._full_at = start + PAUSE_S
        return max(0.0, self._full_at - now - BURST * PAUSE_S)
