"""Whether what jobs depend on is there, and can come true."""

from collections.abc import Mapping, Sequence

from corepilot.config.diagnostics.complaints import Complaint, did_you_mean, shown
from corepilot.config.diagnostics.source_map import Path
from corepilot.config.diagnostics.verdict import Verdict
from corepilot.config.graph import circle
from corepilot.model.job import UNLIMITED, Dependency, Job, never_ends
from corepilot.model.trigger import OnInterval


def judge_dependencies(jobs: Sequence[tuple[int, Job]], verdict: Verdict) -> None:
    """Refuse what a job can never be started with: jobs that there are not, circles, and what they never are.

    Args:
        jobs: The jobs that can be used, each with its index in the configuration.
        verdict: Takes what is wrong.
    """
    named: dict[str, list[Job]] = {}
    judged: set[str] = set()  # of a job that is refused not everything is known, such as whether it has a check
    for index, job in jobs:
        named.setdefault(job.name, []).append(job)
        if verdict.refuses(("jobs", index)):
            judged.add(job.name)
    needs = {name: {one.job for job in those for one in job.depends_on} for name, those in named.items()}
    in_circle: set[str] = set()
    for index, job in jobs:
        for place, dependency in enumerate(job.depends_on):
            path = _path(index, place, dependency, verdict)
            others = named.get(dependency.job)
            found = [] if job.name in in_circle else circle(job.name, dependency.job, needs)
            if others is None:
                hint = did_you_mean(dependency.job, named) or "known: " + ", ".join(list(named)[:20])
                verdict.complain(path, Complaint("unknown-job", f"no job is called {shown(dependency.job)}", hint))
            elif found:
                in_circle.update(found)
                verdict.complain(path, _circle(found))
            elif dependency.job not in judged and (fault := _never(dependency, others)):
                verdict.complain(path, Complaint("depends-never", f"{shown(dependency.job)} {fault[0]}", fault[1]))


def _path(index: int, place: int, dependency: Dependency, verdict: Verdict) -> Path:
    """Where a dependency is written: by its name, or by its place in an array."""
    whole: Path = ("jobs", index, "dependsOn")
    by_name: Path = (*whole, dependency.job)
    by_place: Path = (*whole, place)
    if verdict.source_map.has(by_name):
        return by_name
    if verdict.source_map.has(by_place):
        return by_place
    return whole if verdict.source_map.has(whole) else ("jobs", index, "bindsTo")


def _circle(names: Sequence[str]) -> Complaint:
    if len(names) == 1:
        return Complaint("depends-circle", "it depends on itself, so it never starts", "leave it out")
    following = (*names[1:], names[0])
    waits = ", ".join([f"{shown(one)} depends on {shown(other)}" for one, other in zip(names, following, strict=True)])
    return Complaint("depends-circle", f"{waits}, so none of them ever starts", "leave one of these dependencies out")


def _never(dependency: Dependency, others: Sequence[Job]) -> tuple[str, str] | None:
    """Why jobs never are what is asked of them, and what to do about it; None if they may be."""
    faults: Mapping[str, tuple[str, str] | None] = {
        "healthy": next(filter(None, map(_never_healthy, others)), None),
        "completed": next(filter(None, map(_never_completed, others)), None),
        "ended": next(filter(None, map(_never_ended, others)), None),
    }
    return faults.get(dependency.condition)


def _never_healthy(job: Job) -> tuple[str, str] | None:
    if any(check.asks for check in job.checks):
        return None
    return (
        "has no check, so it is never healthy",
        'give it health.exec, health.http or health.check, or write "started"',
    )


def _never_completed(job: Job) -> tuple[str, str] | None:
    if job.restarts.on == "success" and job.restarts.limit == UNLIMITED:
        return "ends for good only when it fails, so it is never completed", 'write "ended"'
    return _never_ended(job, "completed")


def _never_ended(job: Job, condition: str = "ended") -> tuple[str, str] | None:
    if job.command is None:
        return f"has no exec, so it is never {condition}", 'give it an exec, or write "started"'
    again = job.when.each or (isinstance(job.when.trigger, OnInterval) and job.restarts.limit == UNLIMITED)
    if again or never_ends(job.restarts):
        return f"never ends for good, so it is never {condition}", 'give it an end, or write "started"'
    return None
