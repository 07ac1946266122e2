"""Rendered text that knows which part of the template each part of it came from."""

from __future__ import annotations

from corepilot.gotemplate.errors import place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

Mark = tuple[int, int, int, tuple[str, ...]]
"""Where a piece of rendered text begins; offsets of the template text: of the literal text or the action's start, and
behind the action or -1 for literal text; variables that the action read and that are not set."""


class Origin:
    """Where a piece of the rendered text came from. Immutable; equal where all four attributes are.

    Attributes:
        line: line of the template text, from 1.
        column: character in that line, from 1. For literal text that of the character itself, else of the action.
        action: source of the action that printed it, as ``{{ .PORT }}``; None for literal text.
        unset: environment variables that the action read and that are not set; ordered, unique.
    """

    __slots__ = ("action", "column", "line", "unset")

    line: int
    column: int
    action: str | None
    unset: tuple[str, ...]

    def __init__(self, line: int, column: int, action: str | None, unset: tuple[str, ...]) -> None:
        for name, value in (("line", line), ("column", column), ("action", action), ("unset", unset)):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"cannot set {name}: an Origin does not change")

    def _key(self) -> tuple[int, int, str | None, tuple[str, ...]]:
        return self.line, self.column, self.action, self.unset

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Origin) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"Origin(line={self.line}, column={self.column}, action={self.action!r}, unset={self.unset!r})"


class Rendered:
    """The text a template has become.

    Attributes:
        text: the rendered text. Bytes in it that are not UTF-8 are surrogate escapes, as in os.environ.
    """

    __slots__ = ("_marks", "_source", "text")

    def __init__(self, text: str, marks: list[Mark], source: str) -> None:
        self.text = text
        self._source = source
        self._marks = marks  # ordered by where they begin

    def origin(self, offset: int) -> Origin:
        """Tell where a character of the text came from.

        Args:
            offset: 0 to the length of the text, which stands for its end.

        Raises:
            IndexError: the offset is outside of the text.
        """
        if not 0 <= offset <= len(self.text):
            raise IndexError(f"cannot tell the origin of offset {offset}: the text has {len(self.text)} characters")
        low, high = 0, len(self._marks)
        while low < high:
            middle = (low + high) // 2
            if self._marks[middle][0] <= offset:
                low = middle + 1
            else:
                high = middle
        if not low:
            return Origin(1, 1, None, ())
        begin, start, end, unset = self._marks[low - 1]
        if end < 0:
            line, column = place(self._source, start + offset - begin)
            return Origin(line, column, None, ())
        line, column = place(self._source, start)
        return Origin(line, column, self._source[start:end], unset)

    def places(self, offsets: Iterable[int]) -> list[tuple[int, int]]:
        """Line and column, as `origin` has them, of many characters: quick where that one is exact.

        Args:
            offsets: Each as for `origin`, in any order.
        """
        from bisect import bisect_right  # only a whole configuration asks for this

        begins = [mark[0] for mark in self._marks]
        lines, start = [], 0
        for line in self._source.split("\n"):
            lines.append(start)
            start += len(line) + 1
        found = []
        for offset in offsets:
            index = bisect_right(begins, offset) - 1
            begin, start, end, _ = self._marks[index] if index >= 0 else (offset, 0, -1, ())
            at = start if end >= 0 else start + offset - begin
            number = bisect_right(lines, at)
            found.append((number, at - lines[number - 1] + 1))
        return found

    def unset_near(self, start: int, end: int) -> tuple[str, ...]:
        """Name the variables that are not set and that a part of the text would have come from.

        An action that printed nothing counts where it stands: ``port: {{ .PORT }}`` without PORT is the usual case.

        Args:
            start: offset of the first character of the part.
            end: offset of its last one; the length of the text stands for its end.

        Returns:
            Names in the order of the text, each once.
        """
        names: dict[str, None] = {}
        for number, (begin, _, _, unset) in enumerate(self._marks):
            if begin > end:
                break
            if unset:
                following = self._marks[number + 1][0] if number + 1 < len(self._marks) else len(self.text)
                if following > start or begin >= start:
                    names.update(dict.fromkeys(unset))
        return tuple(names)
