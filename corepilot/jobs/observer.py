"""Who is told what becomes of all the jobs: the contract between the job set and whoever runs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from corepilot.jobs.actor import Actor
from corepilot.jobs.state import Outcome
from corepilot.model.job import Dependency


class Observer(Protocol):
    """Who is told what becomes of the jobs. Nothing here may raise or switch."""

    def job_ended(self, actor: Actor, outcome: Outcome) -> None:
        """A stop of a job is over."""

    def all_ended(self) -> None:
        """Every job is complete, or waits for what can never come; there is at least one that ended by itself."""

    def ends_with(self, reason: str) -> None:
        """A job has ended whose `exitOn` says that everything ends with it."""

    def waits_in_vain(self, actor: Actor, never: Sequence[Dependency]) -> None:
        """It has become certain that nothing starts a job any more. Told once for each.

        Args:
            actor: The job.
            never: What it depends on, and can never hold any more; none where its `when` never comes true.
        """

    def nothing_runs(self, stopped: Sequence[Actor]) -> None:
        """All that is left has been stopped by hand, or waits in vain: everything stays up for those."""

    def settled(self) -> None:
        """Everything that a reload had to stop has stopped, and what it added has begun."""
