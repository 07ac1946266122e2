"""The suite that every command has to pass, and what is this one's own."""

import socket
from collections.abc import Callable, Iterator, Sequence

import pytest
from corepilot_wait_for.command import OVERDUE, main

from corepilot.plugin.verify import assert_light
from corepilot.testing.commands import CommandSuite


class TestWaitFor(CommandSuite):
    bad = ([], ["nothing"], ["--nonsense", "a:1"], ["a:1", "--timeout", "soon"])

    @pytest.fixture(autouse=True)
    def _server(self) -> Iterator[None]:
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = f"127.0.0.1:{server.getsockname()[1]}"
            self.good = ([address], [address, address, "--timeout", "5"])
            yield

    def command(self) -> Callable[[Sequence[str]], int]:
        return main

    def test_it_gives_up(self) -> None:
        """With a status of its own, and a reason."""
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        status, _, complaint = self.call([f"127.0.0.1:{port}", "--timeout", "0.2"])
        assert (status, complaint) == (OVERDUE, f"127.0.0.1:{port} cannot be connected to after 0.2 s\n")


def test_the_light_module_is_light() -> None:
    assert_light("corepilot_wait_for.plugin")
