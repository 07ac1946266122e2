"""The suite that every command has to pass, and what is this one's own."""

from collections.abc import Callable, Sequence

from corepilot_first_command.command import main

from corepilot.plugin.verify import assert_light
from corepilot.testing.commands import CommandSuite


class TestFirstCommand(CommandSuite):
    good = (["Ada"], ["Ada", "Grace"])
    bad = ([], ["--nonsense"])

    def command(self) -> Callable[[Sequence[str]], int]:
        return main

    def test_everybody_is_greeted(self) -> None:
        """One line for each."""
        assert self.call(["Ada", "Grace"])[1] == "hello Ada\nhello Grace\n"


def test_the_light_module_is_light() -> None:
    assert_light("corepilot_first_command.plugin")
