"""Waiting for what a walk expects, never without a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

DEADLINE_S = 60.0
PAUSE_S = 0.05

Seen = TypeVar("Seen")


class UnexpectedError(Exception):
    """The walk did not go as expected; the message says what was expected and what was seen."""


def until(look: Callable[[], Seen], wanted: Seen, what: str, deadline_s: float = DEADLINE_S) -> Seen:
    """Look again and again, until what is seen is what is wanted.

    Args:
        look: Called at least once, and once more after the deadline.
        wanted: What it shall return.
        what: What is looked at, for the message: `the leader`.
        deadline_s: How long to wait.

    Raises:
        UnexpectedError: something else is seen when the time is over.
    """
    deadline = time.monotonic() + deadline_s
    while (seen := look()) != wanted:
        if time.monotonic() > deadline:
            raise UnexpectedError(f"{what} should be {wanted!r} within {deadline_s:g} s; it is {seen!r}")
        time.sleep(PAUSE_S)
    return seen


def expect(condition: bool, what: str) -> None:  # noqa: FBT001 - like assert
    """Compare now.

    Raises:
        UnexpectedError: the condition does not hold.
    """
    if not condition:
        raise UnexpectedError(what)
