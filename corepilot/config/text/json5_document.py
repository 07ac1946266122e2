"""What a JSON5 text is made of, with the place of every value and key, and the error when it is not JSON5.

`corepilot.config.text.json5` is the parser. Imports nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

    Kind = Literal["null", "bool", "number", "string", "array", "object"]

MAX_DEPTH = 64
"""The deepest nesting of arrays and objects."""


class Json5Error(ValueError):
    """The text is not JSON5. Only the first error is reported.

    Attributes:
        message: What is wrong, in lower case, without the position.
        offset: Where: index into the text, from 0 to its length. For something that is missing, the place it
            belongs to, such as the end of the value before a missing comma.
        hint: What to do, as an imperative ("add a comma after the value"), or "".
    """

    def __init__(self, message: str, offset: int, hint: str = "") -> None:
        super().__init__(f"{message}; {hint}" if hint else message)
        self.message = message
        self.offset = offset
        self.hint = hint


class Node:
    """One value and where it stands.

    Attributes:
        kind: "null", "bool", "number", "string", "array" or "object".
        value: None, bool, int, float, str, a list of Node in the order of the text, or a dict from key to Member.
            A number is an int when written without point and exponent, else a float; it may be infinite or NaN.
        start: Index of the first character of the value, quote or bracket included.
        end: Index after its last character.
    """

    __slots__ = ("end", "kind", "start", "value")

    def __init__(self, kind: Kind, value: Any, start: int, end: int) -> None:
        self.kind: Kind = kind
        self.value = value
        self.start = start
        self.end = end

    def plain(self) -> Any:
        """Return the value without positions: None, bool, int, float, str, list or dict, all the way down."""
        if self.kind == "object":
            return {key: member.node.plain() for key, member in self.value.items()}
        if self.kind == "array":
            return [node.plain() for node in self.value]
        return self.value


class Member:
    """One `key: value` of an object. `key_start` and `key_end` (exclusive) include the key's quotes."""

    __slots__ = ("key", "key_end", "key_start", "node")

    def __init__(self, key: str, key_start: int, key_end: int, node: Node) -> None:
        self.key = key
        self.key_start = key_start
        self.key_end = key_end
        self.node = node


class Duplicate:
    """A duplicate key of one object: `first` and `second` are where the two keys start. The second value is used.

    A key that is there three times makes two of these: first and second, second and third.
    """

    __slots__ = ("first", "key", "second")

    def __init__(self, key: str, first: int, second: int) -> None:
        self.key = key
        self.first = first
        self.second = second


class Document:
    """A whole text: its value, of any kind, and the duplicate keys, in the order of the text."""

    __slots__ = ("duplicates", "root")

    def __init__(self, root: Node, duplicates: tuple[Duplicate, ...]) -> None:
        self.root = root
        self.duplicates = duplicates


class StuckError(Exception):
    """The text cannot go on like this. Never leaves this package: `json5_mistakes.explain` makes the error to show.

    Attributes:
        expected: "key", "colon", "value", "comma" or "end"; or what is broken: "comment", "string", "escape", "range",
            "depth".
        pos: Where the parser is stuck; blanks and comments before it have been skipped.
        key: The last key that was read. It belongs to this place if a colon, or a value in an object, is expected.
        key_end: Index after that key.
        inside: The innermost array or object that is open here, if any.
        last: The value before this place in the same array or object, if any.
    """

    def __init__(self, expected: str, pos: int, key: str = "", key_end: int = 0) -> None:
        super().__init__(expected)
        self.expected = expected
        self.pos = pos
        self.key = key
        self.key_end = key_end
        self.inside: Node | None = None
        self.last: Node | None = None


def position(text: str, offset: int) -> tuple[int, int]:
    """Return the line and the column of an offset, both counted from 1, the column in characters.

    A line ends with a line feed, a carriage return, or both; the end belongs to its line. An offset beyond the text
    counts as its end. Takes time in proportion to the offset.
    """
    head = text[:offset]
    if head.endswith("\r") and text.startswith("\n", offset):
        head = head[:-1] + " "
    line = 1 + head.count("\n") + head.count("\r") - head.count("\r\n")
    return line, len(head) - max(head.rfind("\n"), head.rfind("\r"))
