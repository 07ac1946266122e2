"""Our own log and the jobs' lines, in ContainerPilot's three formats (contract, section 6).

A job's line is shown at any level: the level is for what corepilot says (section 10.8, FIX).
"""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from corepilot.model.configuration import Logging
from corepilot.output.records import Fields, Output, Records
from corepilot.output.stamps import local_time, nano_stamp
from corepilot.output.writers import Prepared, Writers
from corepilot.wording.escaping import escaped

if TYPE_CHECKING:
    from corepilot.model.command import OutputFile
    from corepilot.output.files import JobFiles
    from corepilot.output.job_file import JobFile

__all__ = ["Fields", "Level", "Log", "PreparedLog"]

Level = Literal["debug", "info", "warning", "error", "fatal", "panic"]
_ORDER: dict[str, int] = {"debug": 0, "info": 1, "warning": 2, "error": 3, "fatal": 4, "panic": 5}
_PLAIN = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/@^+"
_INVALID = "backslashreplace"


Format = Callable[[str, Sequence[bytes], Fields, int], bytes]
"""Makes a block of records: level, lines, fields, time in nanoseconds."""


class PreparedLog(NamedTuple):
    """A level, a format and an output that are ready for use; see `Log.prepare`."""

    level: int
    format: Format
    output: Prepared


class Log:
    """Formats records and hands them to the writer, as long as the process lives. Every method returns at once.

    Level, format and output change by `prepare` and `commit`; stdout and stderr keep the one thread that writes there.

    Args:
        config: Level, format and output.

    Attributes:
        output: Where jobs' records are published; this log is the first subscriber.

    Raises:
        OSError: the output is a file that cannot be opened.
    """

    def __init__(self, config: Logging) -> None:
        self._writers = Writers(self._dropped)
        self._prepared: PreparedLog | None = None
        self._files: JobFiles | None = None
        self.output = Output(self)
        self.output.subscribe("the log", self._take)
        self.commit(self.prepare(config))

    @property
    def debugging(self) -> bool:
        """Whether debug messages are written, for callers to whom making one costs something."""
        return self._level == 0

    @property
    def dropped_bytes(self) -> int:
        """How many bytes of output have been dropped because nobody took them, or no disk."""
        return self._writers.dropped_bytes + (0 if self._files is None else self._files.lost_bytes)

    @property
    def draining(self) -> int:
        """How many files that were the log before are still being written; one that nobody reads is for ever."""
        return self._writers.draining

    @property
    def congested(self) -> bool:
        """Whether a reader of jobs' output should wait a little; see `Writer.congested`."""
        return self._writer.congested

    def prepare(self, config: Logging) -> PreparedLog:
        """Do all that can fail before the log becomes another one: open a file, start its thread.

        The log goes on as it was, whatever comes of it. There is one prepared log at a time: preparing another
        discards it.

        Raises:
            OSError: the file cannot be opened, no thread can be started, or too many files that were the log before
                are stuck.
        """
        if self._prepared is not None:
            self.discard(self._prepared)
        output = self._writers.prepare(config.output)
        self._prepared = PreparedLog(_ORDER[config.level], _FORMATS[config.format], output)
        return self._prepared

    def commit(self, prepared: PreparedLog) -> None:
        """Switch to what `prepare` returned, between two records. Never fails.

        A file that was the log until now is written to its end in the background. So is stdout, whose thread stays.
        """
        self._prepared = None
        self._level, self._format = prepared.level, prepared.format
        self._writers.commit(prepared.output)
        self._writer = prepared.output.writer

    def discard(self, prepared: PreparedLog) -> None:
        """Close what `prepare` opened, when it is not to be used."""
        self._prepared = None
        self._writers.discard(prepared.output)

    def __call__(self, level: Level | str, message: str, fields: Fields = ()) -> None:
        """Write one message of our own, if its level is at or above the configured one.

        It is one record, whatever it quotes: what is not printable is escaped, newlines too (`escaped`; JSON has its
        own escapes). In the default format `fields` name its job or check in front of it, with a colon, unless the
        message begins with the name: a job's line has no colon there.
        """
        self.lines(level, (message,), fields)

    def lines(self, level: Level | str, messages: Iterable[str], fields: Fields = ()) -> None:
        """Write messages that belong together, such as the lines of a stack: a record each, with one time."""
        if _ORDER[level] < self._level:
            return
        if self._format is not _json:
            if fields and self._format is _default:
                name, fields = f"{fields[0][1]}", ()
                messages = [one if one.startswith(f"{name} ") else f"{name}: {one}" for one in messages]
            messages = map(escaped, messages)
        lines = [message.encode("utf-8", _INVALID) for message in messages]
        if lines:
            self._writer.write(self._format(level, lines, fields, time.time_ns()))

    def job_file(self, settings: "OutputFile", loop: Any) -> "JobFile":
        """A file of a job's own, to be closed; see `corepilot.output.files`.

        Raises:
            OSError: no thread can be started that writes it.
        """
        if self._files is None:
            from corepilot.output.files import JobFiles  # few jobs have one

            self._files = JobFiles(loop, self)
        return self._files.open(settings)

    def reopen(self) -> None:
        """Open the log file again, if the output is a file, and the files of jobs."""
        self._writer.reopen()
        if self._files is not None:
            self._files.reopen()

    def close(self, deadline_s: float = 0.25) -> bool:
        """Write what is left, within the deadline (seconds); whether everything was written."""
        until = time.monotonic() + deadline_s
        files = self._files is None or self._files.close(deadline_s)
        return self._writers.close(max(until - time.monotonic(), deadline_s / 2)) and files

    def _take(self, records: Records) -> None:
        if not records.logged:
            return
        fields = records.fields
        if records.stream and self._format is not _default:
            fields = (*fields, ("stream", records.stream))
        if records.structured and self._format is _json:
            from corepilot.output.structure import passed_through  # few jobs have such lines

            self._writer.write(passed_through(records.shown, fields, records.wall_ns))
        else:
            self._writer.write(self._format("info", records.shown, fields, records.wall_ns))

    def _dropped(self, size: int) -> bytes:
        message = f"{size} bytes of output were dropped: whatever reads it did not keep up"
        return self._format("warning", [message.encode()], (), time.time_ns())


# A block of records at a time: what they have in common is made once, and text that needs no look stays bytes.
def _default(_level: str, lines: Sequence[bytes], fields: Fields, wall_ns: int) -> bytes:
    # Lines of a check show its pid only (contract, section 6).
    words = (nano_stamp(wall_ns), *[str(value) for name, value in fields if name != "check"])
    first = escaped("".join([f"{word} " for word in words])).encode()
    return first + (b"\n" + first).join(lines) + b"\n"


def _text(level: str, lines: Sequence[bytes], fields: Fields, wall_ns: int) -> bytes:
    stamp = "".join(local_time(wall_ns // 1_000_000_000))  # logrus writes RFC3339 here: no fraction
    head = f'time="{stamp}" level={level}'.encode()
    pairs = [name.encode() + b"=" + _quoted(escaped(str(value)).encode()) for name, value in fields]
    tail = b"".join([b" " + pair for pair in pairs]) + b"\n"
    # logrus leaves an empty message out.
    return b"".join([head + b" msg=" + _quoted(line) + tail if line else head + tail for line in lines])


def _quoted(text: bytes) -> bytes:
    return b'"' + text + b'"' if text.translate(None, _PLAIN) or not text else text


def _json(level: str, lines: Sequence[bytes], fields: Fields, wall_ns: int) -> bytes:
    from json import dumps  # a look-up after the first time; not on the boot path of the other formats
    from json.encoder import encode_basestring

    # What is no text in UTF-8, a lone surrogate, is escaped in fields as in messages.
    texts = {name: str(value).encode("utf-8", _INVALID).decode() for name, value in fields if isinstance(value, str)}
    record = {**dict(fields), **texts, "level": level, "msg": "", "time": nano_stamp(wall_ns)}
    frame = dumps(record, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    head, _, tail = frame.partition('"msg":""')  # found nowhere else: a quote inside a value is escaped
    head, tail = head + '"msg":', tail + "\n"
    block = "".join([head + encode_basestring(line.decode("utf-8", _INVALID)) + tail for line in lines])
    return block.encode("utf-8", _INVALID)


_FORMATS: dict[str, Format] = {"default": _default, "text": _text, "json": _json}
