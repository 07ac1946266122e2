r"""JSON5 with positions: every value, every key and every duplicate knows where it stands in the text.

The dialect is the one of ContainerPilot contract, section 3.1. Where that is silent: what the JSON5 specification
(https://spec.json5.org) accepts is accepted, with these differences, each of them our decision:

* A byte order mark is refused everywhere outside strings and comments (the contract refuses it).
* An unquoted key is made of ASCII letters, digits, `_` and `$` (the contract); other keys need quotes.
* A comment that starts with `//` ends at a line feed or a carriage return only, as in ContainerPilot.
* Control characters in a string, other than tab, must be written as escapes, as in ContainerPilot.
* An escape without a meaning (`\d`) is refused: dropping its backslash, as the specification says, breaks regular
  expressions without a word. ContainerPilot refuses it too.
* Half of a surrogate pair (`\ud800` alone) becomes U+FFFD, as in Go.
* A number beyond the range of a 64-bit float is refused, as in Go.

Imports `re` and what the text is made of. `json5_mistakes`, which explains errors, is imported when there is one.
"""

from __future__ import annotations

import re

from corepilot.config.text.json5_document import MAX_DEPTH, Document, Duplicate, Json5Error, Member, Node, StuckError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from corepilot.config.text.json5_document import Kind

MAX_CHARS = 4 * 1024 * 1024
"""The longest text that is read, in characters."""

# Possessive quantifiers stand on single characters only: on groups they are broken before CPython 3.11.5.
_BLANK = r"[ \t\n\r\f\v\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*+"
_QUOTED = r""""([^"\\\x00-\x08\n-\x1f]*+)"|'([^'\\\x00-\x08\n-\x1f]*+)'"""
_blank = re.compile(_BLANK).match
_rest_of_line = re.compile(r"[^\n\r]*+").match
_key = re.compile(rf"(?:{_QUOTED}|([A-Za-z_$][0-9A-Za-z_$]*+)){_BLANK}(?:(:){_BLANK})?").match
_scalar = re.compile(rf"(?:{_QUOTED}|([-+.0-9A-Za-z_$]++)){_BLANK}").match
_integer = re.compile(r"[-+]?(?:0|[1-9][0-9]*)").fullmatch
_hexadecimal = re.compile(r"[-+]?0[xX][0-9a-fA-F]+").fullmatch
_decimal = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?").fullmatch
_hex_digits = {"x": re.compile(r"[0-9a-fA-F]{2}").match, "u": re.compile(r"[0-9a-fA-F]{4}").match}
_plain = {
    '"': re.compile(r'[^"\\\x00-\x08\n-\x1f]*+').match,
    "'": re.compile(r"[^'\\\x00-\x08\n-\x1f]*+").match,
}

_LONGEST_NUMBER = 1000
_ALWAYS_IN_RANGE = 250
_LARGEST = int(1.7976931348623157e308)
_INFINITIES = (float("inf"), float("-inf"))
_WORDS: dict[str, tuple[Kind, Any]] = {
    "null": ("null", None),
    "true": ("bool", True),
    "false": ("bool", False),
    **{sign + "Infinity": ("number", float(sign + "inf")) for sign in ("", "+", "-")},
    **{sign + "NaN": ("number", float("nan")) for sign in ("", "+", "-")},
}
_ESCAPES = {
    **{char: char for char in "\"'\\/"},
    **dict(zip("bfnrtv", "\b\f\n\r\t\v", strict=True)),
    **dict.fromkeys("\n\r\u2028\u2029", ""),
}


def parse(text: str) -> Document:
    """Read one JSON5 value that fills the whole text.

    Takes time in proportion to the text; does no I/O and keeps nothing. Nesting does not use the interpreter's stack.

    Args:
        text: At most `MAX_CHARS` characters, nested at most `MAX_DEPTH` deep.

    Raises:
        Json5Error: The text is not JSON5 of our dialect, or is too long or too deep.
    """
    size = len(text)
    if size > MAX_CHARS:
        message = f"the text has {size} characters, more than the {MAX_CHARS} that are read"
        raise Json5Error(message, MAX_CHARS, "make the configuration smaller")
    source = text + "\n\0"  # ends a comment, and looking at the next character never runs off the end
    duplicates: list[Duplicate] = []
    outer: list[tuple[Node | None, str]] = []
    inside: Node | None = None
    closer = ""
    root: Node | None = None
    last: Node | None = None  # the value before this place, in the same container
    key, key_start, key_end = "", 0, 0
    try:
        pos = _skip(source, 0)
        while True:
            if source[pos] != closer:
                if closer == "}":
                    key, key_start, key_end, pos = _read_key(source, size, pos)
                opening = source[pos] in "[{"
                if opening:
                    node = Node("object", {}, pos, pos) if source[pos] == "{" else Node("array", [], pos, pos)
                    pos = _skip(source, pos + 1)
                else:
                    node, pos = _read_scalar(source, size, pos)
                    if source[pos] == "/":
                        pos = _skip(source, pos)
                if inside is None:
                    root = node
                elif closer == "]":
                    inside.value.append(node)
                else:
                    members: dict[str, Member] = inside.value
                    if key in members:
                        duplicates.append(Duplicate(key, members[key].key_start, key_start))
                    members[key] = Member(key, key_start, key_end, node)
                if opening:
                    if len(outer) == MAX_DEPTH:
                        _stuck("depth", node.start)
                    outer.append((inside, closer))
                    inside, closer, last = node, "]" if node.kind == "array" else "}", None
                    continue
                last = node
            while inside is not None and source[pos] == closer:
                inside.end = pos + 1
                last = inside
                inside, closer = outer.pop()
                pos = _skip(source, pos + 1)
            if inside is None:
                break
            if source[pos] != ",":
                _stuck("comma", pos)
            pos = _skip(source, pos + 1)
        if root is None or pos < size:
            _stuck("end", pos)
    except StuckError as stuck:
        from corepilot.config.text.json5_mistakes import explain

        if not stuck.key_end:
            stuck.key, stuck.key_end = key, key_end
        stuck.inside, stuck.last = inside, last
        raise explain(text, stuck) from None
    return Document(root, tuple(duplicates))


def _stuck(expected: str, pos: int) -> NoReturn:
    raise StuckError(expected, pos)


def _skip(source: str, pos: int) -> int:
    """Return where the blanks and comments from `pos` on end."""
    while True:
        blank = _blank(source, pos)
        pos = blank.end() if blank else pos
        if source[pos] != "/":
            return pos
        if source[pos + 1] == "/":
            rest = _rest_of_line(source, pos)
            pos = rest.end() if rest else pos
        else:
            end = source.find("*/", pos + 2)
            if source[pos + 1] != "*" or end < 0:
                raise StuckError("comment", pos)
            pos = end + 2


def _read_key(source: str, size: int, pos: int) -> tuple[str, int, int, int]:
    """Read `key :` at `pos`. Return the key, where it starts and ends, and where its value starts."""
    found = _key(source, pos)
    if found is not None:
        key = found[1] or found[2] or found[3] or ""
        end = pos + len(key) + (0 if found[3] else 2)
        after = found.end()
        if found[4]:
            return key, pos, end, _skip(source, after) if source[after] == "/" else after
    elif source[pos] in "\"'":
        key, end = _read_string(source, size, pos)
        after = end
    else:
        raise StuckError("key", pos)
    after = _skip(source, after)
    if source[after] != ":":
        raise StuckError("colon", after, key, end)
    return key, pos, end, _skip(source, after + 1)


def _read_scalar(source: str, size: int, pos: int) -> tuple[Node, int]:
    """Read the string, number or word at `pos`. Return it, and where the blanks after it end."""
    found = _scalar(source, pos)
    if found is None:
        if source[pos] not in "\"'":
            raise StuckError("value", pos)
        string, end = _read_string(source, size, pos)
        return Node("string", string, pos, end), _skip(source, end)
    group = found.lastindex or 1
    text = found[group]
    if group < 3:
        return Node("string", text, pos, pos + len(text) + 2), found.end()
    end = pos + len(text)
    if text in _WORDS:
        kind, value = _WORDS[text]
        return Node(kind, value, pos, end), found.end()
    return Node("number", _read_number(text, pos), pos, end), found.end()


def _read_number(word: str, pos: int) -> int | float:
    if len(word) > _LONGEST_NUMBER:
        raise StuckError("value", pos)
    if _integer(word):
        integer = int(word)
    elif _hexadecimal(word):
        integer = int(word, 16)
    elif _decimal(word):
        value = float(word)
        if value in _INFINITIES:
            raise StuckError("range", pos)
        return value
    else:
        raise StuckError("value", pos)
    if len(word) > _ALWAYS_IN_RANGE and abs(integer) > _LARGEST:
        raise StuckError("range", pos)
    return integer


def _read_string(source: str, size: int, start: int) -> tuple[str, int]:
    """Read a string with escapes in it. Return its value, and where it ends, quote included."""
    quote = source[start]
    plain = _plain[quote]
    parts = []
    pos = start + 1
    while True:
        run = plain(source, pos)
        if run is not None:
            parts.append(run[0])
            pos = run.end()
        char = source[pos]
        if char == quote:
            return "".join(parts), pos + 1
        if char != "\\":
            raise StuckError("string", start if pos >= size or char in "\r\n" else pos)
        part, pos = _read_escape(source, pos)
        parts.append(part)


def _read_escape(source: str, pos: int) -> tuple[str, int]:
    """Read the escape whose backslash stands at `pos`. Return what it means, and where it ends."""
    letter = source[pos + 1]
    if letter == "\r" and source[pos + 2] == "\n":
        return "", pos + 3
    if letter in _ESCAPES:
        return _ESCAPES[letter], pos + 2
    if letter == "0" and source[pos + 2] not in "0123456789":
        return "\0", pos + 2
    digits = _hex_digits[letter](source, pos + 2) if letter in _hex_digits else None
    if digits is None:
        raise StuckError("escape", pos)
    code, end = int(digits[0], 16), digits.end()
    if 0xD800 <= code < 0xDC00 and source.startswith("\\u", end):
        low = _hex_digits["u"](source, end + 2)
        if low is not None and 0xDC00 <= int(low[0], 16) < 0xE000:
            return chr(0x10000 + ((code - 0xD800) << 10) + int(low[0], 16) - 0xDC00), low.end()
    return "\ufffd" if 0xD800 <= code < 0xE000 else chr(code), end
