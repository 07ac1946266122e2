"""Writes a configuration as text: keys, comments, and the template's blocks around what was inside of them."""

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from corepilot.migrate.errors import MigrationError
from corepilot.migrate.masking import Condition, scan

DECIDE = "DECIDE: "
"""What a comment begins with that wants a person."""

_WIDTH = 110


class Piece(NamedTuple):
    """Some lines, and the blocks of the template that they belong into, the outermost first."""

    conditions: tuple[Condition, ...]
    lines: list[str]


def lay(pieces: Sequence[Piece], level: int = 0) -> list[str]:
    """The lines of pieces that stand side by side, each run of one block inside a single copy of it.

    Args:
        pieces: In the order of the result.
        level: How many blocks are open already.
    """
    lines: list[str] = []
    position = 0
    while position < len(pieces):
        piece = pieces[position]
        if len(piece.conditions) <= level:
            lines += piece.lines
            position += 1
            continue
        block, branch = piece.conditions[level]
        run = [piece]
        for one in pieces[position + 1 :]:
            if len(one.conditions) <= level or one.conditions[level][0] is not block:
                break
            if one.conditions[level][1] < branch:
                break
            branch = one.conditions[level][1]
            run.append(one)
        for index in range(branch + 1):
            lines.append(block.branches[index].header)
            lines += lay([one for one in run if one.conditions[level][1] == index], level + 1)
        lines.append("{{ end }}")
        position += len(run)
    return lines


def nested(head: str, pieces: Sequence[Piece], brackets: str, level: int = 0) -> list[str]:
    """An object or an array on several lines.

    Args:
        head: What stands before it: a key and a colon, or "".
        pieces: What is in it.
        brackets: "{}" or "[]".
        level: As for `lay`.
    """
    return [head + brackets[0], *(f"  {line}" for line in lay(pieces, level)), f"{brackets[1]},"]


def short(key: str, pieces: Sequence[Piece], level: int) -> list[str]:
    """An object, on one line if it has a single short value."""
    lines = lay(pieces, level)
    if len(lines) == 1:
        return [f"{key}: {{ {lines[0].removesuffix(',')} }},"]
    return nested(f"{key}: ", pieces, "{}", level)


def member(key: str, text: str) -> list[str]:
    """The lines of a key and its value, whose text may have several lines."""
    first, *rest = text.split("\n")
    if rest and "`" not in text:  # a raw string of the template may go over lines
        margin = min((len(line) - len(line.lstrip()) for line in rest if line.strip()), default=0)
        indent = "" if rest[-1].strip() in {"]", "}"} else "  "
        rest = [indent + line[margin:].rstrip() for line in rest]
    lines = [f"{key}: {first}", *rest]
    return [*lines[:-1], lines[-1] + ","]


def note(text: str) -> list[str]:
    """A comment."""
    return _comment(text)


def decide(text: str) -> list[str]:
    """A comment on something that a person has to decide."""
    return _comment(DECIDE + text)


def _comment(text: str) -> list[str]:
    lines, line = [], "//"
    for word in text.replace("{{", "{ {").split():  # a comment is a part of the template, too
        if len(line) + len(word) >= _WIDTH:
            lines.append(line)
            line = "//"
        line += f" {word}"
    return [*lines, line]


def quoted(text: str) -> str:
    """A string without template in it, as JSON5."""
    return json.dumps(text, ensure_ascii=False).replace("{{", '{{ "{{" }}')


def command(words: Iterable[str]) -> str:
    """The main program as an array. Its words are templates, as in version 2, if all of them can be read as such."""
    words = list(words)
    try:
        parts = [_word(word) for word in words]
    except MigrationError:
        parts = [quoted(word) for word in words]
    return f"[{', '.join(parts)}]"


def _word(word: str) -> str:
    text, position = "", 0
    for action in scan(word):
        text += json.dumps(word[position : action.start], ensure_ascii=False)[1:-1] + word[action.start : action.end]
        position = action.end
    return f'"{text}{json.dumps(word[position:], ensure_ascii=False)[1:-1]}"'
