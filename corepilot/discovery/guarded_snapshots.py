"""The snapshots of a backend, made ours: a tuple of plain instances, sorted by id.

Called within the boundary, because what is looked at may be the plugin's code.
"""

from collections import Counter
from itertools import islice
from operator import lt
from typing import Any

from corepilot.http.time_slice import full_turn
from corepilot.model.service import Instance, Snapshot
from corepilot.plugin.boundary import WrongAnswerError
from corepilot.plugin.foreign import plain, shown

_STATUSES = ("passing", "warning", "critical")
_TEXT = {id(str)}
_AT_ONCE = 1000
"""Instances that are looked at between two turns of the hub."""


class Snapshots:
    """Takes the snapshots of one stream. Instances that were in the one before are known, and cost next to nothing."""

    def __init__(self) -> None:
        self._given: tuple[Any, ...] = ()  # as long as they are kept, their identities are theirs alone
        self._known: dict[int, Instance] = {}

    def take(self, found: Any) -> Snapshot:
        """See `snapshot_of`."""
        given, made = _instances(found, self._known)
        snapshot = _in_order(made)
        self._given, self._known = given, dict(zip(map(id, given), made, strict=True))
        if len(given) > _AT_ONCE:
            full_turn()  # who gets it has work with all of them, too
        return snapshot


def snapshot_of(found: Any) -> Snapshot:
    """A snapshot of ours.

    Raises:
        WrongAnswerError: it is none.
    """
    return _in_order(_instances(found, {})[1])


def _instances(found: Any, known: dict[int, Instance]) -> tuple[tuple[Any, ...], list[Instance]]:
    """What was given, and the instances it stands for. `known`: those of before, by the identity of what was given."""
    expected = "must yield tuples of corepilot.model.service.Instance"
    if not isinstance(found, tuple | list) or isinstance(found, Instance):
        raise WrongAnswerError(f"{expected}, and yielded {shown(found)}")
    # Not by an iterator of the plugin's, which may never end, and within C functions cannot be interrupted.
    given = tuple(tuple.__iter__(found) if isinstance(found, tuple) else list.__iter__(found))
    made: list[Instance] = []
    for start in range(0, len(given), _AT_ONCE):
        new = 0
        for one in given[start : start + _AT_ONCE]:
            instance = known.get(id(one))
            if instance is None:
                if not isinstance(one, Instance):
                    raise WrongAnswerError(f"{expected}, and yielded one with {shown(one)}")
                instance = _instance(one)
                new += 1
            made.append(instance)
        if new > _AT_ONCE // 2:
            full_turn()
    if len(made) > _AT_ONCE:
        full_turn()
    return given, made


def _in_order(made: list[Instance]) -> Snapshot:
    ids = [one.id for one in made]
    if all(map(lt, ids, islice(ids, 1, None))):
        return tuple(made)  # each is there once, and they are sorted: so most backends have them
    by_id = dict(zip(ids, made, strict=True))
    if len(by_id) < len(made):
        twice = Counter([one.id for one in made]).most_common(1)[0][0]
        raise WrongAnswerError(f"must yield each id once, and yielded {twice!r} twice")
    return tuple([by_id[identity] for identity in sorted(by_id)])


def _instance(found: Instance) -> Instance:
    """An instance with the types that its class declares, which it does not look at itself."""
    identity, service, address, port, status, tags = tuple.__iter__(found)
    plainly = type(found) is Instance and type(tags) is tuple and type(port) is int and 0 <= port < 65536
    # By identity: a class may have an `__eq__` as well.
    if plainly and {*map(id, map(type, (identity, service, address, status, *tags)))} == _TEXT and status in _STATUSES:
        return found  # as nearly all are
    wrong = ""
    if not all(isinstance(text, str) for text in (identity, service, address)):
        wrong = "id, service and address are texts"
    elif type(port) is not int or not 0 <= port < 65536:
        wrong = "port is a number from 0 to 65535"
    elif not isinstance(status, str) or plain(status) not in _STATUSES:
        wrong = f"status is one of {', '.join(_STATUSES)}"
    elif not isinstance(tags, tuple) or not all(isinstance(tag, str) for tag in tags):
        wrong = "tags are a tuple of texts"
    if wrong:
        raise WrongAnswerError(f"must yield instances whose {wrong}, and yielded {shown(found, 200)}")
    return Instance(
        plain(identity),
        plain(service),
        plain(address),
        port,
        plain(status),  # type: ignore[arg-type]  # judged
        tuple([plain(tag) for tag in tuple.__iter__(tags)]),
    )
