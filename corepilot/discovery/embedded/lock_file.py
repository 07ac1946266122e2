"""A lock's files: one for each grant, `<path>/.locks/<name>~<token>`. The one with the highest token counts.

    corepilot-lock 1 5f1c2e90 000142
    {"holder": "host-1", "since": 5312.81, "until": 5342.81, "boot": "6f0a…", "sequence": 0, "pid": 1}

`until` is the stamp: the lock is free when it has passed, whether its holder hangs or has died. The processes that a
holder was to end may outlive it until then, so its death alone frees nothing. A release writes 0, and frees it at once.

Its holder keeps the file open and locked, as that of an instance. The kernel frees that when the holder ends, and what
nobody holds counts for nothing if its stamp is of another boot, or if there is none: its maker died before it claimed.
"""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import Enum
from fcntl import LOCK_NB, LOCK_SH, flock
from typing import NamedTuple

from corepilot.discovery.embedded.clock import BootClock
from corepilot.discovery.embedded.framing import LIMIT_BYTES, ForeignRecordError, TornError, frame, unframe
from corepilot.discovery.embedded.names import directory_name
from corepilot.discovery.embedded.record import LONGEST_S, is_number

_MAGIC = b"corepilot-lock"
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
_DIGITS = 20
HIGHEST = 2**63 - 1
"""The highest token: whoever compares tokens may keep them in 64 bits."""


@dataclass(frozen=True, slots=True)
class LockRecord:
    """What a holder says.

    Attributes:
        holder: Who, for people.
        since: When it was granted, by `BootClock`, for people.
        until: When it is free unless it is kept, by `BootClock`; 0 when it was released.
        boot: `BootClock.boot` of the holder. Another one means that the stamp is of another boot, unless the holder
            still has the file: then it runs on our kernel.
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
        state: FREE when it was released, or its stamp has lapsed, or nobody can have been granted it since this boot;
            UNCLEAR is held by somebody who is writing just now.
        record: Of the holder, when HELD.
    """

    state: LockState
    record: LockRecord | None = None


_FREE = LockInspection(LockState.FREE)


def file_name(lock: str, token: int) -> str:
    """The name of a grant's file."""
    return f"{directory_name(lock)}~{token:0{_DIGITS}}"


def tokens(directory: str, lock: str, ignore: Callable[[str, str], None] = lambda *_: None) -> list[int]:
    """The tokens of a lock whose files are there, in order.

    Args:
        directory: Where the locks' files are.
        lock: Its name.
        ignore: Told of a file with a number that no token has: its path, and why.

    Raises:
        OSError: the directory is not there, or cannot be read.
    """
    prefix = f"{directory_name(lock)}~"
    ends = [name.removeprefix(prefix) for name in os.listdir(directory) if name.startswith(prefix)]
    numbers = sorted([int(end) for end in ends if len(end) == _DIGITS and end.isascii() and end.isdecimal()])
    while numbers and numbers[-1] > HIGHEST:
        path = os.path.join(directory, file_name(lock, numbers.pop()))
        ignore(path, f"no token is above {HIGHEST}, so it is not a lock of a catalog; remove it")
    return numbers


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


def inspect(path: str, clock: BootClock) -> LockInspection:
    """Look at a grant's file.

    Args:
        path: The file.
        clock: Now, and the boot's id.

    Raises:
        OSError: it could not be looked at: nothing is known. FileNotFoundError: it is gone.
    """
    descriptor = os.open(path, _FLAGS)
    open_elsewhere = False
    try:
        try:
            flock(descriptor, LOCK_SH | LOCK_NB)
        except BlockingIOError:
            open_elsewhere = True
        record = decode(os.read(descriptor, LIMIT_BYTES))
    except (TornError, ForeignRecordError):
        # Nobody dies within a write: a record fits into a page. So without a holder nobody was ever granted this.
        return LockInspection(LockState.UNCLEAR) if open_elsewhere else _FREE
    finally:
        os.close(descriptor)
    counts = open_elsewhere or record.boot == clock.boot
    return LockInspection(LockState.HELD, record) if counts and clock() < record.until else _FREE
