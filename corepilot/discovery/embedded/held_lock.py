"""A grant's file, from its holder's side: created, stamped, locked, kept, released."""

import os
from contextlib import suppress
from dataclasses import replace
from fcntl import LOCK_EX, LOCK_NB, flock
from typing import Self

import gevent

from corepilot.discovery.embedded.lock_file import LockRecord, encode

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_ATTEMPTS = 50
"""How often, a millisecond apart, a new file is locked: others hold it for microseconds, to look at it."""


class HeldLock:
    """One grant, or what may become one.

    Attributes:
        path: The file.
        token: Its number.
        record: What it says.
        ttl_s: For how long it is stamped.
    """

    def __init__(self, descriptor: int, path: str, token: int, record: LockRecord, ttl_s: float) -> None:
        self.path, self.token, self.record, self.ttl_s = path, token, record, ttl_s
        self._descriptor = descriptor
        self._size = 0

    @classmethod
    def create(cls, path: str, token: int, record: LockRecord, ttl_s: float, *, readable_by_all: bool) -> Self:
        """Claim a token: of all who try only one makes the file.

        Until it is stamped it counts for nothing, and then until its stamp lapses, so whoever stops or dies here is
        in nobody's way for longer than that.

        Raises:
            FileExistsError: somebody else has claimed it.
            OSError: it cannot be made.
            ValueError: the record is too long.
        """
        data = encode(record)
        descriptor = os.open(path, _FLAGS, 0o644)
        held = cls(descriptor, path, token, record, ttl_s)
        try:
            if readable_by_all:
                os.fchmod(descriptor, 0o644)
            held._write(data)  # before it is locked: what is locked always has a stamp
            flock_patiently(descriptor)
            held._write(data)  # once more: those who watch may have seen it without the lock, or without a stamp
        except BaseException:
            held.withdraw()
            raise
        return held

    @property
    def descriptor(self) -> int:
        """The open file."""
        return self._descriptor

    def keep(self, until: float, ttl_s: float) -> None:
        """Move the stamp.

        Raises:
            OSError: it was not moved.
        """
        record = replace(self.record, until=until, sequence=self.record.sequence + 1)
        self._write(encode(record, self._size))
        self.record, self.ttl_s = record, ttl_s

    def in_place(self) -> bool:
        """Whether the name still leads to this file.

        Raises:
            OSError: it cannot be known.
        """
        try:
            return os.path.samestat(os.stat(self.path, follow_symlinks=False), os.fstat(self._descriptor))
        except (FileNotFoundError, NotADirectoryError):
            return False

    def release(self) -> None:
        """Let go. The file stays, as the counter. Idempotent.

        Raises:
            OSError: it is free when its stamp lapses.
        """
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor < 0:
            return
        try:
            os.pwrite(descriptor, encode(replace(self.record, until=0.0), self._size), 0)
        finally:
            os.close(descriptor)

    def withdraw(self) -> None:
        """Take back a claim that was not granted: its token was never told to anybody. Idempotent."""
        with suppress(OSError):
            if self._descriptor >= 0 and self.in_place():
                os.unlink(self.path)
        self.drop()

    def drop(self) -> None:
        """Let go of the file, as if we had died: its stamp stays. Idempotent."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _write(self, data: bytes) -> None:
        if os.pwrite(self._descriptor, data, 0) < len(data):
            raise OSError(28, os.strerror(28))  # ENOSPC: what a second write would say
        self._size = len(data)


def flock_patiently(descriptor: int) -> None:
    """Lock a file exclusively that others only look at. Switches to the hub while they do.

    Raises:
        BlockingIOError: somebody keeps it locked.
    """
    for _ in range(_ATTEMPTS):
        try:
            flock(descriptor, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            gevent.sleep(0.001)
        else:
            return
    flock(descriptor, LOCK_EX | LOCK_NB)
