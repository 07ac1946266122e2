"""What a template can ask of the machine: the memory and the processors that the container may use.

Limits of control groups count, of this process's group and of those above it, in both versions (cgroups(7)). In a
container with a namespace of its own, its group is the root.
"""

from __future__ import annotations

import os

from corepilot.gotemplate.errors import FunctionFailure
from corepilot.gotemplate.values import Value

_MIB = 1024 * 1024
ROOT = ""
"""In front of /proc and /sys: for tests."""


def memory(percent: Value) -> int:
    """Return so many percent of the memory that may be used, in whole MiB, at least 1."""
    if not isinstance(percent, int | float) or isinstance(percent, bool) or not 0 < percent <= 100:
        raise FunctionFailure("it takes a number of percent, above 0 and up to 100: memory 66")
    limits = [int(text) for text in _texts("memory", "memory.max", "memory.limit_in_bytes") if text.isdigit()]
    limits += [int(line.split()[1]) * 1024 for line in _lines("/proc/meminfo") if line.startswith("MemTotal:")]
    if not limits:
        raise FunctionFailure("cannot find out how much memory there is: /proc/meminfo cannot be read")
    return max(int(min(limits) * percent / 100) // _MIB, 1)


def cpus() -> int:
    """Return how many processors may be used, at least 1: a quota counts, and is rounded down."""
    found = float(len(os.sched_getaffinity(0)))
    for text in _texts("cpu", "cpu.max", "cpu.cfs_quota_us", "cpu.cfs_period_us"):
        quota, _, period = text.partition(" ")
        if quota.isdigit() and period.isdigit() and int(period):
            found = min(found, int(quota) / int(period))
    return max(int(found), 1)


def _texts(controller: str, name: str, *old: str) -> list[str]:
    """What the files of a limit hold: of this process's group and of those above it.

    Args:
        controller: Of version 1: what its hierarchy is mounted as.
        name: The file in version 2.
        old: The files in version 1, whose contents are joined by blanks.
    """
    found = []
    for line in _lines("/proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if not controllers:
            for mount in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
                found += [_read(f"{mount}{group}/{name}") for group in _upwards(path)]
        elif controller in controllers.split(","):
            mount = f"/sys/fs/cgroup/{controller}"
            found += [" ".join([_read(f"{mount}{group}/{one}") for one in old]) for group in _upwards(path)]
    return found


def _upwards(path: str) -> list[str]:
    """A group and those above it, the root as ""."""
    parts = [part for part in path.split("/") if part and part != ".."]
    return ["".join([f"/{part}" for part in parts[:count]]) for count in range(len(parts), -1, -1)]


def _lines(path: str) -> list[str]:
    return _read(path).splitlines()


def _read(path: str) -> str:
    """A small file; "" for one that is not there, or not ours to read."""
    try:
        with open(ROOT + path, encoding="ascii", errors="replace") as file:
            return file.read(64 * 1024).strip()
    except OSError:
        return ""
