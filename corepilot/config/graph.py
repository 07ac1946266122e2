"""Who has to stop before whom. Pure: names and sets of names."""

from collections.abc import Iterable, Mapping


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
