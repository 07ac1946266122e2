"""Lines that are JSON objects, as they are in a log of JSON: what the job has said stays one value, under `data`.

So nothing of it can take the place of time, job or pid, and it is passed through as it was written: only looked at.
"""

import json
from collections.abc import Sequence
from json.encoder import encode_basestring
from typing import Any, NoReturn

from corepilot.output.records import Fields, is_object
from corepilot.output.stamps import nano_stamp

_LEVELS = {
    "trace": "debug", "debug": "debug", "info": "info", "information": "info", "notice": "info", "warn": "warning",
    "warning": "warning", "error": "error", "err": "error", "critical": "fatal", "fatal": "fatal", "panic": "panic",
}  # fmt: skip
"""What programs call the levels, and what they are here."""

_MOST_LEVEL = 20


def passed_through(lines: Sequence[bytes], fields: Fields, wall_ns: int) -> bytes:
    """A block of records: a line that is an object under `data`, any other as the text `msg`.

    Level and `msg` of an object are its own `level` (or `severity`) and `msg` (or `message`), if they are texts.
    """
    frames: dict[str, tuple[str, str]] = {}
    block = []
    for line in lines:
        text = line.decode("utf-8", "backslashreplace")
        found = _object(line, text)
        if found is None:
            head, tail = _frame("info", fields, wall_ns, frames)
            block.append("{" + head + encode_basestring(text) + tail)
        else:
            level = _LEVELS.get(_text(found, "level", "severity")[:_MOST_LEVEL].lower(), "info")
            head, tail = _frame(level, fields, wall_ns, frames)
            message = encode_basestring(_text(found, "msg", "message"))
            block.append('{"data":' + text + "," + head + message + tail)
    return "".join(block).encode("utf-8", "backslashreplace")


def _frame(level: str, fields: Fields, wall_ns: int, frames: dict[str, tuple[str, str]]) -> tuple[str, str]:
    """What stands before and after the message, made once for each level."""
    frame = frames.get(level)
    if frame is None:
        common = {name: _plain(value) for name, value in fields}
        record = {**common, "level": level, "msg": "", "time": nano_stamp(wall_ns)}
        text = json.dumps(record, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        head, _, tail = text[1:].partition('"msg":""')  # found nowhere else: a quote inside a value is escaped
        frame = frames[level] = head + '"msg":', tail + "\n"
    return frame


def _plain(value: str | int) -> str | int:
    """With what is no text in UTF-8, a lone surrogate, escaped."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


_decode = json.JSONDecoder(parse_constant=_refuse).raw_decode


def _object(line: bytes, text: str) -> dict[str, Any] | None:
    if not is_object(line):
        return None
    try:
        found, end = _decode(text)
    except (ValueError, RecursionError):
        return None
    return found if end == len(text) and isinstance(found, dict) and (line.isascii() or _is_text(line)) else None


def _is_text(line: bytes) -> bool:
    """Whether it is UTF-8: else it is not what it was any more."""
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _text(found: dict[str, Any], *names: str) -> str:
    for name in names:
        value = found.get(name)
        if isinstance(value, str):
            return value
    return ""
