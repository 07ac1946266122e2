"""Process groups and trees as /proc shows them: who is left of a job, and what they are called."""

from __future__ import annotations

import os
from collections.abc import Callable

from corepilot.system.children import children, name_of, read_bytes

MARK = "COREPILOT_RUN"
"""The variable by which processes that have left their job's group are known to be its (our decision)."""

DEPTH_MAX = 64
"""How far up `is_below` looks: whoever asks wants to know for certain how long that takes."""


def members(group: int) -> list[tuple[int, str]]:
    """The processes of a group, each with its name; those that go meanwhile may be missing. Looks at every process."""
    found = []
    wanted = b"%d" % group
    for entry in _processes():
        try:
            fields = read_bytes(f"/proc/{entry}/stat").rpartition(b")")[2].split()
        except OSError:
            continue  # gone since it was listed
        if fields[2:3] == [wanted] and fields[:1] != [b"Z"]:
            found.append((int(entry), name_of(int(entry))))
    return found


def descendants(pid: int) -> set[int]:
    """The processes below one, whatever group or session they are in; incomplete where they come and go."""
    found: set[int] = set()
    todo = [pid]
    while todo:
        below = children_of(todo.pop()) - found
        todo += below
        found |= below
    return found


def is_below(pid: int, top: int) -> bool:
    """Whether a process is a descendant of another one. It asks upwards, so it costs the same in any large tree.

    False if a process in between has just gone, or if there are more than `DEPTH_MAX`.
    """
    for _ in range(DEPTH_MAX):
        try:
            pid = int(read_bytes(f"/proc/{pid}/stat").rpartition(b")")[2].split()[1])
        except OSError:
            return False
        if pid == top or pid <= 1:
            return pid == top
    return False


def children_of(pid: int) -> set[int]:
    """The children of any process; none if it is gone, or the kernel lists none (CONFIG_PROC_CHILDREN)."""
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
        return {int(word) for task in tasks for word in read_bytes(f"/proc/{pid}/task/{task}/children").split()}
    except OSError:
        return set()


def group_of(pid: int) -> int:
    """The process group of a process; 0 if it is gone."""
    try:
        return os.getpgid(pid)
    except OSError:
        return 0


class Orphans:
    """Children that we have not started: adopted when their parents died, because we are PID 1 or a child subreaper.

    Each is asked for the mark in its environment, which says whose it is, until it has told: it has none while it
    becomes another program (execve(2)). The kernel is asked for our children
    once in a turn of the event loop, which collects all that have ended before it tells of the first: a thousand jobs
    that end together share one look.

    Args:
        is_ours: Whether a child was started by us, and has not ended.
        turn: The time of the event loop, which stands still during a turn.
    """

    def __init__(self, is_ours: Callable[[int], bool], turn: Callable[[], float]) -> None:
        self._is_ours, self._turn = is_ours, turn
        self._looked_at = -1.0
        self._marks: dict[int, bytes] = {}

    def of(self, mark: str) -> set[int]:
        """The orphans that carry a mark, and what is below them.

        Args:
            mark: The value of `MARK` in their environment.
        """
        now = self._turn()
        if now != self._looked_at:
            self._looked_at = now
            adopted = {pid for pid in children() if not self._is_ours(pid)}
            self._marks = {pid: self._marks.get(pid) or mark_of(pid) for pid in adopted}
        wanted = mark.encode()
        found = {pid for pid, known in self._marks.items() if known == wanted}
        for pid in tuple(found):
            found |= descendants(pid)
        return found


def mark_of(pid: int) -> bytes:
    """The value of `MARK` in the environment of a process; empty if it has none, or none yet, or is another user's."""
    try:
        variables = read_bytes(f"/proc/{pid}/environ").split(b"\0")
    except OSError:
        return b""  # another user's, or gone
    name = f"{MARK}=".encode()
    return next((one.removeprefix(name) for one in variables if one.startswith(name)), b"")


def _processes() -> list[str]:
    try:
        return [entry for entry in os.listdir("/proc") if entry.isdigit()]
    except OSError:
        return []
