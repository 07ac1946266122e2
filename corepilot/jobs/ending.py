"""When all jobs have ended, or nothing can start any more, and with which status. No gevent, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Protocol

from corepilot.jobs.actor import Actor
from corepilot.jobs.future import waiting_in_vain
from corepilot.jobs.observer import Observer


class Jobs(Protocol):
    """The jobs whose end is considered."""

    @property
    def actors(self) -> Sequence[Actor]:
        """Those that are configured."""

    @property
    def stopping(self) -> bool:
        """Whether everything stops."""

    @property
    def changing_hands(self) -> bool:
        """Whether a reload has jobs that have yet to leave, or to begin."""


class Endings:
    """Who of the jobs has not ended for good, and what that means for all of them.

    Args:
        after: Calls something when everybody has heard what was said until now.
        observer: See `Observer`.
        jobs: The jobs.
        watched: The sources of the watches, and of files; None if they are not known.

    Attributes:
        failure: The first job that failed for good with nobody to handle it, and its status; None without one.
        ended_by: The status of the job whose `exitOn` ends everything; None as long as none has.
    """

    def __init__(
        self,
        after: Callable[[Callable[[], None]], None],
        observer: Observer,
        jobs: Jobs,
        watched: Callable[[], Collection[str] | None],
    ) -> None:
        self._after, self._observer, self._jobs, self._watched = after, observer, jobs, watched
        self.failure: tuple[str, int] | None = None
        self.ended_by: int | None = None
        self._incomplete: set[Actor] = set()
        self._reported: set[Actor] = set()
        self._considerations = 0
        self._by_itself = False

    @property
    def complete(self) -> bool:
        """Whether every job that has begun has ended for good, or left."""
        return not self._incomplete

    def start(self, actors: Iterable[Actor]) -> None:
        """Begin with the first jobs, or anew."""
        self.failure = self.ended_by = None
        self._reported.clear()
        self._incomplete = set(actors)

    def began(self, actor: Actor) -> None:
        """A job begins, maybe again."""
        self._reported.discard(actor)
        self._incomplete.add(actor)

    def open_again(self, actor: Actor) -> None:
        """What a job waits for may come after all: if that changes once more, it is told once more."""
        self._reported.discard(actor)

    def left(self, actor: Actor) -> None:
        """A job is complete, or it is configured no more."""
        self._incomplete.discard(actor)

    def completed(self, actor: Actor, *, handled: bool) -> None:
        """A job has ended for good while nothing stops it.

        Args:
            actor: The job.
            handled: Whether its failure starts another job, and so is none of the whole.
        """
        failed, name = actor.state.stop.failed, actor.name
        status = 0 if failed is None else failed or 1  # `successStatuses` may say that 0 is a failure
        if status and self.failure is None and not handled:
            self.failure = (name, status)
        exit_on = actor.plan.job.exit_on
        if exit_on == "end" or (exit_on == "failure" and status):
            self.ended_by = status
            self._observer.ends_with(f"job {name} has ended with status {self.ended_by}")
        self.consider_soon(by_itself=True)  # what it has said at its end may start others

    def consider_soon(self, *, by_itself: bool) -> None:
        """Consider the end when all have heard what was said, also by jobs that end until then: the last one counts.

        Args:
            by_itself: Whether a job may have ended, or wait in vain, without being told to: only then is it the end.
        """
        self._by_itself = self._by_itself or by_itself
        self._considerations += 1
        self._after(partial(self._consider, self._considerations))

    def _consider(self, number: int) -> None:
        if number != self._considerations:
            return
        by_itself, self._by_itself = self._by_itself, False
        jobs = self._jobs
        if jobs.changing_hands:
            return
        if jobs.stopping:
            if not self._incomplete:
                self._observer.all_ended()
            return
        left = [actor for actor in jobs.actors if actor in self._incomplete]
        in_vain = waiting_in_vain(jobs.actors, self._watched()) if left else ()
        for actor, never in in_vain:
            if actor not in self._reported:
                self._reported.add(actor)
                self._observer.waits_in_vain(actor, never)
        by_hand = [actor for actor in left if actor.state.phase == "stopped"]
        if not by_itself or not jobs.actors or len(in_vain) + len(by_hand) < len(left):
            return
        if by_hand:
            self._observer.nothing_runs(by_hand)
        else:
            self._observer.all_ended()
