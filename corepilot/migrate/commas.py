"""Commas that a file of version 2 lacks, or has too many of. The conversion mends them; version 2 refused the file.

Only where no action of the template stands between two values: else it is the template that makes the commas.
"""

from collections.abc import Iterator
from typing import NamedTuple

from corepilot.migrate.masking import Masked
from corepilot.migrate.outline import OutlineNode


class CommaMistake(NamedTuple):
    """A comma that is mended: where, as an index into the text, and what is wrong there."""

    offset: int
    text: str


def comma_mistakes(masked: Masked, root: OutlineNode) -> list[CommaMistake]:
    """What is wrong with the commas of a file, in its order."""
    return sorted(_inside(masked, root))


def _inside(masked: Masked, value: OutlineNode) -> Iterator[CommaMistake]:
    if value.kind not in {"object", "array"}:
        return
    parts = [member for _, member in value.members] + value.items
    end = value.start + 1
    for index, part in enumerate(parts):
        yield from _between(masked, end, part.key_start, 1 if index else 0)
        yield from _inside(masked, part)
        end = part.end
    yield from _between(masked, end, value.end - 1, 0)


def _between(masked: Masked, start: int, end: int, wanted: int) -> Iterator[CommaMistake]:
    if masked.has_action(start, end):
        return
    commas = masked.text.count(",", start, end)
    if commas < wanted:
        yield CommaMistake(start, "a comma is missing behind this; the new file has it")
    elif commas > wanted:
        yield CommaMistake(masked.text.rfind(",", start, end), "this comma is one too many; the new file leaves it out")
