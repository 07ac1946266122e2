"""What the parser makes of a template: expressions as small trees, statements as straight code with jumps.

Straight code needs no recursion, so neither nested blocks nor templates that call themselves can exhaust Python's
stack. Positions are offsets into the template text, and are those that Go reports.
"""

from __future__ import annotations


class Constant:
    """A literal. Its value is literals.OVERFLOW where no type can hold it."""

    __slots__ = ("position", "text", "value")

    def __init__(self, position: int, text: str, value: object) -> None:
        self.position = position
        self.text = text
        self.value = value


class Nil:
    """The word nil."""

    __slots__ = ("position",)

    def __init__(self, position: int) -> None:
        self.position = position


class Dot:
    """The dot alone: the current value."""

    __slots__ = ("position",)

    def __init__(self, position: int) -> None:
        self.position = position


class Field:
    """Names that follow one another from the current value: .A.B has two."""

    __slots__ = ("names", "position")

    def __init__(self, position: int, names: list[str]) -> None:
        self.position = position
        self.names = names


class Variable:
    """A variable, and the names of fields behind it: $x.A has one."""

    __slots__ = ("fields", "name", "position")

    def __init__(self, position: int, name: str, fields: list[str]) -> None:
        self.position = position
        self.name = name
        self.fields = fields


class Identifier:
    """A call of a function; its arguments are the other operands of the command."""

    __slots__ = ("name", "position")

    def __init__(self, position: int, name: str) -> None:
        self.position = position
        self.name = name


class Pipeline:
    """Commands, each a non-empty list of operands; each passes its value to the next as the last argument.

    Attributes:
        declared: variables that get the value, with their dollar sign; at most two.
        assigns: the variables exist already (= and not :=).
    """

    __slots__ = ("assigns", "commands", "declared", "position")

    def __init__(self, position: int) -> None:
        self.position = position
        self.commands: list[list[Operand]] = []
        self.declared: list[str] = []
        self.assigns = False


class Chain:
    """Names of fields behind a parenthesised pipeline or a function."""

    __slots__ = ("names", "node", "position")

    def __init__(self, position: int, node: Pipeline | Identifier, names: list[str]) -> None:
        self.position = position
        self.node = node
        self.names = names


Operand = Constant | Nil | Dot | Field | Variable | Identifier | Pipeline | Chain

WRITE, PRINT, IF, WITH, RANGE, NEXT, JUMP, POP, LEAVE, CALL = range(10)
"""Operations of the code.

WRITE   text
PRINT   value of the pipeline, unless it declares variables
IF      enter a scope; go to target where the pipeline is false
WITH    the same, and the value becomes the current one where it is true
RANGE   enter a scope and start a loop; go to target where there is nothing to iterate over
NEXT    start the next round at target, or go on when there is none
JUMP    go to target
POP     leave the innermost scope
LEAVE   leave as many scopes as depth says, then go to target: break and continue
CALL    execute the template called text with the value of the pipeline
"""


class Instruction:
    """One step of a template.

    Attributes:
        operation: one of the constants above.
        start: offset of the text, or of the action's left delimiter.
        end: offset behind the action's right delimiter; -1 for text.
        position: offset that an error of the step itself is reported at.
    """

    __slots__ = ("depth", "end", "operation", "pipeline", "position", "start", "target", "text")

    def __init__(
        self,
        operation: int,
        start: int,
        end: int = -1,
        *,
        pipeline: Pipeline | None = None,
        text: str = "",
        depth: int = 0,
    ) -> None:
        self.operation = operation
        self.start = start
        self.end = end
        self.pipeline = pipeline
        self.position = start if pipeline is None else pipeline.position
        self.text = text
        self.depth = depth
        self.target = -1


Code = list[Instruction]
