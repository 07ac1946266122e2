"""What a job has started that has left its process group, as far as it can be found: it is ended with the job."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from corepilot.system.groups import Orphans, group_of
from corepilot.system.kernel import signal

if TYPE_CHECKING:  # few jobs have one
    from corepilot.system.cgroups import ControlGroup

NAMED_MAX = 5
"""How many processes of a group are named when they are killed."""


class Strays:
    """The strays of one job.

    Args:
        orphans: Processes that have lost their parents.
        mark: The value of the variable that tells whose processes they are.
    """

    def __init__(self, orphans: Orphans, mark: str) -> None:
        self._orphans, self._mark = orphans, mark
        self._told: set[int] = set()
        self._group: ControlGroup | None = None

    def within(self, group: ControlGroup) -> None:
        """All of the job is in a control group from now on."""
        self._group = group

    def beside(self, groups: Iterable[int]) -> set[int]:
        """Those outside of these process groups."""
        known = set(groups)
        found = self._orphans.of(self._mark)
        if self._group is not None:
            found |= self._group.pids
        return {pid for pid in found if group_of(pid) not in known}

    def end(self, pids: set[int], *, force: bool) -> None:
        """Kill them, or tell each to end, once."""
        if force:
            if self._group is not None:
                self._group.kill()
            for pid in pids:
                _send(pid, signal.SIGKILL)
            return
        for pid in pids - self._told:
            self._told.add(pid)
            _send(pid, signal.SIGTERM)
            _send(pid, signal.SIGCONT)

    def forget(self) -> None:
        """Nothing is left of them."""
        self._told.clear()
        if self._group is not None:
            self._group.remove()


def named(names: Sequence[str]) -> str:
    """The processes of a job, in a message about the job."""
    if not names:
        return ""
    more = f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
    return f"'s processes {', '.join(names[:NAMED_MAX])}{more}"


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except OSError:
        return  # it has ended, or is not ours to signal
