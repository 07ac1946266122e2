"""Ends what jobs left behind: orphans that we adopted as child subreaper, and that outlived every job."""

import os
import time
from collections.abc import Callable

import gevent

from corepilot.system.children import children, name_of
from corepilot.system.kernel import signal
from corepilot.system.process import Reaper

POLL_S = 0.01
KILL_DEADLINE_S = 2.0
"""Seconds until we stop waiting for killed processes: one in uninterruptible sleep would hold us for ever (the guard,
and the kernel at the end of a PID namespace, see to it then)."""


def end_orphans(reaper: Reaper, timeout_s: float, at_once: Callable[[], bool]) -> list[str]:
    """Send TERM and CONT to every adopted child, wait, then KILL until none is left. Switches greenlets.

    Only unreaped children of ours are signalled, so that no pid can have been used again.

    Args:
        reaper: Knows which children are not orphans.
        timeout_s: Seconds between TERM and KILL; 0 or less: at once.
        at_once: Whether to stop waiting.

    Returns:
        Each process that had to be killed: its pid and its name.
    """
    signalled: set[int] = set()
    killed: dict[int, str] = {}
    deadline = time.monotonic() + max(timeout_s, 0.0)
    while left := children() - reaper.alive:
        now = time.monotonic()
        if now > deadline + KILL_DEADLINE_S:
            return list(killed.values())
        if now >= deadline or at_once():
            for pid in left:
                killed.setdefault(pid, f"pid {pid} ({name_of(pid)})")
                _signal(pid, signal.SIGKILL)
        else:
            for pid in left - signalled:
                _signal(pid, signal.SIGTERM)
                _signal(pid, signal.SIGCONT)
        signalled |= left
        gevent.sleep(POLL_S)
    return list(killed.values())


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return  # it has ended, or is not ours to signal
