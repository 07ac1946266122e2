"""The agent's answer to /v1/health/service as a snapshot. Pure."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from corepilot.model.service import Instance, Snapshot, Status

_RANK: dict[str, tuple[int, Status]] = {
    "passing": (0, "passing"),
    "warning": (1, "warning"),
    "critical": (2, "critical"),
}


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
    found: list[tuple[str, Instance]] = []
    for entry in body:
        held = _object(entry, "Service")
        node = _object(entry, "Node").get("Node", "") if entry.get("Node") is not None else ""
        # What is absent or null is empty, as Go's decoder has it for ContainerPilot: not every agent is Consul's own.
        found.append((str(node), _instance(service, held, entry.get("Checks") or [])))
    seen = Counter(instance.id for _, instance in found)
    unique = {
        (one.id if seen[one.id] == 1 else f"{one.id}@{node}"): one
        for node, one in sorted(found, key=lambda pair: pair[0])
    }
    return tuple(
        sorted(Instance(name, one.service, one.address, one.port, one.status, one.tags) for name, one in unique.items())
    )


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
