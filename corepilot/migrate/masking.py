"""Hides the template's actions in a configuration, so that its structure can be read before it is rendered.

Files of version 2 are JSON only once they are rendered, and rendering would lose the template. So every action is
overwritten, character for character, which keeps all offsets: inside a string and where it stands for a value by `x`,
where it controls what is around it (`{{ if .X }} … {{ end }}` around array elements or members) by blanks. Which
blocks are around a place can be asked afterwards, and the copy written with the same blocks.
"""

import re

from corepilot.gotemplate.lex import ASSIGN, DECLARE, ERROR, KEYWORD, LEFT, RIGHT, SPACE, VARIABLE, Token, tokenize
from corepilot.migrate.errors import MigrationError

_comment = re.compile(r"\{\{(?:-[ \t\r\n])?/\*.*?\*/(?:[ \t\r\n]-)?\}\}", re.DOTALL).match
_OPENERS = frozenset(("if", "with", "range", "block", "define"))


class Action:
    """One `{{ … }}`: `source[start:end]`. `word` is its keyword, "comment", "assign", or "" for one that prints."""

    __slots__ = ("end", "start", "word")

    def __init__(self, start: int, end: int, word: str) -> None:
        self.start = start
        self.end = end
        self.word = word


class Branch:
    """What stands between two actions of a block.

    Attributes:
        header: The action before it, with the assignments in it, without trim markers: those would eat the line end of
            a comment.
        start: Where it begins.
        end: Where it ends.
    """

    __slots__ = ("end", "header", "start")

    def __init__(self, header: str, start: int) -> None:
        self.header = header
        self.start = start
        self.end = -1


class Block:
    """An `if`, `with` or `range` around whole elements or members."""

    __slots__ = ("branches", "depth", "word")

    def __init__(self, word: str, depth: int) -> None:
        self.word = word
        self.depth = depth
        self.branches: list[Branch] = []


Condition = tuple[Block, int]
"""A block, and the index of the branch that something is in."""


class Masked:
    """A configuration with its template hidden.

    Attributes:
        source: As it was written.
        text: As long as `source`, without actions.
        actions: All of them, in order.
        prelude: What has to stand before everything else: assignments to variables, and definitions of templates.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.actions = scan(source)
        self.prelude: list[str] = []
        self._blocks: list[Block] = []
        self.text = _Walk(self, self._blocks).run()

    def conditions(self, offset: int) -> tuple[Condition, ...]:
        """The blocks around a place, the outermost first."""
        return tuple(
            (block, index)
            for block in self._blocks
            for index, branch in enumerate(block.branches)
            if branch.start <= offset < branch.end
        )

    def has_action(self, start: int, end: int) -> bool:
        """Whether there is an action in a part of the source."""
        return any(start <= action.start < end for action in self.actions)


def scan(source: str) -> list[Action]:
    """The actions of a template, comments included.

    Raises:
        MigrationError: it cannot be cut into tokens.
    """
    found: list[Action] = []
    tokens = tokenize(source)
    for index, (kind, offset, text) in enumerate(tokens):
        if kind == ERROR:
            raise MigrationError(f"cannot read the template: {text}", offset)
        if kind == LEFT:
            end = next((at + 2 for one, at, _ in tokens[index:] if one == RIGHT), -1)
            if end > 0:  # else an ERROR follows
                found.append(Action(offset, end, _word(tokens, index + 1)))
    covered = 0
    comments: list[Action] = []
    for start, end in [*((action.start, action.end) for action in found), (len(source), len(source))]:
        while 0 <= (covered := source.find("{{", covered, start)) < start:
            comment = _comment(source, covered)
            covered = comment.end() if comment else covered + 2
            if comment:
                comments.append(Action(comment.start(), comment.end(), "comment"))
        covered = end
    return sorted([*found, *comments], key=lambda action: action.start)


def _word(tokens: list[Token], index: int) -> str:
    inside = [(kind, text) for kind, _, text in tokens[index : index + 4] if kind != SPACE]
    if inside[0][0] == KEYWORD:
        return inside[0][1]
    if inside[0][0] == VARIABLE and inside[1][0] in {ASSIGN, DECLARE}:
        return "assign"
    return ""


class _Walk:
    """One pass over the source: where strings are, how deep brackets are, and what each action stands for."""

    def __init__(self, masked: Masked, blocks: list[Block]) -> None:
        self._masked = masked
        self._source = masked.source
        self._blocks = blocks
        self._open: list[Block] = []
        self._quote = ""
        self._depth = 0
        self._last = ""

    def run(self) -> str:
        parts: list[str] = []
        position, actions = 0, self._masked.actions
        number = 0
        while number < len(actions):
            action = actions[number]
            self._literal(position, action.start)
            parts.append(self._source[position : action.start])
            last = number if self._quote else self._whole(number)
            position = actions[last].end
            hidden = "x" if self._is_text(action, last > number) else " "
            if not self._quote and last == number:
                self._control(action)
            if hidden == "x":
                self._last = "x"
            parts.append(hidden * (position - action.start))
            number = last + 1
        self._literal(position, len(self._source))
        parts.append(self._source[position:])
        if self._open:
            raise MigrationError("cannot read the template: a block is not closed", self._open[-1].branches[0].start)
        return "".join(parts)

    def _is_text(self, action: Action, whole: bool) -> bool:  # noqa: FBT001  - both are the caller's findings
        if self._quote:
            return True
        return action.word != "define" if whole else action.word in {"", "template"}

    def _whole(self, number: int) -> int:
        """The last action of a block that is hidden as one, or `number`: definitions, and blocks that are a value."""
        action = self._masked.actions[number]
        if action.word not in _OPENERS or (action.word != "define" and self._last != ":"):
            return number
        open_blocks = 0
        for index, one in enumerate(self._masked.actions[number:], number):
            open_blocks += (one.word in _OPENERS) - (one.word == "end")
            if one.word in {"else", "end"} and self._source[: one.start].rstrip().endswith(","):
                raise MigrationError("cannot follow the template: this block holds more than a value", one.start)
            if open_blocks == 0:
                if action.word == "define":
                    self._masked.prelude.append(self._source[action.start : one.end])
                return index
        raise MigrationError("cannot read the template: a block is not closed", action.start)

    def _control(self, action: Action) -> None:
        """Keep account of the blocks around what follows."""
        header = without_trim(self._source[action.start : action.end])
        if action.word == "assign":
            if self._open:
                self._open[-1].branches[-1].header += header
            else:
                self._masked.prelude.append(header)
        elif action.word in _OPENERS:
            block = Block(action.word, self._depth)
            block.branches.append(Branch(header, action.end))
            self._open.append(block)
            self._blocks.append(block)
        elif action.word in {"else", "end"}:
            if not self._open or self._open[-1].depth != self._depth:
                rule = "this block of the template does not hold whole elements or members"
                raise MigrationError(f"cannot follow the template: {rule}; rewrite it by hand", action.start)
            block = self._open[-1]
            block.branches[-1].end = action.start
            if action.word == "else":
                block.branches.append(Branch(header, action.end))
            else:
                self._open.pop()
        elif action.word in {"break", "continue"}:
            raise MigrationError(f"cannot follow the template: {action.word} stands between values", action.start)

    def _literal(self, position: int, end: int) -> None:
        source = self._source
        while position < end:
            char = source[position]
            if self._quote:
                if char == "\\":
                    position += 1
                elif char == self._quote:
                    self._quote = ""
            elif char in "\"'":
                self._quote = self._last = char
            elif not char.isspace():
                self._depth += (char in "[{") - (char in "]}")
                self._last = char
            position += 1


def without_trim(action: str) -> str:
    """An action without trim markers."""
    inside = re.sub(r"^\{\{-[ \t\r\n]+", "{{ ", action)
    return re.sub(r"[ \t\r\n]+-\}\}$", " }}", inside)
