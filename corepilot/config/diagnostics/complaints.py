"""What is said against a value before its place in the file is known."""

from collections.abc import Iterable, Iterator
from typing import Any

from marshmallow import ValidationError

from corepilot.config.text.commands import formatted
from corepilot.wording.escaping import escaped
from corepilot.wording.nearest import nearest

REQUIRED = "required"
"""The message of a field that is required and missing. Fields cannot say more: they do not know their key's name."""


class Complaint:
    """What a field says against a value.

    Attributes:
        code: One of `corepilot.config.diagnostics.problems.CODES`.
        rule: The rule that is broken, to follow "cannot use <path>: ".
        hint: What to do.
        key: It is about the key, not about its value.
        warning: The configuration can be used all the same.
    """

    __slots__ = ("code", "hint", "key", "rule", "warning")

    def __init__(self, code: str, rule: str, hint: str = "", *, key: bool = False, warning: bool = False) -> None:
        self.code = code
        self.rule = rule
        self.hint = hint
        self.key = key
        self.warning = warning


def refusal(code: str, rule: str, hint: str = "", name: str = "") -> ValidationError:
    """The exception for a complaint, about the member `name` if one is given."""
    complaints = [Complaint(code, rule, hint)]
    return ValidationError({name: complaints} if name else complaints)


def shown(value: Any) -> str:
    """A value as a message shows it; short, and without what is inside of it."""
    if isinstance(value, str):
        from corepilot.config.diagnostics.excerpts import masked  # only where something is wrong

        value = masked(value)
        text = value if len(value) <= 40 else value[:39] + "…"
        return f'"{escaped(text)}"'
    if isinstance(value, list):
        return "an array"
    if isinstance(value, dict):
        return "an object"
    return "null" if value is None else formatted(value)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint that names the known word that was probably meant, or ""."""
    near = nearest(word, known)
    return f'did you mean "{near}"?' if near is not None else ""


def flattened(messages: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Complaint]]:
    """The complaints in a marshmallow error, each with the path of what it is about."""
    if isinstance(messages, dict):
        for key, below in messages.items():
            yield from flattened(below, path if key == "_schema" else (*path, key))
    elif isinstance(messages, list):
        for one in messages:
            yield from flattened(one, path)
    elif isinstance(messages, Complaint):
        yield path, messages
    else:
        yield path, Complaint("missing-key", REQUIRED)
