"""Parse a template into code, by the grammar of Go's text/template.

Blocks are kept on a list, not on Python's stack, so their nesting is unlimited. A fault is reported on the line that Go
reports: that of the last token that was looked at.
"""

from __future__ import annotations

from corepilot.gotemplate import lex, nodes
from corepilot.gotemplate.containerpilot import GO_SPACE
from corepilot.gotemplate.errors import Failure
from corepilot.gotemplate.expressions import ExpressionParser
from corepilot.gotemplate.literals import LiteralError, unquote
from corepilot.gotemplate.nodes import Code, Instruction, Pipeline

MAIN = ""
"""Name of the template that is the text itself."""


class _Block:
    """An if, with or range whose end has not come yet."""

    __slots__ = ("body", "branch", "chained", "has_else", "jumps", "keyword", "leaves", "restarts", "variables")

    def __init__(self, keyword: str, branch: Instruction, body: int, variables: int, *, chained: bool) -> None:
        self.keyword = keyword
        self.branch = branch
        self.body = body  # where it begins in the code
        self.variables = variables
        self.chained = chained  # it stands in the else of the block below it, and ends with it
        self.has_else = False
        self.jumps: list[Instruction] = []  # they go to the end
        self.leaves: list[Instruction] = []  # break: the same
        self.restarts: list[Instruction] = []  # continue: to the next round


class _Template:
    """The main text, a define or a block, while it is being read."""

    __slots__ = ("blocks", "call", "code", "name", "variables")

    def __init__(self, name: str, call: Instruction | None = None) -> None:
        self.name = name
        self.call = call  # where a block executes itself
        self.code: Code = []
        self.blocks: list[_Block] = []
        self.variables = ["$"]


def parse(source: str) -> dict[str, Code]:
    """Parse a template and the templates defined in it.

    Returns:
        Code by name of the template; MAIN is always there.

    Raises:
        Failure: the text is no template.
    """
    return _Parser(source).parse()


class _Parser(ExpressionParser):
    __slots__ = ("current", "outer", "templates")

    def __init__(self, source: str) -> None:
        super().__init__(lex.tokenize(source))
        self.templates: dict[str, Code] = {}
        self.current = _Template(MAIN)
        self.outer: list[_Template] = []

    def parse(self) -> dict[str, Code]:
        while True:
            kind, start, text = self.next_visible()
            if kind == lex.TEXT:
                self.current.code.append(Instruction(nodes.WRITE, start, text=text))
            elif kind == lex.LEFT:
                self._action(start)
            elif kind == lex.END:
                if self.outer or self.current.blocks:
                    raise self.fault("the template ends inside a block; a block needs {{ end }}")
                self._define(self.current)
                return self.templates
            else:
                raise self.unexpected(text, kind, "the template")

    def variables(self) -> list[str]:
        return self.current.variables

    def _action(self, start: int) -> None:
        kind, position, word = self.next_visible()
        if kind != lex.KEYWORD:
            self.index -= 1
            pipeline = self.pipeline("a command", lex.RIGHT)
            self._add(nodes.PRINT, start, pipeline)
        elif word in ("if", "with", "range"):
            self._open(word, start, chained=False)
        elif word == "else":
            self._else(start)
        elif word == "end":
            self.expect(lex.RIGHT, "end")
            self._end(start)
        elif word in ("break", "continue"):
            self._leave(word, start)
        elif word == "template":
            self._call(start, position)
        elif word == "block":
            self._block(start)
        elif not self.outer and not self.current.blocks:
            self._begin_define()
        else:
            raise self.fault("a define must stand outside of every other block")

    def _add(self, operation: int, start: int, pipeline: Pipeline | None = None) -> Instruction:
        instruction = Instruction(operation, start, self.last_end(), pipeline=pipeline)
        self.current.code.append(instruction)
        return instruction

    def _open(self, keyword: str, start: int, *, chained: bool) -> None:
        variables = len(self.current.variables)
        operation = {"if": nodes.IF, "with": nodes.WITH, "range": nodes.RANGE}[keyword]
        branch = self._add(operation, start, self.pipeline(keyword, lex.RIGHT))
        block = _Block(keyword, branch, len(self.current.code), variables, chained=chained)
        self.current.blocks.append(block)

    def _else(self, start: int) -> None:
        kind, _, word = self.peek_visible()
        continues = word if kind == lex.KEYWORD and word in ("if", "with") else ""
        if not continues:
            self.expect(lex.RIGHT, "else")
        blocks = self.current.blocks
        if not blocks:
            raise self._stray("else")
        block = blocks[-1]
        if block.has_else:
            raise self.fault("this block has an else already; expected {{ end }}")
        if continues and continues != block.keyword:
            raise self.fault(f"{{{{ else {continues} }}}} cannot continue a {block.keyword} block")
        self._close_body(block, start)
        if continues:
            self.next_visible()
            self._open(continues, start, chained=True)

    def _close_body(self, block: _Block, start: int) -> None:
        """End what is executed where the pipeline is true; what follows is executed where it is not."""
        code = self.current.code
        if block.keyword == "range":
            for instruction in block.restarts:
                instruction.target = len(code)
            code.append(again := Instruction(nodes.NEXT, start))
            again.target = block.body
        code.append(jump := Instruction(nodes.JUMP, start))
        block.jumps.append(jump)
        block.branch.target = len(code)
        block.has_else = True

    def _end(self, start: int) -> None:
        current = self.current
        if not current.blocks:
            if not self.outer:
                raise self._stray("end")
            self._define(current)
            self.current = self.outer.pop()
            if current.call is not None:
                self.current.code.append(current.call)
            return
        while True:
            block = current.blocks.pop()
            if not block.has_else:
                self._close_body(block, start)
            for instruction in block.jumps + block.leaves:
                instruction.target = len(current.code)
            current.code.append(Instruction(nodes.POP, start))
            del current.variables[block.variables :]
            if not block.chained:
                return

    def _leave(self, word: str, start: int) -> None:
        self.expect(lex.RIGHT, word)
        # As in Go, a break in the else of a range leaves that range, if it stands in another one; a continue goes on
        # with the outer one.
        ranges = [block for block in self.current.blocks if block.keyword == "range"]
        loops = [block for block in ranges if not block.has_else]
        if not loops:
            raise self.fault(f"{{{{ {word} }}}} must stand inside a range")
        block = ranges[-1] if word == "break" else loops[-1]
        depth = len(self.current.blocks) - 1 - self.current.blocks.index(block)
        instruction = Instruction(nodes.LEAVE, start, self.last_end(), depth=depth)
        self.current.code.append(instruction)
        (block.leaves if word == "break" else block.restarts).append(instruction)

    def _stray(self, word: str) -> Failure:
        if not self.outer:
            return self.fault(f"{{{{ {word} }}}} belongs to no block")
        # Go reports a stray else of a block on the line where the block begins.
        call = self.current.call
        if call is not None:
            self.furthest = max(index for index in range(self.index) if self.tokens[index][1] < call.end)
        return self.fault("a define or block cannot have an else")

    def _call(self, start: int, position: int) -> None:
        position, name = self._template_name("template")
        pipeline = None
        if self.next_visible()[0] != lex.RIGHT:
            self.index -= 1
            pipeline = self.pipeline("template", lex.RIGHT)
        instruction = Instruction(nodes.CALL, start, self.last_end(), pipeline=pipeline, text=name)
        instruction.position = position
        self.current.code.append(instruction)

    def _block(self, start: int) -> None:
        position, name = self._template_name("block")
        pipeline = self.pipeline("block", lex.RIGHT)
        instruction = Instruction(nodes.CALL, start, self.last_end(), pipeline=pipeline, text=name)
        instruction.position = position
        self.outer.append(self.current)
        self.current = _Template(name, instruction)

    def _begin_define(self) -> None:
        _, name = self._template_name("define")
        self.expect(lex.RIGHT, "define")
        self.outer.append(self.current)
        self.current = _Template(name)

    def _template_name(self, keyword: str) -> tuple[int, str]:
        kind, position, text = self.next_visible()
        if kind not in (lex.STRING, lex.RAW_STRING):
            raise self.unexpected(text, kind, f"{keyword}; it needs a name in quotes")
        try:
            return position, unquote(text)
        except LiteralError as error:
            raise self.fault(str(error)) from None

    def _define(self, template: _Template) -> None:
        """Register a template. One that is nothing but white space gives way to another of its name."""
        known = self.templates.get(template.name)
        if known is None or _is_blank(known):
            self.templates[template.name] = template.code
        elif not _is_blank(template.code):
            raise self.fault(f"there are two templates called {template.name!a}")


def _is_blank(code: Code) -> bool:
    return all(step.operation == nodes.WRITE and not step.text.strip(GO_SPACE) for step in code)
