"""Which jobs can ever start, by what a configuration says alone: who waits for whose events. Pure.

What a program will do is not known here: an exit of a job that can start may come, with any status. What is proved is
that nobody can publish an event: jobs that wait for each other, exits of a job that runs nothing, the health of a job
that nobody checks (ContainerPilot contract, sections 4.1, 4.6 and 5).
"""

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from corepilot.model.event import EXITS, GLOBAL
from corepilot.model.job import Job, check_sources
from corepilot.model.trigger import AllOf, AnyOf, Never, OnEvent, Trigger, keys

OF_ALL = frozenset(("startup", "enterMaintenance", "exitMaintenance"))
"""Events of the source `global` that start jobs."""
OF_A_LOCK = frozenset(("acquired", "lost"))
OF_A_WATCH = frozenset(("changed", "healthy", "unhealthy"))

NAMED_MAX = 5
"""How many jobs of a chain are told."""

_STOPS = frozenset(("stopping", "stopped"))
_STARTS = frozenset(("started", "ready", "reload"))
_HEALTH = frozenset(("healthy", "unhealthy"))

Key = tuple[str, str]
"""Code and source, as `Event.key`."""


class Blockage(NamedTuple):
    """Why a job never starts.

    Attributes:
        key: What it waits for in vain; None for a `when` that names no event.
        chain: Indexes of jobs: the job, the one that it waits for, the one that this one waits for, …. At most
            NAMED_MAX; the last one is told twice where the chain comes back to it. Only the job, where nobody else
            could publish the event.
    """

    key: Key | None
    chain: tuple[int, ...]

    @property
    def circle(self) -> tuple[int, ...]:
        """Those of the chain that wait for each other, in order; empty if none do, as far as the chain goes."""
        last = self.chain[-1]
        first = self.chain.index(last)
        return self.chain[first:-1] if first < len(self.chain) - 1 else ()


def never_starting(
    jobs: Sequence[Job], watches: Collection[str] = (), locks: Collection[str] = ()
) -> dict[int, Blockage]:
    """The jobs that can never start, by index, each with the reason.

    Args:
        jobs: All of them, telemetry's own included.
        watches: The sources of the watches, such as `watch.db`.
        locks: The sources of the locks.
    """
    waits = _Waits(jobs, watches, locks)
    starting: set[int] = set()
    todo = deque(range(len(jobs)))
    while todo:
        index = todo.popleft()
        if index not in starting and waits.satisfied(_needs(jobs[index]), index, starting):
            starting.add(index)
            todo.extend(waits.dependents(index))
    return {index: waits.blockage(index, starting) for index in range(len(jobs)) if index not in starting}


class _Waits:
    """Who publishes what, and who waits for it."""

    def __init__(self, jobs: Sequence[Job], watches: Collection[str], locks: Collection[str]) -> None:
        self._jobs = jobs
        self._watches, self._locks = frozenset(watches), frozenset(locks)
        self._named: dict[str, list[int]] = {}
        self._publishers: dict[Key, tuple[int, ...] | None] = {}
        self._waiting: dict[int, list[int]] = {}
        for index, job in enumerate(jobs):
            self._named.setdefault(job.name, []).append(index)
        for index, job in enumerate(jobs):
            for key in _events(_needs(job)):
                for publisher in self.publishers(key) or ():
                    self._waiting.setdefault(publisher, []).append(index)

    def publishers(self, key: Key) -> tuple[int, ...] | None:
        """The jobs that publish an event once they have started; None if it may come without any of them."""
        if key not in self._publishers:
            self._publishers[key] = self._find(*key)
        return self._publishers[key]

    def dependents(self, index: int) -> Iterable[int]:
        """The jobs that wait for an event of a job."""
        return self._waiting.get(index, ())

    def satisfied(self, trigger: Trigger, index: int, starting: Collection[int]) -> bool:
        """Whether a trigger of a job can come true, if the jobs that are known to start do."""
        if isinstance(trigger, AnyOf):
            return any(self.satisfied(one, index, starting) for one in trigger.triggers)
        if isinstance(trigger, AllOf):
            return all(self.satisfied(one, index, starting) for one in trigger.triggers)
        if isinstance(trigger, OnEvent):
            others = self._others((trigger.code, trigger.source), index)
            return others is None or any(one in starting for one in others)
        return not isinstance(trigger, Never)

    def blockage(self, index: int, starting: Collection[int]) -> Blockage:
        """Why a job does not start."""
        key, following = self._blocking(index, starting)
        chain = [index]
        while following is not None and len(chain) < NAMED_MAX:
            seen = following in chain
            chain.append(following)
            if seen:
                break
            following = self._blocking(following, starting)[1]
        return Blockage(key, tuple(chain))

    def _blocking(self, index: int, starting: Collection[int]) -> tuple[Key | None, int | None]:
        """An event that a job waits for in vain, and the first of the jobs that would publish it."""
        for key in _events(_needs(self._jobs[index])):
            others = self._others(key, index)
            if others is not None and not any(one in starting for one in others):
                return key, (others[0] if others else None)
        return None, None

    def _others(self, key: Key, index: int) -> tuple[int, ...] | None:
        """The publishers of an event that a job can hear it from: not itself, nor exits under its own name."""
        found = self.publishers(key)
        if found is None:
            return None
        code, source = key
        if code in EXITS and source == self._jobs[index].name:
            return ()
        return tuple([one for one in found if one != index]) if index in found else found

    def _find(self, code: str, source: str) -> tuple[int, ...] | None:
        jobs = self._jobs
        if code == "error":  # its source is free text
            return None
        if source in self._named:
            return self._of_jobs(code, self._named[source])
        if source == GLOBAL:
            return None if code in OF_ALL else ()
        if source in self._watches:
            return None if code in OF_A_WATCH else ()
        if source in self._locks:
            if code not in OF_A_LOCK:
                return ()  # corepilot competes for a lock only while a job that needs it should run
            return tuple([index for index, job in enumerate(jobs) if f"lock.{job.lock}" == source])
        if code not in EXITS or not source.startswith("check."):
            return ()
        return tuple([index for index, job in enumerate(jobs) if job.checks and source in check_sources(job)])

    def _of_jobs(self, code: str, named: Sequence[int]) -> tuple[int, ...] | None:
        jobs = self._jobs
        if code in EXITS or code in {"completed", "ended"}:
            return tuple([one for one in named if jobs[one].command is not None])
        if code in _STARTS:
            return tuple(named)
        if code in _HEALTH:
            return tuple([one for one in named if _has_command(jobs[one])])
        if code == "timerExpired":  # it comes because there is no start
            return None if any(jobs[one].when.timeout_s for one in named) else ()
        if code in _STOPS:  # a job that has not started stops as well, but a hook does not without its source
            return tuple(named) if all(jobs[one].hook for one in named) else None
        return ()


def _needs(job: Job) -> Trigger:
    """What has to come for a job to start: what it depends on counts as events here, which others have to start for."""
    needed = [OnEvent(one.condition, one.job) for one in job.depends_on]
    return AllOf((job.when.trigger, *needed)) if needed else job.when.trigger


def _events(trigger: Trigger) -> tuple[Key, ...]:
    """The events of a trigger that somebody has to publish."""
    if isinstance(trigger, AnyOf | AllOf):
        return tuple([key for one in trigger.triggers for key in _events(one)])
    return keys(trigger) if isinstance(trigger, OnEvent) else ()


def _has_command(job: Job) -> bool:
    return any(check.asks for check in job.checks)
