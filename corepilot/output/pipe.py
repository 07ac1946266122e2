"""The read end of a child's output: from the pipe to whoever takes records, in the hub, without ever waiting."""

import errno
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from corepilot.output.lines import LineSplitter
from corepilot.output.log import Log
from corepilot.output.records import Fields, Records
from corepilot.system.reader import Reader

if TYPE_CHECKING:
    from corepilot.output.delivery import Delivery

CHUNK_BYTES = 64 * 1024
FIRST_CHUNK_BYTES = 4 * 1024
BLOCK_BYTES = 256 * 1024
"""How many bytes of records one read should make at most: an empty line becomes fifty or more."""

RECORD_BYTES = 40
"""What a record takes beside its line and the values of its fields, in the default format; up to twice that in JSON."""

PAUSE_S = 0.005
"""Seconds until output is read again when the log was congested."""

KEEP_BYTES = 4 * 1024
"""How much of the end of a check's output is kept for the catalog."""


class OutputPipe:
    """One run's stdout and stderr, or one of the two.

    Args:
        loop: gevent's loop.
        log: Whose subscribers the lines go to, and where the pipe says what was not logged.
        log_limit_bytes: Log no more than this much; the rest is read and counted. None for no limit.
        keep: Whether to keep the last `KEEP_BYTES` for `tail`.
        delivery: Where lines go that are not simply logged; closed with the pipe.
        withhold: Whether lines wait for `release`. Only with a limit.
        terminal: Whether it is a pseudo-terminal in the place of a pipe.

    Attributes:
        seen: Called with the lines that came, if somebody looks for one: a few at a time, because that takes a while.
        behind: Whether whoever looks has not got through what came: nothing is read until then, and the child waits.

    Raises:
        OSError: no descriptors are left; nothing is open then.
    """

    def __init__(
        self,
        loop: Any,
        log: Log,
        *,
        log_limit_bytes: int | None = None,
        keep: bool = False,
        delivery: "Delivery | None" = None,
        withhold: bool = False,
        terminal: bool = False,
    ) -> None:
        self._loop, self._log, self._delivery = loop, log, delivery
        self.seen: Callable[[list[bytes]], None] | None = None
        self.behind = False
        self._limit, self._keep = log_limit_bytes, keep
        self._withheld: list[bytes] | None = [] if withhold else None
        self._splitter = LineSplitter()
        self._fields: Fields = ()
        self._record_bytes = RECORD_BYTES
        self._tail = b""
        self._logged_bytes = 0
        self._skipped_bytes = 0
        self._chunk_bytes = FIRST_CHUNK_BYTES
        self._read_end, self.write_end = _opened(terminal=terminal)
        os.set_blocking(self._read_end, False)
        self._reader: Reader | None = None

    @property
    def open(self) -> bool:
        """Whether somebody may still write to it."""
        return self._read_end >= 0

    @property
    def tail(self) -> str:
        """The end of the output, for people."""
        return self._tail.decode("utf-8", "replace").strip()

    def start(self, fields: Fields) -> None:
        """The child has been started and holds the write end: close ours, and read from now on."""
        self._close_write_end()
        self._fields = fields
        self._record_bytes = RECORD_BYTES + sum(len(str(value)) for _, value in fields)
        self._reader = Reader(self._loop, self._read_end, self._readable)
        self._reader.start()

    def finish(self) -> None:
        """The child has ended: read what is there, a last line without newline included.

        Others may hold the pipe, such as a daemon that the child started. ContainerPilot takes them for the job
        (contract, section 4.2: exit is noticed when the pipe is closed); here the job's exit is its main process's.
        Their output is read on until they close it or `close` is called: closing it now would be their death by
        SIGPIPE.
        """
        # A pipe holds 64 KiB; whoever writes on can keep it full for ever.
        for _ in range(4 if self.seen is None else 4 + CHUNK_BYTES // FIRST_CHUNK_BYTES):
            self._chunk_bytes = CHUNK_BYTES
            if not self._read():
                break
        self._emit(self._splitter.flush())

    def close(self) -> None:
        """Log the rest and close everything. Idempotent; also right after a spawn that failed."""
        self._close_write_end()
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        if self._read_end >= 0:
            self._emit(self._splitter.flush())
            if self._skipped_bytes:
                self._log("warning", f"{self._skipped_bytes} bytes of output were not logged", self._fields)
            os.close(self._read_end)
            self._read_end = -1
            if self._delivery is not None and self._withheld is None:
                self._delivery.close()

    def release(self, *, logged: bool) -> None:
        """Hand on what has been withheld, or drop it; what comes from now on is handed on."""
        if self._withheld is None:
            return
        lines, self._withheld = self._withheld, None
        if logged:
            self._emit(lines)
        if self._delivery is not None and self._read_end < 0:
            self._delivery.close()

    def _close_write_end(self) -> None:
        if self.write_end >= 0:
            os.close(self.write_end)
            self.write_end = -1

    def _readable(self) -> None:
        delivery = self._delivery
        if self.behind or (self._log.congested if delivery is None else delivery.congested):
            # The job waits, on its own pipe, until what it wrote before has been written.
            assert self._reader is not None  # noqa: S101  - it calls
            self._reader.pause(PAUSE_S)
            return
        self._read()

    def _read(self) -> bool:
        """Read one chunk; whether there may be more."""
        if self._read_end < 0:
            return False
        try:
            chunk = os.read(self._read_end, self._chunk_bytes if self.seen is None else FIRST_CHUNK_BYTES)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            chunk = b""  # nobody has the terminal open any more
        if not chunk:
            self.close()
            return False
        if self._keep:
            self._tail = (self._tail + chunk)[-KEEP_BYTES:]
        if self._limit is not None and self._logged_bytes >= self._limit:
            self._skipped_bytes += len(chunk)
            return True
        self._logged_bytes += len(chunk)
        lines = self._splitter.feed(chunk)
        self._emit(lines)
        # What comes next will be like this, mostly.
        block_bytes = len(chunk) + len(lines) * self._record_bytes
        self._chunk_bytes = min(CHUNK_BYTES, max(FIRST_CHUNK_BYTES, len(chunk) * BLOCK_BYTES // block_bytes))
        return True

    def _emit(self, lines: list[bytes]) -> None:
        if not lines:
            return
        if self.seen is not None:
            self.seen(lines)
        if self._withheld is not None:
            self._withheld += lines
            return
        if self._delivery is None:
            self._log.output.publish(Records.now(lines, self._fields))
        else:
            self._delivery.deliver(lines, self._fields)


def _opened(*, terminal: bool) -> tuple[int, int]:
    if not terminal:
        return os.pipe2(os.O_CLOEXEC)
    from corepilot.system.terminal import open_terminal  # few jobs have one

    return open_terminal()
