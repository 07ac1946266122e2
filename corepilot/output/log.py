"""Our own log and the jobs' lines, in ContainerPilot's three formats (contract, section 6).

A job's line is shown at any level: the level is for what corepilot says (section 10.8, FIX).
"""

import time
from collections.abc import Callable
from typing import Literal

from corepilot.config.model import LoggingConfig
from corepilot.output.writer import Writer

Level = Literal["debug", "info", "warning", "error", "fatal", "panic"]
_ORDER: dict[str, int] = {"debug": 0, "info": 1, "warning": 2, "error": 3, "fatal": 4, "panic": 5}
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/@^+")
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

    def __init__(self, config: LoggingConfig) -> None:
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
        """Write one message of our own, if its level is at or above the configured one."""
        if _ORDER[level] >= self._level:
            self._writer.write(self._format(_now(), level, message, fields).encode("utf-8", _INVALID))

    def job_lines(self, lines: list[bytes], fields: Fields) -> None:
        """Write lines of a job's or check's output as records of level info.

        Bytes that are not UTF-8 pass through unchanged in the default and text formats, and are escaped in JSON.
        """
        stamp, form = _now(), self._format
        errors = _INVALID if form is _json else "surrogateescape"
        block = "".join([form(stamp, "info", line.decode("utf-8", errors), fields) for line in lines])
        self._writer.write(block.encode("utf-8", errors))

    def reopen(self) -> None:
        """Open the log file again, if the output is a file."""
        self._writer.reopen()

    def close(self, deadline_s: float = 0.25) -> bool:
        """Write what is left, within the deadline (seconds); whether everything was written."""
        return self._writer.close(deadline_s)

    def _dropped(self, size: int) -> bytes:
        message = f"{size} bytes of output were dropped: whatever reads it did not keep up"
        return self._format(_now(), "warning", message, ()).encode()


_second, _second_text = 0, ""


def _now() -> str:
    """The time as Go's RFC3339Nano in UTC: trailing zeros of the fraction are left out."""
    global _second, _second_text
    second, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    if second != _second:
        _second, _second_text = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
    return f"{_second_text}.{nanoseconds:09d}".rstrip("0").rstrip(".") + "Z"


def _default(stamp: str, _level: str, message: str, fields: Fields) -> str:
    # Lines of a check show its pid only (contract, section 6).
    return " ".join([stamp, *[f"[{value}]" for name, value in fields if name != "check"], message]) + "\n"


def _text(stamp: str, level: str, message: str, fields: Fields) -> str:
    pairs = "".join([f" {name}={_quoted(str(value))}" for name, value in fields])
    return f'time="{stamp}" level={level} msg={_quoted(message)}{pairs}\n'


def _quoted(text: str) -> str:
    return text if text and _PLAIN.issuperset(text) else f'"{text}"'


def _json(stamp: str, level: str, message: str, fields: Fields) -> str:
    from json import dumps  # a look-up after the first time; not on the boot path of the other formats

    record = {**dict(fields), "level": level, "msg": message, "time": stamp}
    return dumps(record, ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n"


_FORMATS: dict[str, Callable[[str, str, str, Fields], str]] = {"default": _default, "text": _text, "json": _json}
