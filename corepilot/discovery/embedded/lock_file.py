"""A lock's files: one for each grant, `<path>/.locks/<name>~<token>`. The one with the highest token counts.

    corepilot-lock 1 5f1c2e90 000142
    {"holder": "host-1", "since": 5312.81, "until": 5342.81, "boot": "6f0a…", "sequence": 0, "pid": 1}

Its holder keeps the file open and locked, as that of an instance: the kernel frees it when the holder ends. `until` is
the stamp for one that hangs; 0 when it was released.
"""

import json
import os
from dataclasses import asdict, dataclass
from enum import Enum
from fcntl import LOCK_NB, LOCK_SH, flock
from typing import NamedTuple

from corepilot.discovery.embedded.framing import LIMIT_BYTES, ForeignRecordError, TornError, frame, unframe
from corepilot.discovery.embedded.names import directory_name
from corepilot.discovery.embedded.record import LONGEST_S, is_number

_MAGIC = b"corepilot-lock"
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
_DIGITS = 20


@dataclass(frozen=True, slots=True)
class LockRecord:
    """What a holder says.

    Attributes:
        holder: Who, for people.
        since: When it was granted, by `BootClock`, for people.
        until: When it is free unless it is kept, by `BootClock`; 0 when it was released.
        boot: `BootClock.boot` of the holder, for people: whose flock we see runs on our kernel.
        sequence: How often it was kept, for people.
        pid: The holder, in its own PID namespace, for people.
    """

    holder: str
    since: float
    until: float
    boot: str
    sequence: int
    pid: int


class LockState(Enum):
    """What there is."""

    FREE = "free"
    HELD = "held"
    UNCLEAR = "unclear"


class LockInspection(NamedTuple):
    """What a look has shown.

    Attributes:
        state: FREE when the holder has released it, has died or has let its stamp lapse; UNCLEAR is held by somebody
            who is writing just now.
        record: Of the holder, when HELD.
    """

    state: LockState
    record: LockRecord | None = None


def file_name(lock: str, token: int) -> str:
    """The name of a grant's file."""
    return f"{directory_name(lock)}~{token:0{_DIGITS}}"


def tokens(directory: str, lock: str) -> list[int]:
    """The tokens of a lock whose files are there, in order.

    Raises:
        OSError: the directory is not there, or cannot be read.
    """
    prefix = f"{directory_name(lock)}~"
    ends = [name.removeprefix(prefix) for name in os.listdir(directory) if name.startswith(prefix)]
    return sorted([int(end) for end in ends if len(end) == _DIGITS and end.isascii() and end.isdecimal()])


def encode(record: LockRecord, fill_to: int = 0) -> bytes:
    """The bytes of a record; see `corepilot.discovery.embedded.record.encode`."""
    data = frame(_MAGIC, json.dumps(asdict(record)).encode())
    if len(data) > LIMIT_BYTES:
        raise ValueError(f"its record has {len(data)} bytes, and at most {LIMIT_BYTES} are allowed")
    return data.ljust(fill_to)


def decode(data: bytes) -> LockRecord:
    """The record in these bytes.

    Raises:
        TornError, ForeignRecordError: see `unframe`.
    """
    try:
        record = LockRecord(**json.loads(unframe(_MAGIC, "a lock of a catalog", data)))
    except (TornError, ForeignRecordError):
        raise
    except (ValueError, TypeError, RecursionError) as error:
        raise ForeignRecordError(f"its record is broken: {error}") from None
    if not (is_number(record.until, 0, LONGEST_S) and type(record.holder) is str):
        raise ForeignRecordError("its record is broken: a value has the wrong type, or is out of range")
    return record


def inspect(path: str, now: float) -> LockInspection:
    """Look at a grant's file.

    Args:
        path: The file.
        now: By `BootClock`.

    Raises:
        OSError: it could not be looked at: nothing is known. FileNotFoundError: it is gone.
    """
    descriptor = os.open(path, _FLAGS)
    try:
        try:
            flock(descriptor, LOCK_SH | LOCK_NB)
        except BlockingIOError:
            pass
        else:
            return LockInspection(LockState.FREE)  # its holder has ended, or has not begun to hold it
        record = decode(os.read(descriptor, LIMIT_BYTES))
    except (TornError, ForeignRecordError):
        return LockInspection(LockState.UNCLEAR)
    finally:
        os.close(descriptor)
    return LockInspection(LockState.HELD, record) if now < record.until else LockInspection(LockState.FREE)
