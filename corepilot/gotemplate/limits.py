"""How much one template may ask for: our own decision, so that a template bomb ends in an error.

Go has no such bounds but one on the depth of templates (100,000) and one on the depth of parentheses (10,000).
"""

from corepilot.gotemplate.errors import FunctionFailure

MAX_OUTPUT_BYTES = 4 * 1024 * 1024
"""Size of the rendered text, and of every string on the way to it."""

MAX_STEPS = 1_000_000
"""Units of work in one rendering, about a second: actions, texts and rounds of loops, calls of functions, each 32
characters that a function takes or makes, each step of a regular expression."""

MAX_TEMPLATE_DEPTH = 10_000
"""Templates that have called one another. They cost no Python stack."""

MAX_PARENTHESES = 100
"""Parenthesised pipelines within one another. Each costs a few frames of Python's stack."""

MAX_LIST = 1_000_000
"""Elements of a list made by ``loop`` or ``split``."""

MAX_REGEX_PROGRAM = 50_000
"""Instructions of one compiled regular expression, counted repetitions written out."""

MAX_REGEX_GROUPS = 100
"""Groups of a regular expression within one another."""


class Meter:
    """The work that one rendering may still do.

    Attributes:
        left: units. Whoever does work takes some away, and calls check() then.
    """

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_STEPS

    def check(self) -> None:
        """Stop when nothing is left.

        Raises:
            FunctionFailure: too much work was done.
        """
        if self.left < 0:
            raise FunctionFailure(f"the template takes more than {MAX_STEPS} steps; make loops or texts shorter")
