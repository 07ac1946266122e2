"""What people get wrong in JSON5, and the words for it. Imported only when there is an error to report.

`json5.parse` knows where it cannot go on and what it expected there. That place is often not where the mistake is, and
"expected a comma" is often not what is wrong with `timeout: 5 s`. This module looks around and says it better.

Keys are repeated in messages. Values are not, other than numbers and a few known words: they may be secrets.
"""

import re

from corepilot.config.text.json5_document import MAX_DEPTH, Json5Error, Node, StuckError, position

_SHOWN_CHARS = 40
_CLOSERS = {"object": "}", "array": "]"}
_TYPOGRAPHIC = "\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb`\u00b4"
_BYTE_ORDER_MARK = "\ufeff"

_unquoted_text = re.compile(r"[^\n\r,}\]]*").match
_unquoted_key = re.compile(r"[^\s\"',:={}\[\]#]+").match
_key_and_colon = re.compile(r"(?:\"[^\"\n\r]*\"|'[^'\n\r]*'|[^\s\"',:={}\[\]#]+)\s*[:=]").match
_number_like = re.compile(r"[-+.0-9]+ ?(?:[a-zµμ]{1,7}|[-+.0-9a-zA-Z]*)").fullmatch
_leading_zero = re.compile(r"([-+]?)0+([0-9]+(?:\.[0-9]*)?)").fullmatch
_grouped_digits = re.compile(r"[-+]?[0-9]+(?:_[0-9]+)+").fullmatch

_MEANT = {
    **dict.fromkeys(("True", "TRUE"), "write true"),
    **dict.fromkeys(("False", "FALSE"), "write false"),
    **dict.fromkeys(("None", "Null", "NULL", "nil", "undefined"), "write null, or leave the member out"),
    **dict.fromkeys(("yes", "Yes", "on", "On"), "write true, or put it in quotes"),
    **dict.fromkeys(("no", "No", "off", "Off"), "write false, or put it in quotes"),
    **dict.fromkeys(("nan", "NAN"), "write NaN"),
    **dict.fromkeys(("inf", "Inf", "infinity", "INFINITY"), "write Infinity"),
}


def explain(text: str, stuck: StuckError) -> Json5Error:
    """Make the error for the place in `text` where the parser is stuck."""
    pos = stuck.pos
    if stuck.expected == "depth":
        message = f"arrays and objects stand more than {MAX_DEPTH} deep in one another"
        return Json5Error(message, pos, "make the configuration flatter")
    if stuck.expected == "range":
        return Json5Error("the number is too large", pos, "write one within the range of a 64-bit float")
    if stuck.expected == "comment":
        if text.startswith("/*", pos):
            return Json5Error("the comment is not closed", pos, "add '*/' at its end")
        return Json5Error("a '/' that starts no comment", pos, "put text in quotes, or start a comment with '//'")
    if stuck.expected in ("string", "escape"):
        return _string(text, pos, stuck.expected)
    everywhere = _anywhere(text, stuck)
    if everywhere is not None:
        return everywhere
    if stuck.expected == "key":
        return _no_key(text, stuck)
    if stuck.expected == "colon":
        return _no_colon(text, stuck)
    if stuck.expected == "value":
        return _no_value(text, stuck)
    if stuck.expected == "comma" and stuck.last is not None:
        return _no_comma(text, stuck, stuck.last)
    return _no_end(text, pos)


def _show(piece: str) -> str:
    """Quote a piece of the text for a message: short, on one line, printable."""
    if len(piece) > _SHOWN_CHARS:
        piece = piece[:_SHOWN_CHARS] + "…"
    quote = '"' if "'" in piece and '"' not in piece else "'"
    return quote + "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in piece) + quote


def _opened(text: str, node: Node) -> str:
    line, column = position(text, node.start)
    return f"the {node.kind} opened at line {line}, column {column}"


def _string(text: str, pos: int, expected: str) -> Json5Error:
    if expected == "escape":
        letter = text[pos + 1 : pos + 2]
        if letter in ("u", "x"):
            digits = "four" if letter == "u" else "two"
            return Json5Error(
                f"the escape '\\{letter}' is not followed by {digits} hexadecimal digits",
                pos,
                "write two backslashes where a backslash is meant",
            )
        return Json5Error(
            f"the escape {_show(text[pos : pos + 2])} means nothing",
            pos,
            "write two backslashes where a backslash is meant",
        )
    if text[pos : pos + 1] in ("'", '"'):
        return Json5Error(
            "the string is not closed on its line", pos, f"add {text[pos]} at its end, or write a line end as \\n"
        )
    char = text[pos : pos + 1]
    message = f"the string holds the control character U+{ord(char):04X}"
    return Json5Error(message, pos, f"write it as \\u{ord(char):04x}")


def _anywhere(text: str, stuck: StuckError) -> Json5Error | None:
    """Say what is wrong if it is wrong whatever was expected here."""
    pos, inside = stuck.pos, stuck.inside
    char = text[pos : pos + 1]
    if char == _BYTE_ORDER_MARK:
        place = "the text starts with a byte order mark" if pos == 0 else "a byte order mark stands here"
        return Json5Error(f"{place} (U+FEFF)", pos, "save the file as UTF-8 without it")
    if char == "#":
        return Json5Error("'#' does not start a comment", pos, "start the comment with '//'")
    if char and char in _TYPOGRAPHIC:
        return Json5Error(f"{_show(char)} is not a quote", pos, "write \" or '")
    if inside is None:
        return None
    closer = _CLOSERS[inside.kind]
    if not char:
        end = len(text.rstrip())
        return Json5Error(f"the text ends, but {_opened(text, inside)}, is not closed", end, f"add '{closer}'")
    if char in "}]" and char != closer:
        message = f"'{char}' where '{closer}' is needed: {_opened(text, inside)}, is not closed"
        return Json5Error(message, pos, f"add '{closer}' before it, or write '{closer}' instead")
    if char == ";" and stuck.expected == "comma":
        return Json5Error("';' does not separate anything", pos, "write ','")
    return None


def _no_key(text: str, stuck: StuckError) -> Json5Error:
    pos = stuck.pos
    char = text[pos]
    if char == ",":
        message = "a comma before the first member" if stuck.last is None else "a second comma after one member"
        return Json5Error(message, pos, "remove it")
    if char in "{[":
        return Json5Error(f"missing key before '{char}'", pos, "write a key and ':', or use [ ] for a list")
    if char in ":=":
        return Json5Error(f"missing key before '{char}'", pos, "write a key")
    found = _unquoted_key(text, pos)
    if found is not None:
        return _needs_quotes(found[0], pos)
    return Json5Error(f"unexpected {_show(char)} where a key should be", pos, "write a key, ':' and a value")


def _needs_quotes(key: str, start: int) -> Json5Error:
    writable = len(key) <= _SHOWN_CHARS and key.isprintable() and not set('\\"') & set(key)
    hint = f'put the key in quotes: "{key}"' if writable else "put the key in quotes"
    if key[0].isdigit():
        return Json5Error(f"the unquoted key {_show(key)} starts with a digit", start, hint)
    wrong = next((i for i, c in enumerate(key) if not (c.isascii() and (c.isalnum() or c in "_$"))), 0)
    char = key[wrong]
    name = _show(char) if char.isascii() else f"{_show(char)} (U+{ord(char):04X})"
    return Json5Error(f"{name} in the unquoted key {_show(key)}", start + wrong, hint)


def _no_colon(text: str, stuck: StuckError) -> Json5Error:
    pos, key, key_end = stuck.pos, stuck.key, stuck.key_end
    char = text[pos : pos + 1]
    if char == "=":
        return Json5Error(f"'=' after the key {_show(key)}", pos, "write ':'")
    if char in ",}":
        return Json5Error(f"the key {_show(key)} has no value", key_end, "write ':' and a value after it")
    unquoted = text[key_end - 1] not in "\"'"
    if pos == key_end and unquoted:
        found = _unquoted_key(text, key_end - len(key))
        if found is not None and len(found[0]) > len(key):
            return _needs_quotes(found[0], key_end - len(key))
    return Json5Error(f"missing ':' after the key {_show(key)}", key_end, "add ':'")


def _no_value(text: str, stuck: StuckError) -> Json5Error:
    pos, inside, key = stuck.pos, stuck.inside, ""
    char = text[pos : pos + 1]
    if not char:
        return Json5Error("the text holds no value", len(text), "write an object: { … }")
    keyed = _key_and_colon(text, pos) is not None
    if inside is None and keyed:
        return Json5Error(
            "the members stand outside an object", pos, "put '{' before the first, and '}' after the last"
        )
    if inside is not None and inside.kind == "object":
        key = stuck.key
        place = text.find(":", stuck.key_end) + 1
        if char in ",}" or (keyed and "\n" in text[place:pos]):
            return Json5Error(f"missing value for the key {_show(key)}", place, "write one, or remove the key")
    elif char == ",":
        message = "a comma before the first value" if stuck.last is None else "a second comma after one element"
        return Json5Error(message, pos, "remove it")
    if char in ":={}[]()":
        return Json5Error(f"unexpected '{char}' where a value should be", pos, "write a value")
    return _unquoted_value(text, pos, key)


def _unquoted_value(text: str, pos: int, key: str) -> Json5Error:
    found = _unquoted_text(text, pos)
    piece = "" if found is None else found[0].rstrip()
    if piece in _MEANT:
        return Json5Error(f"{_show(piece)} is not a JSON5 value", pos, _MEANT[piece])
    zero = _leading_zero(piece)
    if zero is not None:
        hint = f'write {zero[1]}{zero[2]}, or put it in quotes: "{piece}"'
        return Json5Error(f"the number {_show(piece)} starts with a zero", pos, hint)
    if _grouped_digits(piece):
        return Json5Error(f"'_' in the number {_show(piece)}", pos, f"write {piece.replace('_', '')}")
    if piece[:2].lower() == "0x" and piece.isalnum():
        return Json5Error(f"{_show(piece)} is not a hexadecimal number", pos, "use only 0-9 and a-f after 0x")
    if _number_like(piece) and len(piece) <= _SHOWN_CHARS:
        return Json5Error(f"{_show(piece)} is not a number", pos, f'for text, put it in quotes: "{piece}"')
    if piece and (piece[0].isalnum() or piece[0] in "_$.-+/~@%*&<\\"):
        place = f", as the value of {_show(key)}" if key else ""
        return Json5Error(f"text without quotes{place}", pos, 'put it in quotes: "…"')
    return Json5Error(f"unexpected {_show(text[pos : pos + 1])} where a value should be", pos, "write a value")


def _no_comma(text: str, stuck: StuckError, last: Node) -> Json5Error:
    pos, char = stuck.pos, text[stuck.pos]
    members = stuck.inside is not None and stuck.inside.kind == "object"
    if char in "=:)(":
        hint = "write one key, one ':' and one value" if members else "use { } for keys with values"
        return Json5Error(f"unexpected '{char}' after a value", pos, hint)
    if members and _key_and_colon(text, pos):
        return Json5Error("missing comma between members", last.end, "add a comma after the value")
    if last.kind == "string" and (pos == last.end or members):
        hint = "write \\" + text[last.start] + " for a quote inside the string"
        if members:
            hint += f", or [ ] around a list of values for {_show(stuck.key)}"
        return Json5Error("text after the end of a string", last.end, hint)
    one_line = "\n" not in text[last.end : pos] and "\r" not in text[last.end : pos]
    if one_line and last.kind == "number" and char.isalpha():
        return _unquoted_value(text, last.start, stuck.key if members else "")
    between = "members" if members else "elements"
    return Json5Error(f"missing comma between {between}", last.end, "add a comma after the value")


def _no_end(text: str, pos: int) -> Json5Error:
    char = text[pos]
    if char in "}]":
        return Json5Error(
            f"'{char}' closes nothing", pos, "remove it, or look for the bracket closed too early before it"
        )
    if char == ",":
        return Json5Error("a comma after the end of the configuration", pos, "remove it")
    if char == ":":
        return Json5Error(
            "the members stand outside an object", pos, "put '{' before the first, and '}' after the last"
        )
    return Json5Error(f"{_show(char)} after the end of the configuration", pos, "remove it, and what follows")
