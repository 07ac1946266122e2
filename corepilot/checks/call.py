"""One call of a check, in a greenlet of its own: it gives a result, is given up at its timeout, or is cancelled."""

from collections.abc import Callable
from typing import NamedTuple

import gevent

from corepilot.checks.check import OUTPUT_MAX, Check, CheckFailed
from corepilot.plugin.boundary import Boundary, PluginFaultError, WrongAnswerError
from corepilot.plugin.foreign import plain, shown
from corepilot.system.leaving import Leaving
from corepilot.wording.escaping import escaped

NO_LIMIT_S = 86_400.0

_LATE_S = 1.0  # after its timeout a call is ended; one that goes on for so long does not heed it


class CheckResult(NamedTuple):
    """What a check found.

    Attributes:
        passed: Whether the job is healthy.
        text: What is shown with the status: the output, or why the job is not healthy.
    """

    passed: bool
    text: str


class CheckCall:
    """A call under way.

    Args:
        check: The instance.
        boundary: The check's boundary.
        timeout_s: Seconds it may take; None for no limit.
        answered: Called with the result, once, from the hub; not after `cancel`.
    """

    def __init__(
        self, check: Check, boundary: Boundary, timeout_s: float | None, answered: Callable[[CheckResult], None]
    ) -> None:
        self._check, self._boundary, self._answered = check, boundary, answered
        self._greenlet = gevent.spawn(self._ask, timeout_s or NO_LIMIT_S)

    def cancel(self) -> None:
        """Give the call up, without a result. Returns at once."""
        self._answered = lambda _answer: None
        self._greenlet.kill(Leaving(), block=False)

    def _ask(self, timeout_s: float) -> None:
        answer = self._answer(timeout_s)
        self._answered(answer)

    def _answer(self, timeout_s: float) -> CheckResult:
        try:
            said = self._boundary.apart(
                "ask",
                self._check.ask,
                timeout_s,
                deadline_s=timeout_s + _LATE_S,
                allowed=(CheckFailed,),
                take=self._text,
            )
        except CheckFailed as failed:
            return CheckResult(passed=False, text=str(failed))
        except PluginFaultError as fault:
            self._boundary.report(fault)
            return CheckResult(passed=False, text=_cut(str(fault)))
        return CheckResult(passed=True, text=said)

    def _text(self, found: object) -> str:
        if isinstance(found, str):
            return _cut(self._boundary.masked(plain(found)))
        raise WrongAnswerError(f"must return a text, and returned {shown(found)}")


class FailedCall:
    """A call that cannot be made: its result is the reason."""

    def __init__(self, why: str, answered: Callable[[CheckResult], None]) -> None:
        self._greenlet = gevent.spawn(answered, CheckResult(passed=False, text=_cut(why)))

    def cancel(self) -> None:
        """See CheckCall."""
        self._greenlet.kill(Leaving(), block=False)


def _cut(text: str) -> str:
    return escaped(text[:OUTPUT_MAX])
