"""The functions len, index and slice. Strings count in bytes, as in Go."""

from __future__ import annotations

from corepilot.gotemplate.errors import FunctionFailure
from corepilot.gotemplate.values import Byte, Environment, GoList, Value, Watches, decoded, encoded, type_name


def length(item: Value) -> int:
    """Return the number of bytes of a string, or of elements."""
    if isinstance(item, str):
        return len(item) if item.isascii() else len(encoded(item))
    if isinstance(item, (GoList, Environment, Watches)):
        return len(item)
    raise FunctionFailure(f"a {type_name(item)} has no length")


def index(item: Value, *indexes: Value) -> Value:
    """Return what the indexes lead to: a variable by its name, a byte or an element by its number from 0."""
    if item is None:
        raise FunctionFailure("nil has no elements")
    for key in indexes:
        if isinstance(item, (Environment, Watches)):
            if not isinstance(key, str):
                raise FunctionFailure(f"a variable is looked up by a string, not by a {type_name(key)}")
            item = item.field(key)
        elif isinstance(item, str):
            data = encoded(item)
            item = Byte(data[_position(key, len(data) - 1)])
        elif isinstance(item, GoList):
            item = item.at(_position(key, len(item) - 1))
        else:
            raise FunctionFailure(f"a {type_name(item)} has no elements")
    return item


def _position(key: Value, last: int) -> int:
    if isinstance(key, Byte):
        key = key.number
    if not isinstance(key, int) or isinstance(key, bool):
        raise FunctionFailure(f"a {type_name(key)} cannot be an index; it must be an integer")
    if not 0 <= key <= last:
        raise FunctionFailure(f"the index {key} is out of range; the last one is {last}")
    return key


def cut(item: Value, *indexes: Value) -> Value:
    """Return the part of a string or list from the first index up to the second; a third one sets a list's capacity."""
    if item is None:
        raise FunctionFailure("nil has no elements")
    if len(indexes) > 3:
        raise FunctionFailure(f"it takes at most three indexes, not {len(indexes)}")
    if isinstance(item, str):
        if len(indexes) == 3:
            raise FunctionFailure("a string takes at most two indexes")
        data = encoded(item)
        low, high, _ = _bounds(indexes, len(data), len(data))
        return decoded(data[low:high])
    if isinstance(item, GoList):
        low, high, limit = _bounds(indexes, len(item), item.capacity)
        return item.cut(low, high, limit)
    raise FunctionFailure(f"a {type_name(item)} has no elements")


def _bounds(indexes: tuple[Value, ...], size: int, capacity: int) -> tuple[int, int, int]:
    given = [_position(key, capacity) for key in indexes]
    low, high, limit = (given + [0, size, capacity][len(given) :])[:3]
    if not low <= high <= limit:
        raise FunctionFailure(f"the indexes {low}, {high} and {limit} must not descend")
    return low, high, limit
