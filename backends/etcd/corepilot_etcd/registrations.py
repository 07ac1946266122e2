"""What this process has registered: each instance a key under a lease, written only over what we know to be there.

Every write is a transaction that compares the key's revision (etcd.io/docs/v3.4/learning/api, "Transaction"). So a
request that we gave up, and that a server which was paused carries out later, changes nothing any more; a report that
repeats the last one is a question and no write; and a key that somebody else has written meanwhile is noticed.
"""

from collections import deque
from time import monotonic

from corepilot.errors import BackendError, BackendRefusedError, BackendUnavailableError, UnknownInstanceError
from corepilot.model.service import Registration, Status
from corepilot_etcd.encoding import Found, found_otherwise, revision_of, text_of
from corepilot_etcd.leases import Leases
from corepilot_etcd.record import instance_key, instance_of, record_of
from corepilot_etcd.refusals import LeaseGoneError
from corepilot_etcd.transport import Transport

_TRIES = 5
_DOUBTS = 64


class _Record:
    """One instance of ours.

    Attributes:
        key: Its key.
        registration: What was asked for.
        status: What the key is to say.
        output: What the check said when the status changed.
        expires_at: When it turns critical unless it is reported on, on the monotonic clock.
        lease: The lease it was written with last; 0 before that.
        revision: The key's, as far as we know; 0: there is none.
        written: What the key holds, as far as we know.
        leaving: Whether it is being deregistered, or was.
        doubtful: Whether a write was given up: it may still be carried out.
    """

    __slots__ = (
        "doubtful", "expires_at", "key", "lease", "leaving", "output", "registration", "revision",
        "status", "written",
    )  # fmt: skip

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.registration: Registration
        self.status: Status = "critical"
        self.output = ""
        self.expires_at = 0.0
        self.lease = self.revision = 0
        self.written = b""
        self.leaving = self.doubtful = False


class Registrations:
    """The instances of a backend.

    Args:
        transport: The cluster.
        leases: Where each gets its lease.
        prefix: Where the keys are.
    """

    def __init__(self, transport: Transport, leases: Leases, prefix: str) -> None:
        self._transport, self._leases, self._prefix = transport, leases, prefix
        self._records: dict[str, _Record] = {}
        self._doubts: deque[_Record] = deque(maxlen=_DOUBTS)

    def register(self, registration: Registration, status: Status, output: str) -> None:
        """See `Backend.register`."""
        key = instance_key(self._prefix, registration)
        record = self._records.get(registration.id)
        if record is None or record.key != key:
            if record is not None:
                self.deregister(registration.id)
            record = self._records[registration.id] = _Record(key)
        record.registration, record.status, record.output = registration, status, output
        record.expires_at = monotonic() + registration.ttl_s
        record.leaving = False
        for _ in range(2):
            record.lease = self._leases.lease_for(registration.id, registration.ttl_s)
            record.written = b""
            try:
                self._write(record, register=True)
            except LeaseGoneError:
                self._leases.forget(record.lease)
            else:
                return
        raise BackendUnavailableError(
            f"cannot register {registration.id} at {self._transport.origin}: its lease is gone"
        )

    def report(self, instance_id: str, status: Status, output: str, valid_for_s: float) -> None:
        """See `Backend.report`."""
        record = self._known(instance_id)
        if record.status != status:
            record.status, record.output = status, output
        record.expires_at = monotonic() + valid_for_s
        try:
            self._write(record, register=False)
        except LeaseGoneError:
            self._leases.forget(record.lease)
            raise self._unknown(instance_id) from None

    def deregister(self, instance_id: str) -> None:
        """See `Backend.deregister`. What somebody else has written in its place stays."""
        record = self._records.get(instance_id)
        if record is None:
            return
        record.leaving = True
        self._delete(record)
        if self._records.get(instance_id) is record:
            del self._records[instance_id]
            self._leases.leave(instance_id)
            if record.doubtful:
                self._doubts.append(record)

    def lapse(self) -> float | None:
        """Turn critical what nobody has reported on in time.

        Returns:
            When the next one will lapse, on the monotonic clock; None if none can.

        Raises:
            BackendError: some may be left.
        """
        for record in tuple(self._records.values()):
            if _can_lapse(record) and record.expires_at <= monotonic():
                record.status, record.output = "critical", "nobody has reported in time"
                try:
                    self._write(record, register=False)
                except (UnknownInstanceError, LeaseGoneError, BackendRefusedError):
                    continue  # the next report finds it out as well
        return min((one.expires_at for one in self._records.values() if _can_lapse(one)), default=None)

    def settle(self) -> None:
        """Delete what was written after it had been deleted: by a request that we gave up, carried out late.

        Asked for as long as the lease is kept alive, because a server may have been paused for that long.

        Raises:
            BackendError: something may be left.
        """
        for record in tuple(self._doubts):
            back = self._records.get(record.registration.id)
            if not self._leases.is_ours(record.lease) or (back is not None and back.key == record.key):
                self._doubts.remove(record)
            else:
                self._delete(record)

    def _delete(self, record: _Record) -> None:
        for _ in range(_TRIES):
            found = self._if_unchanged(record, [{"request_delete_range": {"key": text_of(record.key)}}])[1]
            if found is None or not self._is_ours(record, found):
                return
            record.revision = found.modified
        raise self._restless(record)

    def _known(self, instance_id: str) -> _Record:
        record = self._records.get(instance_id)
        if record is None or record.leaving:
            raise self._unknown(instance_id)
        return record

    def _write(self, record: _Record, *, register: bool) -> None:
        """Make the key hold what it is to hold, or find that it does."""
        for _ in range(_TRIES):
            value = record_of(record.registration, record.status, record.output)
            put = {"key": text_of(record.key), "value": text_of(value), "lease": str(record.lease)}
            same = value == record.written and record.revision
            doubtful, record.doubtful = record.doubtful, record.doubtful or not same
            revision, found = self._if_unchanged(record, [] if same else [{"request_put": put}])
            record.doubtful = doubtful
            if revision:
                record.revision, record.written = (record.revision if same else revision), value
                return
            record.written = b""
            if found is None:
                record.revision = 0
                if not register:
                    raise self._unknown(record.registration.id)
            elif register or self._is_ours(record, found):
                record.revision = found.modified
            else:
                raise self._taken(record, found)
        raise self._restless(record)

    def _if_unchanged(self, record: _Record, operations: list[dict[str, object]]) -> tuple[int, Found | None]:
        """Do something with the key if it has the revision that we know.

        Returns:
            The store's revision and None if it was done; else 0 and what the key holds, None for nothing.
        """
        key = text_of(record.key)
        compare = {"key": key, "target": "MOD", "result": "EQUAL", "mod_revision": str(record.revision)}
        failure = [{"request_range": {"key": key}}]
        answer = self._transport.call("/v3/kv/txn", {"compare": [compare], "success": operations, "failure": failure})
        with self._transport.reading():
            if answer.get("succeeded"):
                return revision_of(answer), None
            return 0, found_otherwise(answer)

    def _is_ours(self, record: _Record, found: Found) -> bool:
        return found.lease != 0 and (found.lease == record.lease or self._leases.is_ours(found.lease))

    def _taken(self, record: _Record, found: Found) -> BackendError:
        """Somebody else has registered under our id. Two that take it from each other for ever help nobody."""
        ours = record.registration
        what = f"cannot report on {ours.id} at {self._transport.origin}: another client has registered it since"
        try:
            other = instance_of(ours.service, b"other", found.value)
        except ValueError:
            return BackendRefusedError(f"{what}, and what it wrote is no instance; delete {record.key.decode()}")
        if other.status == "critical" and record.status == "passing":
            return UnknownInstanceError(f"{what}, and that one is critical")
        return BackendRefusedError(
            f"{what}, for {other.address}:{other.port}, and that is left alone; "
            "if it is not this corepilot after a restart, give each of the two an `instance` of its own in the job"
        )

    def _unknown(self, instance_id: str) -> UnknownInstanceError:
        return UnknownInstanceError(f"cannot report on {instance_id}: {self._transport.origin} does not hold it")

    def _restless(self, record: _Record) -> BackendUnavailableError:
        return BackendUnavailableError(
            f"cannot write {record.key.decode()} at {self._transport.origin}: others keep writing it"
        )


def _can_lapse(record: _Record) -> bool:
    return record.status != "critical" and not record.leaving and record.revision != 0
