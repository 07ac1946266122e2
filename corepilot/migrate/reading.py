"""Access to a file of version 2: values as they are written, and what they mean where no template decides it."""

import json
from collections.abc import Iterator
from typing import Any

from corepilot.config.schema import is_service_name
from corepilot.migrate.errors import MigrationError
from corepilot.migrate.layout import Piece, decide, member, quoted
from corepilot.migrate.masking import Condition, Masked
from corepilot.migrate.outline import Value, read

DYNAMIC = object()
"""What a value means that the template makes."""

KEYS = (
    "services", "backends", "preStart", "onStart", "preStop", "postStop", "coprocesses", "tasks", "etcd",
)  # fmt: skip
"""Keys of the top level that version 3 does not know."""

SHARED = ("consul", "logging", "stopTimeout", "control", "telemetry")
"""Keys of the top level that both know."""


def fold(key: str) -> str:
    """A key without regard to case and underscores: as files of any age write them."""
    return key.replace("_", "").lower()


class Old:
    """A file of version 2.

    Args:
        text: Its text.

    Raises:
        MigrationError: it cannot be read, or is not an object.
    """

    def __init__(self, text: str) -> None:
        self.masked = Masked(text)
        self.root = read(self.masked.text)
        if self.root.kind != "object":
            raise MigrationError("cannot read the configuration: it is not an object", self.root.start)

    def top(self, key: str) -> list[Value]:
        """The values of a key of the top level: several if branches of the template have it. Nulls are left out."""
        folded = fold(key)
        return [value for name, value in self.root.members if fold(name) == folded and not self.is_null(value)]

    def elements(self, key: str, inside: Value | None = None) -> Iterator[Value]:
        """The objects in the arrays of a key."""
        for array in self.top(key) if inside is None else inside.find(key):
            yield from (item for item in array.items if item.kind == "object")

    def text(self, value: Value) -> str:
        """A value as it is written."""
        return self.masked.source[value.start : value.end]

    def inner(self, value: Value) -> str:
        """The same without the quotes of a string."""
        text = self.text(value)
        return text[1:-1] if value.kind == "string" else text

    def meaning(self, value: Value) -> Any:
        """What a string or a word means, or DYNAMIC."""
        if value.kind in {"object", "array"} or self.masked.has_action(value.start, value.end):
            return DYNAMIC
        try:
            return json.loads(self.text(value), strict=False)
        except ValueError:
            raise MigrationError("cannot read the configuration: this is not JSON", value.start) from None

    def is_null(self, value: Value) -> bool:
        """Whether it is null, which counts as not there."""
        return value.kind == "bare" and self.text(value) == "null"

    def conditions(self, value: Value) -> tuple[Condition, ...]:
        """The blocks of the template around a value and its key."""
        return self.masked.conditions(value.key_start)

    def one(self, element: Value, key: str) -> Value | None:
        """The value of a key, the last one if there are several, or None."""
        found = [value for value in element.find(key) if not self.is_null(value)]
        return found[-1] if found else None

    def copies(self, element: Value, key: str, new: str = "", *, listed: bool = False) -> list[Piece]:
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

    def strangers(self, element: Value, known: tuple[str, ...]) -> list[Piece]:
        """A remark for each key that version 2 does not know either."""
        folded = {fold(key) for key in known}
        names = sorted({name for name, _ in element.members if fold(name) not in folded})
        return [
            Piece(self.conditions(element), decide(f"{name} is no key of version 2 at this place: left out"))
            for name in names
        ]

    def program(self, element: Value, key: str) -> str:
        """The base name of the program in a command, or "" where the template decides it."""
        value = self.one(element, key)
        if value is not None and value.kind == "array":
            value = value.items[0] if value.items else None
        words = self.meaning(value) if value is not None else DYNAMIC
        return words.strip().partition(" ")[0].rpartition("/")[2] if isinstance(words, str) else ""


class Names:
    """Names of jobs, each given once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def give(self, wanted: str) -> str:
        """The name, with a number behind it if it is taken."""
        name, number = wanted, 2
        while name in self._taken:
            name, number = f"{wanted}-{number}", number + 1
        self._taken.add(name)
        return name

    def derived(self, old: Old, prefix: str, value: Value | None, otherwise: str) -> str:
        """The text of a name that is made of another one: in quotes, with the template that is in it.

        Args:
            old: The file.
            prefix: What stands before it.
            value: The other name, if there is one.
            otherwise: What it is called if not.
        """
        meaning = old.meaning(value) if value is not None else None
        if value is not None and meaning is DYNAMIC:
            return f'"{prefix}{old.inner(value)}"'
        return quoted(self.give(prefix + str(meaning or otherwise)))


def through_shell(old: Old, value: Value, name: str, script: str) -> str:
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


def service_name(old: Old, element: Value, what: str) -> tuple[str, list[str]]:
    """The name of a service without its quotes, and remarks where version 3 does not allow it.

    Args:
        old: The file.
        element: The service or backend.
        what: Who has to change with it.
    """
    value = old.one(element, "name")
    if value is None:
        raise MigrationError("cannot convert this: it has no name", element.start)
    name = old.meaning(value)
    if name is DYNAMIC:
        return old.inner(value), []
    name = str(name)
    if is_service_name(name):
        return name, []
    mended = "".join(char if char.isascii() and char.isalnum() else "-" for char in name)
    mended = mended[:1].lower() + mended[1:]
    if not is_service_name(mended):
        mended = f"s-{mended}"
    remark = f"version 3 does not allow the name {quoted(name)}: it is {quoted(mended)} here, so {what}"
    return mended, decide(remark)
