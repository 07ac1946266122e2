"""The one thread that writes: stdout may block, the hub may not (our design, rule 4).

A native thread takes blocks of bytes from a queue of `QUEUE_MAX_BYTES`. When whoever reads our stdout stops reading,
the queue fills, further blocks are dropped and counted, and the count is written when there is room again. While it
gets on, up to `BURST_MAX_BYTES` are taken: jobs that run wait (`Writer.congested`), but a job that has ended cannot,
and its last 64 KiB, if they are empty lines, become records of several megabytes. The descriptor is never made
non-blocking: a raw job shares it. At exit a writer that is stuck is abandoned.

The C modules under `queue` and `threading` do all that is needed, and cost a quarter of a megabyte less.
"""

import os
import select
import time
from _queue import Empty, SimpleQueue
from _thread import allocate_lock, start_new_thread
from collections.abc import Callable
from errno import ENXIO

QUEUE_MAX_BYTES = 1024 * 1024
BURST_MAX_BYTES = 8 * QUEUE_MAX_BYTES
BATCH_BYTES = 64 * 1024
RETRY_S = 1.0
STUCK_S = 1.0
"""Seconds without progress after which nobody waits for the writer any more: what comes then is dropped."""

COMPLAIN_EVERY_S = 60.0


class Writer:
    """Writes blocks to a descriptor, or to a file that can be reopened, in the order of `write`.

    Args:
        fd: Where to write, for stdout and stderr; ignored if `path` is given.
        path: A file to append to, created with mode 0644 (contract, section 6). Opening it does not block: if it is a
            fifo without a reader, stderr is told, and what is written waits for one as long as there is room.
        dropped_line: Makes the line that tells how many bytes were dropped.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(self, fd: int, path: str | None, dropped_line: Callable[[int], bytes]) -> None:
        self._path = path
        self._unread = False
        self._fd = fd if path is None else self._open(path)
        self._dropped_line = dropped_line
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()
        self._reopen = False
        self._put_bytes = 0  # written by the hub's thread only
        self._taken_bytes = 0  # written by the writer's thread only
        self._dropped_bytes = 0
        self._lost_bytes = 0
        self._complained_at = -COMPLAIN_EVERY_S
        self._seen_bytes = -1
        self._seen_at = 0.0
        self._running = allocate_lock()
        self._running.acquire()
        start_new_thread(self._live, ())

    @property
    def dropped_bytes(self) -> int:
        """How many bytes have been dropped so far, because the queue was full or the file could not be written."""
        return self._dropped_bytes + self._lost_bytes

    @property
    def congested(self) -> bool:
        """Whether whoever can wait should: the queue is half full, and the writer gets on with it.

        A thread that only needs the processor must not cost output; one whose reader has stopped must not cost time.
        """
        return self._put_bytes - self._taken_bytes >= QUEUE_MAX_BYTES // 2 and not self._is_stuck()

    def write(self, block: bytes) -> None:
        """Queue whole lines. Never blocks; drops them when the queue is full."""
        after = self._put_bytes - self._taken_bytes + len(block)
        if after > QUEUE_MAX_BYTES and (after > BURST_MAX_BYTES or self._is_stuck()):
            self._dropped_bytes += len(block)
            return
        self._put_bytes += len(block)
        self._queue.put(block)

    def reopen(self) -> None:
        """Open the file by its name again, after all that was queued before (SIGUSR1; contract, section 4.9)."""
        if self._path is not None:
            self._reopen = True
            self._queue.put(b"")

    def close(self, deadline_s: float) -> bool:
        """Write what is queued, for at most this many seconds; whether all was written. A stuck thread is abandoned."""
        self._queue.put(None)
        done = self._running.acquire(timeout=deadline_s)
        if done and self._path is not None:
            os.close(self._fd)
        return done

    def _is_stuck(self) -> bool:
        now = time.monotonic()
        if self._taken_bytes != self._seen_bytes or self._taken_bytes == self._put_bytes:
            self._seen_bytes, self._seen_at = self._taken_bytes, now
        return now - self._seen_at >= STUCK_S

    def _live(self) -> None:
        try:
            self._run()
        finally:
            self._running.release()

    def _run(self) -> None:
        told = 0
        while True:
            if self._unread:
                self._unread = False
                _tell(f"nobody reads the log yet, the fifo {self._path}; what it cannot hold is dropped and counted\n")
            block = self._queue.get()
            if block is None:
                return
            blocks, size, ended = [block], len(block), False
            while size < BATCH_BYTES:
                try:
                    block = self._queue.get_nowait()
                except Empty:
                    break
                if block is None:
                    ended = True
                    break
                blocks.append(block)
                size += len(block)
            self._put(b"".join(blocks))
            self._taken_bytes += size
            if self._dropped_bytes > told:
                self._put(self._dropped_line(self._dropped_bytes - told))
                told = self._dropped_bytes
            if self._reopen:
                self._reopen = False
                self._reopen_file()
            if ended:
                return

    def _put(self, block: bytes) -> None:
        data = memoryview(block)
        while data:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:  # somebody else made the shared descriptor non-blocking
                select.select((), (self._fd,), (), RETRY_S)
            except OSError as error:  # nobody reads, or the disk is full: go on, and count
                self._lost_bytes += len(data)
                self._complain(error)
                return

    def _complain(self, error: OSError) -> None:
        if self._path is None or time.monotonic() - self._complained_at < COMPLAIN_EVERY_S:
            return
        self._complained_at = time.monotonic()
        _tell(f"cannot write to the log file {self._path}: {error.strerror}; {self._lost_bytes} bytes lost so far\n")

    def _reopen_file(self) -> None:
        assert self._path is not None  # noqa: S101  - reopen() checked it
        try:
            fd = self._open(self._path)
        except OSError as error:
            self._complain(error)
            return
        os.close(self._fd)
        self._fd = fd

    def _open(self, path: str) -> int:
        flags = os.O_APPEND | os.O_CLOEXEC | os.O_NOCTTY
        try:
            fd = os.open(path, flags | os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK, 0o644)
        except OSError as error:
            if error.errno != ENXIO:
                raise
            # A fifo that nobody reads. With its other end open here too, opening and writing go on as if somebody did
            # (fifo(7)). What else there is of this kind, such as a socket, cannot be opened so either.
            fd = os.open(path, flags | os.O_RDWR)
            self._unread = True
            return fd
        os.set_blocking(fd, True)
        return fd


def _tell(line: str) -> None:
    try:
        os.write(2, line.encode())
    except OSError:
        return  # there is nobody left to tell
