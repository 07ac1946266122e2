"""One file of a job's own: its queue, its rotation, and what it costs when the disk is full or hangs.

The queue is bounded. While the thread that writes gets on, jobs wait (`JobFile.congested`); when it does not, what
comes is dropped and counted, for this file alone. A file that cannot be opened or written to, such as on a full disk,
costs its own lines and nobody else's: it is tried again with what comes next.
"""

from __future__ import annotations

import os
import stat
import time
from contextlib import suppress
from typing import Protocol

from corepilot.model.command import OutputFile
from corepilot.output.target import Destination, open_file

QUEUE_MAX_BYTES = 512 * 1024
STUCK_S = 1.0
"""Seconds without progress after which nobody waits for the disk any more."""

COMPLAIN_EVERY_S = 60.0
RETRY_S = 1.0
"""Seconds until a file that could not be opened is tried again."""


class Thread(Protocol):
    """Who has the thread that writes."""

    def put(self, file: JobFile, block: bytes) -> None:
        """Have a block written: `JobFile.store`, in that thread."""

    def leave(self, file: JobFile) -> None:
        """One run less writes to the file."""

    def lost(self, file: JobFile, why: str) -> None:
        """Have it told that lines are lost. From any thread."""


class JobFile:
    """One file, for all runs that write to it. Made by `JobFiles.open`; closed by each who has opened it.

    Attributes:
        settings: Path and rotation, of whoever has opened it last.
        lost_bytes: What could not be written so far.
    """

    def __init__(self, files: Thread, settings: OutputFile) -> None:
        self.settings = settings
        self.users = 0
        self.lost_bytes = 0
        self._trouble = ""
        self._files = files
        self._put_bytes = 0  # by the hub's thread only, as is what follows
        self._dropped_bytes = 0
        self._seen_bytes, self._seen_at = -1, 0.0
        self._taken_bytes = 0  # by the writer's thread only, as is what follows
        self._target: Destination | None = None
        self._size, self._rotates, self._torn = 0, True, False
        self._retry_at = self._rotate_at = 0.0

    @property
    def congested(self) -> bool:
        """Whether whoever can wait should: the queue is half full, and the disk gets on with it."""
        return self._put_bytes - self._taken_bytes >= QUEUE_MAX_BYTES // 2 and not self._is_stuck()

    def write(self, block: bytes) -> None:
        """Queue whole lines. Never blocks; drops them when the queue is full and nothing gets on."""
        waiting = self._put_bytes - self._taken_bytes
        if waiting and waiting + len(block) > QUEUE_MAX_BYTES and (waiting > 8 * QUEUE_MAX_BYTES or self._is_stuck()):
            self._dropped_bytes += len(block)
            self._files.lost(self, "the disk does not keep up")
            return
        self._put_bytes += len(block)
        self._files.put(self, block)

    def close(self) -> None:
        """One run less writes to it; with the last one it is closed, when all is written."""
        self._files.leave(self)

    @property
    def unused(self) -> bool:
        """Whether nobody writes to it, and all is written."""
        return not self.users and self._taken_bytes == self._put_bytes

    @property
    def all_lost_bytes(self) -> int:
        """What was dropped, and what could not be written."""
        return self._dropped_bytes + self.lost_bytes

    def _is_stuck(self) -> bool:
        now = time.monotonic()
        if self._taken_bytes != self._seen_bytes or self._taken_bytes == self._put_bytes:
            self._seen_bytes, self._seen_at = self._taken_bytes, now
        return now - self._seen_at >= STUCK_S

    # ------------------------------------------------------------------------------------- in the writer's thread
    def store(self, block: bytes) -> None:
        """Write a block, into the next file where this one is full."""
        data = block
        while data:
            if not self._ready():
                break
            part = data[: self._fitting(data)]
            if not part:
                self._rotate()
                continue
            if not self._write(part):
                break
            data = data[len(part) :]
        if data:
            self.lost_bytes += len(data)
            self._files.lost(self, self._trouble)
        self._taken_bytes += len(block)

    def reopen(self) -> None:
        """Open it again by its name, with the next line."""
        if self._target is not None:
            self._target.close()
        self._target, self._torn = None, False
        self._retry_at = 0.0

    def _ready(self) -> bool:
        if self._target is not None:
            return True
        if time.monotonic() < self._retry_at:
            return False
        try:
            self._target = open_file(self.settings.path)
            found = os.fstat(self._target.fd)
            self._size, self._rotates = found.st_size, stat.S_ISREG(found.st_mode)
        except OSError as error:
            self._retry_at = time.monotonic() + RETRY_S
            self._trouble = f"cannot open it: {error.strerror}"
            return False
        return True

    def _fitting(self, data: bytes) -> int:
        """How much of it goes into this file: whole lines, and at least one into an empty file."""
        most = self.settings.max_bytes
        if not most or not self._rotates or self._size + len(data) <= most or time.monotonic() < self._rotate_at:
            return len(data)
        end = data.rfind(b"\n", 0, max(most - self._size, 0)) + 1
        return end or (0 if self._size else data.find(b"\n") + 1 or len(data))

    def _rotate(self) -> None:
        path, keep = self.settings.path, self.settings.keep
        if not os.path.lexists(path):  # somebody has taken it away
            self.reopen()
            return
        try:
            for number in range(keep - 1, 0, -1):
                with suppress(FileNotFoundError):
                    os.replace(f"{path}.{number}", f"{path}.{number + 1}")
            if keep:
                os.replace(path, f"{path}.1")
            elif self._target is not None:
                os.truncate(self._target.fd, 0)
                self._size = 0
                return
        except OSError as error:
            self._rotate_at = time.monotonic() + COMPLAIN_EVERY_S  # it grows on meanwhile
            self._files.lost(self, f"cannot rename it: {error.strerror}; it grows beyond its size")
            return
        self.reopen()

    def _write(self, part: bytes) -> bool:
        assert self._target is not None  # noqa: S101  - it is ready
        torn = self._torn  # what a full disk has taken of a line is not the beginning of the next one
        view = memoryview(b"\n" + part if torn else part)
        size = len(view)
        while view:
            try:
                count = os.write(self._target.fd, view)
            except OSError as error:
                self._trouble = f"cannot write to it: {error.strerror}"
                written = size - len(view)
                if written:
                    self.lost_bytes -= written - torn  # the caller counts all of this part
                    self._size += written
                    self._torn = part[written - torn - 1 : written - torn] not in {b"\n", b""}
                return False
            view = view[count:]
        self._size += size
        self._torn = False
        return True
