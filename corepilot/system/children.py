"""Children that nobody asked for: orphans of jobs, adopted because we are a child subreaper (prctl(2))."""

import os


def children() -> frozenset[int]:
    """The pids of our children, from /proc; adopted ones included. Zombies are children too."""
    found: set[int] = set()
    for task in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{task}/children", encoding="ascii") as file:
                found.update(map(int, file.read().split()))
        except OSError:
            return _scan()  # a kernel without CONFIG_PROC_CHILDREN, or a thread that has just ended
    return frozenset(found)


def _scan() -> frozenset[int]:
    me, found = os.getpid(), set()
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                parent = int(file.read().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue  # it has just ended
        if parent == me:
            found.add(int(entry))
    return frozenset(found)
