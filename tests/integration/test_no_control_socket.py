"""`control: false`: no control socket, for file systems that take none; and how it comes and goes by a reload."""

import os
import signal
from pathlib import Path
from typing import Any

import gevent
import pytest
from controlling import Supervisor
from running import Corepilot, cli

from corepilot.http.client import Client
from corepilot.model.configuration import Control
from corepilot.supervisor.endpoint import ControlEndpoint
from corepilot.telemetry.builtin import CONTROL_REQUESTS
from corepilot.telemetry.metrics import Metrics

JOB = 'jobs: [{name: "app", exec: ["sh", "-c", "echo up; exec sleep 1000"]}]'
WITH = f'{{control: {{socket: "%(dir)s/control.socket"}}, {JOB}}}'
WITHOUT = f"{{control: false, {JOB}}}"


def test_it_runs_and_stops_without_a_socket_and_clients_say_so(tmp_path: Path) -> None:
    with Corepilot(WITHOUT, tmp_path) as corepilot:
        corepilot.until("socket none")
        corepilot.until("up")
        for words in (["ping"], ["health"], ["status"], ["reload"]):
            answer = cli(*words, "-c", str(corepilot.file), environment=corepilot.environment)
            assert (answer.returncode, answer.stdout) == (1, "")
            assert answer.stderr == (
                f"corepilot: cannot reach corepilot: {corepilot.file} has control: false, so what runs it has no "
                "control socket; signals and telemetry are left\n"
            )
        assert cli("check", str(corepilot.file), environment=corepilot.environment).returncode == 0
        corepilot.signal(signal.SIGTERM)
        assert corepilot.wait() == 0
    assert sorted(tmp_path.iterdir()) == sorted({corepilot.file, *tmp_path.glob("*log*"), *tmp_path.glob("out*")})


def test_a_client_without_c_names_the_reason_too(tmp_path: Path) -> None:
    file = tmp_path / "corepilot.json5"
    file.write_text(WITHOUT)
    answer = cli("ping", environment={**os.environ, "COREPILOT": str(file), "XDG_RUNTIME_DIR": str(tmp_path)})
    assert answer.returncode == 1
    assert f"{file} has control: false" in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_a_reload_takes_the_socket_away(tmp_path: Path) -> None:
    with Corepilot(WITH, tmp_path) as corepilot:
        corepilot.until_ready()
        pid = corepilot.job("app")["pid"]
        corepilot.configure(WITHOUT)
        answer = corepilot.client("reload")
        assert answer.returncode == 0, answer.stderr
        assert "control" in answer.stdout
        corepilot.until(f"the control socket is no longer at {corepilot.socket}")
        assert not corepilot.socket.exists()
        answer = corepilot.client("ping")
        assert (answer.returncode, "no socket at" in answer.stderr) == (1, True)
        assert os.path.exists(f"/proc/{pid}"), "the job goes on"
        corepilot.signal(signal.SIGTERM)
        assert corepilot.wait() == 0


def test_a_socket_goes_and_comes_again(tmp_path: Path) -> None:
    """As reloads do that were all asked for before the first of them."""
    said: list[str] = []
    metrics = Metrics()
    first, second = (Control(str(tmp_path / name)) for name in ("first", "second"))
    log: Any = lambda _level, message: said.append(message)  # noqa: E731  - all that is used of it
    endpoint = ControlEndpoint(None, {}, log, lambda: False)
    try:
        assert (endpoint.path, endpoint.warnings, list(tmp_path.iterdir())) == ("", (), [])
        endpoint.serve(Supervisor(), CONTROL_REQUESTS.family(metrics), lambda: True)
        for control in (first, None, second, None, None, first, second):
            endpoint.commit(control, endpoint.bind(control))
            assert endpoint.path == (str(control.socket) if control else "")
            assert [str(one) for one in tmp_path.iterdir()] == ([endpoint.path] if control else [])
            if control:
                assert Client(f"unix://{endpoint.path}").request("GET", "/livez", deadline_s=30).body == b"ok\n"
        (tmp_path / "second").unlink()
        with gevent.Timeout(30):
            while not (tmp_path / "second").exists():
                gevent.sleep(0.01)
    finally:
        endpoint.stop()
        endpoint.remove()
    assert list(tmp_path.iterdir()) == []
    assert said[:3] == [
        f"the control socket is now at {tmp_path}/first",
        f"the control socket is no longer at {tmp_path}/first",
        f"the control socket is now at {tmp_path}/second",
    ]
    assert f"the control socket is now at {tmp_path}/second, and no longer at {tmp_path}/first" in said


@pytest.mark.parametrize("value", ["true", "0", '"no"', "[]"])
def test_anything_else_is_refused(tmp_path: Path, value: str) -> None:
    file = tmp_path / "corepilot.json5"
    file.write_text(f"{{control: {value}, {JOB}}}")
    answer = cli("check", str(file))
    assert answer.returncode == 1
    assert "write { … }, or false to go without" in answer.stdout + answer.stderr
