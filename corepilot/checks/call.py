"""One call of a check, in a greenlet of its own: it gives a result, is given up at its timeout, or is cancelled."""

from collections.abc import Callable
from typing import Any, NamedTuple

import gevent

from corepilot.checks.check import OUTPUT_MAX, Check, CheckFailed
from corepilot.plugin.boundary import Boundary, PluginFaultError, WrongAnswerError
from corepilot.plugin.foreign import plain, shown
from corepilot.system.leaving import Leaving
from corepilot.wording.escaping import escaped

NO_LIMIT_S = 86_400.0


class CheckResult(NamedTuple):
    """What a check found.

    Attributes:
        passed: Whether the job is healthy.
        text: What is shown with the status: the output, or why the job is not healthy.
    """

    passed: bool
    text: str


class CheckCall:
    """A call under way. Whoever makes it keeps the time that it has, and cancels it then.

    Args:
        check: The instance.
        boundary: The check's boundary.
        timeout_s: Seconds it may take; None for no limit. The check is told.
        answered: Called with the result, once, from the hub; not after `cancel`.

    Raises:
        PluginFaultError: it cannot be made.
    """

    def __init__(
        self, check: Check, boundary: Boundary, timeout_s: float | None, answered: Callable[[CheckResult], None]
    ) -> None:
        self._boundary, self._answered = boundary, answered
        self._give_up = boundary.begin(
            "ask", check.ask, timeout_s or NO_LIMIT_S, allowed=(CheckFailed,), take=self._text, ended=self._ended
        )

    def cancel(self) -> None:
        """Give the call up, without a result. Returns at once."""
        self._give_up()

    def _ended(self, said: Any, failure: BaseException | None) -> None:
        if failure is None:
            self._answered(CheckResult(passed=True, text=said))
            return
        if isinstance(failure, PluginFaultError):
            self._boundary.report(failure)
        self._answered(CheckResult(passed=False, text=_cut(str(failure))))

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
