"""Replicas, jobs that wait for a person, and input from files, in real processes."""

import os
from pathlib import Path

from eventually import eventually
from recording import config
from running import Corepilot, alive


def jobs(corepilot: Corepilot) -> dict[str, tuple[str, int | None]]:
    return {job["name"]: (job["state"], job["pid"]) for job in corepilot.status()["jobs"]}


def workers(count: int, more: str = "") -> str:
    script = "echo replica $COREPILOT_REPLICA of %i at $PORT; exec sleep 1000"
    return config(f'{{name: "w", exec: ["sh", "-c", "{script}"], env: {{PORT: "80%i"}}, replicas: {count}, {more}}}')


def test_replicas_run_side_by_side_and_a_reload_changes_how_many(tmp_path: Path) -> None:
    with Corepilot(workers(3), tmp_path) as corepilot:
        for number in (1, 2, 3):
            corepilot.until(f"replica {number} of {number} at 80{number}")
        before = jobs(corepilot)
        assert list(before) == ["w@1", "w@2", "w@3"]
        corepilot.configure(workers(2))
        plan = corepilot.client("plan", "-c", str(corepilot.file)).stdout
        assert "w@3" in plan
        assert corepilot.client("reload").returncode == 0
        after = jobs(corepilot)
        assert after == {"w@1": before["w@1"], "w@2": before["w@2"]}
        eventually(lambda: not alive(before["w@3"][1] or 0))
        assert corepilot.client("restart", "w@2").returncode == 0
        later = jobs(corepilot)
        assert later["w@1"] == before["w@1"]
        assert later["w@2"][1] != before["w@2"][1]
        assert corepilot.client("stop", "w").returncode == 0
        assert {state for state, _ in jobs(corepilot).values()} == {"stopped"}
        assert corepilot.stop() == 0


def test_each_replica_has_an_instance_in_the_catalog_and_a_variable_with_its_pid(tmp_path: Path) -> None:
    service = 'port: 80, interfaces: "static:192.0.2.1", instance: "i", health: {exec: "true", interval: 1, ttl: 5}'
    text = (
        workers(2, service)
        .replace('"w"', '"web"')
        .replace("consul: false", 'discovery: {backend: "embedded", path: "%(dir)s/catalog"}')
    )
    show = '{name: "show", exec: ["sh", "-c", "env | grep _PID"], when: {source: "SIGHUP"}}'
    with Corepilot(text.replace("jobs: [", f"jobs: [{show}, "), tmp_path) as corepilot:
        eventually(
            lambda: {one["id"] for one in corepilot.status()["services"] if one["in_sync"]} == {"web-i-1", "web-i-2"}
        )
        pids = [pid for state, pid in jobs(corepilot).values() if state == "running"]
        os.kill(corepilot.guard, 1)
        for number, pid in enumerate(pids, 1):
            corepilot.until(f"CONTAINERPILOT_WEB_{number}_PID={pid}")
            corepilot.until(f"web@{number}: Service registered: web as web-i-{number}, passing")
        corepilot.configure(corepilot.file.read_text().replace("replicas: 2", "replicas: 1"))
        assert corepilot.client("reload").returncode == 0
        corepilot.until("web@2: Service deregistered: web as web-i-2")
        assert corepilot.stop() == 0


def test_a_job_that_does_not_start_by_itself_is_started_by_a_person(tmp_path: Path) -> None:
    text = config('{name: "a", exec: ["sh", "-c", "echo up; exec sleep 1000"], autostart: false}')
    with Corepilot(text, tmp_path) as corepilot:
        corepilot.until("a waits to be started by hand and keeps corepilot up")
        assert corepilot.job("a")["state"] == "stopped"
        assert corepilot.client("start", "a").returncode == 0
        corepilot.until(" up")
        assert corepilot.job("a")["state"] == "running"
        assert corepilot.stop() == 0


def test_standard_input_comes_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "input").write_text("one\ntwo\n")
    with Corepilot(config('{name: "a", exec: "cat", stdin: {file: "%(dir)s/input"}}'), tmp_path) as corepilot:
        assert corepilot.wait() == 0
        assert [line.split()[-1] for line in corepilot.lines if line.split()[-1] in {"one", "two"}] == ["one", "two"]


def test_a_file_of_input_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with Corepilot(config('{name: "a", exec: "cat", stdin: {file: "%(dir)s/input"}}'), tmp_path) as corepilot:
        assert corepilot.wait() == 126
        assert f"cannot start 'cat': stdin \"{tmp_path}/input\": No such file or directory" in corepilot.output


def test_a_stop_while_a_job_waits_for_somebody_who_writes_to_its_fifo(tmp_path: Path) -> None:
    """What sets the job up waits in open(2): nothing else waits for it, and it is ended as the job would be."""
    os.mkfifo(tmp_path / "fifo")
    jobs = '{name: "a", exec: "cat", stdin: {file: "%(dir)s/fifo"}}, {name: "b", exec: "echo b-runs"}'
    with Corepilot(config(jobs), tmp_path) as corepilot:
        corepilot.until("b-runs")
        assert corepilot.job("a")["state"] == "running"
        assert corepilot.stop() == 0
        assert "no process had to be killed" in corepilot.lines[-1]
