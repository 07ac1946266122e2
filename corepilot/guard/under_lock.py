"""What runs under a lock, found and killed.

The supervisor announces process groups and the marks of runs (`Channel.locked`). What those groups have started in
other groups and sessions is found by descent, and, once it has lost its parent, by having been seen before or by its
mark. Only processes below the guard are signalled: a group that is empty may have given its number to somebody else.
"""

from __future__ import annotations

from corepilot.guard.tree import send
from corepilot.system.children import children, sees_processes
from corepilot.system.groups import children_of, group_of, mark_of
from corepilot.system.kernel import signal

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    from corepilot.guard.channel import Promise

_LOOKS = 3  # in a row, where each finds more: what was started while the one before looked


class UnderLock:
    """What runs under one lock.

    Args:
        promise: What is announced of it.
    """

    def __init__(self, promise: Promise) -> None:
        self.until = promise.until
        self._groups, self._marks = promise.groups, promise.marks
        self._seen: set[int] = set()
        self._mark_of: dict[int, bytes] = {}

    def look(self) -> set[int]:
        """Find what runs under the lock now, zombies included. Reads a few small files for each process below us."""
        found: set[int] = set()
        marks: dict[int, bytes] = {}
        todo = [(pid, False) for pid in children()]
        while todo:
            pid, inside = todo.pop()
            if group_of(pid) in self._groups:
                inside = True
            elif not inside:
                marks[pid] = self._mark_of.get(pid) or mark_of(pid)  # without one it may be in the middle of its exec
                inside = pid in self._seen or marks[pid] in self._marks
            if inside:
                found.add(pid)
            todo += [(child, inside) for child in children_of(pid)]
        self._seen, self._mark_of = found, marks
        return found

    def kill(self) -> None:
        """Kill all of it; without a /proc that shows it, the announced groups."""
        if not sees_processes():
            for group in self._groups:
                send(-group, signal.SIGKILL)
            self._groups = frozenset()  # from now on the number can be somebody else's
        killed: set[int] = set()
        for _ in range(_LOOKS):
            found = self.look() - killed
            if not found:
                break
            for group in {group_of(pid) for pid in found} & self._groups:
                send(-group, signal.SIGKILL)  # at once, which no fork slips through
            for pid in found:
                send(pid, signal.SIGKILL)
            killed |= found
