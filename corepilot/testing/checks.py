"""The conformance suite of checks: what every check must do, as tests to inherit.

    from corepilot.testing.checks import CheckSuite, context
    from corepilot_load.check import LoadCheck
    from corepilot_load.plugin import Options

    class TestLoad(CheckSuite):
        def check(self):                   # a new check, as corepilot would make it
            return LoadCheck(Options(maximum=self.maximum), context())

        def healthy(self):                 # from now on the answer has to be yes
            self.maximum = 1000.0

        def unhealthy(self):               # from now on it has to be no
            self.maximum = 0.0

`healthy` and `unhealthy` are called before `check`, and again between two questions; a check whose subject can only be
chosen when it is made sets `changes = False`. `CheckHangSuite` is for a check that waits for somebody: `hang()` makes
its subject take the question and not answer.

The rules are those of `corepilot.checks.check` and, for what an instance does to the process, of
`corepilot.testing.conduct`. The suites need no import of pytest and skip nothing; their failures name the rule.
"""

from typing import Any

import gevent

from corepilot.checks.check import Check, CheckContext, CheckFailed
from corepilot.testing.conduct import Conduct
from corepilot.testing.process_state import require

__all__ = ["CheckHangSuite", "CheckSuite", "context"]


def context(*, job: str = "web", address: str = "127.0.0.1", port: int = 0) -> CheckContext:
    """A context for a check under test. What it logs is dropped."""
    return CheckContext(log=lambda *_: None, job=job, address=address, port=port, environment={})


class CheckSuite(Conduct):
    """What every check must do.

    Attributes:
        changes: Whether one check sees that `healthy` or `unhealthy` was called after it was made.
    """

    contract = Check
    allowed = {"ask": (CheckFailed,)}  # noqa: RUF012  - read only
    changes: bool = True

    def check(self) -> Check:
        """A new check. The suite closes it."""
        raise NotImplementedError("a suite needs check(): see corepilot.testing.checks")

    def healthy(self) -> None:
        """Make the subject healthy."""
        raise NotImplementedError("a suite needs healthy(): see corepilot.testing.checks")

    def unhealthy(self) -> None:
        """Make the subject not healthy."""
        raise NotImplementedError("a suite needs unhealthy(): see corepilot.testing.checks")

    def new(self) -> Check:
        """See `Conduct.new`."""
        return self.check()

    def use(self, plugin: Any) -> None:
        """See `Conduct.use`."""
        if self.changes:
            self.healthy()
            self._yes(plugin)
            self.unhealthy()
            self._no(plugin)
        else:
            self.answer(plugin)

    def setup_method(self) -> None:
        """Called by pytest before each test."""
        super().setup_method()
        self.healthy()

    def test_a_healthy_job_is_healthy(self) -> None:
        """`ask` returns what is to be seen with the status."""
        for _ in range(3):
            self._yes(self.kept())

    def test_an_unhealthy_job_is_not(self) -> None:
        """`ask` raises CheckFailed with a reason in one line."""
        self.unhealthy()
        reason = self._no(self.kept())
        require(reason.strip(), "CheckFailed must say why in its text")
        require("\n" not in reason, f"CheckFailed must say why in one line, but said {reason!r}")

    def test_the_answer_follows_the_job(self) -> None:
        """One check asks again and again, and answers what holds then."""
        if not self.changes:
            return  # said by the suite's subclass: its subject is chosen when it is made
        check = self.kept()
        for _ in range(3):
            self.healthy()
            self._yes(check)
            self.unhealthy()
            self._no(check)

    def test_questions_of_several_jobs_do_not_mix(self) -> None:
        """Instances know nothing of one another."""
        checks = [self.kept() for _ in range(8)]
        asked = [gevent.spawn(self._yes, check) for check in checks]
        gevent.joinall(asked, timeout=self.deadline_s, raise_error=True)
        checks[0].close()
        self._unclosed.remove(checks[0])
        for check in checks[1:]:
            self._yes(check)

    def answer(self, check: Any) -> str:
        """The answer of one question, or the text of its CheckFailed."""
        try:
            with gevent.Timeout(self.deadline_s):
                said = check.ask(self.deadline_s)
        except CheckFailed as failed:
            return str(failed)
        require(isinstance(said, str), f"ask must return a text, but returned {said!r}")
        return str(said)

    def _yes(self, check: Any) -> None:
        try:
            with gevent.Timeout(self.deadline_s):
                said = check.ask(self.deadline_s)
        except CheckFailed as failed:
            raise AssertionError(f"ask must return for a healthy job, but raised CheckFailed: {failed}") from failed
        require(isinstance(said, str), f"ask must return a text, but returned {said!r}")

    def _no(self, check: Any) -> str:
        try:
            with gevent.Timeout(self.deadline_s):
                said = check.ask(self.deadline_s)
        except CheckFailed as failed:
            return str(failed)
        raise AssertionError(f"ask must raise CheckFailed for a job that is not healthy, but returned {said!r}")


class CheckHangSuite(CheckSuite):
    """For a check that waits for somebody, who may not answer."""

    def hang(self) -> None:
        """From now on the subject takes questions and does not answer."""
        raise NotImplementedError("CheckHangSuite needs hang(): see corepilot.testing.checks")

    def test_a_deadline_ends_the_question(self) -> None:
        """The caller's `gevent.Timeout` passes through, or CheckFailed comes first; the next question is asked anew."""
        check = self.kept()
        self.hang()
        with gevent.Timeout(self.deadline_s):
            deadline = gevent.Timeout(0.3)
            try:
                with deadline:
                    check.ask(0.3)
            except gevent.Timeout as passed:
                if passed is not deadline:
                    raise
            except CheckFailed:
                pass
            else:
                raise AssertionError("ask must not return while nobody answers")
        self.healthy()
        self._yes(check)
