"""Random templates, most of them valid: a grammar of the language with a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from data.gotemplate import tables

_NAMES = ["A", "B", "N", "NOPE", "LIST", "EMPTY", "UNI", "URL", "PORT", "SPACES", "NL"]
_STRINGS = ['"s"', '""', "`r`", '"a,b"', '","', '"é"']
_CONSTANTS = ["0", "1", "2", "-3", "1.5", "2e6", "'x'", "true", "false", "0x1f", "1i", '"7"', *_STRINGS]
_TEXT = ["", " ", "x", " y ", "\n", '"', "\n  port: ", "é ", "[", "]", ", "]
_LAYOUTS = [
    '"%v"',
    '"%s-%v"',
    '"%05d"',
    '"%q"',
    '"%-6s|"',
    '"%x"',
    '"%T"',
    '"%8.3f"',
    '"%+v %d"',
    '"%[2]v %[1]v"',
    '"%*d"',
]
_PATTERNS = [
    *('"[a-z]+"', '"(.)(.)"', '","', '"\\\\s+"', '"a|b"', '"^."', '"(?i)X"', '"[^,]*"'),
    *('"\\\\d"', '"(x)?"', '".{2,3}?"', '"$"'),
]
_REPLACEMENTS = ['"-"', '"$1"', '"<$0>"', '""', '"${2}$1"', '"$1x"']
_STAGES = [
    *("print", 'printf "%v"', 'default "d"', "len", "html", "urlquery", "js", 'split ","', 'join "+"', "not", "eq 1"),
    *('replaceAll "a" "A"', 'regexReplaceAll "[aeiou]" "<$0>"', "loop", "index", "or .A", "and .B", "env", "println"),
]
_PLAIN = {
    "string": [".A", ".B", ".LIST", ".UNI", ".NOPE", ".URL", '"a,b,c"', '"é"', '"x y"', ".BACK", "`r`"],
    "int": ["0", "1", "2", "-3", "'x'", "0x1f", "1_000"],
    "bool": ["true", "false"],
    "list": ["(loop 3)", "(split `,` .LIST)", "(loop 2 -2)", "(split `` .UNI)", "(loop 0)"],
    "float": ["1.5", "2e6", "-0.25", "1e-7", "100.0"],
}
# What makes a value of each type: the other types in braces stand for such a value, and so do the tables above.
_CALLS = {
    "string": [
        *(
            "print {any} {string}",
            "printf {LAYOUT} {any} {int}",
            "default {any} {string}",
            "replaceAll {string} {string} {string}",
        ),
        *("join {string} (split {string} {string})", "join `,` (split `` {string})", "html {any}", "urlquery {any}"),
        *(
            "regexReplaceAll {PATTERN} {REPLACEMENT} {string}",
            "js {string} {any}",
            "println {any} {list}",
            "env {string}",
        ),
        *("slice {string} 0", "or {string} {string}", "printf `%8.2f|%+.3e` {float} {float}", "index . {string}"),
        *("{string} | printf `%-5s|%q` {list}", "{string} | default {any} | print {int}"),
    ],
    "int": ["len {string}", "len {list}", "or {int} {int}", "and {int} {int}"],
    "bool": [
        *("eq {string} {string} {string}", "lt {int} {int}", "not {any}", "le {string} {string}", "eq {int} {int}"),
        *("gt {float} {float}", "ne {bool} {bool}", "ge {string} {string}", "and {bool} {bool}", "or {bool} {bool}"),
    ],
    "list": [
        "split `,` {string}",
        "split {string} {string}",
        "slice {list} 0",
        "loop 3",
        "loop -2",
        "loop 1 4",
        "loop 4 1",
    ],
    "float": ["or {float} {float}", "and {float} {float}"],
}


class _Generator:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.variables: list[str] = []
        self.ranges = 0

    def pick(self, choices: Sequence[str]) -> str:
        return self.random.choice(choices)

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def number(self, low: int, high: int) -> str:
        return str(self.random.randint(low, high))

    def typed(self, kind: str, depth: int) -> str:
        """Make a call or constant of a type, which seldom fails."""
        if kind == "any":
            kind = self.pick(list(_PLAIN))
        if depth <= 0:
            return self.pick(_PLAIN[kind])
        parts: list[str] = []
        for piece in self.pick(_CALLS[kind]).split(" "):
            name = piece.strip("{()}")
            if name == piece.strip("()"):
                parts.append(piece)
                continue
            fixed = {"LAYOUT": _LAYOUTS, "PATTERN": _PATTERNS, "REPLACEMENT": _REPLACEMENTS}.get(name)
            value = self.pick(fixed) if fixed else f"({self.typed(name, depth - 1)})"
            parts.append(piece.replace("{" + name + "}", value))
        return " ".join(parts)

    def operand(self, depth: int) -> str:
        chance = self.random.random()
        if chance < 0.3:
            return "." + self.pick(_NAMES)
        if chance < 0.5:
            return self.pick(_CONSTANTS)
        if chance < 0.6 and self.variables:
            return self.pick(self.variables)
        if chance < 0.65:
            return self.pick([".", "$", "nil", "$.A", "$.LIST"])
        return f"({self.pipeline(depth - 1)})" if depth > 0 else "." + self.pick(_NAMES)

    def text(self, depth: int) -> str:
        return self.operand(depth) if self.chance(0.25) else self.pick([".A", ".LIST", ".UNI", '"a,b,c"', ".B", ".URL"])

    def listed(self, depth: int) -> str:
        chance = self.random.random()
        if chance < 0.05:
            return self.operand(depth)
        if chance < 0.3:
            return f"({self.typed('list', depth)})"
        if chance < 0.5:
            return f"(split {self.pick(_STRINGS)} {self.text(depth)})"
        return f"(slice (loop 6) {self.number(0, 7)})" if chance < 0.6 else f"(loop {self.number(-3, 6)})"

    def wild(self, depth: int) -> str:
        """Make a call with arguments of types that may not fit."""
        name = self.pick(tables.BUILTINS)
        arguments: list[str] = []
        if name in ("index", "slice"):
            arguments = [self.pick([self.listed(depth), self.text(depth), self.operand(depth)])]
            arguments += [self.number(-1, 4) for _ in range(self.random.randint(0, 3))]
        elif name in ("split", "join"):
            arguments = [self.pick(_STRINGS), self.listed(depth) if name == "join" else self.text(depth)]
        elif name == "replaceAll":
            arguments = [self.pick(_STRINGS), '"_"', self.text(depth)]
        elif name == "regexReplaceAll":
            arguments = [self.pick(_PATTERNS), self.pick(_REPLACEMENTS), self.text(depth)]
        elif name == "loop":
            arguments = [self.number(-3, 5) for _ in range(self.random.randint(1, 2))]
        else:
            arguments = [self.pick(_LAYOUTS)] if name == "printf" else []
            low, high = (1, 1) if name in ("not", "call", "len", "env") else (2, 2) if len(name) == 2 else (0, 3)
            arguments += [self.operand(depth) for _ in range(self.random.randint(low, high))]
        return " ".join([name, *arguments])

    def pipeline(self, depth: int) -> str:
        if self.chance(0.75):
            kind = self.pick(["string", "string", "string", "int", "bool", "list", "float"])
            return self.typed(kind, self.random.randint(0, depth))
        stages = [self.wild(depth) if self.chance(0.5) else self.operand(depth)]
        while self.chance(0.25):
            stages.append(self.pick(_STAGES))
        return self.pick([" | ", " | ", "|", "\n| "]).join(stages)

    def action(self, inner: str) -> str:
        left = self.pick(["{{", "{{ ", "{{ ", "{{- ", "{{\n"])
        right = self.pick(["}}", " }}", " }}", " -}}", "\n}}"])
        return left + inner + right

    def body(self, depth: int) -> str:
        parts = []
        for _ in range(self.random.randint(1, 3)):
            parts += [self.pick(_TEXT), self.statement(depth)]
        return "".join([*parts, self.pick(_TEXT)])

    def scoped(self, depth: int) -> str:
        known = len(self.variables)
        text = self.body(depth)
        del self.variables[known:]
        return text

    def statement(self, depth: int) -> str:
        chance = self.random.random()
        if depth <= 0 or chance < 0.45:
            return self.action(self.pipeline(2))
        if chance < 0.55:
            name = self.pick(["$a", "$b", "$c"])
            if name in self.variables and self.chance(0.5):
                return self.action(f"{name} = {self.pipeline(1)}")
            text = self.action(f"{name} := {self.pipeline(1)}")
            self.variables.append(name)
            return text
        if chance < 0.6 and self.ranges:
            word = self.pick(["break", "continue"])
            return self.action("if " + self.pipeline(1)) + self.action(word) + self.action("end")
        if chance < 0.65:
            return "{{/* note */}}"
        if chance < 0.7:
            return self.action(f'template "t{self.number(1, 2)}"' + self.pick(["", " .", " .A", " (loop 2)"]))
        return self.branch(depth) if chance < 0.84 else self.loop(depth)

    def branch(self, depth: int) -> str:
        keyword = self.pick(["if", "if", "with"])
        text = self.action(f"{keyword} {self.pipeline(1)}") + self.scoped(depth - 1)
        if self.chance(0.3):
            text += self.action(f"else {keyword} {self.pipeline(1)}") + self.scoped(depth - 1)
        if self.chance(0.5):
            text += self.action("else") + self.scoped(depth - 1)
        return text + self.action("end")

    def loop(self, depth: int) -> str:
        declared = self.pick(["", "", "$i := ", "$i, $e := "])
        known = len(self.variables)
        text = self.action(f"range {declared}{self.listed(1)}")
        self.variables += [name for name in ("$i", "$e") if name in declared]
        self.ranges += 1
        text += self.scoped(depth - 1)
        self.ranges -= 1
        if self.chance(0.3):
            text += self.action("else") + self.scoped(depth - 1)
        del self.variables[known:]
        return text + self.action("end")

    def template(self) -> str:
        self.variables = []
        self.ranges = 0
        text = self.body(3)
        for number in (1, 2):
            if f'template "t{number}"' in text and self.chance(0.9):
                self.variables = []
                text += f'{{{{ define "t{number}" }}}}' + self.action(self.pipeline(1)) + "{{ end }}"
        return self.damaged(text) if self.chance(0.12) else text

    def damaged(self, text: str) -> str:
        """Take out, double or put in a few characters."""
        start = self.random.randrange(len(text) + 1)
        chance = self.random.random()
        if chance < 0.4:
            return text[:start] + text[start + self.random.randint(1, 3) :]
        if chance < 0.6:
            return text[:start] + text[start : start + 5] + text[start:]
        return text[:start] + self.pick("{}()|.$:=\"`'-\n\\x1,") + text[start:]


def templates(seed: int, count: int) -> Iterator[tuple[str, int]]:
    """Return templates, each with the number of its environment. Few repeat; some cannot be parsed or executed."""
    generator = _Generator(seed)
    for _ in range(count):
        text = generator.template()
        if "%p" not in text:
            yield text, generator.random.choice([tables.FULL, tables.FULL, tables.EMPTY, 3])
