"""Who has to stop before whom, and who waits for each other. Pure."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from corepilot.model.job import Job


def stop_order(
    hooks: Iterable[tuple[str, str]], wishes: Iterable[tuple[str, str]]
) -> tuple[dict[str, set[str]], list[tuple[str, str]]]:
    """What each job waits for at a stop, as far as that can be.

    A hook on another job's `stopping` or `stopped` cannot end before that job stops; a job with `stopAfter` does not
    stop before those that it names have. A wish that closes a circle is not granted: they would wait for each other.

    Args:
        hooks: Pairs of a hook's name and the name of its source.
        wishes: Pairs of a job's name and a name in its `stopAfter`, both names of jobs, in order.

    Returns:
        For each name that has any, the names whose end it waits for; and the wishes that were not granted.
    """
    needs: dict[str, set[str]] = {}
    for name, source in hooks:
        needs.setdefault(name, set()).add(source)
    granted: dict[str, set[str]] = {}
    refused: list[tuple[str, str]] = []
    for name, other in wishes:
        if _reaches(other, name, needs):
            refused.append((name, other))
            continue
        needs.setdefault(name, set()).add(other)
        granted.setdefault(name, set()).add(other)
    return granted, refused


def circle(name: str, other: str, needs: Mapping[str, set[str]]) -> list[str]:
    """The names of a circle that a need of one for another is a part of, in order from the first; empty without one."""
    before: dict[str, str] = {other: name}
    todo = deque([other])
    while todo:
        at = todo.popleft()
        if at == name:
            found = [name]
            while (at := before[at]) != name:
                found.append(at)
            return [name, *reversed(found[1:])]
        for following in sorted(needs.get(at, ())):
            if following not in before:
                before[following] = at
                todo.append(following)
    return []


def wishes_of(jobs: Sequence[Job]) -> list[tuple[str, str]]:
    """Who is to be stopped after whom, for `stop_order`: by `stopAfter`, and each job after those that depend on it."""
    names = {job.name for job in jobs}
    wishes = [(job.name, other) for job in jobs for other in job.stop.after if other in names]
    return wishes + [(one.job, job.name) for job in jobs for one in job.depends_on if one.job in names]


def _reaches(start: str, goal: str, needs: Mapping[str, set[str]]) -> bool:
    seen: set[str] = set()
    todo = [start]
    while todo:
        name = todo.pop()
        if name == goal:
            return True
        if name not in seen:
            seen.add(name)
            todo += needs.get(name, ())
    return False
