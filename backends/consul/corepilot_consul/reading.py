"""The agent's answer to /v1/health/service as a snapshot.

An answer is whole every time: 2 KB for each instance, 10 MB for 5,000, of which a change concerns one or two. So the
body is cut where its elements begin, and only those are parsed whose bytes have not been seen before.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any

from corepilot.http.time_slice import TimeSlice, full_turn
from corepilot.model.service import Instance, Snapshot, Status
from corepilot_consul.elements import each, parse, pieces

_RANK: dict[str, tuple[int, Status]] = {
    "passing": (0, "passing"),
    "warning": (1, "warning"),
    "critical": (2, "critical"),
}

_MANY = 1000
"""So many instances are a millisecond of work for the watcher."""

Found = tuple[str, Instance]
"""A node's name, and an instance on it."""


class ServiceReader:
    """Reads one answer after the other to the same question. It remembers the instances of the last one.

    Args:
        service: The name that is asked for.
    """

    def __init__(self, service: str) -> None:
        self._service = service
        self._seen: dict[int, Found] = {}
        self._found: list[Found] = []
        self._snapshot: Snapshot = ()

    def read(self, body: bytes) -> Snapshot:
        """The snapshot that a body tells. Switches to the hub when it takes long.

        Raises:
            ValueError: it is not what Consul answers. Says how, without quoting it.
        """
        pause = TimeSlice().check
        found = self._known(body, pause)
        if found is None:
            self._seen = {}
            found = [_found(self._service, entry) for entry in each(body, pause)]
        if found != self._found or not found:
            self._snapshot = _snapshot(found)
            self._found = found
            if len(found) > _MANY:
                full_turn()  # whoever takes the snapshot looks at all of it once more
        return self._snapshot

    def _known(self, body: bytes, pause: Callable[[], object]) -> list[Found] | None:
        """What the pieces of a body say; None if it cannot be cut.

        A piece is recognised by its hash: 64 bits under a key that is drawn at every start, so that among 10,000 pieces
        a changed one is taken for an old one once in 10^15 answers. The pieces themselves would be 10 MB.
        """
        before, seen, found = self._seen, {}, []
        for piece in pieces(body):
            key = hash(piece)
            one = before.get(key)
            if one is None:
                try:
                    entry = parse(piece)
                except ValueError:
                    return None  # cut in the wrong place, or no JSON: the whole of it tells
                one = _found(self._service, entry)
            seen[key] = one
            found.append(one)
            pause()
        self._seen = seen
        return found or None


def misses(before: Snapshot, after: Snapshot) -> bool:
    """Whether an instance has gone."""
    return not {one.id for one in before} <= {one.id for one in after}


def snapshot_of(service: str, body: Any) -> Snapshot:
    """All instances of a service, sorted by id, with the worst status of each one's checks, the node's included.

    An empty service address stays empty: ContainerPilot does not put the node's in its place (contract, section 7.4).
    Case does not count in Consul's names and ids, so a watch on "Web" also shows what registered as "web". Ids are
    unique per node only: of several instances with one id, each is shown as `id@node`.

    Args:
        service: The name that was asked for.
        body: The parsed body of the answer.

    Raises:
        ValueError: it is not what Consul answers. Says how, without quoting it.
    """
    if not isinstance(body, list):
        raise ValueError("it is not a list")  # noqa: TRY004  - the type of the answer, not of an argument
    return _snapshot([_found(service, entry) for entry in body])


def _snapshot(found: list[Found]) -> Snapshot:
    seen = Counter([instance.id for _, instance in found])
    if len(seen) < len(found):
        unique = {
            (one.id if seen[one.id] == 1 else f"{one.id}@{node}"): one for node, one in sorted(found, key=itemgetter(0))
        }
        instances = [one if one.id == name else one.changed(id=name) for name, one in unique.items()]
    else:
        instances = [one for _, one in found]
    return tuple(sorted(instances, key=itemgetter(0)))


def _found(service: str, entry: Any) -> Found:
    held = _object(entry, "Service")
    node = _object(entry, "Node").get("Node", "") if entry.get("Node") is not None else ""
    # What is absent or null is empty, as Go's decoder has it for ContainerPilot: not every agent is Consul's own.
    return str(node), _instance(service, held, entry.get("Checks") or [])


def _object(entry: Any, key: str) -> dict[str, Any]:
    value = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(value, dict):
        raise ValueError(f"an entry has no {key}")  # noqa: TRY004  - as above
    return value


def _instance(service: str, held: dict[str, Any], checks: Any) -> Instance:
    identifier, address, port, tags = held.get("ID"), held.get("Address", ""), held.get("Port", 0), held.get("Tags")
    right = isinstance(identifier, str) and isinstance(address, str) and type(port) is int
    if not right or not _is_list_of_text(tags or []):
        raise ValueError("an instance has a field of the wrong type")
    if not isinstance(checks, list) or not all(isinstance(check, dict) for check in checks):
        raise ValueError("an instance has no list of checks")
    return Instance(
        str(identifier), service, address, port, _worst(check.get("Status") for check in checks), tuple(tags or ())
    )


def _worst(statuses: Iterable[Any]) -> Status:
    """The worst of them; one that we do not know counts as critical, none at all as passing (Consul's own rule)."""
    ranks = [
        _RANK.get(status, _RANK["critical"]) if isinstance(status, str) else _RANK["critical"] for status in statuses
    ]
    return max(ranks, default=_RANK["passing"])[1]


def _is_list_of_text(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)
