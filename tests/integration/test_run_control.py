"""The commands that talk to a running corepilot, and reload."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from eventually import eventually
from running import Corepilot, alive, cli

APP = '{name: "app", exec: "sleep 1000"}'
HEAD = '{control: {socket: "%(dir)s/control.socket"}, '
SLEEPER = HEAD + 'jobs: [{name: "app", exec: "sleep 1000"}]}'


def test_status_shows_jobs_as_table_and_json(tmp_path: Path) -> None:
    late = '{name: "late", exec: "true", when: {source: "x", once: "healthy"}}'
    config = f"{HEAD}jobs: [{APP}, {late}]}}"
    with Corepilot(config, tmp_path) as corepilot:
        corepilot.until_ready()
        found = corepilot.status()
        assert found["pid"] == corepilot.supervisor
        assert [job["state"] for job in found["jobs"]] == ["running", "idle"]
        table = corepilot.client("status").stdout
        assert f"app   running  -       {found['jobs'][0]['pid']}" in table
        assert len(table.splitlines()) == 5


def test_clients_find_the_socket_through_the_configuration(tmp_path: Path) -> None:
    job = '{name: "app", exec: "sleep 1000", restarts: {{ .RESTARTS }}}'
    config = f'{{control: {{socket: "{{{{ .DIR }}}}/control.socket"}}, jobs: [{job}]}}'
    with Corepilot(config, tmp_path, environment={"DIR": str(tmp_path), "RESTARTS": "0"}) as corepilot:
        corepilot.until_ready()
        # What is wrong with the rest of the file in the client's shell does not matter.
        answer = cli("ping", "-c", str(corepilot.file), environment={"DIR": str(tmp_path), "RESTARTS": "x"})
        assert answer.stdout == "ok\n", answer.stderr


def test_clients_fail_with_one_sentence(tmp_path: Path) -> None:
    for command in (["ping"], ["status"], ["reload"], ["maintenance", "enable"], ["env", "A=1"], ["instances", "x"]):
        answer = cli(*command, "--socket", str(tmp_path / "none"))
        assert answer.returncode == 1
        assert answer.stderr.startswith("corepilot: cannot reach corepilot")
        assert len(answer.stderr.splitlines()) == 1


def test_without_a_place_the_default_places_are_named(tmp_path: Path) -> None:
    answer = cli("ping", environment={"XDG_RUNTIME_DIR": str(tmp_path), "PATH": os.environ["PATH"]}, cwd=tmp_path)
    assert answer.returncode == 1
    assert "/var/run/containerpilot.socket" in answer.stderr
    assert str(tmp_path) in answer.stderr


def test_a_reload_starts_the_new_configuration_and_ends_the_old_one(tmp_path: Path) -> None:
    with Corepilot(SLEEPER, tmp_path) as corepilot:
        corepilot.until_ready()
        old = corepilot.job("app")["pid"]
        corepilot.client("env", "KEPT=yes")
        corepilot.configure(HEAD + 'jobs: [{name: "new", exec: ["sh", "-c", "echo kept=$KEPT; sleep 1000"]}]}')
        assert corepilot.client("reload").returncode == 0
        corepilot.until("kept=yes")
        eventually(lambda: not alive(old))
        assert [job["name"] for job in corepilot.status()["jobs"]] == ["new"]
        assert corepilot.stop() == 0


def test_a_bad_configuration_changes_nothing_and_is_reported_with_its_place(tmp_path: Path) -> None:
    with Corepilot(SLEEPER, tmp_path) as corepilot:
        corepilot.until_ready()
        pid = corepilot.job("app")["pid"]
        corepilot.configure('{\n  jobs: [{name: "app", exek: "true"}],\n}')
        answer = corepilot.client("reload")
        assert answer.returncode == 1
        assert f"{corepilot.file}:2:" in answer.stderr
        assert "exek" in answer.stderr
        assert corepilot.job("app")["pid"] == pid
        corepilot.configure(SLEEPER)
        assert corepilot.client("reload", "--all").returncode == 0
        assert corepilot.job("app")["pid"] not in {pid, None}


@pytest.mark.slow
def test_many_reloads_leave_one_process_a_job_and_nothing_else(tmp_path: Path) -> None:
    config = f"{HEAD}jobs: [{APP}, {APP}, {APP}]}}"
    with Corepilot(config, tmp_path) as corepilot:
        corepilot.until_ready()
        before = len(os.listdir(f"/proc/{corepilot.supervisor}/fd"))
        for _ in range(20):
            assert corepilot.client("reload", "--all").returncode == 0
        eventually(lambda: [job["state"] for job in corepilot.status()["jobs"]] == ["running"] * 3)
        children = Path(f"/proc/{corepilot.supervisor}/task/{corepilot.supervisor}/children").read_text().split()
        assert len(children) == 3
        eventually(lambda: len(os.listdir(f"/proc/{corepilot.supervisor}/fd")) <= before)
        assert corepilot.stop() == 0


def test_a_stop_during_a_reload_wins(tmp_path: Path) -> None:
    script = "trap '' TERM; echo up; while :; do sleep 0.05; done"
    config = f'{HEAD}stopTimeout: 2, jobs: [{{name: "deaf", exec: ["sh", "-c", "{script}"]}}]}}'
    with Corepilot(config, tmp_path) as corepilot:
        corepilot.until("up")
        corepilot.until_ready()
        corepilot.reload_everything()
        corepilot.signal(signal.SIGTERM)
        assert corepilot.wait() == 0
        assert corepilot.output.count("up\n") == 1


def test_maintenance_and_metrics(tmp_path: Path) -> None:
    hook = '{name: "on", exec: "echo maintained", when: {source: "global", each: "enterMaintenance"}}'
    config = f"{HEAD}jobs: [{APP}, {hook}]}}"
    with Corepilot(config, tmp_path) as corepilot:
        corepilot.until_ready()
        assert corepilot.client("maintenance", "enable").returncode == 0
        corepilot.until("maintained")
        assert corepilot.job("app")["health"] == "maintenance"
        assert corepilot.client("maintenance", "disable").returncode == 0
        eventually(lambda: corepilot.job("app")["health"] == "unknown")
        answer = corepilot.client("metric", "nope=1")
        assert answer.returncode == 1
        assert "'nope'" in answer.stderr


def test_shutdown_is_a_stop_that_was_asked_for(tmp_path: Path) -> None:
    with Corepilot(SLEEPER, tmp_path) as corepilot:
        corepilot.until_ready()
        assert corepilot.client("shutdown").returncode == 0
        assert corepilot.wait() == 0
        assert "a shutdown request" in corepilot.lines[-1]


@pytest.mark.parametrize("strict", ["", ', strict: "true"'])
def test_a_second_corepilot_on_one_socket_is_refused(tmp_path: Path, strict: str) -> None:
    with Corepilot(SLEEPER.replace('socket"', f'socket"{strict}', 1), tmp_path) as corepilot:
        corepilot.until_ready()
        answer = cli("run", "-c", str(corepilot.file), cwd=tmp_path)
        assert answer.returncode == 1
        assert f"{corepilot.socket}: another corepilot is running there (pid {corepilot.supervisor})" in answer.stderr
        assert corepilot.client("ping").returncode == 0
        assert corepilot.stop() == 0
        assert not corepilot.socket.exists()


def test_of_two_at_default_places_a_client_reaches_the_one_that_is_meant(tmp_path: Path) -> None:
    """Both without `control.socket`: neither takes the other's socket, and a stop of one stops one."""
    environment = {"XDG_RUNTIME_DIR": str(tmp_path / "runtime")}
    (tmp_path / "runtime").mkdir(mode=0o700)
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    config = f"{{jobs: [{APP}]}}"
    with (
        Corepilot(config, tmp_path / "one", environment=environment) as one,
        Corepilot(config, tmp_path / "two", environment=environment) as two,
    ):

        def client(command: str, *words: str) -> "subprocess.CompletedProcess[str]":
            return cli(command, *words, environment=one.environment, cwd=tmp_path)

        for each in (one, two):
            eventually(lambda each=each: client("ping", "-c", str(each.file)).stdout == "ok\n")  # type: ignore[misc]
        (tmp_path / "other.json5").write_text(config)
        for words in (["-c", str(tmp_path / "other.json5")], []):
            answer = client("shutdown", *words)
            assert answer.returncode == 1
            for each in (one, two):
                assert f"(pid {each.supervisor}) runs {each.file}" in answer.stderr
            assert len(answer.stderr.splitlines()) == 1
        assert client("shutdown", "-c", str(two.file)).returncode == 0
        assert two.wait() == 0
        assert client("shutdown", "-c", str(two.file)).returncode == 1
        assert client("ping").stdout == "ok\n"
        assert one.stop() == 0


def test_the_catalog_of_the_command_line_beats_the_file(tmp_path: Path) -> None:
    watch = '{name: "other", interval: 1}'
    config = f'{HEAD}consul: "192.0.2.1:8500", jobs: [{APP}], watches: [{watch}]}}'
    override = f"embedded:path={tmp_path}/catalog"
    with Corepilot(config, tmp_path, environment={"COREPILOT_DISCOVERY": override}) as corepilot:
        corepilot.until_ready()
        assert corepilot.status()["catalogs"][0]["backend"] == "embedded"
        assert json.loads(corepilot.client("instances", "other", "-o", "json").stdout) == []
        answer = corepilot.client("instances", "nobody")
        assert answer.returncode == 1
        assert "nobody" in answer.stderr
