"""An instance's file, from its holder's side: written, locked, named, held open, rewritten in place.

The lock is the sign of life. It belongs to the open file, so the kernel releases it when the holder ends, however it
ends. Every descriptor here is close-on-exec, and a process that holds one must not fork: a child would keep the lock
(flock(2)); spawning is fine, because it executes at once.

Why a report rewrites the file in place, and does not rename a new one over it: the name, the inode and the lock stay
the same, so there is no moment at which a reader finds none, or two; it costs one system call instead of six; and on
ext4 a rename over a file starts writing to the disk. The price is that a reader may see half a record. The checksum
tells it, and the notification that follows the write makes it look again.
"""

import errno
import os
from contextlib import suppress
from dataclasses import replace
from fcntl import LOCK_EX, LOCK_NB, flock
from typing import Self

from corepilot.discovery.embedded.names import new_file_name
from corepilot.discovery.embedded.record import Record, encode

STAGED = ".new"
"""How the name of a file ends that has not got its final name yet. It begins with a dot."""

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FULL = frozenset((errno.ENOSPC, errno.EDQUOT))


class HeldInstance:
    """A file that is locked and open, under its final name. Made by `create`.

    Attributes:
        path: The file.
        record: What it says.
        created_at: When it was written, by the file system's clock.
    """

    def __init__(self, descriptor: int, path: str, record: Record, size: int) -> None:
        self.path = path
        self.record = record
        self._descriptor = descriptor
        self._size = size
        status = os.fstat(descriptor)
        self._inode = (status.st_dev, status.st_ino)
        self.created_at = status.st_mtime

    @classmethod
    def create(cls, directory: str, record: Record, *, readable_by_all: bool) -> Self:
        """Write a record under a temporary name, lock it, and give it its name: whoever sees the name sees the lock.

        Args:
            directory: Where; it must exist.
            record: What to write.
            readable_by_all: Whether everybody can read it whatever the umask says.

        Raises:
            OSError: there is no such file; nothing is left behind.
            ValueError: the record is too long.
        """
        data = encode(record)
        name = new_file_name(record.id)
        staged = os.path.join(directory, f".{name}{STAGED}")
        descriptor = os.open(staged, _FLAGS, 0o644)
        try:
            if readable_by_all:
                os.fchmod(descriptor, 0o644)
            flock(descriptor, LOCK_EX | LOCK_NB)
            _write(descriptor, data)
            path = os.path.join(directory, name)
            os.rename(staged, path)
            return cls(descriptor, path, record, len(data))
        except BaseException:
            with suppress(OSError):
                os.unlink(staged)
            os.close(descriptor)
            raise

    def in_place(self) -> bool:
        """Whether the name still leads to this file. If not, nobody can see it any more.

        Only what is not there is gone: where it cannot be known (a directory that we may not enter, a broken disk), a
        file that has still got a name counts as in place.
        """
        try:
            status = os.stat(self.path, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return os.fstat(self._descriptor).st_nlink > 0
        return (status.st_dev, status.st_ino) == self._inode

    def rewrite(self, record: Record) -> None:
        """Replace the record, and take off what somebody else may have added to the file.

        Where the disk is full, a record that needs more room than the one before goes without its output: the status is
        what counts.

        Raises:
            OSError: readers see the old one, or none until the next attempt.
            ValueError: the record is too long; the old one stands.
        """
        data = encode(record, self._size)
        try:
            _write(self._descriptor, data)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            record, data = self._without_output(record, error)
        if os.fstat(self._descriptor).st_size > len(data):
            os.ftruncate(self._descriptor, len(data))
        self._size = len(data)
        self.record = record

    def _without_output(self, record: Record, error: OSError) -> tuple[Record, bytes]:
        """Write what most likely finds room where the file is, or the old record again."""
        short = replace(record, output="")
        data = encode(short, self._size)
        try:
            _write(self._descriptor, data)
        except OSError:
            with suppress(OSError):
                _write(self._descriptor, encode(self.record, self._size))
            raise error from None
        return short, data

    def remove(self) -> None:
        """Take the name away, then let go. Idempotent.

        Raises:
            OSError: the name stays, but the file counts as dead from now on.
        """
        try:
            with suppress(FileNotFoundError, NotADirectoryError):
                os.unlink(self.path)
        finally:
            self.release()

    def release(self) -> None:
        """Let go: to everybody else it is as if we had died. Idempotent."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _write(descriptor: int, data: bytes) -> None:
    written = os.pwrite(descriptor, data, 0)
    if written < len(data):  # the disk is full: the next attempt raises, with the reason
        os.pwrite(descriptor, data[written:], written)
