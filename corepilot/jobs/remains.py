"""What a job's processes leave behind: groups whose main process has ended, and strays. It is looked for until gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from corepilot.jobs.run import Run
from corepilot.jobs.state import MAIN, Emptied, Stimulus, Sweep, Swept
from corepilot.jobs.strays import Strays
from corepilot.system.groups import descendants, group_of

POLL_S = 0.01
"""How often it is looked whether a process group is empty, which the kernel does not tell."""


class Remains:
    """What is left of one job. Nothing is looked at, and no timer runs, while nothing is left.

    Args:
        loop: gevent's loop.
        runs: The job's runs, by role: one leaves it here when its group is empty.
        strays: What has left the groups.
        handle: Lets something happen to the job: `Emptied` for each group, `Swept` when a sweep is over.
    """

    def __init__(self, loop: Any, runs: dict[int, Run], strays: Strays, handle: Callable[[Stimulus], None]) -> None:
        self._loop, self._runs, self._strays, self._handle = loop, runs, strays, handle
        self._sweep: Sweep | None = None
        self._poll: Any = None

    def sweep(self, sweep: Sweep, *, group: bool, kill: Callable[[], None]) -> None:
        """End the group and what has left it; `Swept` comes when all of it is gone, and not within this step.

        Args:
            sweep: Whether by force.
            group: Whether a living main process is told to end with its group, and not alone.
            kill: Ends the group.
        """
        run = self._runs.get(MAIN)
        first, self._sweep = self._sweep is None, sweep
        strays: set[int] = set()
        if run is not None:
            if run.alive and group:
                strays = {pid for pid in descendants(run.pid) if group_of(pid) != run.pid}
            kill()
        self._strays.end(strays, force=sweep.force)
        if first:
            self._loop.run_callback(self.look)

    @property
    def strays(self) -> set[int]:
        """What is left outside of the process groups."""
        return self._strays.beside(run.pid for run in self._runs.values())

    def look(self) -> None:
        """What the kernel does not tell: groups that have become empty, strays that have ended."""
        for role, run in list(self._runs.items()):
            if not run.alive and not run.remains:
                del self._runs[role]
                self._handle(Emptied(role))
        if self._sweep is not None and MAIN not in self._runs:
            strays = self.strays
            self._strays.end(strays, force=self._sweep.force)
            if not strays:
                self._sweep = None
                self._strays.forget()
                self._handle(Swept())
        if self._sweep is not None or any(not run.alive for run in self._runs.values()):
            self.expect()
        else:
            self.close()

    def expect(self) -> None:
        """Look until nothing is left. Idempotent."""
        if self._poll is None:
            self._poll = self._loop.timer(POLL_S, POLL_S)
            self._poll.start(self.look, update=True)

    def close(self) -> None:
        """Look no more. Idempotent."""
        if self._poll is not None:
            self._poll.stop()
            self._poll.close()
            self._poll = None
