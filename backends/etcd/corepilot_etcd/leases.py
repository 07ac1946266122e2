"""Leases: what the store drops by itself when nobody keeps it alive (etcd.io/docs/v3.4/learning/api, "Lease API").

There is one lease for each TTL, which all registrations with that TTL share. It is kept alive for as long as one of
them is there. A leader that takes over gives every lease its full TTL again, so a lease lives longer than its TTL now
and then, never shorter.
"""

import os
from math import ceil

from corepilot_etcd.encoding import number, part
from corepilot_etcd.member import KEEP_ALIVE
from corepilot_etcd.refusals import LeaseGoneError, LeaseTakenError
from corepilot_etcd.single import Single
from corepilot_etcd.transport import Transport

_LEAST_S = 0.2


class Leases:
    """The leases of a backend's registrations.

    Args:
        transport: The cluster.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._leases: dict[int, Single[int]] = {}
        self._users: dict[int, set[str]] = {}
        self._ours: dict[int, int] = {}

    def lease_for(self, user: str, ttl_s: int) -> int:
        """The lease of everybody with this TTL; granted if there is none.

        Args:
            user: For whom; until `leave`. Nobody has two: one for another TTL is left.
            ttl_s: In seconds.

        Raises:
            BackendError: there may or may not be a lease; nobody has it.
        """
        for other in tuple(self._users):
            if other != ttl_s:
                self._leave(user, other)
        self._users.setdefault(ttl_s, set()).add(user)
        single = self._leases.setdefault(ttl_s, Single(lambda: self._grant(ttl_s)))
        lease = single.get()
        if self._leases.get(ttl_s) is single:  # else everybody has left meanwhile
            self._ours[lease] = ttl_s
        return lease

    def leave(self, user: str) -> None:
        """Somebody needs none any more. A lease that nobody needs expires."""
        for ttl_s in tuple(self._users):
            self._leave(user, ttl_s)

    def is_ours(self, lease: int) -> bool:
        """Whether it is one of these."""
        return lease in self._ours

    def kept(self) -> tuple[tuple[int, int], ...]:
        """All leases that are to be kept alive, each with its TTL."""
        return tuple((lease, ttl_s) for lease, ttl_s in self._ours.items())

    def forget(self, lease: int) -> None:
        """The store does not have it any more."""
        ttl_s = self._ours.pop(lease, None)
        if ttl_s is not None and ttl_s in self._leases:
            self._leases[ttl_s].drop(lease)

    def keep(self, lease: int, ttl_s: int) -> bool:
        """Keep one alive; whether it was there. One that was not is forgotten.

        Raises:
            BackendError: it is not known.
        """
        if keep_alive(self._transport, lease, ttl_s):
            return True
        self.forget(lease)
        return False

    def _grant(self, ttl_s: int) -> int:
        lease = new_number()
        grant(self._transport, lease, ttl_s)
        return lease

    def _leave(self, user: str, ttl_s: int) -> None:
        users = self._users.get(ttl_s, set())
        users.discard(user)
        if not users and self._users.pop(ttl_s, None) is not None:
            single = self._leases.pop(ttl_s, None)
            if single is not None and single.value is not None:
                self._ours.pop(single.value, None)


def new_number() -> int:
    """A number for a lease. We choose it, not the store: so a request whose answer was lost can be sent again."""
    return int.from_bytes(os.urandom(8), "big") >> 1 or 1


def grant(transport: Transport, lease: int, ttl_s: float) -> float:
    """Make a lease; for how many seconds it is, which may be more than was asked for.

    Raises:
        BackendError: there may or may not be one.
    """
    message = {"ID": str(lease), "TTL": str(ceil(ttl_s))}
    try:
        answer = transport.call("/v3/lease/grant", message)
    except LeaseTakenError:
        return float(ceil(ttl_s))  # by ourselves: an answer was lost
    with transport.reading():
        return float(max(number(answer, "TTL"), 1))


def keep_alive(transport: Transport, lease: int, ttl_s: float) -> float:
    """Give a lease its TTL again; the seconds of it, 0 if it is gone.

    A lease that is gone is answered like any other, without a TTL. A member that hangs must not use it up: after a
    quarter of the TTL the next one is asked.

    Raises:
        BackendError: it is not known.
    """
    answer = transport.call(KEEP_ALIVE, {"ID": str(lease)}, patience_s=max(ttl_s / 4, _LEAST_S))
    with transport.reading():
        return float(number(part(answer, "result"), "TTL"))


def revoke(transport: Transport, lease: int) -> None:
    """End a lease, and with it what is bound to it. Idempotent.

    Raises:
        BackendError: it may or may not be there.
    """
    try:
        transport.call("/v3/lease/revoke", {"ID": str(lease)})
    except LeaseGoneError:
        return
