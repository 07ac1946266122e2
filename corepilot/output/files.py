"""Files of jobs' own: one native thread writes them all, since a disk may block and the hub may not.

Each file has a bounded queue. While the thread gets on, jobs wait (`JobFile.congested`); when it does not, what comes
is dropped and counted, for this file alone. A file that cannot be opened or written to, such as on a full disk, costs
its own lines and nobody else's: it is tried again with what comes next, and what was lost is told.
"""

import os
import stat
import time
from _queue import SimpleQueue
from _thread import allocate_lock, start_new_thread
from collections.abc import Callable
from contextlib import suppress
from errno import EAGAIN
from typing import Any

from corepilot.model.job import OutputFile
from corepilot.output.target import Destination, open_file

QUEUE_MAX_BYTES = 512 * 1024
STUCK_S = 1.0
"""Seconds without progress after which nobody waits for the disk any more."""

COMPLAIN_EVERY_S = 60.0
RETRY_S = 1.0
"""Seconds until a file that could not be opened or renamed is tried again."""

Log = Callable[[str, str], None]


class JobFile:
    """One file, for all runs that write to it. Made by `JobFiles.open`; closed by each who has opened it.

    Attributes:
        settings: Path and rotation, of whoever has opened it last.
        lost_bytes: What could not be written so far.
        reason: Why it loses lines, in words; "" if it never did.
    """

    def __init__(self, files: "JobFiles", settings: OutputFile) -> None:
        self.settings = settings
        self.users = 0
        self.lost_bytes = 0
        self.reason = ""
        self._trouble = ""
        self._files = files
        self._put_bytes = 0  # by the hub's thread only, as is what follows
        self._dropped_bytes = 0
        self._seen_bytes, self._seen_at = -1, 0.0
        self._taken_bytes = 0  # by the writer's thread only, as is what follows
        self._target: Destination | None = None
        self._size, self._rotates = 0, True
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
        self._target = None
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
        view = memoryview(part)
        while view:
            try:
                count = os.write(self._target.fd, view)
            except OSError as error:
                self._trouble = f"cannot write to it: {error.strerror}"
                self.lost_bytes -= len(part) - len(view)  # the caller counts all of this part
                self._size += len(part) - len(view)
                return False
            view = view[count:]
        self._size += len(part)
        return True


class JobFiles:
    """All files of jobs, by path. The thread is started with the first one.

    Args:
        loop: gevent's loop.
        log: Takes a level and a message about a file that costs lines.
    """

    def __init__(self, loop: Any, log: Log) -> None:
        self._log = log
        self._files: dict[str, JobFile] = {}
        self._queue: SimpleQueue[tuple[JobFile, bytes] | JobFile | None] = SimpleQueue()
        self._losing: set[JobFile] = set()
        self._told: dict[JobFile, tuple[float, int]] = {}
        self._closed = False
        self._lost_before = 0
        self._running = allocate_lock()
        self._started = False
        self._wake = loop.async_(ref=False)
        self._wake.start(self._tell)

    @property
    def lost_bytes(self) -> int:
        """How many bytes all files have lost so far; of one that is closed, what was known by then."""
        return self._lost_before + sum(file.all_lost_bytes for file in self._files.values())

    def open(self, settings: OutputFile) -> JobFile:
        """A file that can be written to from now on, whatever becomes of it. Never blocks.

        Raises:
            OSError: no thread can be started.
        """
        if not self._started:
            try:
                self._running.acquire()
                start_new_thread(self._live, ())
            except RuntimeError as error:
                self._running.release()
                raise OSError(EAGAIN, "no thread can be started to write to it") from error
            self._started = True
        file = self._files.get(settings.path)
        if file is None:
            file = self._files[settings.path] = JobFile(self, settings)
        file.settings = settings
        file.users += 1
        return file

    def reopen(self) -> None:
        """Open all files by their names again, after all that was queued before (SIGUSR1)."""
        for file in self._files.values():
            self._queue.put(file)

    def close(self, deadline_s: float) -> bool:
        """Write what is queued, for at most this many seconds; whether all was written. Idempotent."""
        if not self._started:
            if not self._closed:
                self._closed = True
                self._wake.close()
            return True
        self._started = False
        self.reopen()  # which closes them first; nothing comes that would open them
        self._queue.put(None)
        done = self._running.acquire(timeout=max(deadline_s, 0.0))
        self._closed = True
        self._losing.update(self._told)
        self._tell(at_last=True)
        self._wake.close()
        return done

    def put(self, file: JobFile, block: bytes) -> None:
        """Have a block written."""
        self._queue.put((file, block))

    def leave(self, file: JobFile) -> None:
        """Close a file when nobody writes to it any more."""
        file.users -= 1
        if not file.users and self._files.get(file.settings.path) is file:
            del self._files[file.settings.path]
            self._lost_before += file.all_lost_bytes
            self._queue.put(file)
            self._told.pop(file, None)

    def lost(self, file: JobFile, why: str) -> None:
        """Have it told that lines are lost. From any thread."""
        file.reason = why
        self._losing.add(file)
        if not self._closed:
            self._wake.send()

    def _tell(self, *, at_last: bool = False) -> None:
        now = time.monotonic()
        while self._losing:
            file = self._losing.pop()
            lost = file.all_lost_bytes
            told_at, told = self._told.get(file, (-COMPLAIN_EVERY_S, -1))
            if lost != told and (at_last or now - told_at >= COMPLAIN_EVERY_S):
                self._told[file] = now, lost
                much = f"; {lost} bytes lost so far" if lost else ""
                self._log("error", f"the file {file.settings.path}: {file.reason}{much}")

    def _live(self) -> None:
        try:
            while (item := self._queue.get()) is not None:
                if isinstance(item, JobFile):
                    item.reopen()
                else:
                    item[0].store(item[1])
        finally:
            self._running.release()
