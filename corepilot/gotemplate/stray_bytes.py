"""Mend rendered text in which actions have printed parts of one character, such as with slice, one after the other.

Go joins bytes and knows nothing of this; we join strings, so the parts must be found again. Places in the text move.
"""

from __future__ import annotations

from corepilot.gotemplate.source_map import Mark
from corepilot.gotemplate.values import decoded, encoded, has_stray_bytes


def mended(text: str, marks: list[Mark]) -> tuple[str, list[Mark]]:
    """Return the text with whole characters, and its marks moved to where their pieces begin now."""
    if not has_stray_bytes(text):
        return text, marks
    pieces: list[str] = []
    moved: list[Mark] = []
    length = 0
    number = 0
    position = 0
    while position <= len(text):
        end = _end_of_run(text, position)
        piece = decoded(encoded(text[position:end]))
        stray = len(encoded(text[position:end])) == end - position and not text[position:end].isascii()
        starts = [index for index, character in enumerate(piece) for _ in encoded(character)] if stray else None
        while number < len(marks) and marks[number][0] < end:
            begin = marks[number][0] - position
            moved.append((length + (begin if starts is None else starts[begin]), *marks[number][1:]))
            number += 1
        pieces.append(piece)
        length += len(piece)
        if end == position:
            break
        position = end
    moved.extend((length, *mark[1:]) for mark in marks[number:])
    return "".join(pieces), moved


def _end_of_run(text: str, position: int) -> int:
    """Return where the characters end that are all stray bytes, or all not, from a position on."""
    end = position
    while end < len(text) and ("\udc80" <= text[end] <= "\udcff") == ("\udc80" <= text[position] <= "\udcff"):
        end += 1
    return end
