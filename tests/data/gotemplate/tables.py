"""Templates written by hand: every feature of the language, its edges, its errors. What is mere text is in tables/."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator
from typing import Any

_HERE = pathlib.Path(__file__).parent / "tables"
EMPTY, FULL = 0, 1
ENVIRONMENTS: list[dict[str, str]] = json.loads((_HERE / "environments.json").read_text())

VALUES = [
    *("1", "0", "-5", "1.5", "0.0", "1e6", "1i", "'a'", "true", "false", '"s"', '""', '"7"', '"é"', "nil"),
    *(".A", ".NOPE", ".", "$", '(split "," .LIST)', '(split "," "")', "(loop 3)", "(loop 0)"),
    *('(index "abc" 0)', "(or nil nil)", "(print)", "(len .LIST)"),
]
VERBS = [*"vdsqxXobcUOeEfFgGtTpwzyé%[!+"]
FLAGS = ["", "+", "-", "#", " ", "0", "5", "-5", "05", "+5", ".2", "8.3", "08.3", "-8.3", "+08.3", "#8", ".0", "."]
NUMBERS = ["0", "1", "-1", "42", "-42", "65", "9731", "128512", "1114112", "-9223372036854775808", '(index "abc" 0)']
REALS = [
    *("0.0", "1.0", "-1.5", "3.14159", "1e6", "1e21", "123456789.125"),
    *("1e-7", "-0.0", "100.0", "0.5", "2.5", "1e100", "4.9e-324"),
]
TEXTS = ['"abc"', '""', '"héllo"', '"a\\tb\\"c`"', '"\\xff\\x00"', '"a b"', ".UNI", ".CTRL", ".BACK", "`back`"]
LISTS = ['(split "," .LIST)', '(split "," "")', "(loop 3)", "(loop 0)", "(loop 3 -3)"]
ARGUMENTS = [
    *("", " 1", " 1 2", ' "a" "b"', " 3.14159", " 7 1", " 7 2 3.14159"),
    *(" .A .B .N", " true false", " 65 9731", " nil", " (loop 3)", " 1i"),
]
FLOAT_LAYOUTS = [
    *("#g", "#e", "#f", "#x", "#X", "#G", "#.3g", "#.0f", "#.3x", "#10.2g", "+.3e", "08.2f", "-08.2f|", "+8.1f", "x"),
    *(".3x", ".0x", ".13x", ".14x", ".20x", "X", ".2X", "b", ".3b", "#b", "+x", "20.10g", ".17g", ".20e", ".0e", ".0g"),
    *(".30f", "3.0f", "%"),
]
BUILTINS = [
    *("and", "or", "not", "len", "index", "slice", "print", "println", "html", "js", "urlquery", "call", "eq", "ne"),
    *("lt", "le", "gt", "ge", "default", "env", "split", "join", "replaceAll", "regexReplaceAll", "loop", "printf"),
]


def rows(name: str) -> list[Any]:
    """Return the rows of a table, one JSON value a line."""
    return [json.loads(line) for line in (_HERE / name).read_text().split("\n") if line]


def templates() -> Iterator[tuple[str, int]]:
    """Return templates, each with the number of its environment."""
    for number in range(len(ENVIRONMENTS)):
        for template in rows("whole-environment.jsonl"):
            yield template, number
    for text in _full():
        yield text, FULL


def _full() -> Iterator[str]:
    yield from rows("texts.jsonl")
    yield from rows("control.jsonl")
    for constant in rows("constants.jsonl"):
        yield f"{{{{ {constant} }}}}"
        yield f'{{{{ printf "%T %v %#v" {constant} {constant} {constant} }}}}'
    for expression in rows("expressions.jsonl"):
        yield f"{{{{ {expression} }}}}"
    yield from _values()
    yield from _verbs()
    for layout in rows("layouts.jsonl"):
        for arguments in ARGUMENTS:
            if "%p" not in layout:
                yield f"{{{{ printf {quoted(layout)}{arguments} }}}}"
    for pattern, replacement, text in rows("regular-expressions.jsonl"):
        yield f"{{{{ regexReplaceAll {quoted(pattern)} {quoted(replacement)} {quoted(text)} }}}}"


def _values() -> Iterator[str]:
    for value in VALUES:
        yield f"{{{{ {value} }}}}|{{{{ print {value} }}}}|{{{{ html {value} }}}}"
        yield f"{{{{ if {value} }}}}t{{{{ else }}}}f{{{{ end }}}}"
        yield f"{{{{ with {value} }}}}{{{{ . }}}}{{{{ else }}}}f{{{{ end }}}}"
        yield f"{{{{ range {value} }}}}{{{{ . }}}};{{{{ else }}}}e{{{{ end }}}}"
        yield f"{{{{ $x := {value} }}}}{{{{ $x }}}}"
        for name in BUILTINS:
            yield f"{{{{ {name} {value} }}}}"
            yield f"{{{{ {value} | {name} }}}}"
        for other in VALUES:
            yield f"{{{{ eq {value} {other} }}}}"
            yield f"{{{{ lt {value} {other} }}}}"
        comparisons = "".join(f"{{{{ {name} {value} {value} }}}}" for name in ("le", "ge", "ne", "gt"))
        yield comparisons
        yield f"{{{{ index {value} 0 }}}}"
        yield f"{{{{ slice {value} 0 }}}}"


def _verbs() -> Iterator[str]:
    for verb in VERBS:
        layout = "|".join(f"%{flag}{verb}" for flag in FLAGS)
        for value in [*NUMBERS, *REALS, *TEXTS, *LISTS, "true", "1i", "-1.5i", "1+2i"]:
            if verb != "p" or value not in LISTS:  # an address
                yield f'{{{{ $x := {value} }}}}{{{{ printf "{layout}" {" ".join(["$x"] * len(FLAGS))} }}}}'
    for layout in FLOAT_LAYOUTS:
        for value in REALS:
            yield f'{{{{ printf "%{layout}" {value} }}}}'


def quoted(text: str) -> str:
    """Return a string constant of the language."""
    escaped = "".join(
        "\\" + character if character in '"\\' else character if character.isprintable() else f"\\U{ord(character):08x}"
        for character in text
    )
    return f'"{escaped}"'
