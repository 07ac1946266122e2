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
from errno import EAGAIN

from corepilot.output.target import Destination, open_file

QUEUE_MAX_BYTES = 1024 * 1024
BURST_MAX_BYTES = 8 * QUEUE_MAX_BYTES
BATCH_BYTES = 64 * 1024
RETRY_S = 1.0
STUCK_S = 1.0
"""Seconds without progress after which nobody waits for the writer any more: what comes then is dropped."""

COMPLAIN_EVERY_S = 60.0
_MOST_TOLD_BYTES = 4096  # what a pipe with any room takes without waiting (pipe(7))


class _Mark:
    """What goes through the queue between blocks; of each at most one at a time, so that the queue is bounded."""

    __slots__ = ()


_MOVE, _REOPEN, _WAKE = _Mark(), _Mark(), _Mark()


class Writer:
    """Writes blocks to a target, in the order of `write`.

    Everything goes through the queue, so that each block is written where it was meant to be when `write` took it.

    Args:
        target: Where to write. From now on it is this writer's, whose thread closes it, if it is a file.
        dropped_line: Makes the line that tells how many bytes were dropped. Called in the writer's thread.

    Raises:
        OSError: no thread can be started; the target is still the caller's.
    """

    def __init__(self, target: Destination, dropped_line: Callable[[int], bytes]) -> None:
        self.target = target
        self._now = target  # written by the writer's thread only
        self._dropped_line = dropped_line
        self._queue: SimpleQueue[bytes | _Mark] = SimpleQueue()
        self._lock = allocate_lock()  # for what both threads change; held for microseconds
        self._next_target: Destination | None = None
        self._reopening = False
        self._retired = False
        self._woken = False
        self._ended = False
        self._put_bytes = 0  # written by the hub's thread only
        self._taken_bytes = 0  # written by the writer's thread only
        self._dropped_bytes = 0
        self._told_bytes = 0
        self._lost_bytes = 0
        self._torn = False  # in the writer's thread only
        self._complained_at = -COMPLAIN_EVERY_S
        self._seen_bytes = -1
        self._seen_at = 0.0
        self._running = allocate_lock()
        self._running.acquire()
        try:
            start_new_thread(self._live, ())
        except RuntimeError as error:
            raise OSError(EAGAIN, "no thread can be started to write to it") from error

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

    @property
    def retired(self) -> bool:
        """Whether it writes only what is still queued."""
        return self._retired

    @property
    def ended(self) -> bool:
        """Whether its thread is gone."""
        return self._ended

    def writes_to(self, target: Destination) -> bool:
        """Whether this is the writer for that target: one thread only may write to a file or pipe at any time."""
        same_name = target.path is not None and target.path == self.target.path
        return same_name or target.identity in {self.target.identity, self._now.identity}

    def write(self, block: bytes) -> None:
        """Queue whole lines. Never blocks; drops them when the queue is full."""
        after = self._put_bytes - self._taken_bytes + len(block)
        if after > QUEUE_MAX_BYTES and (after > BURST_MAX_BYTES or self._is_stuck()):
            self._dropped_bytes += len(block)
            return
        self._put_bytes += len(block)
        self._queue.put(block)

    def move(self, target: Destination) -> None:
        """Write what comes from now on to another target, which is then this writer's to close.

        While the writer is stuck the last one counts: those before it are closed, and nothing was written to them.
        """
        self.target = target
        with self._lock:
            before = self._next_target or self._now
            if (target.path, target.identity) == (before.path, before.identity):
                target.close()
                return
            waits, self._next_target = self._next_target, target
        if waits is None:
            self._queue.put(_MOVE)
        else:
            waits.close()

    def reopen(self) -> None:
        """Open the file by its name again, after all that was queued before (SIGUSR1; contract, section 4.9)."""
        if self.target.path is not None and not self._reopening:
            self._reopening = True
            self._queue.put(_REOPEN)

    def retire(self) -> None:
        """End the thread when all that is queued has been written. Returns at once; idempotent."""
        self._retired = True
        if not self._woken:
            self._woken = True
            self._queue.put(_WAKE)

    def resume(self) -> bool:
        """Take back `retire`; False if the thread has ended meanwhile."""
        with self._lock:
            self._retired = self._ended
            return not self._ended

    def close(self, deadline_s: float) -> bool:
        """Write what is queued, for at most this many seconds; whether all was written. A stuck thread is abandoned."""
        self.retire()
        done = self._running.acquire(timeout=max(deadline_s, 0.0))
        if done:
            self._running.release()
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
            self._ended = True  # a bug would end it, too
            self._now.close()
            self._running.release()

    def _run(self) -> None:
        self._check_readers()
        while not self._is_over():
            item: bytes | _Mark | None = self._queue.get()
            blocks, size = [], 0
            while isinstance(item, bytes):
                blocks.append(item)
                size += len(item)
                item = self._next() if size < BATCH_BYTES else None
            if blocks:
                self._put(b"".join(blocks))
                self._taken_bytes += size
                self._write_dropped()
            if item is _MOVE:
                self._go_on_there()
            elif item is _REOPEN:
                self._reopening = False
                self._reopen()
            elif item is _WAKE:
                self._woken = False

    def _is_over(self) -> bool:
        if not self._retired:
            return False
        with self._lock:
            self._ended = self.retired and self._queue.empty()  # it may have been taken back meanwhile
            return self._ended

    def _next(self) -> bytes | _Mark | None:
        try:
            return self._queue.get_nowait()
        except Empty:
            return None

    def _put(self, block: bytes) -> None:
        torn = self._torn  # what a full disk has taken of a line is not the beginning of the next one
        data = memoryview(b"\n" + block if torn else block)
        size = len(data)
        while data:
            try:
                data = data[os.write(self._now.fd, data) :]
            except BlockingIOError:  # somebody else made the shared descriptor non-blocking
                room = select.poll()
                room.register(self._now.fd, select.POLLOUT)
                room.poll(RETRY_S * 1000)
            except OSError as error:  # nobody reads, or the disk is full: go on, and count
                written = size - len(data)
                self._lost_bytes += min(len(data), len(block))
                if written:
                    self._torn = block[written - torn - 1 : written - torn] not in {b"\n", b""}
                self._complain(error)
                return
        self._torn = False

    def _write_dropped(self) -> None:
        if self._dropped_bytes > self._told_bytes:
            self._put(self._dropped_line(self._dropped_bytes - self._told_bytes))
            self._told_bytes = self._dropped_bytes

    def _complain(self, error: OSError) -> None:
        path = self._now.path
        if path is None or time.monotonic() - self._complained_at < COMPLAIN_EVERY_S:
            return
        self._complained_at = time.monotonic()
        _warn(f"cannot write to the log file {path}: {error.strerror}; {self._lost_bytes} bytes lost so far")

    def _go_on_there(self) -> None:
        with self._lock:
            target, self._next_target = self._next_target, None
            left = self._switch(target)
        self._leave(left)

    def _reopen(self) -> None:
        if self._now.path is None:
            return
        try:
            target = open_file(self._now.path)
        except OSError as error:
            self._complain(error)
            return
        with self._lock:
            left = self._switch(target)
        self._leave(left)

    def _switch(self, target: Destination | None) -> Destination | None:
        """Write there from now on; returns what is to be closed."""
        before = self._now
        if target is None:
            return None
        same = target.identity == before.identity and None not in {before.path, target.path}
        if same and not target.unread:
            # What is open may be a fifo's only read end, to which this second open owes its success.
            self._now = target._replace(fd=before.fd)
            return target
        self._now, self._torn = target, False
        return before

    def _leave(self, left: Destination | None) -> None:
        if left is not None:
            left.close()
        self._check_readers()

    def _check_readers(self) -> None:
        if self._now.unread:
            _warn(f"nobody reads the log yet, the fifo {self._now.path}; what it cannot hold is dropped and counted")


def _warn(message: str) -> None:
    from corepilot.wording.escaping import escaped

    room = select.poll()
    room.register(2, select.POLLOUT)
    try:
        if room.poll(0):  # a stderr that nobody reads must not hold up the log
            os.write(2, f"{escaped(message)}\n".encode()[:_MOST_TOLD_BYTES])
    except OSError:
        return  # there is nobody left to tell
