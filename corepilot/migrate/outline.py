"""The structure of a masked configuration: what stands where. Forgiving about commas, which the template decides.

A key may stand several times in one object, and an element may belong to a branch that is never rendered: all of them
are kept. Comments do not exist in version 2, whose files are JSON.
"""

import json
import re
from collections.abc import Iterator

from corepilot.migrate.errors import MigrationError

_blank = re.compile(r"[\s,]*").match
_string = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL).match
_bare = re.compile(r"""[^\s,:{}\[\]"']+""").match
_colon = re.compile(r"\s*:\s*").match
_DEPTH = 64


class OutlineNode:
    """One value: `text[start:end]`.

    Attributes:
        kind: "object", "array", "string" or "bare".
        members: Of an object: key, and value. Keys as they are written.
        items: Of an array.
        key_start: Where its key starts, or itself where it has none.
    """

    __slots__ = ("end", "items", "key_start", "kind", "members", "start")

    def __init__(self, kind: str, start: int) -> None:
        self.kind = kind
        self.start = start
        self.end = start
        self.key_start = start
        self.members: list[tuple[str, OutlineNode]] = []
        self.items: list[OutlineNode] = []

    def find(self, key: str) -> Iterator["OutlineNode"]:
        """The values of a key, which is compared without regard to case, as in all but the top level of version 2."""
        return (value for name, value in self.members if name.lower() == key.lower())


def read(text: str) -> OutlineNode:
    """The value that fills a text.

    Raises:
        MigrationError: it is not JSON, with its place.
    """
    value, end = _value(text, _after(text, 0), 0)
    end = _after(text, end)
    if end < len(text):
        raise MigrationError("cannot read the configuration: something stands after its end", end)
    return value


def _after(text: str, position: int) -> int:
    found = _blank(text, position)
    return found.end() if found else position


def _value(text: str, position: int, depth: int) -> tuple[OutlineNode, int]:
    char = text[position : position + 1]
    if depth > _DEPTH:
        raise MigrationError(f"cannot read the configuration: more than {_DEPTH} brackets are open", position)
    if char == "{":
        return _object(text, position, depth)
    if char == "[":
        value = OutlineNode("array", position)
        position = _after(text, position + 1)
        while text[position : position + 1] != "]":
            item, position = _value(text, position, depth + 1)
            value.items.append(item)
            position = _after(text, position)
        value.end = position + 1
        return value, value.end
    found = _string(text, position) or _bare(text, position)
    if found is None:
        what = f"{char!r} is not a value" if char else "it ends too early"
        raise MigrationError(f"cannot read the configuration: {what}", position)
    value = OutlineNode("string" if char == '"' else "bare", position)
    value.end = found.end()
    return value, value.end


def _object(text: str, start: int, depth: int) -> tuple[OutlineNode, int]:
    value = OutlineNode("object", start)
    position = _after(text, start + 1)
    while text[position : position + 1] != "}":
        found = _string(text, position) or _bare(text, position)
        colon = _colon(text, found.end()) if found else None
        if found is None or colon is None:
            raise MigrationError("cannot read the configuration: a key and a colon are wanted here", position)
        key = found[0]
        if key.startswith('"'):
            try:
                key = json.loads(key, strict=False)
            except ValueError:
                raise MigrationError("cannot read the configuration: a key is not JSON", position) from None
        member, end = _value(text, colon.end(), depth + 1)
        member.key_start = position
        value.members.append((key, member))
        position = _after(text, end)
    value.end = position + 1
    return value, value.end
