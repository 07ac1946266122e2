"""An instance's file, from everybody else's side: is its holder alive, and what does it say?"""

import errno
import os
import stat
from enum import Enum
from fcntl import LOCK_NB, LOCK_SH, flock
from typing import NamedTuple

from corepilot.discovery.embedded.record import LIMIT_BYTES, ForeignRecordError, Record, TornError, decode

_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC  # a FIFO somebody left here must not block us


class RecordState(Enum):
    """What there is under a name."""

    ALIVE = "alive"
    DEAD = "dead"
    GONE = "gone"
    TORN = "torn"
    FOREIGN = "foreign"


class Inspection(NamedTuple):
    """What a look has shown.

    Attributes:
        state: What there is. DEAD is a record without a holder; TORN has a holder who is writing just now.
        record: The record, when ALIVE; when DEAD perhaps.
        reason: Why it is FOREIGN or TORN, as a sentence about "it".
    """

    state: RecordState
    record: Record | None = None
    reason: str = ""


_GONE = Inspection(RecordState.GONE)


def inspect(path: str) -> Inspection:
    """Look at a file.

    The lock is asked for as a shared one, so that two who look at the same moment do not take each other for the
    holder, and given back at once.

    Raises:
        OSError: it could not be looked at for lack of something (descriptors, memory): nothing is known.
    """
    try:
        descriptor = os.open(path, _FLAGS)
    except (FileNotFoundError, NotADirectoryError):
        return _GONE
    except OSError as error:
        if error.errno in {errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENXIO}:
            return Inspection(RecordState.FOREIGN, None, f"it cannot be read: {error.strerror}")
        raise
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return Inspection(RecordState.FOREIGN, None, "it is not a regular file")
        if not status.st_nlink:
            return _GONE
        try:
            flock(descriptor, LOCK_SH | LOCK_NB)
            held = False
        except BlockingIOError:
            held = True
        return _judge(os.read(descriptor, LIMIT_BYTES + 1), held=held)
    finally:
        os.close(descriptor)


def _judge(data: bytes, *, held: bool) -> Inspection:
    if len(data) > LIMIT_BYTES:
        return Inspection(RecordState.FOREIGN, None, f"it is longer than {LIMIT_BYTES} bytes")
    try:
        record = decode(data)
    except ForeignRecordError as error:
        return Inspection(RecordState.FOREIGN, None, str(error))
    except TornError as error:
        return Inspection(RecordState.TORN if held else RecordState.DEAD, None, str(error))  # killed while it wrote
    return Inspection(RecordState.ALIVE if held else RecordState.DEAD, record)
