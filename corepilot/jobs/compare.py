"""What a reload does with each job: the old and the new configuration compared. Pure.

Compared is what is configured: not the environment that jobs inherit, nor what was put into it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from corepilot.model.job import Job, JobKey
from corepilot.model.value import Value

Kind = Literal["unchanged", "updated", "restarted", "renewed", "added", "removed"]

CONSEQUENCES: dict[Kind, str] = {
    "unchanged": "goes on",
    "updated": "keeps its process",
    "restarted": "is stopped and run again",
    "renewed": "is stopped, and begins as a new job",
    "added": "begins",
    "removed": "is stopped",
}
"""What each kind of change means for a job that runs, in words."""


class JobChange(Value):
    """What becomes of one job.

    Attributes:
        kind: "updated": it keeps its process. "restarted": it is stopped and run again. "renewed": what starts it has
            changed, so it begins as a new job.
        old: Its key so far, or None.
        new: Its key from now on, or None.
        settings: The fields of `Job` that differ, with their old and new values.
    """

    kind: Kind
    old: JobKey | None
    new: JobKey | None
    settings: tuple[tuple[str, object, object], ...] = ()

    def concerns(self, names: frozenset[str]) -> bool:
        """Whether one of these fields differs."""
        return any(name in names for name, _, _ in self.settings)


def compare_jobs(
    old: Sequence[tuple[JobKey, Job]], new: Sequence[tuple[JobKey, Job]], *, restart_all: bool = False
) -> tuple[JobChange, ...]:
    """What becomes of each job: the new ones in their order, then those that are removed.

    Jobs that share a name are matched by equal content, then by position.

    Args:
        old: What runs.
        new: What is to run.
        restart_all: Every job that stays is restarted.
    """
    candidates: dict[str, list[tuple[JobKey, Job]]] = {}
    for one in old:
        candidates.setdefault(one[0].name, []).append(one)
    same = [_take_equal(candidates.get(key.name, []), job) for key, job in new]
    changes = []
    for (key, job), equal in zip(new, same, strict=True):
        left = candidates.get(key.name)
        before = equal or (left.pop(0) if left else None)
        if before is None:
            changes.append(JobChange("added", None, key, ()))
            continue
        settings = differences(before[1], job) if equal is None else ()
        kind = _kind({name for name, _, _ in settings})
        if restart_all and kind != "renewed":
            kind = "restarted"
        changes.append(JobChange(kind, before[0], key, settings))
    # What is left has no successor; the order is that of the old configuration.
    removed = {id(one) for left in candidates.values() for one in left}
    changes += [JobChange("removed", one[0], None, ()) for one in old if id(one) in removed]
    return tuple(changes)


def differences(old: Value, new: Value) -> tuple[tuple[str, object, object], ...]:
    """The fields that differ between two values of one class, with their old and new contents."""
    if old == new:
        return ()
    names: tuple[str, ...] = type(old).__match_args__
    pairs = zip(names, old, new, strict=True)
    return tuple([(name, one, other) for name, one, other in pairs if name not in old.ignored and one != other])


def _kind(settings: set[str]) -> Kind:
    if not settings:
        return "unchanged"
    if settings & {"when", "lock"}:
        return "renewed"
    return "restarted" if settings & {"command", "ready"} else "updated"


def _take_equal(candidates: list[tuple[JobKey, Job]], job: Job) -> tuple[JobKey, Job] | None:
    """The first candidate that equals a job, taken out of them."""
    for index, one in enumerate(candidates):
        if one[1] == job:
            return candidates.pop(index)
    return None
