"""The functions html, js and urlquery: print the arguments, then escape the text."""

from __future__ import annotations

from corepilot.gotemplate.printing import sprint
from corepilot.gotemplate.values import Value, bounded, encoded

TYPE_CHECKING = False  # see values.py
if TYPE_CHECKING:
    from collections.abc import Sequence

_HTML = {0: "\ufffd", 34: "&#34;", 38: "&amp;", 39: "&#39;", 60: "&lt;", 62: "&gt;"}
_JS = {34: '\\"', 38: "\\u0026", 39: "\\'", 60: "\\u003C", 61: "\\u003D", 62: "\\u003E", 92: "\\\\"}
_JS.update((code, f"\\u{code:04X}") for code in range(32))
_QUERY_SAFE = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~")
_QUERY = [chr(code) if code in _QUERY_SAFE else "+" if code == 32 else f"%{code:02X}" for code in range(256)]


def _printed(values: Sequence[Value]) -> str:
    return sprint(["<no value>" if value is None else value for value in values])


def escape_html(values: Sequence[Value]) -> str:
    """Escape for HTML text and attributes, in quotes of either kind."""
    return bounded(_printed(values).translate(_HTML))


def escape_js(values: Sequence[Value]) -> str:
    """Escape for a JavaScript string, in quotes of either kind."""
    text = _printed(values).translate(_JS)
    if text.isascii():
        return bounded(text)
    return bounded("".join(map(_js_character, text)))


def _js_character(character: str) -> str:
    if character < "\x80" or character.isprintable() or "\ud800" <= character <= "\udfff":
        return character
    return f"\\u{ord(character):04X}"


def escape_query(values: Sequence[Value]) -> str:
    """Escape for the query of a URL, a space as a plus sign."""
    return bounded("".join([_QUERY[byte] for byte in encoded(_printed(values))]))
