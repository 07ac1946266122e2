"""The way to wait in a test: ask again until it is so, with a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(condition: Callable[[], T], deadline_s: float = 30, message: str = "", *, pause_s: float = 0.01) -> T:
    """Ask until the answer is true, and return it.

    An `AssertionError` inside `condition` counts as "not yet", so that a condition may be written as assertions that
    end in `return True`; so does a file or process that is gone, which may be between two looks of one question.
    Inside a running gevent hub pass conditions that do not need the hub to turn: this blocks it.

    Args:
        condition: asked every `pause_s` seconds, at least once.
        deadline_s: how long, in seconds of the monotonic clock.
        message: what was waited for, for the failure; the last error is shown with it.
        pause_s: between two questions.

    Raises:
        AssertionError: it did not come true in time.
    """
    deadline = time.monotonic() + deadline_s
    while True:
        last: Exception | None = None
        try:
            answer = condition()
        except (AssertionError, FileNotFoundError, ProcessLookupError) as error:
            last = error
        else:
            if answer:
                return answer
        if time.monotonic() >= deadline:
            what = message or getattr(condition, "__qualname__", repr(condition))
            detail = f": {last}" if last else ""
            raise AssertionError(f"did not come true within {deadline_s} s: {what}{detail}") from last
        time.sleep(pause_s)
