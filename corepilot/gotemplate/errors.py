"""What goes wrong with a template, and where in its text."""


class TemplateError(Exception):
    """A template cannot be parsed or cannot be executed.

    Attributes:
        message: what is wrong, the rule that was broken and what to do, in lower case, without the place.
        line: line of the template text, from 1.
        column: character in that line, from 1.
        name: the ``define`` or ``block`` that was being executed; empty for the main text and while parsing.
    """

    def __init__(self, message: str, line: int, column: int, name: str = "") -> None:
        super().__init__(message, line, column, name)
        self.message = message
        self.line = line
        self.column = column
        self.name = name

    def __str__(self) -> str:
        within = f", in template {self.name!r}" if self.name else ""
        return f"cannot render template (line {self.line}, column {self.column}{within}): {self.message}"


class Failure(Exception):  # noqa: N818  - never leaves this package; render() turns it into a TemplateError
    """A fault at an offset of the template text.

    Attributes:
        offset: index of a character of the template text, 0 to its length.
    """

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


class FunctionFailure(Exception):  # noqa: N818  - never leaves this package; the evaluator adds the place
    """A template function refuses its arguments."""


def place(source: str, offset: int) -> tuple[int, int]:
    """Tell line and column, both from 1, of an offset of the text. Only a line feed ends a line, as in Go."""
    return source.count("\n", 0, offset) + 1, offset - source.rfind("\n", 0, offset)
