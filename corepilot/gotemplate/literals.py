"""Constants of the template language: strings, characters and numbers as Go writes them (Go language specification)."""

from __future__ import annotations

from corepilot.gotemplate.lex import COMPLEX, RUNE
from corepilot.gotemplate.values import decoded, encoded

OVERFLOW = object()
"""The value of an integer that fits in 64 bits only without a sign: it parses, and fails where it is used."""

_ESCAPES = {
    "a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92,
}  # fmt: skip
_DIGITS_OF = {"x": 2, "u": 4, "U": 8}
_HEX = frozenset("0123456789abcdefABCDEF")
_BASES = {"x": 16, "o": 8, "b": 2}


class LiteralError(ValueError):
    """The text is no constant; the message says why."""


def unquote(text: str) -> str:
    """Return the value of a string constant with its quotes, double or back quotes.

    Raises:
        LiteralError: an escape sequence that Go does not have.
    """
    inner = text[1:-1]
    if text[0] == "`":
        return inner.replace("\r", "")
    if "\\" not in inner:
        return inner if inner.isascii() else _without_stray_bytes(inner)
    data = bytearray()
    position = 0
    while position < len(inner):
        if inner[position] != "\\":
            end = inner.find("\\", position)
            end = len(inner) if end < 0 else end
            data += encoded(_without_stray_bytes(inner[position:end]))
            position = end
            continue
        code, is_byte, position = _escape(inner, position, '"')
        data += bytes((code,)) if is_byte else chr(code).encode()
    return decoded(bytes(data))


def _without_stray_bytes(text: str) -> str:
    """Go puts U+FFFD in place of a byte in a quoted string that is not UTF-8."""
    return "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in text)


def _escape(text: str, position: int, quote: str) -> tuple[int, bool, int]:
    """Read the escape sequence at a backslash: its value, whether that is a byte, and the offset behind it."""
    start = position
    letter = text[position + 1 : position + 2]
    position += 2
    if letter in _ESCAPES:
        return _ESCAPES[letter], True, position
    if letter and letter == quote:
        return ord(letter), True, position
    if letter in _DIGITS_OF:
        digits = text[position : position + _DIGITS_OF[letter]]
        if len(digits) == _DIGITS_OF[letter] and _HEX.issuperset(digits):
            code = int(digits, 16)
            if letter == "x":
                return code, True, position + 2
            if code < 0xD800 or 0xDFFF < code <= 0x10FFFF:
                return code, False, position + len(digits)
    elif letter and letter in "01234567":
        digits = text[position - 1 : position + 2]
        if len(digits) == 3 and all(digit in "01234567" for digit in digits) and int(digits, 8) <= 255:
            return int(digits, 8), True, position + 2
    raise LiteralError(f"{text[start:position]!a} is no escape sequence here; a backslash itself is written \\\\")


def number(kind: int, text: str) -> int | float | complex | object:
    """Return the value that Go gives a number constant where nothing asks for a type, or OVERFLOW.

    Raises:
        LiteralError: the text is no number, or one that fits in no type.
    """
    if kind == RUNE:
        return _rune(text)
    if kind == COMPLEX:
        return _complex(text)
    if text.endswith("i"):
        imaginary = _float(text[:-1])
        if imaginary is not None:
            return complex(0.0, imaginary)
    looks_float = any(letter in ".eEpP" for letter in text)
    is_hexadecimal = text[:2] in ("0x", "0X") and not ("p" in text or "P" in text)
    integer = _integer(text)
    if integer is not None:
        # Go goes by the letters: -0x1e is a float because of its e, 0x1e is not because of its beginning.
        if looks_float and not is_hexadecimal:
            return float(integer)
        return integer if integer < 1 << 63 else OVERFLOW
    real = _float(text)
    if real is None:
        raise LiteralError(f"{text!a} is no number")
    if not looks_float:
        raise LiteralError(f"the integer {text} does not fit in 64 bits")
    return real


def _rune(text: str) -> int:
    inner = text[1:-1]
    if inner.startswith("\\"):
        code, _, end = _escape(inner, 0, "'")
        if end == len(inner):
            return code
    elif len(inner) == 1:
        return 0xFFFD if "\ud800" <= inner <= "\udfff" else ord(inner)
    raise LiteralError(f"{text!a} must hold exactly one character; a string has double quotes")


def _integer(text: str) -> int | None:
    """Parse an integer of at most 64 bits, signed, or unsigned where it has no sign."""
    body = text[1:] if text[0] in "+-" else text
    base = 10
    if body.startswith("0") and len(body) > 1:
        base = _BASES.get(body[1].lower(), 8)
        body = body[1 if base == 8 and body[1] not in "oO" else 2 :].removeprefix("_")
    try:
        value = int(body, base)
    except ValueError:
        return None
    if text[0] == "-":
        return -value if value <= 1 << 63 else None
    return value if value < 1 << (63 if text[0] == "+" else 64) else None


def _float(text: str) -> float | None:
    """Parse a decimal or hexadecimal float; none where it is malformed or too large."""
    try:
        if "x" in text or "X" in text:
            if not ("p" in text or "P" in text) or not _underscores_separate(text):
                return None
            value = float.fromhex(text.replace("_", ""))
        else:
            value = float(text)
    except (ValueError, OverflowError):
        return None
    return value if value - value == 0.0 else None


def _underscores_separate(text: str) -> bool:
    """Tell whether each underscore of a hexadecimal number stands before a digit, and behind one or its prefix."""
    parts = text.lower().lstrip("+-").removeprefix("0x").removeprefix("_").split("_")
    return len(parts) == 1 or all(
        part and (not number or part[0] in _HEX) and (number == len(parts) - 1 or part[-1] in _HEX)
        for number, part in enumerate(parts)
    )


def _complex(text: str) -> complex:
    # The sign of the imaginary part is the last one that does not belong to an exponent.
    middle = len(text) - 1
    while middle > 0 and not (text[middle] in "+-" and text[middle - 1] not in "eEpP"):
        middle -= 1
    real = _float(text[:middle])
    imaginary = _float(text[middle:-1])
    if real is None or imaginary is None:
        raise LiteralError(f"{text!a} is no complex number")
    return complex(real, imaginary)
