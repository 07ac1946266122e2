"""Which watches a template names, as far as its text says: names made up while it is executed are not known."""

from __future__ import annotations

from corepilot.gotemplate.errors import place
from corepilot.gotemplate.nodes import Chain, Code, Constant, Field, Identifier, Operand, Pipeline, Variable

TYPE_CHECKING = False  # see values.py
if TYPE_CHECKING:
    from collections.abc import Iterator

ANY_KIND = ""

_KINDS = {
    "service": "service",
    "key": "key",
    "keyExists": "key",
    "keyOrDefault": "key",
    "ls": "prefix",
    "tree": "prefix",
}


class Mention:
    """A watch that is named.

    Attributes:
        kind: what it has to watch: ``service``, ``key``, ``prefix``, or ANY_KIND.
        name: its name, or, where the kind is known, what it watches.
        line, column: where, from 1.
    """

    __slots__ = ("column", "kind", "line", "name")

    def __init__(self, kind: str, name: str, line: int, column: int) -> None:
        self.kind = kind
        self.name = name
        self.line = line
        self.column = column


def mentions(source: str, templates: dict[str, Code]) -> list[Mention]:
    """Return the watches that a parsed template names, in no order."""
    found = []
    for code in templates.values():
        for step in code:
            if step.pipeline is not None:
                found += [Mention(kind, name, *place(source, at)) for kind, name, at in _of_pipeline(step.pipeline)]
    return found


def _of_pipeline(pipeline: Pipeline) -> Iterator[tuple[str, str, int]]:
    for command in pipeline.commands:
        first = command[0]
        if isinstance(first, Identifier) and first.name in _KINDS and len(command) > 1:
            name = command[1]
            if isinstance(name, Constant) and isinstance(name.value, str):
                yield _KINDS[first.name], name.value, name.position
        for operand in command:
            yield from _of_operand(operand)


def _of_operand(operand: Operand) -> Iterator[tuple[str, str, int]]:
    if isinstance(operand, Pipeline):
        yield from _of_pipeline(operand)
    elif isinstance(operand, Chain) and isinstance(operand.node, Pipeline):
        yield from _of_pipeline(operand.node)
    elif isinstance(operand, (Field, Variable)):
        names = operand.names if isinstance(operand, Field) else operand.fields if operand.name == "$" else []
        if len(names) > 1 and names[0] == "watches":
            yield ANY_KIND, names[1], operand.position
