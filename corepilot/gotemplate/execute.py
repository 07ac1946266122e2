"""Execute a template: its steps in order. Scopes, loops and calls are kept on lists, not on Python's stack."""

from __future__ import annotations

from corepilot.gotemplate import nodes
from corepilot.gotemplate.errors import Failure, FunctionFailure, TemplateError, place
from corepilot.gotemplate.evaluate import Binding, Evaluator
from corepilot.gotemplate.limits import MAX_OUTPUT_BYTES, MAX_TEMPLATE_DEPTH, Meter
from corepilot.gotemplate.nodes import Code, Instruction, Pipeline
from corepilot.gotemplate.parse import MAIN, parse
from corepilot.gotemplate.source_map import Mark, Rendered
from corepilot.gotemplate.stray_bytes import mended
from corepilot.gotemplate.values import Byte, Environment, GoList, Value, Watches, encoded, too_long, type_name

TYPE_CHECKING = False  # see values.py
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def execute(source: str, environment: Mapping[str, str], watches: Watches | None = None) -> Rendered:
    """Parse and execute a template; see corepilot.gotemplate.render()."""
    machine = _Machine(parsed(source), Environment(environment, watches))
    try:
        machine.run()
    except Failure as failure:
        message = f"in {machine.action(source)}: {failure}"
        raise TemplateError(message, *place(source, failure.offset), machine.frame.name) from None
    except RecursionError:
        raise _too_deep() from None
    return Rendered(*mended("".join(machine.pieces), machine.marks), source)


def parsed(source: str) -> dict[str, Code]:
    """Parse a template; see corepilot.gotemplate.check()."""
    try:
        return parse(source)
    except Failure as failure:
        message = _within(source, failure.offset) + str(failure)
        raise TemplateError(message, *place(source, failure.offset)) from None
    except RecursionError:
        raise _too_deep() from None


def _too_deep() -> TemplateError:
    # MAX_PARENTHESES allows for a caller that stands some hundred frames deep, not for every caller.
    message = "parentheses stand too deep within one another; set a variable to a part of the pipeline first"
    return TemplateError(message, 1, 1)


def _shortened(action: str) -> str:
    """Return an action in one line that fits into a message."""
    text = " ".join(action.split())
    return text if len(text) <= 80 else text[:79] + "…"


def _within(source: str, offset: int) -> str:
    """Name the action around an offset, for a message; empty where there is none, or one without an end."""
    start = source.rfind("{{", 0, offset + 1)
    end = source.find("}}", offset)
    if start < 0 or end < 0 or "}}" in source[start:offset]:
        return ""
    return f"in {_shortened(source[start : end + 2])}: "


class _Scope:
    """An if, with or range at work."""

    __slots__ = ("bindings", "body_bindings", "dot", "pipeline", "rounds")

    def __init__(self, bindings: int, dot: Value, pipeline: Pipeline) -> None:
        self.bindings = bindings  # how many variables there are outside
        self.dot = dot  # the current value outside
        self.pipeline = pipeline
        self.rounds: Iterator[tuple[Value, Value]] = iter(())  # of a range: indexes and elements to come
        self.body_bindings = 0  # of a range: how many variables there are when a round starts


class _Frame:
    """A template at work: where it stands and what it knows."""

    __slots__ = ("bindings", "code", "dot", "name", "next", "scopes")

    def __init__(self, name: str, code: Code, dot: Value) -> None:
        self.name = name
        self.code = code
        self.dot = dot
        self.next = 0
        self.scopes: list[_Scope] = []
        self.bindings = [Binding("$", dot, ())]


class _Machine:
    """Executes code.

    Attributes:
        pieces: the rendered text so far.
        marks: where each piece came from, and the places of actions that printed nothing for want of a variable.
        frame: the template at work; frames has those that wait for it.
    """

    __slots__ = (
        "_action",
        "_length",
        "_size",
        "environment",
        "evaluator",
        "frame",
        "frames",
        "marks",
        "meter",
        "pieces",
        "templates",
    )

    def __init__(self, templates: dict[str, Code], environment: Environment) -> None:
        self.templates = templates
        self.environment = environment
        self.meter = Meter()
        self.evaluator = Evaluator(environment, self.meter)
        self.pieces: list[str] = []
        self.marks: list[Mark] = []
        self.frames: list[_Frame] = []
        self.frame = _Frame(MAIN, templates[MAIN], environment)
        self._length = 0  # of the pieces, in characters
        self._size = 0  # the same in bytes
        self._action: Instruction | None = None  # that an error is in

    def action(self, source: str) -> str:
        """Return the source of the action at work, in one line, shortened."""
        if self._action is None:
            return "the text"
        return _shortened(source[self._action.start : self._action.end])

    def run(self) -> None:
        """Execute the main template to its end.

        Raises:
            Failure: an action fails, or a limit is reached.
        """
        meter = self.meter
        self.evaluator.bindings = self.frame.bindings
        while True:
            frame = self.frame
            if frame.next >= len(frame.code):
                if not self.frames:
                    return
                self.frame = self.frames.pop()
                self.evaluator.bindings = self.frame.bindings
                continue
            step = frame.code[frame.next]
            frame.next += 1
            meter.left -= 1
            if meter.left < 0:
                self._exhausted(step)
            operation = step.operation
            if operation == nodes.WRITE:
                self._write(step.text, step)
            elif operation == nodes.JUMP:
                frame.next = step.target
            elif operation == nodes.POP:
                self._leave_scope(frame)
            elif operation == nodes.NEXT:
                self._next_round(frame, step)
            elif operation == nodes.LEAVE:
                for _ in range(step.depth):
                    self._leave_scope(frame)
                frame.next = step.target
            else:
                self._action = step
                self._evaluate(frame, step)

    def _exhausted(self, step: Instruction) -> None:
        try:
            self.meter.check()
        except FunctionFailure as failure:
            raise Failure(str(failure), step.position) from None

    def _evaluate(self, frame: _Frame, step: Instruction) -> None:
        """Execute a step that has a pipeline."""
        self.environment.unset.clear()
        self.evaluator.position = step.position
        if step.operation == nodes.CALL:
            self._call(frame, step)
            return
        pipeline = step.pipeline
        assert pipeline is not None  # noqa: S101  - only a call can do without one
        if step.operation == nodes.PRINT:
            value = self.evaluator.pipeline(pipeline, frame.dot)
            if not pipeline.declared:
                self._write(value if isinstance(value, str) else self._printed(value), step)
            return
        scope = _Scope(len(frame.bindings), frame.dot, pipeline)
        value = self.evaluator.pipeline(pipeline, frame.dot)
        frame.scopes.append(scope)
        self._write("", step)
        if step.operation == nodes.RANGE:
            scope.rounds = self._rounds(value, pipeline)
            scope.body_bindings = len(frame.bindings)
            frame.next = step.target
            self._next_round(frame, frame.code[step.target - 2], otherwise=step.target)
        elif not value:
            frame.next = step.target
        elif step.operation == nodes.WITH:
            frame.dot = value

    def _call(self, frame: _Frame, step: Instruction) -> None:
        code = self.templates.get(step.text)
        if code is None:
            known = ", ".join(repr(name) for name in sorted(self.templates) if name) or "none"
            raise Failure(f"there is no template {step.text!a}; defined are: {known}", step.position)
        if len(self.frames) >= MAX_TEMPLATE_DEPTH:
            message = f"more than {MAX_TEMPLATE_DEPTH} templates have called one another"
            raise Failure(message, step.position)
        dot = None if step.pipeline is None else self.evaluator.pipeline(step.pipeline, frame.dot)
        self._write("", step)
        self.frames.append(frame)
        self.frame = _Frame(step.text, code, dot)
        self.evaluator.bindings = self.frame.bindings

    def _leave_scope(self, frame: _Frame) -> None:
        scope = frame.scopes.pop()
        frame.dot = scope.dot
        del frame.bindings[scope.bindings :]

    def _rounds(self, value: Value, pipeline: Pipeline) -> Iterator[tuple[Value, Value]]:
        if value is None:
            return iter(())
        if isinstance(value, GoList):
            return iter(enumerate(value))
        if isinstance(value, Watches):
            return ((name, value.field(name)) for name in value.names())
        if isinstance(value, Environment):
            return iter([(name, value.variables[name]) for name in value.names()])
        if isinstance(value, bool) or not isinstance(value, (int, Byte)):
            message = f"a range cannot go over a {type_name(value)}; it takes a list, an integer or a map"
            hint = '; {{ range .NAME | split "," }} makes a list of a string' if isinstance(value, str) else ""
            raise Failure(message + hint, self.evaluator.position)
        if len(pipeline.declared) > 1:
            raise Failure("a range over an integer has one variable, not two", self.evaluator.position)
        if isinstance(value, Byte):
            return ((None, Byte(number)) for number in range(value.number))
        return ((None, number) for number in range(value))

    def _next_round(self, frame: _Frame, step: Instruction, otherwise: int = -1) -> None:
        """Start the next round of the innermost range at the step's target.

        Args:
            frame: the template at work.
            step: the end of the range's body.
            otherwise: where to go when there is no round; -1 to go on with what follows.
        """
        scope = frame.scopes[-1]
        frame.dot = scope.dot
        del frame.bindings[scope.body_bindings :]
        following = next(scope.rounds, None)
        if following is None:
            if otherwise >= 0:
                frame.next = otherwise
            return
        index, element = following
        declared = scope.pipeline.declared
        if scope.pipeline.assigns:
            if len(declared) > 1:
                self.evaluator.assign(declared[0], index, ())
            self.evaluator.assign(declared[-1], element, ())
        elif declared:
            frame.bindings[-1].value = element
            if len(declared) > 1:
                frame.bindings[-2].value = index
        frame.dot = element
        frame.next = step.target

    def _printed(self, value: Value) -> str:
        from corepilot.gotemplate.printing import sprint  # most templates print strings only

        try:
            return "<no value>" if value is None else sprint((value,))
        except FunctionFailure as failure:
            raise Failure(str(failure), self.evaluator.position) from None

    def _write(self, text: str, step: Instruction) -> None:
        """Add text that a step has printed, perhaps nothing."""
        unset = self.environment.unset if step.end >= 0 else None
        if text or unset:
            self.marks.append((self._length, step.start, step.end, tuple(dict.fromkeys(unset)) if unset else ()))
        if text:
            self.pieces.append(text)
            self._length += len(text)
            self._size += len(text) if text.isascii() else len(encoded(text))
            if self._size > MAX_OUTPUT_BYTES:
                raise Failure(str(too_long()), step.position)
