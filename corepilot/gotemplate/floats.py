"""Write floats as Go's strconv.FormatFloat does: decimal, with exponent, shortest, binary and hexadecimal."""

from __future__ import annotations

import math

_SHORTEST = 6
"""Exponent from which the shortest form is written with one."""


def format_float(value: float, form: str, precision: int) -> str:
    """Write a finite float.

    Args:
        value: the number.
        form: e, E, f, g, G, b, x or X, as in strconv.FormatFloat.
        precision: digits, as the form counts them; for g, G, x and X -1 means as few as tell the number from
            its neighbours. b takes no notice of it.
    """
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    value = abs(value)
    if form == "b":
        return sign + _binary(value)
    if form in "xX":
        text = _hexadecimal(value, precision)
        return sign + (text.upper() if form == "X" else text)
    if form in "eE":
        return sign + _with_exponent(*_rounded(value, precision + 1), precision, form)
    if form == "f":
        return sign + f"{value:.{precision}f}"
    significant = max(precision, 1)
    digits, point = _shortest(value) if precision < 0 else _rounded(value, significant)
    digits = digits.rstrip("0") or "0"
    # The exponent is written below 1e-04 and from the precision on.
    if value and not -4 <= point - 1 < (_SHORTEST if precision < 0 else significant):
        return sign + _with_exponent(digits, point, len(digits) - 1, "E" if form == "G" else "e")
    return sign + _plain(digits, point)


def _shortest(value: float) -> tuple[str, int]:
    """Return the fewest digits that mean this float, and where the decimal point stands among them."""
    mantissa, _, exponent = repr(value).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    return (digits.rstrip("0"), point) if value else ("0", 1)


def _rounded(value: float, digits: int) -> tuple[str, int]:
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    return mantissa.replace(".", ""), int(exponent) + 1


def _with_exponent(digits: str, point: int, precision: int, letter: str) -> str:
    digits = digits.ljust(precision + 1, "0")
    exponent = point - 1
    fraction = "." + digits[1:] if precision > 0 else ""
    return f"{digits[0]}{fraction}{letter}{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _plain(digits: str, point: int) -> str:
    if point <= 0:
        return "0." + "0" * -point + digits
    if point >= len(digits):
        return digits + "0" * (point - len(digits))
    return digits[:point] + "." + digits[point:]


def _binary(value: float) -> str:
    if not value:
        return "0p-1074"
    _, exponent = math.frexp(value)
    exponent = max(exponent - 53, -1074)
    return f"{int(math.ldexp(value, -exponent))}p{exponent:+d}"


def _hexadecimal(value: float, precision: int) -> str:
    mantissa, exponent = math.frexp(value)
    bits = int(mantissa * (1 << 53))  # 53 bits, the highest one set unless the value is 0
    exponent -= 1 if value else 0
    if precision < 0:
        digits = f"{bits << 8 & (1 << 60) - 1:015x}".rstrip("0")
        lead = 1 if value else 0
    else:
        shift = 52 - 4 * precision
        if shift > 0:
            kept, lost = bits >> shift, bits & (1 << shift) - 1
            half = 1 << (shift - 1)
            kept += lost > half or (lost == half and kept & 1)
            bits = kept << shift
        lead = bits >> 52
        if lead > 1:
            lead = 1
            exponent += 1
            bits >>= 1
        digits = f"{bits & (1 << 52) - 1:013x}".ljust(precision, "0")[:precision]
    fraction = "." + digits if digits else ""
    return f"0x{lead}{fraction}p{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
