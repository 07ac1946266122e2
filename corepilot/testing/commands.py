"""The conformance suite of commands: what every command must do, as tests to inherit.

    from corepilot.testing.commands import CommandSuite
    from corepilot_greet.command import main

    class TestGreet(CommandSuite):
        good = (["Ada"], ["--loud", "Ada"])      # words that it can do something with
        bad = (["--nonsense"],)                  # words that it has to refuse

        def command(self):                       # what the hook returns
            return main

The rules are those of `corepilot.plugin.hookspec.corepilot_register_command`. The command runs in the test's process,
with its output thrown away, and gets `deadline_s` seconds. The suite needs no import of pytest and skips nothing; its
failures name the rule.
"""

import contextlib
import gc
import io
from collections.abc import Callable, Sequence

from corepilot.errors import CorepilotError
from corepilot.testing.alarm import overdue_after
from corepilot.testing.process_state import ProcessState, descriptors, outside_contract, require, settles, threads

__all__ = ["CommandSuite"]

_ROUNDS = 5


class CommandSuite:
    """What every command must do. A subclass supplies `command`, `good` and `bad`.

    Attributes:
        good: Words that it can do something with, one list for each call; the status has to be 0.
        bad: Words that it has to refuse: with a status that is not 0, or with a CorepilotError.
        deadline_s: Seconds that one call may take.
    """

    good: Sequence[Sequence[str]] = ()
    bad: Sequence[Sequence[str]] = ()
    deadline_s: float = 20.0

    def command(self) -> Callable[[Sequence[str]], int]:
        """The command's function."""
        raise NotImplementedError("a suite needs command(): see corepilot.testing.commands")

    def test_the_status_says_that_it_went_well(self) -> None:
        """Words that are good end with 0, each time."""
        require(self.good, "a suite needs good: words that the command can do something with")
        for words in self.good:
            for _ in range(2):
                status, said, complaint = self.call(words)
                require(status == 0, f"{list(words)} must end with 0, but ended with {status}: {complaint or said}")

    def test_bad_words_are_refused(self) -> None:
        """Words that are bad end with another status, or with a CorepilotError of one line; never with a traceback."""
        require(self.bad, "a suite needs bad: words that the command has to refuse")
        for words in self.bad:
            status, said, complaint = self.call(words)
            require(status != 0, f"{list(words)} must be refused, but ended with 0")
            require(complaint, f"{list(words)} must be refused with a reason on stderr, but said only {said!r}")

    def test_the_words_are_left_as_they_are(self) -> None:
        """The caller's list is not changed."""
        for words in (*self.good, *self.bad):
            given = list(words)
            self.call(given)
            require(given == list(words), f"a command must not change its words, but made {given} of {list(words)}")

    def test_the_process_is_left_alone(self) -> None:
        """Signal handlers, directory, umask, environment, the standard library and children are as they were."""
        before = ProcessState()
        for words in (*self.good, *self.bad):
            self.call(words)
        before.require_unchanged("the command")

    def test_nothing_is_left_behind(self) -> None:
        """No thread and no descriptor."""
        everything = (*self.good, *self.bad)
        for words in everything:
            self.call(words)
        gc.collect()
        number, files = threads(), len(descriptors())
        for _ in range(_ROUNDS):
            for words in everything:
                self.call(words)
        gc.collect()
        more = settles(lambda: threads() - number >= _ROUNDS)
        require(not more, f"a command must end every thread, but {threads() - number} more are there")
        open_files = settles(lambda: len(descriptors()) > files)
        require(not open_files, f"a command must close every descriptor, but {len(descriptors()) - files} stay open")

    def call(self, words: Sequence[str]) -> tuple[int, str, str]:
        """The status of one call, and what was written to stdout and stderr; a CorepilotError is status 1."""
        out, complaints = io.StringIO(), io.StringIO()
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(complaints),
            overdue_after(self.deadline_s, "a command must come to an end"),
        ):
            try:
                status: object = self.command()(words)
            except CorepilotError as error:
                require("\n" not in str(error), f"a CorepilotError must be one line, but is {error}")
                return 1, out.getvalue(), str(error)
            except (Exception, SystemExit) as error:
                raise outside_contract("a command", "CorepilotError", error) from error
        good = isinstance(status, int) and not isinstance(status, bool) and 0 <= status <= 255
        require(good, f"a command must return its exit status, 0 to 255, but returned {status!r}")
        return int(status), out.getvalue(), complaints.getvalue()  # type: ignore[call-overload]
