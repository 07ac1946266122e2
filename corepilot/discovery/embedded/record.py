"""What an instance's file says: one line that proves the rest (`framing`), then one JSON object.

    corepilot-instance 1 9ae0daaf 000214
    {"id": "web-a", "service": "web", "address": "10.0.0.1", "port": 80, …}

Holders write a record with one pwrite(2) over the old one. Readers take no lock against that, so they may see half of
each; the checksum tells.
"""

import json
from dataclasses import asdict, dataclass

from corepilot.discovery.embedded.framing import LIMIT_BYTES, ForeignRecordError, TornError, frame, unframe
from corepilot.model.service import Instance, Registration, Status

__all__ = ["LIMIT_BYTES", "LONGEST_S", "ForeignRecordError", "Record", "TornError", "decode", "encode", "is_number"]

_MAGIC = b"corepilot-instance"
_STATUSES = frozenset(("passing", "warning", "critical"))
LONGEST_S = 1e9
"""The most that a number of seconds may be, here and in what others wrote: thirty years, and every sum is still exact
to the microsecond."""
_LARGEST_COUNT = 2**63


@dataclass(frozen=True, slots=True)
class Record:
    """One instance, as its holder tells it.

    Attributes:
        id: `Registration.id`.
        service: `Registration.service`.
        address: `Registration.address`.
        port: `Registration.port`.
        tags: `Registration.tags`.
        notes: `Registration.notes`, for people.
        status: As reported last.
        output: What the check said, for people.
        since: When it was registered, by `BootClock`: of two holders of one id the later one counts.
        until: When it lapses unless it is rewritten, by `BootClock`.
        valid_for_s: How long it was good for when it was written.
        boot: `BootClock.boot` of the holder.
        sequence: How often it was rewritten: readers with another boot's clock see from it that the holder lives.
        pid: The holder, in its own PID namespace, for people.
    """

    id: str
    service: str
    address: str
    port: int
    tags: tuple[str, ...]
    notes: str
    status: Status
    output: str
    since: float
    until: float
    valid_for_s: float
    boot: str
    sequence: int
    pid: int

    @classmethod
    def of(
        cls, registration: Registration, status: Status, output: str, *, now: float, boot: str, pid: int
    ) -> "Record":
        """The record of a new registration."""
        valid_for_s = min(registration.ttl_s, LONGEST_S / 2)
        return cls(
            id=registration.id,
            service=registration.service,
            address=registration.address,
            port=registration.port,
            tags=registration.tags,
            notes=registration.notes,
            status=status,
            output=output,
            since=now,
            until=now + valid_for_s,
            valid_for_s=valid_for_s,
            boot=boot,
            sequence=0,
            pid=pid,
        )

    def instance(self, *, lapsed: bool) -> Instance:
        """The instance as the catalog tells it; one that lapsed is critical."""
        return Instance(
            self.id, self.service, self.address, self.port, "critical" if lapsed else self.status, self.tags
        )


def encode(record: Record, fill_to: int = 0) -> bytes:
    """The bytes of a record.

    Args:
        record: What to say.
        fill_to: Length of what it is written over, so that nothing of that is left behind.

    Raises:
        ValueError: it would be longer than LIMIT_BYTES.
    """
    data = frame(_MAGIC, json.dumps(asdict(record)).encode())
    if len(data) > LIMIT_BYTES:
        raise ValueError(f"its record has {len(data)} bytes, and at most {LIMIT_BYTES} are allowed")
    return data.ljust(fill_to)


def decode(data: bytes) -> Record:
    """The record in these bytes.

    Raises:
        TornError: they were read while the holder wrote.
        ForeignRecordError: they are something else, or of another version.
    """
    return _record(unframe(_MAGIC, "an instance of a catalog", data))


def _record(payload: bytes) -> Record:
    try:
        plain = json.loads(payload)
        record = Record(**{**plain, "tags": tuple(plain["tags"])})
        good = (
            type(plain["tags"]) is list
            and record.status in _STATUSES
            and is_number(record.port, 1, 65535, int)
            and all(is_number(seconds, 0, LONGEST_S) for seconds in (record.since, record.until, record.valid_for_s))
            and all(is_number(count, 0, _LARGEST_COUNT, int) for count in (record.sequence, record.pid))
            and all(
                type(text) is str
                for text in (
                    record.id, record.service, record.address, record.notes, record.output, record.boot, *record.tags
                )
            )
        )  # fmt: skip
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ForeignRecordError(f"its record is broken: {error}") from None
    if not good:
        raise ForeignRecordError("its record is broken: a value has the wrong type, or is out of range")
    return record


def is_number(value: object, least: float, most: float, *kinds: type) -> bool:
    """Whether it is a number of ours: JSON, as Python reads it, also has NaN, Infinity and 10**400."""
    return type(value) in (kinds or (int, float)) and least <= value <= most  # type: ignore[operator]
