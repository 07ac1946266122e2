"""The comparisons eq, ne, lt, le, gt and ge, with Go's rules on types.

Basic types compare only with their own kind: an integer and a float, or a number and a string, are an error. Integers
with and without sign compare by value.
"""

from __future__ import annotations

from corepilot.gotemplate.errors import FunctionFailure
from corepilot.gotemplate.values import Byte, Environment, GoList, Value, encoded, type_name

_KINDS = {bool: "bool", int: "integer", Byte: "integer", float: "float", complex: "complex", str: "string"}


def _plain(value: Value) -> bool | int | float | complex | str:
    """Return a basic value as something that Python compares as Go does."""
    if isinstance(value, Byte):
        return value.number
    if isinstance(value, str):
        return value
    assert isinstance(value, (bool, int, float, complex))  # noqa: S101  - the callers have looked at the kind
    return value


def eq(first: Value, *others: Value) -> bool:
    """Tell whether the first value equals any of the others; it stops at the first that does."""
    if not others:
        raise FunctionFailure("there is nothing to compare with; it needs two values")
    return any(_equal(first, other) for other in others)


def _equal(first: Value, other: Value) -> bool:
    kind = _KINDS.get(type(first))
    other_kind = _KINDS.get(type(other))
    if first is None or other is None:
        return first is other
    if kind != other_kind:
        raise _incompatible(first, other)
    if kind is not None:
        return _plain(first) == _plain(other)
    if isinstance(first, GoList) and isinstance(other, GoList):
        raise FunctionFailure("two lists cannot be compared; join them to strings first")
    if isinstance(first, Environment) and isinstance(other, Environment):
        raise FunctionFailure("two maps cannot be compared")
    raise _incompatible(first, other)


def _incompatible(first: Value, other: Value) -> FunctionFailure:
    hint = ""
    if {type(first), type(other)} == {str, int}:
        hint = "; variables are strings, so write the number in quotes"
    return FunctionFailure(f"values of types {type_name(first)} and {type_name(other)} cannot be compared{hint}")


def ne(first: Value, other: Value) -> bool:
    """Tell whether two values differ."""
    return not eq(first, other)


def lt(first: Value, other: Value) -> bool:
    """Tell whether the first of two numbers or strings is the smaller one. Strings compare by their bytes."""
    kind = _KINDS.get(type(first))
    other_kind = _KINDS.get(type(other))
    for value, its_kind in ((first, kind), (other, other_kind)):
        if its_kind is None:
            raise FunctionFailure(f"a {type_name(value)} has no order")
    if kind != other_kind:
        raise _incompatible(first, other)
    if isinstance(first, str) and isinstance(other, str):
        return encoded(first) < encoded(other)
    left = _plain(first)
    right = _plain(other)
    if isinstance(left, (bool, complex, str)) or isinstance(right, (bool, complex, str)):
        raise FunctionFailure(f"a {type_name(first)} has no order")
    return left < right


def le(first: Value, other: Value) -> bool:
    """Tell whether the first of two values is the smaller one or equal."""
    return lt(first, other) or eq(first, other)


def gt(first: Value, other: Value) -> bool:
    """Tell whether the first of two values is the larger one."""
    return not le(first, other)


def ge(first: Value, other: Value) -> bool:
    """Tell whether the first of two values is the larger one or equal."""
    return not lt(first, other)
