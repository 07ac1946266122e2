"""An alarm clock outside whatever runs: interrupts it after a time, also in a call that blocks."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from corepilot.system.interruption import Interruption


class OverdueError(Interruption):
    """Raised in what has gone on for too long. No `Exception`, so that handlers let it pass."""


@contextmanager
def overdue_after(limit_s: float, rule: str) -> Iterator[None]:
    """Interrupt the block after so many seconds, and again each second after that.

    Takes SIGALRM meanwhile; somebody else's timer (pytest-timeout has one) is put back with what is left of it.

    Args:
        limit_s: Seconds from now on.
        rule: What the block has broken then, for the message.

    Raises:
        OverdueError: the time was over; names the line.
    """

    def alarmed(_number: int, frame: FrameType | None) -> None:
        place = f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else "an unknown place"
        raise OverdueError(f"{rule}: after {limit_s:g} s it was still in {place}")

    began_at = time.monotonic()
    handler = signal.signal(signal.SIGALRM, alarmed)
    left_s, interval_s = signal.setitimer(signal.ITIMER_REAL, limit_s, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if left_s:
            signal.setitimer(signal.ITIMER_REAL, max(0.01, left_s - (time.monotonic() - began_at)), interval_s)
