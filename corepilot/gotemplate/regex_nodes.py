"""What the parser makes of a regular expression: a tree."""

from __future__ import annotations

from corepilot.gotemplate.regex_classes import Ranges

BEGIN_TEXT, END_TEXT, BEGIN_LINE, END_LINE, WORD_EDGE, NO_WORD_EDGE = range(6)
"""Kinds of assertions. Lines end at line feeds; words are ASCII."""


class Class:
    """One character out of ranges."""

    __slots__ = ("ranges",)

    def __init__(self, ranges: Ranges) -> None:
        self.ranges = ranges


class Assertion:
    """A place between characters: one of the constants of this module."""

    __slots__ = ("kind",)

    def __init__(self, kind: int) -> None:
        self.kind = kind


class Repeat:
    """A node several times; most is -1 where there is no bound."""

    __slots__ = ("greedy", "least", "most", "node")

    def __init__(self, node: Node, least: int, most: int, *, greedy: bool) -> None:
        self.node = node
        self.least = least
        self.most = most
        self.greedy = greedy


class Capture:
    """A numbered group."""

    __slots__ = ("node", "number")

    def __init__(self, number: int, node: Node) -> None:
        self.number = number
        self.node = node


class Sequence:
    """Nodes one after the other; none match the empty text."""

    __slots__ = ("nodes",)

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes


class Choice:
    """Nodes, the first of which that leads to a match is taken."""

    __slots__ = ("nodes",)

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes


Node = Class | Assertion | Repeat | Capture | Sequence | Choice
