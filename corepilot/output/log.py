"""Our own log and the jobs' lines, in ContainerPilot's three formats (contract, section 6).

A job's line is shown at any level: the level is for what corepilot says (section 10.8, FIX).
"""

import time
from collections.abc import Callable
from typing import Literal

from corepilot.model.configuration import Logging
from corepilot.output.stamps import local_time, nano_stamp
from corepilot.output.writer import Writer

Level = Literal["debug", "info", "warning", "error", "fatal", "panic"]
_ORDER: dict[str, int] = {"debug": 0, "info": 1, "warning": 2, "error": 3, "fatal": 4, "panic": 5}
_PLAIN = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/@^+"
_INVALID = "backslashreplace"

Fields = tuple[tuple[str, str | int], ...]
"""Names and values beside a message: ("job", name) or ("check", "check.<job>"), and ("pid", pid)."""


class Log:
    """Formats records and hands them to the writer. Every method returns at once.

    Args:
        config: Level, format and output.

    Raises:
        OSError: the output is a file that cannot be opened.
    """

    def __init__(self, config: Logging) -> None:
        self._level = _ORDER[config.level]
        self._format = _FORMATS[config.format]
        path = None if config.output in {"stdout", "stderr"} else config.output
        self._writer = Writer(2 if config.output == "stderr" else 1, path, self._dropped)

    @property
    def debugging(self) -> bool:
        """Whether debug messages are written, for callers to whom making one costs something."""
        return self._level == 0

    @property
    def dropped_bytes(self) -> int:
        """How many bytes of output have been dropped because nobody took them."""
        return self._writer.dropped_bytes

    @property
    def congested(self) -> bool:
        """Whether a reader of jobs' output should wait a little; see `Writer.congested`."""
        return self._writer.congested

    def __call__(self, level: Level | str, message: str, fields: Fields = ()) -> None:
        """Write one message of our own, if its level is at or above the configured one.

        In the default format `fields` name its job or check in front of it, with a colon: a job's line has none there.
        """
        if _ORDER[level] >= self._level:
            if fields and self._format is _default:
                message, fields = f"{fields[0][1]}: {message}", ()
            self._writer.write(self._format(level, [message.encode("utf-8", _INVALID)], fields))

    def job_lines(self, lines: list[bytes], fields: Fields) -> int:
        """Write lines of a job's or check's output as records of level info, with one time for all of them.

        Bytes that are not UTF-8 pass through unchanged in the default and text formats, and are escaped in JSON.

        Returns:
            How many bytes the records are.
        """
        block = self._format("info", lines, fields)
        self._writer.write(block)
        return len(block)

    def reopen(self) -> None:
        """Open the log file again, if the output is a file."""
        self._writer.reopen()

    def close(self, deadline_s: float = 0.25) -> bool:
        """Write what is left, within the deadline (seconds); whether everything was written."""
        return self._writer.close(deadline_s)

    def _dropped(self, size: int) -> bytes:
        message = f"{size} bytes of output were dropped: whatever reads it did not keep up"
        return self._format("warning", [message.encode()], ())


# A block of records at a time: what they have in common is made once, and text that needs no look stays bytes.
def _default(_level: str, lines: list[bytes], fields: Fields) -> bytes:
    # Lines of a check show its pid only (contract, section 6).
    head = "".join([f"{word} " for word in (nano_stamp(), *[value for name, value in fields if name != "check"])])
    first = head.encode("utf-8", _INVALID)
    return first + (b"\n" + first).join(lines) + b"\n"


def _text(level: str, lines: list[bytes], fields: Fields) -> bytes:
    stamp = "".join(local_time(int(time.time())))  # logrus writes RFC3339 here: no fraction
    head = f'time="{stamp}" level={level}'.encode()
    pairs = [name.encode() + b"=" + _quoted(str(value).encode("utf-8", _INVALID)) for name, value in fields]
    tail = b"".join([b" " + pair for pair in pairs]) + b"\n"
    # logrus leaves an empty message out.
    return b"".join([head + b" msg=" + _quoted(line) + tail if line else head + tail for line in lines])


def _quoted(text: bytes) -> bytes:
    return b'"' + text + b'"' if text.translate(None, _PLAIN) or not text else text


def _json(level: str, lines: list[bytes], fields: Fields) -> bytes:
    from json import dumps  # a look-up after the first time; not on the boot path of the other formats
    from json.encoder import encode_basestring

    record = {**dict(fields), "level": level, "msg": "", "time": nano_stamp()}
    frame = dumps(record, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    head, _, tail = frame.partition('"msg":""')  # found nowhere else: a quote inside a value is escaped
    head, tail = head + '"msg":', tail + "\n"
    block = "".join([head + encode_basestring(line.decode("utf-8", _INVALID)) + tail for line in lines])
    return block.encode("utf-8", _INVALID)


_FORMATS: dict[str, Callable[[str, list[bytes], Fields], bytes]] = {"default": _default, "text": _text, "json": _json}
