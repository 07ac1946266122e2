"""One writer for each descriptor and file, for the life of the process.

Two threads on one pipe would tear each other's lines, and a reload under a reader that stands still must not add a
thread each time. So stdout and stderr keep their writer for ever, and so does a file as long as it is the log. A file
that is the log no longer is written to its end by a writer of its own, in the background; a few may be so, then
another file is refused.
"""

import time
from collections.abc import Callable
from errno import EBUSY
from typing import NamedTuple

from corepilot.output.target import Destination, open_destination
from corepilot.output.writer import Writer
from corepilot.wording.counting import counted

MOST_DRAINING = 4
"""How many files that are the log no longer may still have something to be written to them."""


class Prepared(NamedTuple):
    """A target that can be written to, and its writer.

    Attributes:
        writer: Who will write.
        target: Where to.
        is_new: Nobody has used the writer yet.
        was_retired: It was about to end.
    """

    writer: Writer
    target: Destination
    is_new: bool
    was_retired: bool


class Writers:
    """The writers whose threads have not ended, at most two and `MOST_DRAINING` and one.

    Args:
        dropped_line: See `Writer`.
    """

    def __init__(self, dropped_line: Callable[[int], bytes]) -> None:
        self._dropped_line = dropped_line
        self._writers: list[Writer] = []
        self._current: Writer | None = None
        self._dropped_before_bytes = 0

    @property
    def draining(self) -> int:
        """How many former log files are still being written, or stuck."""
        self._forget_ended()
        return sum(writer.retired for writer in self._writers)

    @property
    def dropped_bytes(self) -> int:
        """How many bytes all writers have dropped so far."""
        return self._dropped_before_bytes + sum(writer.dropped_bytes for writer in self._writers)

    def prepare(self, output: str) -> Prepared:
        """Do all that can fail before something else becomes the log. Never blocks.

        Args:
            output: See `open_destination`.

        Raises:
            OSError: it cannot be opened, no thread can be started, or too many former log files are still being
                written. Nothing has changed then.
        """
        target = open_destination(output)
        try:
            return self._writer_for(target)
        except OSError:
            target.close()
            raise

    def commit(self, prepared: Prepared) -> None:
        """Let it be the log from now on; the file that was the log until now is written to its end and closed."""
        writer, target = prepared.writer, prepared.target
        if not prepared.is_new:
            writer.move(target)
        before, self._current = self._current, writer
        if before is not None and before is not writer and before.target.path is not None:
            before.retire()

    def discard(self, prepared: Prepared) -> None:
        """Undo `prepare`."""
        if not prepared.is_new:
            prepared.target.close()
        if prepared.is_new or prepared.was_retired:
            prepared.writer.retire()  # a new one closes its target

    def close(self, deadline_s: float) -> bool:
        """Write what is left, within the deadline (seconds); whether everything was written."""
        until = time.monotonic() + deadline_s
        for writer in self._writers:
            writer.retire()
        # The log's own first: the time is not for those that are stuck.
        in_order = sorted(self._writers, key=lambda writer: writer is not self._current)
        return all(writer.close(until - time.monotonic()) for writer in in_order)

    def _writer_for(self, target: Destination) -> Prepared:
        self._forget_ended()
        for writer in self._writers:
            if writer.writes_to(target):
                was_retired = writer.retired
                if not was_retired or writer.resume():
                    return Prepared(writer, target, is_new=False, was_retired=was_retired)
        draining = sum(writer.retired for writer in self._writers)
        if target.path is not None and draining >= MOST_DRAINING:
            raise OSError(
                EBUSY,
                f"{counted(draining, 'former log file')} are still being written; let what they hold be read first",
            )
        writer = Writer(target, self._dropped_line)
        self._writers.append(writer)
        return Prepared(writer, target, is_new=True, was_retired=False)

    def _forget_ended(self) -> None:
        ended = [writer for writer in self._writers if writer.ended]
        self._dropped_before_bytes += sum(writer.dropped_bytes for writer in ended)
        self._writers = [writer for writer in self._writers if writer not in ended]
