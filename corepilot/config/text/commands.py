"""Commands as configurations write them (ContainerPilot contract, section 4.2), and what is odd about them."""

import math
from collections.abc import Iterator
from typing import Any

_OPERATORS = frozenset(("|", "||", "&&", "&", ";", ">", ">>", "<", "2>", "2>&1"))


def split(text: str) -> tuple[str, ...]:
    """A command in a text: blanks around it go, then each single space separates. Quotes mean nothing."""
    return tuple(text.strip().split(" "))


def parsed(written: Any) -> tuple[str, ...]:
    """A command as it is written: a text, or an array."""
    return split(written) if isinstance(written, str) else tuple([formatted(one) for one in written])


def formatted(value: Any) -> str:
    """An element of an array as an argument: what Go's fmt prints with %v. Numbers are floats, as in Go's JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number(float(value))
    if isinstance(value, list):
        return "[" + " ".join(map(formatted, value)) + "]"
    return "map[" + " ".join(f"{key}:{formatted(value[key])}" for key in sorted(value)) + "]"


def oddities(text: str) -> Iterator[str]:
    """What in a command text looks as if a shell would read it, one description each."""
    arguments = split(text)
    if any(quote in text for quote in "\"'`"):
        yield "its quotes are literal parts of the arguments"
    operators = [one for one in arguments if one in _OPERATORS]
    if operators and not any(quote in text for quote in "\"'`"):
        yield f"{operators[0]!r} is a literal argument: no shell reads it"
    if "" in arguments[1:]:
        yield "two blanks in a row make an empty argument"
    if any(blank in text.strip() for blank in "\t\n\r"):
        yield "tabs and line ends do not separate arguments"


def _number(value: float) -> str:
    """A float as strconv.FormatFloat(…, 'g', -1, 64): with an exponent below 1e-04 and from 1e+06 on."""
    if math.isnan(value) or math.isinf(value):
        return "NaN" if math.isnan(value) else f"{value:+}".title()
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0") or "0"
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    if value and not -4 <= point - 1 < 6:
        rest = "." + digits[1:] if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{rest}e{point - 1:+03d}"
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}" if value else f"{sign}0"
    rest = "." + digits[point:] if len(digits) > point else ""
    return sign + digits[:point].ljust(point, "0") + rest
