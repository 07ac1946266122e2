"""Lines that are JSON objects, as they are in a log of JSON: what the job has said stays one value, under `data`.

So nothing of it can take the place of time, job or pid, and it is passed through as it was written: only looked at.
"""

import json
from collections.abc import Sequence
from typing import Any, NoReturn

from corepilot.output.delivery import is_object
from corepilot.output.records import Fields
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
    common = {name: str(value) if isinstance(value, str) else value for name, value in fields}
    block = []
    for line in lines:
        found = _object(line)
        data = '"data":' + line.decode() + "," if found is not None else ""
        text = line.decode("utf-8", "backslashreplace") if found is None else _text(found, "msg", "message")
        named = "" if found is None else _text(found, "level", "severity")[:_MOST_LEVEL]
        level = _LEVELS.get(named.lower(), "info")
        record = {**common, "level": level, "msg": text, "time": nano_stamp(wall_ns)}
        block.append("{" + data + json.dumps(record, ensure_ascii=False, separators=(",", ":"), sort_keys=True)[1:])
    return ("\n".join(block) + "\n").encode("utf-8", "backslashreplace")


def _object(line: bytes) -> dict[str, Any] | None:
    if not is_object(line):
        return None
    try:
        found = json.loads(line.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _text(found: dict[str, Any], *names: str) -> str:
    return next((value for name in names if isinstance(value := found.get(name), str)), "")
