"""A thousand supervisors lose one server at the same moment, and find it again: in virtual time.

Nothing here waits or knows a socket: `Connection` decides when a supervisor tries. When one has its answer, all that it
has to say follows at once, the same number of requests for each: so who comes when is what counts. What is asked is C11
of docs/reference/faults.md: no second has more than twice the mean. An outage that is over before the third try finds
the pauses still alike, and is not asked about: then all are back within four seconds.
"""

import random
from collections import Counter
from collections.abc import Iterable

import pytest

from corepilot.discovery.connection import Connection

SUPERVISORS = 1000
DEADLINE_S = 5.0


def back_at(draws: random.Random, outage_s: float, interval_s: float, phase_s: float, try_s: float) -> float:
    """When one supervisor gets its first answer.

    Args:
        draws: Its random numbers.
        outage_s: The server is away from 0 to this moment.
        interval_s: Between its heartbeats; each of them is a reason to try.
        phase_s: When the first one is.
        try_s: How long a try takes that gets no answer.
    """
    connection = Connection(DEADLINE_S, draws.random)
    connection.begun(-1.0)
    connection.up()
    connection.down(-1.0, 0.0)  # the watch's stream breaks
    now, beat = 0.0, phase_s
    while True:
        at = now + connection.wait_s(now)
        if beat < at:
            now, beat = beat, beat + interval_s
            connection.hasten(now)
            continue
        now = at
        connection.begun(now)
        if now >= outage_s:
            return now
        begun, now = now, now + try_s
        while beat < now:
            connection.hasten(beat)
            beat += interval_s
        connection.down(begun, now)


def busiest(moments: Iterable[float]) -> float:
    """The most that came in one second, as a multiple of the mean while all but the last twentieth came."""
    ordered = sorted(moments)
    most = max(Counter(int(moment) for moment in ordered).values())
    come = len(ordered) * 19 // 20
    return most / (come / max(1.0, ordered[come]))


@pytest.mark.parametrize(
    ("outage_s", "most"),
    # After ten seconds a server that does not even refuse has had two tries; after a minute pauses become longer.
    [(5, 2.0), (10, 2.5), (20, 2.0), (45, 2.0), (70, 2.5), (90, 2.0), (600, 2.0)],
)
@pytest.mark.parametrize("heartbeats", ["in step", "at any time"])
@pytest.mark.parametrize("try_s", [0.0, DEADLINE_S], ids=["refused", "silent"])
def test_a_server_that_returns_is_not_run_over(outage_s: float, most: float, heartbeats: str, try_s: float) -> None:
    draws = random.Random(9)
    moments = [
        back_at(draws, outage_s, 10.0, 7.0 if heartbeats == "in step" else 10.0 * draws.random(), try_s)
        for _ in range(SUPERVISORS)
    ]
    assert busiest(moment - outage_s for moment in moments) <= most
