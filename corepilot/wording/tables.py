"""Tables of text, for terminals."""

from corepilot.wording.escaping import escaped

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    from collections.abc import Sequence


def table(head: "Sequence[str]", rows: "Sequence[Sequence[str]]") -> list[str]:
    """Return the lines of a table whose columns are as wide as their longest cell, two blanks apart.

    Cells are escaped (`escaped`), and no line ends in blanks.

    Args:
        head: The names of the columns.
        rows: As many cells each as `head` has. Without a row there is no table: the result is empty.
    """
    if not rows:
        return []
    lines = [list(map(escaped, line)) for line in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
