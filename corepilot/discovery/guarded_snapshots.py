"""The snapshots of a backend, made ours: a tuple of plain instances, sorted by id.

Called within the boundary, because what is looked at may be the plugin's code.
"""

from collections import Counter
from itertools import compress, count, islice
from operator import is_, is_not, lt
from typing import Any

from corepilot.http.time_slice import full_turn
from corepilot.model.service import Instance, Snapshot
from corepilot.plugin.boundary import WrongAnswerError
from corepilot.plugin.foreign import plain, shown

_STATUSES = ("passing", "warning", "critical")
_TEXT = {id(str)}
_EXPECTED = "must yield tuples of corepilot.model.service.Instance"
_AT_ONCE = 1000
"""Instances that are looked at between two turns of the hub."""
_FEW = 16
"""Changes in a list of so many places at most are looked at alone."""


class Snapshots:
    """Takes the snapshots of one stream. Instances that were in the one before are known, and cost next to nothing."""

    def __init__(self) -> None:
        self._given: tuple[Any, ...] = ()  # as long as they are kept, their identities are theirs alone
        self._made: list[Instance] = []  # what each of them stands for
        self._are_sorted = False

    def take(self, found: Any) -> Snapshot:
        """See `snapshot_of`."""
        given = _given(found)
        replaced = self._replaced(given)
        if replaced is None:
            made = _instances(given, dict(zip(map(id, self._given), self._made, strict=True)))
            snapshot = _in_order(made)
            are_sorted = all(map(is_, snapshot, made))
        else:
            known = {id(self._given[place]): self._made[place] for place in replaced}
            made, are_sorted = list(self._made), self._are_sorted
            for place in replaced:
                one = given[place]
                made[place] = instance = known.get(id(one)) or _judged(one)
                are_sorted = are_sorted and instance.id == self._made[place].id
            snapshot = tuple(made) if are_sorted else _in_order(made)
        self._given, self._made, self._are_sorted = given, made, are_sorted
        if len(given) > _AT_ONCE:
            full_turn()  # who gets it has work with all of them, too
        return snapshot

    def _replaced(self, given: tuple[Any, ...]) -> list[int] | None:
        """The places of the instances that are new, if the list is otherwise that of before; None if it is not."""
        if len(given) != len(self._given):
            return None
        found = list(islice(compress(count(), map(is_not, given, self._given)), _FEW + 1))
        return found if len(found) <= _FEW else None


def snapshot_of(found: Any) -> Snapshot:
    """A snapshot of ours.

    Raises:
        WrongAnswerError: it is none.
    """
    return _in_order(_instances(_given(found), {}))


def _given(found: Any) -> tuple[Any, ...]:
    """The members of a list."""
    if not isinstance(found, tuple | list) or isinstance(found, Instance):
        raise WrongAnswerError(f"{_EXPECTED}, and yielded {shown(found)}")
    # Not by an iterator of the plugin's, which may never end, and within C functions cannot be interrupted.
    return tuple(tuple.__iter__(found) if isinstance(found, tuple) else list.__iter__(found))


def _instances(given: tuple[Any, ...], known: dict[int, Instance]) -> list[Instance]:
    """The instances that it stands for. `known`: those of before, by the identity of what was given."""
    made: list[Instance] = []
    for start in range(0, len(given), _AT_ONCE):
        new = 0
        for one in given[start : start + _AT_ONCE]:
            instance = known.get(id(one))
            if instance is None:
                instance = _judged(one)
                new += 1
            made.append(instance)
        if new > _AT_ONCE // 2:
            full_turn()
    if len(made) > _AT_ONCE:
        full_turn()
    return made


def _in_order(made: list[Instance]) -> Snapshot:
    ids = [one.id for one in made]
    if all(map(lt, ids, islice(ids, 1, None))):
        return tuple(made)  # each is there once, and they are sorted: so most backends have them
    by_id = dict(zip(ids, made, strict=True))
    if len(by_id) < len(made):
        twice = Counter([one.id for one in made]).most_common(1)[0][0]
        raise WrongAnswerError(f"must yield each id once, and yielded {twice!r} twice")
    return tuple([by_id[identity] for identity in sorted(by_id)])


def _judged(found: Any) -> Instance:
    """An instance with the types that its class declares, which it does not look at itself."""
    if not isinstance(found, Instance):
        raise WrongAnswerError(f"{_EXPECTED}, and yielded one with {shown(found)}")
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
