"""What a watch knows, and when it is the same to a job.

What counts as a change of a service is ContainerPilot's rule (contract, section 7.4): the passing instances, sorted by
id, differ in number, or pairwise in address or port. Ids, tags and the others' statuses do not count. Of keys, what
counts is which there are and what they hold. A service may be looked for in several catalogs at once: `combined` makes
one list of theirs. Pure.
"""

from collections.abc import Iterable

from corepilot.model.service import Instance, Snapshot, Status

_RANK: dict[Status, int] = {"passing": 0, "warning": 1, "critical": 2}


def combined(lists: Iterable[Snapshot]) -> Snapshot:
    """One list of several catalogs': same address and port is the same instance, and its best status counts.

    An instance keeps its id and its tags from the catalog with the better status, of equals from the one that is named
    first. Two that differ in address or port and share an id are told apart by number.
    """
    every = list(lists)
    if len(every) < 2:
        return every[0] if every else ()
    best: dict[tuple[str, int], Instance] = {}
    for one in (one for snapshot in every for one in snapshot):
        known = best.get((one.address, one.port))
        if known is None or _RANK[one.status] < _RANK[known.status]:
            best[one.address, one.port] = one
    found: dict[str, Instance] = {}
    for one in best.values():
        identity, number = one.id, 1
        while identity in found:
            number += 1
            identity = f"{one.id}#{number}"
        found[identity] = one if identity == one.id else one.changed(id=identity)
    return tuple(sorted(found.values()))


def alike(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
    """Whether it is the same to a job. Of instances that is where they are, whatever else is known of them.

    They are compared as they are: a list of places, made anew for each of 10,000 instances, is what takes longest.
    """
    return one == other or (len(one) == len(other) and all(map(_is_alike, one, other)))


def _is_alike(one: object, other: object) -> bool:
    if isinstance(one, Instance) and isinstance(other, Instance):
        return one is other or (one.port == other.port and one.address == other.address)
    return one == other
