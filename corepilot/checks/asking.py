"""One question to a check, in a greenlet of its own: answered, given up at its timeout, or taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import gevent

from corepilot.checks.check import OUTPUT_MAX, Check, CheckFailed
from corepilot.plugin.boundary import Boundary, PluginFaultError
from corepilot.system.leaving import Leaving
from corepilot.wording.escaping import escaped

NO_LIMIT_S = 86_400.0

_LATE_S = 1.0  # after its timeout a question is taken back; one that is still asked then does not heed it


class Answer(NamedTuple):
    """What a check said.

    Attributes:
        passed: Whether the job is healthy.
        text: What is to be seen with it; why not.
    """

    passed: bool
    text: str


class Asking:
    """A question under way.

    Args:
        check: Whom to ask.
        boundary: The check's boundary.
        timeout_s: Seconds it may take; None for no limit.
        answered: Told of the answer, once, from the hub. Not called when the question was taken back.
    """

    def __init__(
        self, check: Check, boundary: Boundary, timeout_s: float | None, answered: Callable[[Answer], None]
    ) -> None:
        self._check, self._boundary, self._answered = check, boundary, answered
        self._greenlet = gevent.spawn(self._ask, timeout_s or NO_LIMIT_S)

    def take_back(self) -> None:
        """Want no answer any more. Returns at once."""
        self._answered = lambda _answer: None
        self._greenlet.kill(Leaving(), block=False)

    def _ask(self, timeout_s: float) -> None:
        answer = self._answer(timeout_s)
        self._answered(answer)

    def _answer(self, timeout_s: float) -> Answer:
        try:
            said = self._boundary.apart(
                "ask",
                self._check.ask,
                timeout_s,
                deadline_s=timeout_s + _LATE_S,
                allowed=(CheckFailed,),
                judge=_no_text,
            )
        except CheckFailed as failed:
            return Answer(passed=False, text=_cut(str(failed)))
        except PluginFaultError as fault:
            self._boundary.report(fault)
            return Answer(passed=False, text=_cut(str(fault)))
        return Answer(passed=True, text=_cut(said))


class Refusal:
    """A question that cannot be asked: it is answered at once, with the reason."""

    def __init__(self, why: str, answered: Callable[[Answer], None]) -> None:
        self._greenlet = gevent.spawn(answered, Answer(passed=False, text=_cut(why)))

    def take_back(self) -> None:
        """See Asking."""
        self._greenlet.kill(Leaving(), block=False)


def _cut(text: str) -> str:
    return escaped(text[:OUTPUT_MAX])


def _no_text(found: object) -> str:
    return "" if isinstance(found, str) else f"must return a text, and returned {found!r:.80}"
