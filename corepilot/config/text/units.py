"""Durations as Go writes them, and the weak typing of ContainerPilot's fields. Pure functions, no imports.

Durations: https://pkg.go.dev/time#ParseDuration, with what ContainerPilot contract, section 3.6 ("Duration grammar")
adds: a whole number without a unit is seconds. Weak typing: contract, section 3.2, which is what the library
github.com/mitchellh/mapstructure does with `WeaklyTypedInput`; numbers in strings follow Go's `strconv`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SHOWN_CHARS = 40
_NS_PER_S = 1_000_000_000
_MAX_INT = 2**63 - 1
_MAX_NS = _MAX_INT
_NOT_64_BITS = f"cannot hold the number in 64 bits; write one of at most {_MAX_INT}"
_UNITS_NS = {
    "ns": 1,
    "us": 1_000,
    "\u00b5s": 1_000,  # micro sign
    "\u03bcs": 1_000,  # Greek small letter mu
    "ms": 1_000_000,
    "s": _NS_PER_S,
    "m": 60 * _NS_PER_S,
    "h": 3600 * _NS_PER_S,
}
_MEANT_UNITS = {
    **dict.fromkeys(("msec", "msecs", "milli", "millis", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("hr", "hrs", "hour", "hours"), "h"),
}
_NOT_UNITS = {
    **dict.fromkeys(("d", "day", "days"), "write a day as 24h"),
    **dict.fromkeys(("w", "week", "weeks"), "write a week as 168h"),
}
_EXAMPLES = "write numbers with units (h, m, s, ms, us, ns), such as 1m30s or 500ms"
_TRUE = ("1", "t", "T", "true", "TRUE", "True")
_FALSE = ("0", "f", "F", "false", "FALSE", "False", "")


class DurationError(ValueError):
    """Not a duration. The message is "cannot read <value> as a duration: <reason>; <hint>".

    Attributes:
        rule: "<value> is not a duration: <reason>", for messages that begin otherwise.
        hint: What to do, as an imperative.
    """

    def __init__(self, message: str, rule: str, hint: str) -> None:
        super().__init__(message)
        self.rule = rule
        self.hint = hint


def parse_duration(value: str | float, *, bare_integer_seconds: bool = True) -> float:
    """Read a duration.

    Args:
        value: Such as "1m30s", "-1.5h", ".5s", "500ms", "0", 30 or "30". A number, or a bool, is first turned into
            text, as `weak_str` does. The empty string is an error here; a field for which it means "not set" says so
            itself.
        bare_integer_seconds: A whole number without a unit is seconds. Without this only 0 may stand without a unit.

    Returns:
        Seconds; may be negative. Whole nanoseconds, rounded to the nearest float.

    Raises:
        DurationError: Not a duration, or longer than 2**63 - 1 nanoseconds, about 292 years.
    """
    text = value if isinstance(value, str) else weak_str(value)
    digits = text[1:] if text[:1] in ("+", "-") else text
    if digits == "0":
        return 0.0
    if bare_integer_seconds and digits.isascii() and digits.isdigit():
        ns = _in_units(text, digits, _NS_PER_S)
    else:
        ns = _sum_of_parts(text, digits, bare_integer_seconds=bare_integer_seconds)
    if text[0] == "-":
        ns = -ns
    if not -_MAX_NS - 1 <= ns <= _MAX_NS:
        raise _too_long(text)
    return ns / _NS_PER_S


def _sum_of_parts(text: str, rest: str, *, bare_integer_seconds: bool) -> int:
    """Add up number and unit, number and unit, … in nanoseconds."""
    if not rest:
        raise _not_a_duration(text, "it is empty" if not text else "there is no number")
    ns = 0
    while rest:
        whole, rest = _leading_digits(rest)
        fraction = ""
        if rest.startswith("."):
            fraction, rest = _leading_digits(rest[1:])
        if not whole and not fraction:
            raise _not_a_duration(text, "there is no number before a unit" if ns else "it does not start with a number")
        end = next((i for i, char in enumerate(rest) if char in ".0123456789"), len(rest))
        unit, rest = rest[:end], rest[end:]
        if unit not in _UNITS_NS:
            raise _unknown_unit(text, unit, bare_integer_seconds=bare_integer_seconds)
        ns += _in_units(text, whole or "0", _UNITS_NS[unit]) + _fraction_in_units(fraction, _UNITS_NS[unit])
    return ns


def _leading_digits(text: str) -> tuple[str, str]:
    end = next((i for i, char in enumerate(text) if char not in "0123456789"), len(text))
    return text[:end], text[end:]


def _in_units(text: str, digits: str, unit_ns: int) -> int:
    digits = digits.lstrip("0")
    if len(digits) > 19:  # 2**63 has 19 digits; int() refuses thousands of them
        raise _too_long(text)
    return int(digits or "0") * unit_ns


def _fraction_in_units(digits: str, unit_ns: int) -> int:
    """Go's arithmetic to the bit: digits beyond 63 bits do not count, and the product is a float, cut off."""
    numerator, scale = 0, 1.0
    for digit in digits:
        longer = numerator * 10 + int(digit)
        if numerator > _MAX_NS // 10 or longer > _MAX_NS + 1:
            break
        numerator, scale = longer, scale * 10
    return int(float(numerator) * (unit_ns / scale))


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "…")


def _not_a_duration(text: str, reason: str, hint: str = _EXAMPLES) -> DurationError:
    shown = _shown(text)
    message = f"cannot read {shown} as a duration: {reason}; {hint}"
    return DurationError(message, f"{shown} is not a duration: {reason}", hint)


def _too_long(text: str) -> DurationError:
    return _not_a_duration(text, "it is longer than 292 years", "write a shorter one")


def _unknown_unit(text: str, unit: str, *, bare_integer_seconds: bool) -> DurationError:
    if not unit:
        rule = "only a whole number of seconds may stand without one" if bare_integer_seconds else "only 0 needs none"
        hint = f"write {text}s for seconds" if len(text) <= _SHOWN_CHARS else _EXAMPLES
        return _not_a_duration(text, f"a unit is missing, and {rule}", hint)
    word = unit.strip().lower()
    meant = _MEANT_UNITS.get(word, word if word in _UNITS_NS else None)
    if unit.isspace():
        return _not_a_duration(text, "there is a space in it", "remove the space")
    if word in _NOT_UNITS:
        return _not_a_duration(text, f"there is no unit {_shown(unit)}", _NOT_UNITS[word])
    if meant is not None:
        return _not_a_duration(text, f"there is no unit {_shown(unit)}", f"write {meant}, without a space before it")
    if unit.startswith(","):
        return _not_a_duration(text, "there is a comma in it", "write '.' for the decimal point")
    return _not_a_duration(text, f"there is no unit {_shown(unit)}")


def format_duration(seconds: float) -> str:
    """Write a duration as Go does: "1h0m0s", "1m30s", "1.5s", "500ms", "20µs", "0s".

    Args:
        seconds: Finite, at most 292 years either way; rounded to whole nanoseconds.

    Raises:
        DurationError: Not a number, or more than 292 years.
    """
    if not abs(seconds) <= _MAX_NS / _NS_PER_S:
        rule = "it is not a number within 292 years"
        raise DurationError(f"cannot write {seconds} s as a duration: {rule}", rule, "")
    whole = int(seconds)
    ns = min(abs(whole * _NS_PER_S + round((seconds - whole) * _NS_PER_S)), _MAX_NS)
    sign = "-" if seconds < 0 and ns else ""
    if ns < _NS_PER_S:
        for unit, size, places in (("ms", 1_000_000, 6), ("\u00b5s", 1_000, 3), ("ns", 1, 0)):
            if ns >= size:
                return sign + _decimal(ns, size, places) + unit
        return "0s"
    minutes, ns = divmod(ns, 60 * _NS_PER_S)
    hours, minutes = divmod(minutes, 60)
    text = _decimal(ns, _NS_PER_S, 9) + "s"
    if hours:
        return f"{sign}{hours}h{minutes}m{text}"
    return f"{sign}{minutes}m{text}" if minutes else sign + text


def _decimal(count: int, size: int, places: int) -> str:
    whole, rest = divmod(count, size)
    return f"{whole}.{rest:0{places}}".rstrip("0").rstrip(".") if rest else str(whole)


def weak_int(value: Any) -> int:
    """Read an integer field: a number (cut off towards zero), a bool (1 or 0), or text with a number in it.

    Text is read as Go's `strconv.ParseInt(text, 0, 64)` does: an optional sign, then decimal digits, or digits after
    `0x`, `0o`, `0` (octal too) or `0b`; `_` may stand between digits.

    Raises:
        ValueError: Anything else, including text with a unit, the empty text, null, and what 64 bits do not hold.
    """
    if isinstance(value, str):
        number = _parse_int(value)
    elif not isinstance(value, int | float):
        raise ValueError(f"cannot read {_kind(value)} as a whole number; write digits, such as 10")  # noqa: TRY004  - one error for callers
    elif not abs(value) <= _MAX_INT + 1:  # NaN, too
        raise ValueError(_NOT_64_BITS)
    else:
        number = int(value)
    if not -_MAX_INT - 1 <= number <= _MAX_INT:
        raise ValueError(_NOT_64_BITS)
    return number


def _parse_int(text: str) -> int:
    digits = text[1:] if text[:1] in ("+", "-") else text
    if digits.isascii() and digits[:1].isdigit() and not digits[-1].isspace() and len(digits) <= 1000:
        if digits[0] == "0" and digits[1:2] not in ("", "x", "X", "o", "O", "b", "B"):
            digits = "0o" + digits[1:]
        try:
            return int(digits, 0) * (-1 if text[0] == "-" else 1)
        except ValueError:
            pass  # the message below says more
    rule = "the setting takes no unit; " if digits[:1].isdigit() and digits[-1:].isalpha() else ""
    raise ValueError(f"cannot read {_shown(text)} as a whole number: {rule}write digits, such as 10")


def weak_str(value: Any) -> str:
    """Read a text field: text, a number (in decimal, as short as it can be, without exponent), or a bool ("1", "0").

    Whole numbers keep all their digits; ContainerPilot rounds those beyond 2**53 (our decision).

    Raises:
        ValueError: null, a list or an object.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int):
        return str(value)
    if not isinstance(value, float):
        raise ValueError(f"cannot read {_kind(value)} as text; put it in quotes")  # noqa: TRY004  - one error for callers
    if not abs(value) < float("inf"):
        return {"inf": "+Inf", "-inf": "-Inf"}.get(str(value), "NaN")
    mantissa, _, exponent = repr(value).removesuffix(".0").partition("e")
    if not exponent:
        return mantissa
    sign = "-" if mantissa[0] == "-" else ""
    whole, _, fraction = mantissa.removeprefix("-").partition(".")
    if exponent[0] == "-":
        return f"{sign}0.{'0' * (-int(exponent) - 1)}{whole}{fraction}"
    return sign + (whole + fraction).ljust(int(exponent) + 1, "0")


def weak_bool(value: Any) -> bool:
    """Read a true-or-false field: a bool, a number (0 is false), or text that Go's `strconv.ParseBool` takes.

    That is 1, t, T, true, TRUE, True, and 0, f, F, false, FALSE, False. The empty text is false.

    Raises:
        ValueError: Other text (such as "yes"), null, a list or an object.
    """
    if isinstance(value, str):
        if value in _TRUE:
            return True
        if value in _FALSE:
            return False
        raise ValueError(f"cannot read {_shown(value)} as true or false; write true or false")
    if isinstance(value, int | float):
        return value != 0
    raise ValueError(f"cannot read {_kind(value)} as true or false; write true or false")


def _kind(value: Any) -> str:
    return {list: "a list", dict: "an object", type(None): "null"}.get(type(value), type(value).__name__)
