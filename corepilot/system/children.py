"""Who our children are: those we started, and orphans that we adopted as PID 1 or as a child subreaper (prctl(2)).

The kernel tells it only through /proc. Imports nothing: guard and supervisor use it.
"""

from __future__ import annotations

import os


def sees_processes() -> bool:
    """Whether /proc is there and shows this PID namespace. Of another one it shows other numbers for our children."""
    try:
        return os.readlink("/proc/self") == str(os.getpid())
    except OSError:
        return False


def children() -> frozenset[int]:
    """List our children, zombies included. One that comes or goes meanwhile may be missing: look again.

    From /proc/self/task/*/children (proc(5)); where the kernel has none, by the parent of every process in /proc.

    Returns:
        Process ids; none without a /proc that shows them, see `sees_processes`.
    """
    if not sees_processes():
        return frozenset()
    try:
        return frozenset(int(pid) for task in os.listdir("/proc/self/task") for pid in _of_task(task))
    except OSError:  # a kernel without CONFIG_PROC_CHILDREN, or a thread that has just ended
        return children_by_parent()


def children_by_parent() -> frozenset[int]:
    """What `children` does where the kernel lists no children: look at every process."""
    us = b"%d" % os.getpid()
    try:
        return frozenset(int(entry) for entry in os.listdir("/proc") if entry.isdigit() and _parent(entry) == us)
    except OSError:
        return frozenset()


def _of_task(task: str) -> list[bytes]:
    return read_bytes(f"/proc/self/task/{task}/children").split()


def _parent(entry: str) -> bytes:
    try:
        # The name stands in brackets and may hold any byte; behind the last bracket: state, parent.
        return (read_bytes(f"/proc/{entry}/stat").rpartition(b")")[2].split()[1:2] or [b""])[0]
    except OSError:
        return b""  # gone since it was listed


def is_stopped(pid: int) -> bool:
    """Whether a process is stopped by a signal or held by a debugger. False where /proc does not tell."""
    try:
        return read_bytes(f"/proc/{pid}/stat").rpartition(b")")[2].split()[:1] in ([b"T"], [b"t"])
    except OSError:
        return False


def read_bytes(path: str) -> bytes:
    """Read a small file of /proc.

    Raises:
        OSError: it cannot be read; the process has ended, for example.
    """
    with open(path, "rb", buffering=0) as file:
        return file.readall()


def name_of(pid: int) -> str:
    """Return the name of a process (comm in proc(5), 15 bytes) with control characters escaped; "?" if unknown."""
    try:
        return repr(read_bytes(f"/proc/{pid}/comm").decode("utf-8", "replace").strip())[1:-1]
    except OSError:
        return "?"
