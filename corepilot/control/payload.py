"""Bodies of control requests: JSON as ContainerPilot took it, within limits.

Go's encoding/json decides what JSON is here, where Python's differs: no NaN, no numbers beyond a double, no
byte-order mark, lone surrogates become U+FFFD (https://pkg.go.dev/encoding/json).
"""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from corepilot.http.time_slice import TimeSlice
from corepilot.wording.escaping import escaped

MAX_NAMES = 4096
MAX_ENVIRON_BYTES = 1024 * 1024
MAX_VARIABLE_BYTES = 128 * 1024
"""The kernel's: no program can be started with a longer `NAME=VALUE` and its end (execve(2), MAX_ARG_STRLEN)."""
_LONGEST_INTEGER = 309
_LONGEST_SHOWN = 40
_LONE_SURROGATES = re.compile("[\ud800-\udfff]")
_BLANKS = re.compile(r"[ \t\n\r]*")
_WARNED_PREFIXES = ("LD_", "PYTHON")


class PayloadError(ValueError):
    """The body is not what the request needs. Nothing of it has been applied. The text never quotes a value."""


def parse_object(body: bytes) -> dict[str, object]:
    """Read a JSON object. `null` counts as an empty one, as it did in ContainerPilot.

    Lets others run in between: a body of 1 MiB takes a tenth of a second.

    Raises:
        PayloadError: It is not JSON, is followed by something, or is no object.
    """
    time_slice = TimeSlice()

    def integer(text: str) -> int:
        time_slice.check()
        return _short_integer(text)

    def number(text: str) -> float:
        time_slice.check()
        return _finite(text)

    decoder = json.JSONDecoder(parse_constant=_no_constant, parse_float=number, parse_int=integer)
    try:
        text = body.decode("utf-8")
        start = _after_blanks(text, 0)
        if text[start : start + 1] != "{":
            return _no_object(decoder.decode(text))
        values: dict[str, object] = {}
        for name, item in _members(text, start, decoder):
            values[_well_formed(name)] = _well_formed(item) if isinstance(item, str) else item
            time_slice.check()
    except UnicodeDecodeError as error:
        raise PayloadError(f"the body is not UTF-8 (byte {error.start})") from error
    except json.JSONDecodeError as error:
        raise PayloadError(f"the body is not JSON: {error.msg.lower()} (character {error.pos})") from error
    except PayloadError:
        raise
    except (ValueError, RecursionError) as error:
        raise PayloadError("the body is not JSON: a number is out of range, or it is nested too deeply") from error
    return values


def _no_object(value: object) -> dict[str, object]:
    if value is None:
        return {}
    raise PayloadError("the body is not a JSON object")


def _members(text: str, start: int, decoder: json.JSONDecoder) -> Iterator[tuple[str, Any]]:
    """The members of the object that begins at `start`, one by one, which the decoder cannot do.

    Raises:
        json.JSONDecodeError: As by the decoder.
    """
    position = _after_blanks(text, start + 1)
    if text[position : position + 1] == "}":
        position += 1
    else:
        more = True
        while more:
            if text[position : position + 1] != '"':
                raise json.JSONDecodeError("Expecting property name enclosed in double quotes", text, position)
            name, position = decoder.raw_decode(text, position)
            position = _after_blanks(text, position)
            if text[position : position + 1] != ":":
                raise json.JSONDecodeError("Expecting ':' delimiter", text, position)
            item, position = decoder.raw_decode(text, _after_blanks(text, position + 1))
            yield name, item
            position = _after_blanks(text, position)
            more = text[position : position + 1] == ","
            if not more and text[position : position + 1] != "}":
                raise json.JSONDecodeError("Expecting ',' delimiter", text, position)
            position = _after_blanks(text, position + 1) if more else position + 1
    position = _after_blanks(text, position)
    if position != len(text):
        raise json.JSONDecodeError("Extra data", text, position)


def _after_blanks(text: str, position: int) -> int:
    found = _BLANKS.match(text, position)
    return found.end() if found else position


def parse_environ(body: bytes) -> tuple[dict[str, str | None], list[str]]:
    """Read variables to set. Null and "" both set to empty (ContainerPilot contract, section 4.12).

    Returns:
        The variables, and the names that the kernel's environment cannot hold, which are skipped (section 9.1); long
        ones are cut.

    Raises:
        PayloadError: It is not an object of text or null, or it has more than 4096 names.
    """
    values: dict[str, str | None] = {}
    skipped: list[str] = []
    found = parse_object(body)
    if len(found) > MAX_NAMES:
        raise PayloadError(f"it has {len(found)} variables, and no more than {MAX_NAMES} can be set over the socket")
    for name, value in found.items():
        if value is not None and not isinstance(value, str):
            raise PayloadError(f"the value of {clipped(name)!r} is neither text nor null")
        if not name or "=" in name or "\0" in name or "\0" in (value or ""):
            skipped.append(clipped(name))
        else:
            values[name] = value
    return values, skipped


class EnvironBudget:
    """Bounds what can be put into the jobs' environment over the life of the server.

    Without it a program that sets a new variable every minute would one day make every exec fail with E2BIG.
    """

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}

    def charge(self, values: Mapping[str, str | None]) -> None:
        """Account for variables before they are set.

        Raises:
            PayloadError: There would be more than 4096 names or 1 MiB, or one that no program can be started with.
                Nothing is accounted for.
        """
        new = {name: len(name.encode()) + len((value or "").encode()) + len("=\0") for name, value in values.items()}
        for name, size in new.items():
            if size > MAX_VARIABLE_BYTES:
                raise PayloadError(
                    f"{clipped(name)!r} has {size} bytes, and no program starts with more than {MAX_VARIABLE_BYTES}"
                )
        sizes = self._sizes | new
        if len(sizes) > MAX_NAMES:
            raise PayloadError(f"more than {MAX_NAMES} variables would have been set over the control socket")
        if sum(sizes.values()) > MAX_ENVIRON_BYTES:
            raise PayloadError(
                f"the variables set over the control socket would take more than {MAX_ENVIRON_BYTES} bytes"
            )
        self._sizes = sizes


def sensitive_names(values: Iterable[str]) -> list[str]:
    """Names that change what programs load, in order: LD_* (ld.so(8)) and PYTHON*. As messages show them."""
    return sorted(escaped(clipped(name)) for name in values if name.startswith(_WARNED_PREFIXES))


def clipped(text: str, most: int = _LONGEST_SHOWN) -> str:
    """The beginning of a text, for messages: a request may hold a name of a megabyte."""
    return text if len(text) <= most else text[:most] + "…"


def encode(value: object) -> bytes:
    """JSON with a newline at the end. What a program put into text but UTF-8 cannot hold is escaped."""
    return json.dumps(value, separators=(",", ":"), default=str).encode("ascii") + b"\n"


def _no_constant(text: str) -> Any:
    raise ValueError(text)


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(text)
    return number


def _short_integer(text: str) -> int:
    if len(text) > _LONGEST_INTEGER:
        raise ValueError(text)
    return int(text)


def _well_formed(text: str) -> str:
    # Two that make a character have been joined by the parser.
    return text if text.isascii() else _LONE_SURROGATES.sub("\ufffd", text)
