"""What of a configuration one job's life depends on: the job itself, and what the others mean for its end. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from corepilot.config.graph import stop_order, wishes_of
from corepilot.model.event import EXITS
from corepilot.model.job import HOOK_TIMEOUT_S, UNLIMITED, Job, JobKey
from corepilot.model.trigger import AllOf, AnyOf, Never, OnEvent, OnInterval, Trigger, keys
from corepilot.model.value import Value


class Plan(Value):
    """What of a configuration one job's life depends on.

    Attributes:
        job: The job.
        key: What it is known by.
        awaited_hook: Name of the job whose `stopped` this job waits for before it is signalled, or "".
        startable: False for a hook on a job that does not exist, or on hooks that wait for each other.
        hook_timeout_s: Seconds that this job may take as a hook.
        stops_after: Names of the jobs whose `stopped` it waits for when everything stops, while it goes on running.
    """

    job: Job
    key: JobKey
    awaited_hook: str = ""
    startable: bool = True
    hook_timeout_s: float = HOOK_TIMEOUT_S
    stops_after: frozenset[str] = frozenset()

    @property
    def is_hook(self) -> bool:
        """Whether it runs because another job stops (contract, section 4.6)."""
        return self.job.hook is not None

    @property
    def hooks_stopping(self) -> bool:
        """Whether it runs before another job is signalled."""
        return self.job.hook is not None and self.job.hook.code == "stopping"

    @property
    def trigger(self) -> Trigger:
        """What starts it. An exit under its own name is its own, and starts nothing (contract, section 4.1)."""
        trigger = self.job.when.trigger
        own = isinstance(trigger, OnEvent) and trigger.source == self.job.name and trigger.code in EXITS
        return Never() if own else trigger

    @property
    def periodic(self) -> bool:
        """Whether it is started by a ticker."""
        return isinstance(self.job.when.trigger, OnInterval)

    @property
    def starts(self) -> int:
        """How many start events count."""
        once = isinstance(self.job.when.trigger, OnEvent | AnyOf | AllOf) and not self.job.when.each
        return 1 if once or isinstance(self.job.when.trigger, Never) else UNLIMITED

    def awaits_stop_of(self, name: str) -> bool:
        """Whether its own stop goes on when a job has stopped."""
        return name == self.awaited_hook or name in self.stops_after

    def interests(self) -> frozenset[tuple[str, str]]:
        """The events `step` has to be told of, besides those of the source "global", which every job hears."""
        interests = {*keys(self.trigger), *(("stopped", name) for name in self.stops_after)}
        if self.job.lock:
            interests |= {("acquired", f"lock.{self.job.lock}"), ("lost", f"lock.{self.job.lock}")}
        if self.job.reload_on:
            interests |= {("changed", source) for source in self.job.reload_on}
        if self.awaited_hook:
            interests.add(("stopped", self.awaited_hook))
        if self.job.hook is not None:
            interests.add(("stopped", self.job.hook.source))
        return frozenset(interests)


def plans(jobs: Sequence[tuple[JobKey, Job]]) -> tuple[Plan, ...]:
    """The plan of each job.

    Of the hooks on a job's `stopping`, the last one in the file is awaited (contract, section 4.6). Jobs that would
    wait for each other at a stop do not: then one of them is stopped as if it named nobody in `stopAfter`.

    Args:
        jobs: In the order of the configuration.
    """
    only = [job for _, job in jobs]
    hooked = [(job, hook) for job in only if (hook := job.hook) is not None]
    startable = _startable(only)
    waits, _ = stop_order(
        [(job.name, hook.source) for job, hook in hooked],
        wishes_of(only),
    )
    awaited: dict[str, list[Job]] = {}
    for job, hook in hooked:
        if hook.code == "stopping" and job.command is not None:
            awaited.setdefault(hook.source, []).append(job)
    named: dict[str, list[Job]] = {}
    for job in only:
        named.setdefault(job.name, []).append(job)
    made = []
    for key, job in jobs:
        awaited_hooks = [one.name for one in awaited.get(job.name, ()) if one is not job]
        made.append(
            Plan(  # all of its fields, in their order: that is three times as fast as by name
                job,
                key,
                awaited_hooks[-1] if awaited_hooks else "",
                startable[id(job)],
                _hook_timeout_s(job, named),
                frozenset(waits.get(job.name, ())) if waits else frozenset(),
            )
        )
    return tuple(made)


def _startable(jobs: Sequence[Job]) -> dict[int, bool]:
    """Whether each job can be started: every job that is no hook, then the hooks on those, and so on.

    Hooks on each other only, on themselves, or on names that do not exist, are never started.
    """
    hooks = [job for job in jobs if job.hook]
    stoppable = {job.name for job in jobs if not job.hook}
    for _ in hooks:
        more = {job.name for job in hooks if job.hook and job.hook.source in stoppable} - stoppable
        if not more:
            break
        stoppable |= more
    return {id(job): job.hook is None or job.hook.source in stoppable for job in jobs}


def _hook_timeout_s(job: Job, named: dict[str, list[Job]]) -> float:
    """What a hook may take: the shorter of its own `stopTimeout` and that of the job which waits for it."""
    hook = job.hook
    limits = [job.stop.hook_timeout_s]
    if hook is not None and hook.code == "stopping":
        limits += [one.stop.hook_timeout_s for one in named.get(hook.source, ()) if one is not job]
    return min((limit for limit in limits if limit is not None), default=HOOK_TIMEOUT_S)
