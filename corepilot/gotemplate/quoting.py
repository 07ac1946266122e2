"""Write strings and characters as Go source, as strconv.Quote and its kin do."""

from __future__ import annotations

_ESCAPES = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\"}


def quote(text: str, mark: str = '"', *, ascii_only: bool = False) -> str:
    """Return a string in quotes, with escapes where a character cannot be printed.

    Args:
        text: the string.
        mark: the quotation mark, which is escaped inside: " for strings, ' for characters.
        ascii_only: escape everything that is not ASCII too.
    """
    if text.isascii() and text.isprintable() and "\\" not in text and mark not in text:
        return mark + text + mark
    return mark + "".join(_escaped(character, mark, ascii_only=ascii_only) for character in text) + mark


def _escaped(character: str, mark: str, *, ascii_only: bool) -> str:
    if character == mark:
        return "\\" + mark
    if character in _ESCAPES:
        return _ESCAPES[character]
    code = ord(character)
    if code < 0x7F and character.isprintable():
        return character
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if code > 0x7F and not ascii_only and character.isprintable():
        return character
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def can_backquote(text: str) -> bool:
    """Tell whether a string can stand between back quotes as it is."""
    return all(
        (character >= " " or character == "\t")
        and character not in "`\x7f\ufeff"
        and not "\udc80" <= character <= "\udcff"
        for character in text
    )
