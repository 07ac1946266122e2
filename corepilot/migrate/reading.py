"""Access to a file of version 2: values as they are written, and what they mean where no template decides it."""

import json
from collections.abc import Iterator
from typing import Any

from corepilot.migrate.commas import comma_mistakes
from corepilot.migrate.errors import MigrationError
from corepilot.migrate.layout import Piece, decide, member
from corepilot.migrate.masking import Condition, Masked
from corepilot.migrate.outline import OutlineNode, read

DYNAMIC = object()
"""What a value means that the template makes."""

SHARED = ("consul", "logging", "stopTimeout", "control", "telemetry")
"""Keys of the top level that both know."""


def fold(key: str) -> str:
    """A key without regard to case and underscores: as files of any age write them."""
    return key.replace("_", "").lower()


class Version2File:
    """A file of version 2.

    Args:
        text: Its text.

    Attributes:
        comma_mistakes: What is wrong with its commas.

    Raises:
        MigrationError: it cannot be read, or is not an object.
    """

    def __init__(self, text: str) -> None:
        self.masked = Masked(text)
        self.root = read(self.masked.text)
        self.comma_mistakes = comma_mistakes(self.masked, self.root)
        if self.root.kind != "object":
            raise MigrationError("cannot read the configuration: it is not an object", self.root.start)
        self._judge(self.root)

    def _judge(self, value: OutlineNode) -> None:
        """Raise for what is no JSON, and would be copied into the new file."""
        self.meaning(value)
        for inner in (*(one for _, one in value.members), *value.items):
            self._judge(inner)

    def top(self, key: str) -> list[OutlineNode]:
        """The values of a key of the top level: several if branches of the template have it. Nulls are left out."""
        folded = fold(key)
        return [value for name, value in self.root.members if fold(name) == folded and not self.is_null(value)]

    def elements(self, key: str, inside: OutlineNode | None = None) -> Iterator[OutlineNode]:
        """The objects in the arrays of a key."""
        for array in self.top(key) if inside is None else inside.find(key):
            yield from (item for item in array.items if item.kind == "object")

    def text(self, value: OutlineNode) -> str:
        """A value as it is written."""
        return self.masked.source[value.start : value.end]

    def inner(self, value: OutlineNode) -> str:
        """The same without the quotes of a string."""
        text = self.text(value)
        return text[1:-1] if value.kind == "string" else text

    def meaning(self, value: OutlineNode) -> Any:
        """What a string or a word means, or DYNAMIC."""
        if value.kind in {"object", "array"} or self.masked.has_action(value.start, value.end):
            return DYNAMIC
        try:
            return json.loads(self.text(value), strict=False)
        except ValueError:
            raise MigrationError("cannot read the configuration: this is not JSON", value.start) from None

    def is_null(self, value: OutlineNode) -> bool:
        """Whether it is null, which counts as not there."""
        return value.kind == "bare" and self.text(value) == "null"

    def conditions(self, value: OutlineNode) -> tuple[Condition, ...]:
        """The blocks of the template around a value and its key."""
        return self.masked.conditions(value.key_start)

    def one(self, element: OutlineNode, key: str) -> OutlineNode | None:
        """The value of a key, the last one if there are several, or None."""
        found = [value for value in element.find(key) if not self.is_null(value)]
        return found[-1] if found else None

    def copies(self, element: OutlineNode, key: str, new: str = "", *, listed: bool = False) -> list[Piece]:
        """A key with its value as it is written, for each branch that has it.

        Args:
            element: The object.
            key: Its name in version 2.
            new: Its name in version 3, if it is another one.
            listed: Version 3 takes arrays only: a single text is put into one.
        """
        pieces = []
        for value in element.find(key):
            if self.is_null(value):
                continue
            text = self.text(value)
            if listed and value.kind == "string":
                text = f"[{text}]"
            pieces.append(Piece(self.conditions(value), member(new or key, text)))
        return pieces

    def missing(self, element: OutlineNode, *wanted: str) -> list[Piece]:
        """A remark for each key that version 2 demands, and that no branch of the template has.

        Args:
            element: The object.
            wanted: Keys of version 2; behind an equals sign the name in version 3, if it is another one.
        """
        pieces = []
        for key, _, new in (one.partition("=") for one in wanted):
            if self.one(element, key) is None:
                text = f"version 2 demands {key} here, and there is none: add {new or key}"
                pieces.append(Piece(self.conditions(element), decide(text)))
        return pieces

    def strangers(self, element: OutlineNode, known: tuple[str, ...]) -> list[Piece]:
        """A remark for each key that version 2 does not know either."""
        folded = {fold(key) for key in known}
        names = sorted({name for name, _ in element.members if fold(name) not in folded})
        return [
            Piece(self.conditions(element), decide(f"{name} is no key of version 2 at this place: left out"))
            for name in names
        ]

    def program(self, element: OutlineNode, key: str) -> str:
        """The base name of the program in a command, or "" where the template decides it."""
        value = self.one(element, key)
        if value is not None and value.kind == "array":
            value = value.items[0] if value.items else None
        words = self.meaning(value) if value is not None else DYNAMIC
        return words.strip().partition(" ")[0].rpartition("/")[2] if isinstance(words, str) else ""


def through_shell(old: Version2File, value: OutlineNode, name: str, script: str) -> str:
    """A command that a shell runs, as an array.

    Args:
        old: The file.
        value: The command of version 2. A text is divided at blanks by the shell, because the template may make blanks
            in it, as it might in version 2.
        name: What the shell calls itself.
        script: What the shell does, a format with `{command}` in it. It may not hold `"` or a backslash.
    """
    if value.kind == "array":
        parts = script.format(command='\\"$@\\"'), old.text(value)[1:-1].strip()
    else:
        parts = "set -f; " + script.format(command="$1"), old.text(value)
    return f'["/bin/sh", "-c", "{parts[0]}", "{name}", {parts[1]}]'
