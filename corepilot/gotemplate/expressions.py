"""Parse what stands inside an action: pipelines, commands and operands."""

from __future__ import annotations

from corepilot.gotemplate import lex
from corepilot.gotemplate.errors import Failure
from corepilot.gotemplate.functions import EXTRA, FUNCTIONS, MACHINE, WATCHED
from corepilot.gotemplate.limits import MAX_PARENTHESES
from corepilot.gotemplate.literals import LiteralError, number, unquote
from corepilot.gotemplate.nodes import Chain, Constant, Dot, Field, Identifier, Nil, Operand, Pipeline, Variable

_OPERANDS = frozenset(
    (
        lex.BOOL,
        lex.RUNE,
        lex.COMPLEX,
        lex.DOT,
        lex.FIELD,
        lex.IDENTIFIER,
        lex.NUMBER,
        lex.NIL,
        lex.RAW_STRING,
        lex.STRING,
        lex.VARIABLE,
        lex.OPEN,
    )
)


_LONG_ENOUGH = 4
"""Letters of a name from which on a near one is likely to be meant."""


class ExpressionParser:
    """A list of tokens and how far it was read.

    Attributes:
        tokens: never empty; the last one is the end or a lexical error.
        index: the token to read next.
        furthest: the last token that was looked at, where Go says that a fault is.
    """

    __slots__ = ("depth", "furthest", "index", "tokens")

    def __init__(self, tokens: list[lex.Token]) -> None:
        self.tokens = tokens
        self.index = 0
        self.furthest = 0
        self.depth = 0

    def variables(self) -> list[str]:
        """Return the variables that are known here; the list is the parser's own."""
        raise NotImplementedError

    def next(self) -> lex.Token:
        """Read a token; behind the last one comes the last one again."""
        index = min(self.index, len(self.tokens) - 1)
        self.index += 1
        self.furthest = max(self.furthest, index)
        return self.tokens[index]

    def next_visible(self) -> lex.Token:
        """Read a token that is not white space."""
        token = self.next()
        while token[0] == lex.SPACE:
            token = self.next()
        return token

    def peek_visible(self) -> lex.Token:
        """Look at the next token behind white space, which is skipped."""
        token = self.next_visible()
        self.index -= 1
        return token

    def expect(self, kind: int, context: str) -> lex.Token:
        """Read a visible token, which must be of a kind."""
        token = self.next_visible()
        if token[0] != kind:
            raise self.unexpected(token[2], token[0], context)
        return token

    def last_end(self) -> int:
        """Return the offset behind the token read last, a right delimiter."""
        return self.tokens[self.index - 1][1] + 2

    def fault(self, message: str) -> Failure:
        """Return an error at the token that was looked at last."""
        return Failure(message, self.tokens[self.furthest][1])

    def unexpected(self, text: str, kind: int, context: str) -> Failure:
        """Return the error for a token that cannot stand where it stands."""
        if kind == lex.ERROR:
            return self.fault(text)
        return self.fault(f"unexpected {text!a} in {context}" if text.strip() else f"unexpected space in {context}")

    def pipeline(self, context: str, end: int) -> Pipeline:
        """Read a pipeline up to and with the token that ends it."""
        pipeline = Pipeline(self.peek_visible()[1])
        self._declarations(pipeline, context)
        while True:
            kind, _, text = self.next_visible()
            if kind == end:
                break
            if kind not in _OPERANDS:
                raise self.unexpected(text, kind, context)
            self.index -= 1
            pipeline.commands.append(self._command())
        if not pipeline.commands:
            raise self.fault(f"a value is missing in {context}")
        for stage, command in enumerate(pipeline.commands[1:], 2):
            if isinstance(command[0], (Constant, Dot, Nil)):
                raise self.fault(
                    f"stage {stage} of the pipeline takes no value: only functions can stand behind a pipe"
                )
        return pipeline

    def _declarations(self, pipeline: Pipeline, context: str) -> None:
        while self.peek_visible()[0] == lex.VARIABLE:
            before = self.index
            name = self.next()[2]
            kind, _, text = self.peek_visible()
            if kind in (lex.ASSIGN, lex.DECLARE):
                self.next()
                pipeline.assigns = kind == lex.ASSIGN
                self._declare(pipeline, name)
                return
            if kind != lex.CHARACTER or text != ",":
                self.index = before
                return
            self.next()
            self._declare(pipeline, name)
            if context != "range" or len(pipeline.declared) > 1:
                raise self.fault(f"too many variables are declared in {context}")
            if self.peek_visible()[0] not in (lex.VARIABLE, lex.RIGHT, lex.CLOSE):
                raise self.fault("a range can only declare variables: {{ range $index, $element := … }}")

    def _declare(self, pipeline: Pipeline, name: str) -> None:
        pipeline.declared.append(name)
        self.variables().append(name)

    def _command(self) -> list[Operand]:
        """Read the operands up to a pipe or the end; the caller has seen that there is one."""
        operands: list[Operand] = []
        while True:
            self.peek_visible()
            operand = self._operand()
            if operand is not None:
                operands.append(operand)
            kind, _, text = self.next()
            if kind == lex.SPACE:
                continue
            if kind in (lex.RIGHT, lex.CLOSE):
                self.index -= 1
            elif kind != lex.PIPE:
                raise self.unexpected(text, kind, "an operand")
            break
        return operands

    def _operand(self) -> Operand | None:
        """Read a term and the fields behind it; none where no operand follows."""
        term = self._term()
        if term is None or self._peek()[0] != lex.FIELD:
            return term
        position = self._peek()[1]
        names = []
        while self._peek()[0] == lex.FIELD:
            names.append(self.next()[2][1:])
        if isinstance(term, Field):
            return Field(position, term.names + names)
        if isinstance(term, Variable):
            return Variable(position, term.name, term.fields + names)
        if isinstance(term, (Pipeline, Identifier)):
            return Chain(position, term, names)
        raise self.fault(f"a constant has no field .{names[0]}")

    def _peek(self) -> lex.Token:
        token = self.next()
        self.index -= 1
        return token

    def _term(self) -> Operand | None:
        kind, position, text = self.next_visible()
        if kind == lex.FIELD:
            return Field(position, [text[1:]])
        if kind == lex.IDENTIFIER:
            if text not in FUNCTIONS:
                raise self.fault(f"there is no function {text!a}{_suggestion(text)}")
            return Identifier(position, text)
        if kind == lex.DOT:
            return Dot(position)
        if kind == lex.VARIABLE:
            if text not in self.variables():
                raise self.fault(f"the variable {text} is not declared here; declare it with {text} := …")
            return Variable(position, text, [])
        if kind == lex.OPEN:
            return self._parentheses()
        if kind == lex.NIL:
            return Nil(position)
        try:
            if kind in (lex.STRING, lex.RAW_STRING):
                return Constant(position, text, unquote(text))
            if kind in (lex.NUMBER, lex.RUNE, lex.COMPLEX):
                return Constant(position, text, number(kind, text))
        except LiteralError as error:
            raise self.fault(str(error)) from None
        if kind == lex.BOOL:
            return Constant(position, text, text == "true")
        self.index -= 1
        return None

    def _parentheses(self) -> Pipeline:
        if self.depth >= MAX_PARENTHESES:
            raise self.fault(f"more than {MAX_PARENTHESES} parentheses stand within one another")
        self.depth += 1
        try:
            return self.pipeline("parentheses", lex.CLOSE)
        finally:
            self.depth -= 1


def _suggestion(name: str) -> str:
    """What to do about a function that there is not. Short names are near to any other: for those nobody guesses."""
    folded = name.lower()
    for known in FUNCTIONS:
        if sorted(known.lower()) == sorted(folded):
            return f"; did you mean {known!r}?"
    if len(name) >= _LONG_ENOUGH:
        from difflib import get_close_matches  # only an error pays for it

        lowered = {known.lower(): known for known in FUNCTIONS if len(known) >= _LONG_ENOUGH}
        near = get_close_matches(folded, lowered, n=1, cutoff=0.8)
        if near:
            return f"; did you mean {lowered[near[0]]!r}?"
    return (
        f"; besides Go's there are {', '.join((*EXTRA, *MACHINE))}, and in a template of render {', '.join(WATCHED)} "
        "(docs/reference/configuration.md). "
        f"A variable is written with a dot: .{name}"
    )
