"""The check `tcp` passes the suite that every check has to pass."""

import socket
from pathlib import Path

import pytest

from corepilot.checks.check import Check, CheckFailed
from corepilot.checks.tcp import TcpCheck
from corepilot.checks.tcp_plugin import Options
from corepilot.plugin.verify import assert_light
from corepilot.testing.checks import CheckSuite, context


class TestTcp(CheckSuite):
    """A port that is open, and one that is not."""

    server: socket.socket | None = None

    def setup_method(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as first:
            self.port = first.getsockname()[1]
        super().setup_method()

    def teardown_method(self) -> None:
        super().teardown_method()
        self.unhealthy()

    def check(self) -> Check:
        return TcpCheck(Options(f"127.0.0.1:{self.port}"), context())

    def healthy(self) -> None:
        if self.server is None:
            self.server = socket.create_server(("127.0.0.1", self.port))

    def unhealthy(self) -> None:
        if self.server is not None:
            self.server.close()
            self.server = None


def test_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "db.socket"
    check = TcpCheck(Options(f"unix://{path}"), context())
    with pytest.raises(CheckFailed, match="No such file"):
        check.ask(1.0)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        assert check.ask(1.0) == f"connected to {path}"


def test_a_port_alone_is_the_jobs_own_address() -> None:
    with socket.create_server(("127.0.0.2", 0)) as server:
        port = server.getsockname()[1]
        assert TcpCheck(Options(str(port)), context(address="127.0.0.2")).ask(1.0) == f"connected to 127.0.0.2:{port}"
        assert TcpCheck(Options(), context(address="127.0.0.2", port=port)).ask(1.0)


def test_without_any_port_it_says_what_to_do() -> None:
    with pytest.raises(CheckFailed, match="name one"):
        TcpCheck(Options(), context()).ask(1.0)


def test_the_light_module_is_light() -> None:
    assert_light("corepilot.checks.tcp_plugin")
