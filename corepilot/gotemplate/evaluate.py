"""Evaluate pipelines, by the rules of Go's text/template.

Go finds the types of a function's parameters by reflection; here functions.py lists them. Go's data can hold methods
and functions; ours is text, so a name after a dot is a variable of the environment, or a
field of what watches have found.
"""

from __future__ import annotations

from corepilot.gotemplate.errors import Failure, FunctionFailure
from corepilot.gotemplate.functions import ANY, ENVIRONMENT, FUNCTIONS, METER, STRING, STRINGS, Function
from corepilot.gotemplate.limits import Meter
from corepilot.gotemplate.literals import OVERFLOW
from corepilot.gotemplate.nodes import Chain, Constant, Dot, Field, Identifier, Nil, Operand, Pipeline, Variable
from corepilot.gotemplate.values import Environment, GoList, Record, Value, Watches, type_name

TYPE_CHECKING = False  # see values.py
if TYPE_CHECKING:
    from typing import Final


class _Missing:
    """The type of MISSING."""


MISSING: Final = _Missing()
"""Stands for the value of the command before, where there is none; nil is a value."""


class Binding:
    """A variable of the template.

    Attributes:
        unset: environment variables that its value was made of and that are not set.
    """

    __slots__ = ("name", "unset", "value")

    def __init__(self, name: str, value: Value, unset: tuple[str, ...]) -> None:
        self.name = name
        self.value = value
        self.unset = unset


class Evaluator:
    """Evaluates pipelines of one template.

    Attributes:
        environment: the root value; its list of unset names grows with what is evaluated.
        bindings: the variables, innermost last; the owner cuts it back where a scope ends.
        meter: the work that is left; functions take from it.
        position: offset of the part of the template at work, for errors.
    """

    __slots__ = ("bindings", "environment", "meter", "position")

    def __init__(self, environment: Environment, meter: Meter) -> None:
        self.environment = environment
        self.meter = meter
        self.bindings: list[Binding] = []
        self.position = 0

    def pipeline(self, pipeline: Pipeline, dot: Value) -> Value:
        """Evaluate a pipeline and set the variables it declares.

        Raises:
            Failure: it cannot be evaluated. Variables set so far stay set.
        """
        self.position = pipeline.position
        value: Value | _Missing = MISSING
        for command in pipeline.commands:
            value = self._command(command, dot, value)
        assert not isinstance(value, _Missing)  # noqa: S101  - the parser makes no pipeline without commands
        if pipeline.declared:
            unset = tuple(self.environment.unset)
            for name in pipeline.declared:
                if pipeline.assigns:
                    self.assign(name, value, unset)
                else:
                    self.bindings.append(Binding(name, value, unset))
        return value

    def assign(self, name: str, value: Value, unset: tuple[str, ...]) -> None:
        """Give the innermost variable of a name another value."""
        binding = self._binding(name)
        binding.value = value
        binding.unset = unset

    def _binding(self, name: str) -> Binding:
        for binding in reversed(self.bindings):
            if binding.name == name:
                return binding
        raise self._failure(f"the variable {name} has no value here; it was declared in another branch")

    def _failure(self, message: str) -> Failure:
        return Failure(message, self.position)

    def _command(self, operands: list[Operand], dot: Value, final: Value | _Missing) -> Value:
        first = operands[0]
        has_arguments = len(operands) > 1 or final is not MISSING
        if isinstance(first, Identifier):
            return self._function(first, operands[0], operands[1:], dot, final)
        if isinstance(first, Field):
            self.position = first.position
            return self._names(dot, first.names, has_arguments=has_arguments)
        if isinstance(first, Variable):
            return self._variable(first, has_arguments=has_arguments)
        if isinstance(first, Chain):
            return self._chain(first, dot, has_arguments=has_arguments)
        if not isinstance(first, Pipeline):
            self.position = first.position
        if has_arguments:
            raise self._failure("only a function takes arguments, and a value is no function")
        if isinstance(first, Pipeline):
            return self.pipeline(first, dot)
        if isinstance(first, Dot):
            return dot
        if isinstance(first, Nil):
            raise self._failure("nil alone is no command")
        return self._constant(first)

    def _constant(self, constant: Constant) -> Value:
        if constant.value is OVERFLOW:
            raise self._failure(f"the integer {constant.text} does not fit in 64 bits with a sign")
        value: Value = constant.value  # type: ignore[assignment]  # what else a constant holds is a value
        return value

    def _variable(self, variable: Variable, *, has_arguments: bool) -> Value:
        self.position = variable.position
        binding = self._binding(variable.name)
        if binding.unset:
            self.environment.unset.extend(binding.unset)
        if variable.fields:
            return self._names(binding.value, variable.fields, has_arguments=has_arguments)
        if has_arguments:
            raise self._failure(f"the variable {variable.name} is no function and takes no arguments")
        return binding.value

    def _chain(self, chain: Chain, dot: Value, *, has_arguments: bool) -> Value:
        self.position = chain.position
        return self._names(self._argument(chain.node, ANY, dot), chain.names, has_arguments=has_arguments)

    def _names(self, value: Value, names: list[str], *, has_arguments: bool) -> Value:
        last = len(names) - 1
        for number, name in enumerate(names):
            if value is None:
                continue  # Go: whatever is looked up in nothing is nothing
            if not isinstance(value, (Environment, Record, Watches)):
                raise self._failure(
                    f"a {type_name(value)} has no field .{name}; only the environment has names, in one level"
                )
            if has_arguments and number == last:
                raise self._failure(f".{name} is a variable, not a function, and takes no arguments")
            value = self._field(value, name)
        return value

    def _field(self, value: Environment | Record | Watches, name: str) -> Value:
        try:
            return value.field(name)
        except FunctionFailure as failure:
            raise self._failure(str(failure)) from None

    def _function(
        self, node: Identifier, at: Operand, operands: list[Operand], dot: Value, final: Value | _Missing
    ) -> Value:
        self.position = node.position
        name = node.name
        function = FUNCTIONS[name]
        given = len(operands) + (final is not MISSING)
        wanted = len(function.parameters)
        if given < wanted or (given > wanted and function.rest is None):
            least = "" if function.rest is None else "at least "
            plural = "" if wanted == 1 else "s"
            raise self._failure(f"{name} takes {least}{wanted} argument{plural}, not {given}")
        if name in ("and", "or"):
            return self._logic(name, operands, dot, final)
        arguments = [
            self._argument(operand, _parameter(function, number), dot) for number, operand in enumerate(operands)
        ]
        if not isinstance(final, _Missing):
            arguments.append(self._checked(final, _parameter(function, len(operands))))
        try:
            return self._called(function, arguments)
        except FunctionFailure as failure:
            self.position = at.position
            raise self._failure(f"cannot call {name}: {failure}") from None

    def _called(self, function: Function, arguments: list[Value]) -> Value:
        if function.also == ENVIRONMENT:
            value = function.call(self.environment, *arguments)
        elif function.also == METER:
            value = function.call(self.meter, *arguments)
        else:
            value = function.call(*arguments)
        size = len(value) if isinstance(value, str) else 0
        for argument in arguments:
            if isinstance(argument, (str, GoList)):
                size += len(argument)
        self.meter.left -= 1 + (size >> 5)
        self.meter.check()
        return value

    def _logic(self, name: str, operands: list[Operand], dot: Value, final: Value | _Missing) -> Value:
        """Evaluate and, or: the first argument that decides is the value, and none behind it is evaluated."""
        value: Value = None
        for operand in operands:
            value = self._argument(operand, ANY, dot)
            if bool(value) == (name == "or"):
                return value
        return value if isinstance(final, _Missing) else final

    def _argument(self, node: Operand, wanted: str, dot: Value) -> Value:
        self.position = node.position
        if isinstance(node, Constant):
            if wanted is ANY or (wanted is STRING and isinstance(node.value, str)):
                return self._constant(node)
            raise self._failure(f"a {wanted} is expected here, not {node.text}")
        if isinstance(node, Nil):
            if wanted is STRING:
                raise self._failure("a string is expected here, not nil")
            return None
        value: Value
        if isinstance(node, Field):
            value = self._names(dot, node.names, has_arguments=False)
        elif isinstance(node, Variable):
            value = self._variable(node, has_arguments=False)
        elif isinstance(node, Pipeline):
            value = self.pipeline(node, dot)
        elif isinstance(node, Dot):
            value = dot
        elif isinstance(node, Chain):
            value = self._chain(node, dot, has_arguments=False)
        else:
            value = self._function(node, node, [], dot, MISSING)
        return self._checked(value, wanted)

    def _checked(self, value: Value, wanted: str) -> Value:
        """Refuse a value that cannot be passed for a parameter; nil can be passed for a list."""
        if (
            wanted is ANY
            or (wanted is STRING and isinstance(value, str))
            or (wanted is STRINGS and (value is None or (isinstance(value, GoList) and value.element == "string")))
        ):
            return value
        raise self._failure(f"a {wanted} is expected here, not a {type_name(value)}")


def _parameter(function: Function, number: int) -> str:
    """Return the type of an argument by its number from 0."""
    if number < len(function.parameters):
        return function.parameters[number]
    assert function.rest is not None  # noqa: S101  - the number of arguments has been checked
    return function.rest
