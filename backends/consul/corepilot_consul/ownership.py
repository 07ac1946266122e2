"""Whether the record under an id is ours: two corepilots of one name on one agent overwrite each other's.

Consul has one record per agent and id, and the last registration wins (hashicorp/consul#19689). A heartbeat names the
id only, so it would keep the other's record passing after the other is dead. Therefore the record is read before each
heartbeat, and left alone where address or port are not ours.
"""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from corepilot.errors import BackendRefusedError, UnknownInstanceError
from corepilot.http.message import Response
from corepilot.http.percent import quoted
from corepilot.model.service import Registration, Status


class Place(NamedTuple):
    """Where an instance is."""

    address: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"


class Ownership:
    """What this client has registered, and what the agent holds under the same ids.

    Args:
        origin: The agent, for errors.
        service: Asks the agent for the record of a quoted id.
        checks: Asks it for the checks that match a filter expression.
    """

    def __init__(self, origin: str, service: Callable[[str], Response], checks: Callable[[str], Response]) -> None:
        self._origin = origin
        self._service, self._checks = service, checks
        self._ours: dict[str, Place] = {}
        self._strange: set[str] = set()

    def __contains__(self, instance_id: str) -> bool:
        return instance_id in self._ours

    def registered(self, registration: Registration) -> None:
        """An instance is about to be registered: the record will be ours."""
        self._ours[registration.id] = Place(registration.address, registration.port)
        self._strange.discard(registration.id)

    def deregistered(self, instance_id: str) -> None:
        """It has been taken out."""
        self._ours.pop(instance_id, None)
        self._strange.discard(instance_id)

    def require(self, instance_id: str, status: Status) -> None:
        """Return if the record is ours, or if there is none, or none that can be read: the heartbeat tells then.

        Args:
            instance_id: Whose record.
            status: What is to be reported. An instance that passes takes the id back from one that is critical.

        Raises:
            BackendRefusedError: somebody else's instance is registered under the id.
            UnknownInstanceError: it is, and is critical, so ours may be registered again.
        """
        ours = self._ours.get(instance_id)
        other = self._other(instance_id)
        if other is None:
            self._strange.discard(instance_id)
            return
        self._strange.add(instance_id)
        what = (
            f"cannot report on {instance_id} at {self._origin}: the agent holds {other} under this id, and not {ours}"
        )
        if status == "passing" and self._is_critical(instance_id):
            raise UnknownInstanceError(f"{what}; that one is critical")
        raise BackendRefusedError(
            f"{what}; two corepilots have the same name there: give each an `instance` of its own in the job"
        )

    def is_strange(self, instance_id: str) -> bool:
        """Whether the record is somebody else's; asked only where it was when we last looked."""
        return instance_id in self._strange and self._other(instance_id) is not None

    def _other(self, instance_id: str) -> Place | None:
        ours = self._ours.get(instance_id)
        if ours is None:
            return None  # registered by a client before this one
        try:
            held = json.loads(self._service(quoted(instance_id)).body)
        except (BackendRefusedError, ValueError, RecursionError):
            return None
        if not isinstance(held, dict) or not isinstance(held.get("Port"), int):
            return None
        there = Place(str(held.get("Address", "")), held["Port"])
        return None if there == ours else there

    def _is_critical(self, instance_id: str) -> bool:
        try:
            found: Any = json.loads(self._checks(f"ServiceID == {json.dumps(instance_id, ensure_ascii=False)}").body)
        except (BackendRefusedError, ValueError, RecursionError):
            return False
        checks = list(found.values()) if isinstance(found, dict) else []
        return any(isinstance(check, dict) and check.get("Status") == "critical" for check in checks)
