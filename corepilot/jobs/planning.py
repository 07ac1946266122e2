"""What the jobs of a configuration mean for each other's end: who waits for whom, and how long."""

from collections.abc import Sequence

from corepilot.config.graph import stop_order
from corepilot.config.model import JobConfig
from corepilot.jobs.model import HOOK_TIMEOUT_S, Plan


def plans(jobs: Sequence[JobConfig], stop_timeout_s: float) -> tuple[Plan, ...]:
    """The plan of each job.

    Of the hooks on a job's `stopping`, the last one in the file is awaited (contract, section 4.6). Jobs that would
    wait for each other at a stop do not: then one of them is stopped as if it named nobody in `stopAfter`.

    Args:
        jobs: In the order of the configuration.
        stop_timeout_s: The configuration's `stopTimeout`.
    """
    startable = _startable(jobs)
    names = {job.name for job in jobs}
    waits, _ = stop_order(
        [(job.name, job.when.source) for job in jobs if _is_hook(job)],
        [(job.name, other) for job in jobs for other in job.stop_after if other in names],
    )
    made = []
    for job in jobs:
        hooks = [one.name for one in jobs if one is not job and _hooks(one, "stopping", job.name) and one.exec]
        made.append(
            Plan(
                job,
                stop_timeout_s,
                awaited_hook=hooks[-1] if hooks else "",
                startable=startable[id(job)],
                hook_timeout_s=_hook_timeout_s(job, jobs),
                stops_after=frozenset(waits.get(job.name, ())) if job.stop_after else frozenset(),
            )
        )
    return tuple(made)


def _hooks(job: JobConfig, code: str, source: str) -> bool:
    return job.when.kind in {"once", "each"} and job.when.code == code and job.when.source == source


def _is_hook(job: JobConfig) -> bool:
    return _hooks(job, "stopping", job.when.source) or _hooks(job, "stopped", job.when.source)


def _startable(jobs: Sequence[JobConfig]) -> dict[int, bool]:
    """Whether each job can be started: every job that is no hook, then the hooks on those, and so on.

    Hooks on each other only, on themselves, or on names that do not exist, are never started.
    """
    stoppable = {job.name for job in jobs if not _is_hook(job)}
    for _ in jobs:
        stoppable |= {job.name for job in jobs if job.when.source in stoppable}
    return {id(job): not _is_hook(job) or job.when.source in stoppable for job in jobs}


def _hook_timeout_s(job: JobConfig, jobs: Sequence[JobConfig]) -> float:
    """What a hook may take: the shorter of its own `stopTimeout` and that of the job which waits for it."""
    limits = [job.stop_timeout_s]
    limits += [one.stop_timeout_s for one in jobs if one is not job and _hooks(job, "stopping", one.name)]
    return min((limit for limit in limits if limit is not None), default=HOOK_TIMEOUT_S)
