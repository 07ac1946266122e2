"""Limits that a short-lived process of ours sets on itself: CPU time, memory, and no core dump."""

import resource
import time
from collections.abc import Callable
from types import FrameType

from corepilot.system.kernel import signal

_UNKNOWN_BYTES = 512 * 1024 * 1024


def bound(cpu_s: int, memory_bytes: int, overrun: Callable[[int, FrameType | None], None]) -> None:
    """Bound this process from here on.

    Args:
        cpu_s: Seconds of CPU time that it may still take; a second later the kernel kills it.
        memory_bytes: Address space that it may still take.
        overrun: The handler of SIGXCPU.
    """
    signal.signal(signal.SIGXCPU, overrun)
    used_s = int(time.process_time()) + 1
    _lower(resource.RLIMIT_CPU, used_s + cpu_s, used_s + cpu_s + 1)
    most = _address_space() + memory_bytes
    _lower(resource.RLIMIT_AS, most, most)
    _lower(resource.RLIMIT_CORE, 0, 0)  # a core has secrets in it


def _address_space() -> int:
    """How much there is already, in bytes; where /proc has gone away, more than there ever is."""
    try:
        with open("/proc/self/statm", "rb") as statm:
            return int(statm.read().split()[0]) * resource.getpagesize()
    except OSError:
        return _UNKNOWN_BYTES


def _lower(which: int, soft: int, hard: int) -> None:
    """Set a limit, but no higher than it is."""
    most = resource.getrlimit(which)[1]
    if most != resource.RLIM_INFINITY:
        soft, hard = min(soft, most), min(hard, most)
    resource.setrlimit(which, (soft, hard))
