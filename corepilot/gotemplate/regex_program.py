"""Compile a regular expression into the program that the matcher runs.

The order of branches is that of Go's regexp/syntax: it decides which of several matches is taken.
"""

from __future__ import annotations

from corepilot.gotemplate.errors import FunctionFailure
from corepilot.gotemplate.limits import MAX_REGEX_PROGRAM
from corepilot.gotemplate.regex_classes import Ranges, contains
from corepilot.gotemplate.regex_nodes import BEGIN_TEXT, Assertion, Capture, Choice, Class, Node, Repeat, Sequence
from corepilot.gotemplate.regex_syntax import parse

CHARACTER, CLASS, SPLIT, JUMP, SAVE, ASSERT, MATCH = range(7)
"""Operations.

CHARACTER  one certain character
CLASS      one character of a class
SPLIT      go on at first, and at second if that leads to no match
JUMP       go on at first
SAVE       note the position in slot first
ASSERT     the assertion first must hold
MATCH      a match ends here
"""

_REPLACEMENT = 0xFFFD


class Step:
    """One instruction; which attributes count depends on the operation."""

    __slots__ = ("_known", "_ranges", "character", "first", "operation", "second")

    def __init__(self, operation: int, first: int = 0, *, character: str = "", ranges: Ranges | None = None) -> None:
        self.operation = operation
        self.first = first
        self.second = 0
        self.character = character
        self._ranges = ranges or []
        self._known: dict[str, bool] = {}

    def matches(self, character: str) -> bool:
        """Tell whether a character is of the class. A byte that is not UTF-8 counts as U+FFFD, as in Go."""
        known = self._known.get(character)
        if known is None:
            code = ord(character)
            code = _REPLACEMENT if 0xD800 <= code <= 0xDFFF else code
            known = self._known[character] = contains(self._ranges, code)
        return known


class Program:
    """A compiled regular expression.

    Attributes:
        code: its instructions; the first one is where a match starts.
        names: of its groups by number, empty where there is none.
        prefix: text that every match begins with; may be empty.
        needed: text that every match holds, the longest that is known; may be empty.
        anchored: a match can only be at the beginning of the text.
    """

    __slots__ = ("anchored", "code", "names", "needed", "prefix")

    def __init__(self, code: list[Step], names: list[str]) -> None:
        self.code = code
        self.names = names
        self.anchored = code[1].operation == ASSERT and code[1].first == BEGIN_TEXT
        self.prefix = ""
        for step in code[1:]:
            if step.operation != CHARACTER:
                break
            self.prefix += step.character
        self.needed = max(_certain(code), key=len)


def _certain(code: list[Step]) -> list[str]:
    """The texts between the classes that a match passes before its first branch."""
    texts = [""]
    for step in code:
        if step.operation == CHARACTER:
            texts[-1] += step.character
        elif step.operation == CLASS:
            texts.append("")
        elif step.operation not in {SAVE, ASSERT}:
            break
    return texts


def compile_pattern(pattern: str) -> Program:
    """Compile a regular expression in RE2's syntax.

    Raises:
        FunctionFailure: it is none, or its program would be too large.
    """
    root, names = parse(pattern)
    compiler = _Compiler()
    compiler.emit(Capture(0, root))
    compiler.add(MATCH)
    return Program(compiler.code, names)


class _Compiler:
    __slots__ = ("code",)

    def __init__(self) -> None:
        self.code: list[Step] = []

    def add(self, operation: int, first: int = 0, *, character: str = "", ranges: Ranges | None = None) -> Step:
        if len(self.code) >= MAX_REGEX_PROGRAM:
            raise FunctionFailure(f"the regular expression compiles to more than {MAX_REGEX_PROGRAM} instructions")
        step = Step(operation, first, character=character, ranges=ranges)
        self.code.append(step)
        return step

    def emit(self, node: Node) -> None:
        """Add the code of a node; it goes on behind its end."""
        if isinstance(node, Class):
            low, high = node.ranges[0] if len(node.ranges) == 1 else (0, 1)
            if low == high != _REPLACEMENT:
                self.add(CHARACTER, character=chr(low))
            else:
                self.add(CLASS, ranges=node.ranges)
        elif isinstance(node, Assertion):
            self.add(ASSERT, node.kind)
        elif isinstance(node, Capture):
            self.add(SAVE, 2 * node.number)
            self.emit(node.node)
            self.add(SAVE, 2 * node.number + 1)
        elif isinstance(node, Sequence):
            for child in node.nodes:
                self.emit(child)
        elif isinstance(node, Choice):
            self._choice(node.nodes)
        else:
            self._repeat(node)

    def _choice(self, nodes: list[Node]) -> None:
        jumps = []
        for node in nodes[:-1]:
            split = self._split()
            self.emit(node)
            jumps.append(self.add(JUMP))
            self._join(split, greedy=True)
        self.emit(nodes[-1])
        for jump in jumps:
            jump.first = len(self.code)

    def _split(self) -> Step:
        """Add a branch; its first way goes on behind it until _join says where the second one goes."""
        split = self.add(SPLIT)
        split.first = len(self.code)
        return split

    def _join(self, split: Step, *, greedy: bool) -> None:
        split.second = len(self.code)
        if not greedy:
            split.first, split.second = split.second, split.first

    def _repeat(self, node: Repeat) -> None:
        if node.most < 0:
            for _ in range(node.least - 1):
                self.emit(node.node)
            if node.least:
                self._plus(node.node, greedy=node.greedy)
            else:
                self._star(node.node, greedy=node.greedy)
            return
        for _ in range(node.least):
            self.emit(node.node)
        splits = []
        for _ in range(node.most - node.least):
            splits.append(self._split())
            self.emit(node.node)
        for split in splits:
            self._join(split, greedy=node.greedy)

    def _plus(self, node: Node, *, greedy: bool) -> None:
        start = len(self.code)
        self.emit(node)
        split = self._split()
        split.second = start
        if greedy:
            split.first, split.second = split.second, split.first

    def _star(self, node: Node, *, greedy: bool) -> None:
        if _can_be_empty(node):  # as one or more, or none: a round that matches nothing must be able to end the loop
            split = self._split()
            self._plus(node, greedy=greedy)
            self._join(split, greedy=greedy)
            return
        start = len(self.code)
        split = self._split()
        self.emit(node)
        self.add(JUMP, start)
        self._join(split, greedy=greedy)


def _can_be_empty(node: Node) -> bool:
    """Tell whether a node can match the empty text."""
    if isinstance(node, Class):
        return False
    if isinstance(node, Repeat):
        return node.least == 0 or _can_be_empty(node.node)
    if isinstance(node, Capture):
        return _can_be_empty(node.node)
    if isinstance(node, Sequence):
        return all(_can_be_empty(child) for child in node.nodes)
    if isinstance(node, Choice):
        return any(_can_be_empty(child) for child in node.nodes)
    return True
