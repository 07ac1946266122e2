"""An instance's file, from everybody else's side: is its holder alive, and what does it say?"""

import errno
import os
import stat
import time
from enum import Enum
from fcntl import LOCK_NB, LOCK_SH, flock
from typing import NamedTuple

from corepilot.discovery.embedded.record import LIMIT_BYTES, ForeignRecordError, Record, TornError, decode

_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC  # a FIFO somebody left here must not block us
_FORBIDDEN = frozenset((errno.EACCES, errno.EPERM))
_NO_FILE_OF_OURS = _FORBIDDEN | {errno.ELOOP, errno.ENXIO}
_FRESH_NS = 50_000_000
"""What changed so recently may change again without another time: file systems count in ticks of up to 10 ms."""
_FRESH_IN_SECONDS_NS = 2_100_000_000
"""The same where times are whole seconds, or every other one."""

FileVersion = tuple[int, int, int, int]
"""Inode, time of the last write, of the last change, and size: as long as these are the same, so is the content."""


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
        record: The record, when ALIVE; when DEAD perhaps. None too where the file is of the version that was known.
        reason: Why it is FOREIGN or TORN, as a sentence about "it".
        version: Of the file; None if it was written too recently to tell.
    """

    state: RecordState
    record: Record | None = None
    reason: str = ""
    version: FileVersion | None = None


_GONE = Inspection(RecordState.GONE)


def version_of(status: os.stat_result) -> FileVersion | None:
    """The version of a file, or None if it is so young that a second write could go unnoticed."""
    fresh_ns = _FRESH_NS if status.st_ctime_ns % 1_000_000_000 else _FRESH_IN_SECONDS_NS
    if time.time_ns() - status.st_ctime_ns < fresh_ns:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size


def service_in(directory: str) -> str:
    """The service whose living instances are in a directory; "" if there are none, or it cannot be read."""
    try:
        with os.scandir(directory) as entries:
            paths = [one.path for one in entries if not one.name.startswith(".")]
        found = next((one for one in map(inspect, paths) if one.state is RecordState.ALIVE and one.record), None)
    except OSError:
        return ""
    return found.record.service if found is not None and found.record is not None else ""


def inspect(path: str, known: FileVersion | None = None) -> Inspection:
    """Look at a file.

    The lock is asked for as a shared one, so that two who look at the same moment do not take each other for the
    holder, and given back at once.

    Args:
        path: The file.
        known: A version whose content the caller knows: if it is still that, only its lock is looked at.

    Raises:
        OSError: it could not be looked at (no descriptors, no memory, a broken disk, a directory that we may not
            enter): nothing is known. That does not mean that it is gone.
    """
    try:
        descriptor = os.open(path, _FLAGS)
    except (FileNotFoundError, NotADirectoryError):
        return _GONE
    except OSError as error:
        if error.errno not in _NO_FILE_OF_OURS:
            raise
        status = os.stat(path, follow_symlinks=False)  # raises if it is the directory that we may not enter
        return Inspection(RecordState.FOREIGN, None, f"it cannot be read: {error.strerror}", version_of(status))
    try:
        status = os.fstat(descriptor)
        version = version_of(status)
        if not stat.S_ISREG(status.st_mode):
            return Inspection(RecordState.FOREIGN, None, "it is not a regular file", version)
        if not status.st_nlink:
            return _GONE
        try:
            flock(descriptor, LOCK_SH | LOCK_NB)
            held = False
        except BlockingIOError:
            held = True
        if held and known is not None and version == known:
            return Inspection(RecordState.ALIVE, None, "", version)
        return _judge(os.read(descriptor, LIMIT_BYTES + 1), version, held=held)
    finally:
        os.close(descriptor)


def _judge(data: bytes, version: FileVersion | None, *, held: bool) -> Inspection:
    try:
        record = decode(data)  # what somebody has added at the end does not matter
    except ForeignRecordError as error:
        reason = f"it is longer than {LIMIT_BYTES} bytes" if len(data) > LIMIT_BYTES else str(error)
        return Inspection(RecordState.FOREIGN, None, reason, version)
    except TornError as error:  # without a holder: killed while it wrote
        return Inspection(RecordState.TORN if held else RecordState.DEAD, None, str(error), version)
    return Inspection(RecordState.ALIVE if held else RecordState.DEAD, record, "", version)
