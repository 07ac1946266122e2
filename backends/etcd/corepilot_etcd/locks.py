"""The facet `locks`: `<prefix>/locks/<name>`, made by whoever finds it absent, under a lease of its own.

The recipe is the one of etcd's own client (etcd.io/docs/v3.4/learning/why, "etcd lock"), without its queue: corepilot
asks again when the lock is free. The key's create revision is the token: a later holder's key was created at a later
revision. Whatever an answer that was lost has done is bound to the lease, whose number we chose before.
"""

from collections.abc import Iterator
from contextlib import closing

from corepilot.discovery.locks import Locks
from corepilot.errors import LockLostError
from corepilot.model.catalog import Grant
from corepilot_etcd.encoding import Found, Span, found_in, found_otherwise, parts, revision_of, text_of
from corepilot_etcd.leases import grant, keep_alive, new_number, revoke
from corepilot_etcd.mirror import Mirror
from corepilot_etcd.pulse import Pulse
from corepilot_etcd.refusals import LeaseGoneError
from corepilot_etcd.transport import Transport

_TRIES = 3


class _Claim:
    """What we may have of one lock.

    Attributes:
        lease: The number of its lease, which may not be there (any more).
        ttl_s: What was asked for.
        token: Of the lock, while it is ours; 0 before.
    """

    __slots__ = ("lease", "token", "ttl_s")

    def __init__(self, ttl_s: float) -> None:
        self.lease, self.ttl_s, self.token = new_number(), ttl_s, 0


class EtcdLocks(Locks):
    """Locks in etcd. See `corepilot.discovery.locks.Locks` for what the methods promise.

    Args:
        transport: The cluster.
        prefix: Where corepilot's own keys are.
        pulse: Looks after watches.
    """

    def __init__(self, transport: Transport, prefix: str, pulse: Pulse) -> None:
        self._transport, self._prefix, self._pulse = transport, prefix, pulse
        self._claims: dict[str, _Claim] = {}

    def acquire(self, name: str, holder: str, ttl_s: float, delay_s: float) -> Grant | None:  # noqa: ARG002
        """Look, and take the lock if it is free. While it is not, this is one read."""
        span = self._span(name)
        for _ in range(_TRIES):
            found = self._look(span)
            claim = self._claims.get(name)
            if found is not None and (claim is None or found.lease != claim.lease):
                return None
            if claim is not None and found is None and claim.ttl_s != ttl_s:
                self.release(name)
                claim = None
            if claim is None:
                claim = self._claims[name] = _Claim(ttl_s)
                left_s = grant(self._transport, claim.lease, ttl_s)
            else:
                left_s = keep_alive(self._transport, claim.lease, claim.ttl_s)
            if left_s and found is None:
                found = self._take(span, holder, claim)
            if not left_s or found is None:
                self._claims.pop(name, None)  # its lease is gone
                continue
            if found.lease != claim.lease:
                return None
            claim.token = found.created
            return Grant(found.created, min(float(ttl_s), claim.ttl_s, left_s))
        return None  # it changes hands as fast as we look

    def keep(self, name: str) -> float:
        """Keep the lease alive, and see that the key is still there."""
        span = self._span(name)
        claim = self._claims.get(name)
        if claim is None or not claim.token:
            raise LockLostError(f"cannot keep the lock {name}: it is not held")
        left_s = keep_alive(self._transport, claim.lease, claim.ttl_s)
        found = self._look(span) if left_s else None
        if found is None or (found.lease, found.created) != (claim.lease, claim.token):
            claim.token = 0
            why = "its lease has expired" if not left_s else "its key was deleted or written by somebody else"
            raise LockLostError(f"cannot keep the lock {name}: {why}")
        return min(claim.ttl_s, left_s)

    def release(self, name: str) -> None:
        """Revoke the lease, and with it the key."""
        self._span(name)
        claim = self._claims.get(name)
        if claim is not None:
            claim.token = 0
            revoke(self._transport, claim.lease)
            if self._claims.get(name) is claim:
                del self._claims[name]

    def watch(self, name: str) -> Iterator[str | None]:
        """A read, then a watch. Nothing is sent before the first `next`."""
        mirror = Mirror(self._transport, self._span(name), lambda found: (found.value.decode("utf-8", "replace"),))
        with closing(self._pulse.follow(mirror)) as stream:
            for holders in stream:
                yield holders[0][0] if holders else None

    def _span(self, name: str) -> Span:
        return Span(f"{self._prefix}/locks/{name}".encode())

    def _look(self, span: Span) -> Found | None:
        answer = self._transport.call("/v3/kv/range", span.message())
        with self._transport.reading():
            return next((found_in(message) for message in parts(answer, "kvs")), None)

    def _take(self, span: Span, holder: str, claim: _Claim) -> Found | None:
        """Make the key if it is absent; what is there then. None: the lease is gone."""
        key = text_of(span.key)
        put = {"key": key, "value": text_of(holder.encode("utf-8", "replace")), "lease": str(claim.lease)}
        message = {
            "compare": [{"key": key, "target": "CREATE", "result": "EQUAL", "create_revision": "0"}],
            "success": [{"request_put": put}],
            "failure": [{"request_range": {"key": key}}],
        }
        try:
            answer = self._transport.call("/v3/kv/txn", message)
        except LeaseGoneError:
            return None
        with self._transport.reading():
            if answer.get("succeeded"):
                created = revision_of(answer)
                return Found(span.key, holder.encode("utf-8", "replace"), claim.lease, created, created)
            return found_otherwise(answer)
