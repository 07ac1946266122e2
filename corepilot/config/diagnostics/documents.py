"""The documents of a configuration, side by side: an offset tells the document and the place in it.

Each document's rendered text has a range of offsets of its own, one after another, as if they were one text. So a value
carries one number, wherever it goes when documents are merged, and with a single document that number is the offset in
its text.
"""

from bisect import bisect_right
from collections.abc import Sequence

from corepilot.gotemplate import Rendered


class SourceDocument:
    """One document as the user wrote it, and what its template made.

    Attributes:
        name: As the user named it.
        lines: Of its text, before its template was carried out.
        start: The offset of the first character of its rendered text.
    """

    __slots__ = ("_rendered", "lines", "name", "start")

    def __init__(self, name: str, source: str, rendered: Rendered | None = None, start: int = 0) -> None:
        self.name = name
        self.lines = source.split("\n")
        self.start = start
        self._rendered = rendered

    @property
    def rendered(self) -> Rendered:
        """What the template made."""
        assert self._rendered is not None  # noqa: S101  - offsets come from the rendered text
        return self._rendered

    @property
    def end(self) -> int:
        """Where the next document may start."""
        return self.start + len(self.rendered.text) + 1

    def line(self, number: int) -> str:
        """A line, counted from 1; "" for one that it does not have."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""


def document_at(documents: Sequence[SourceDocument], offset: int) -> int:
    """The index of the document that an offset is in."""
    if len(documents) == 1:
        return 0
    return bisect_right(documents, offset, key=lambda one: one.start) - 1
