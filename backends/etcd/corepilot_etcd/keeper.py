"""The greenlet that keeps leases alive, and turns instances critical on which nobody reports any more."""

from collections.abc import Callable
from time import monotonic

import gevent
from gevent.event import Event

from corepilot.errors import BackendError
from corepilot_etcd.leases import Leases

_AGAIN_S = 1.0
_FAR_S = 3600.0


class Keeper:
    """Does what is due. It runs from the first `start` to `close`.

    Args:
        leases: Whose leases are kept alive every third of their TTL.
        lapse: Turns critical what has lapsed, and tells when the next one will, on the monotonic clock; None: never.
            May raise a BackendError: then it is called again soon.
        settle: Called whenever a lease has been kept alive. May raise a BackendError.
        log: Takes a level and a message.
    """

    def __init__(
        self,
        leases: Leases,
        lapse: Callable[[], float | None],
        settle: Callable[[], None],
        log: Callable[[str, str], None],
    ) -> None:
        self._leases, self._lapse, self._settle, self._log = leases, lapse, settle, log
        self._due: dict[int, float] = {}
        self._wake = Event()
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def start(self) -> None:
        """Look again: there may be a new lease, or an instance that lapses sooner."""
        self._wake.set()
        if self._greenlet is None:
            self._greenlet = gevent.spawn(self._run)

    def close(self) -> None:
        """End the greenlet. Idempotent, does not wait."""
        if self._greenlet is not None:
            self._greenlet.kill(block=False)

    def _run(self) -> None:
        while True:
            self._wake.clear()
            due = min((self._keep(), self._look_for_lapses()))
            self._wake.wait(max(0.0, due - monotonic()))

    def _keep(self) -> float:
        """Keep alive what is due; returns when the next one is."""
        kept = self._leases.kept()
        self._due = {lease: self._due.get(lease, monotonic() + ttl_s / 3) for lease, ttl_s in kept}
        for lease, ttl_s in kept:
            if self._due[lease] > monotonic():
                continue
            begun = monotonic()
            try:
                alive = self._leases.keep(lease, ttl_s)
                self._settle()
            except BackendError as error:
                self._log("debug", f"cannot keep a lease of {ttl_s} s alive: {error}; trying again")
                self._due[lease] = begun + min(_AGAIN_S, ttl_s / 6)
                continue
            if not alive:
                self._log("debug", f"a lease of {ttl_s} s is gone; what was registered with it is, too")
            self._due[lease] = begun + ttl_s / 3
        return min(self._due.values(), default=monotonic() + _FAR_S)

    def _look_for_lapses(self) -> float:
        try:
            due = self._lapse()
        except BackendError as error:
            self._log("debug", f"cannot turn an instance critical: {error}; trying again")
            return monotonic() + _AGAIN_S
        return monotonic() + _FAR_S if due is None else due
