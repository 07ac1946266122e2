"""A run ends with its process group: restarts, ticks and checks wait for it, and what does not leave is killed."""

import os
import re
from pathlib import Path

from eventually import eventually
from leaks import MARK
from recording import Record, config, shell
from running import Corepilot, alive


def processes_called(word: str) -> list[int]:
    """This test's processes with the word in their command line; other runs of it, beside us, have theirs."""
    mark = f"{MARK}={os.environ[MARK]}".encode()
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                command = Path(f"/proc/{entry}/cmdline").read_bytes()
                environment = Path(f"/proc/{entry}/environ").read_bytes()
            except OSError:
                continue
            if word.encode() in command.split(b"\0") and mark in environment.split(b"\0"):
                found.append(int(entry))
    return [pid for pid in found if alive(pid)]


def test_a_successor_starts_when_the_workers_of_a_killed_master_are_gone(tmp_path: Path) -> None:
    leave = "while [ ! -e %(dir)s/seen ]; do sleep 0.02; done; note gone; exit 0"
    worker = f"trap '{leave}' TERM; note up; while :; do sleep 0.02; done"
    job = f'{{name: "app", exec: {shell(f"({worker}) & exec sleep 1000")}, restarts: 3, stopTimeout: 60}}'
    with Corepilot(config(job), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("up")
        corepilot.until_ready()
        os.kill(eventually(lambda: corepilot.job("app")["pid"]), 9)
        eventually(lambda: corepilot.job("app")["state"] == "terminating")
        (tmp_path / "seen").touch()
        record.until("up", 2)
        assert record.words[:3] == ["up", "gone", "up"]
        assert corepilot.job("app")["last_status"] == 137
        assert corepilot.stop() == 0


def test_what_runs_and_ticks_leave_behind_is_killed_and_named(tmp_path: Path) -> None:
    script = "trap '' TERM; sleep 7771 & note ran"
    jobs = f'{{name: "cron", exec: {shell(script)}, when: {{interval: "200ms"}}}}'
    with Corepilot(config(jobs, "stopTimeout: 1,"), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("ran", 3)
        assert len(processes_called("7771")) <= 1
        corepilot.until("cron: killing the job's processes sleep: still running 1 s after its stop signal")
        assert corepilot.stop() == 0
        assert not processes_called("7771")


def test_what_a_check_leaves_behind_is_killed(tmp_path: Path) -> None:
    check = "trap '' TERM; sleep 7772 & exit 0"
    jobs = f'{{name: "a", exec: "sleep 1000", health: {{exec: {shell(check)}, interval: 1, ttl: 5}}}}'
    with Corepilot(config(jobs, "stopTimeout: 1,"), tmp_path) as corepilot:
        corepilot.until_ready()
        corepilot.until("left by the check and still running 1 s after its stop signal", 2)
        assert len(processes_called("7772")) <= 1
        assert corepilot.stop() == 0
        assert not processes_called("7772")


def test_a_job_and_what_has_left_its_group_have_one_deadline(tmp_path: Path) -> None:
    loop = "trap '' TERM; while :; do sleep 0.02; done"
    (tmp_path / "loop.sh").write_text(loop)
    jobs = f'{{name: "a", exec: {shell(f"setsid sh %(dir)s/loop.sh & note up; {loop}")}}}'
    with Corepilot(config(jobs, "stopTimeout: 4,"), tmp_path) as corepilot:
        Record(corepilot).until("up")
        corepilot.until_ready()
        assert corepilot.stop() == 0
        took = float(corepilot.lines[-1].partition("the stop took ")[2].partition(" s")[0])
        assert 4 <= took < 8, corepilot.lines[-1]  # and not twice as long
        assert re.search(r": a \d", corepilot.lines[-1]), "the last line says where the time went"


def test_what_has_left_the_group_is_killed_and_named_though_the_rest_has_ended_in_time(tmp_path: Path) -> None:
    (tmp_path / "stray.sh").write_text("trap '' TERM; touch stray; while :; do sleep 0.02; done")
    (tmp_path / "worker.sh").write_text("trap 'sleep 0.2; exit 0' TERM; touch worker; while :; do sleep 0.02; done")
    script = "cd %(dir)s; setsid sh stray.sh & sh worker.sh & trap 'exit 0' TERM; while :; do sleep 0.02; done"
    jobs = f'{{name: "app", exec: {shell(script)}}}, {{name: "other", exec: "sleep 1000"}}'
    with Corepilot(config(jobs, "stopTimeout: 1,"), tmp_path) as corepilot:
        corepilot.until_ready()
        eventually(lambda: (tmp_path / "stray").exists() and (tmp_path / "worker").exists())
        assert corepilot.client("stop", "app", "--timeout", "60").returncode == 0
        assert not processes_called("stray.sh")
        corepilot.until("app: killing the job's processes ")
        assert corepilot.stop() == 0


def test_an_ended_job_has_no_health(tmp_path: Path) -> None:
    ends = shell("while [ ! -e %(dir)s/end ]; do sleep 0.02; done")
    jobs = f"""
        {{name: "a", exec: {ends}, health: {{exec: "true", interval: 1, ttl: 5}}}},
        {{name: "b", exec: "sleep 1000"}}
    """
    with Corepilot(config(jobs), tmp_path) as corepilot:
        corepilot.until_ready()
        eventually(lambda: corepilot.job("a")["health"] == "healthy")
        (tmp_path / "end").touch()
        eventually(lambda: corepilot.job("a")["state"] == "complete")
        assert corepilot.job("a")["health"] == "idle"
        assert corepilot.stop() == 0


def test_a_check_that_a_reload_or_a_stop_has_ended_has_no_result(tmp_path: Path) -> None:
    def text(seconds: str) -> str:
        health = f'{{exec: "sleep {seconds}", interval: 1, ttl: 90, timeout: 60}}'
        return config(f'{{name: "a", exec: "sleep 1000", health: {health}}}, {{name: "b", exec: "sleep 1000"}}')

    with Corepilot(text("7773"), tmp_path) as corepilot:
        corepilot.until_ready()
        eventually(lambda: processes_called("7773"))
        corepilot.configure(text("7774"))
        assert corepilot.client("reload").returncode == 0
        eventually(lambda: processes_called("7774"))
        assert corepilot.client("stop", "a").returncode == 0
        assert corepilot.job("a")["checks"][0]["history"] == []
        assert corepilot.stop() == 0


def test_a_check_that_is_killed_at_its_interval_gives_a_result_at_every_interval(tmp_path: Path) -> None:
    jobs = f"""
        {{name: "a", exec: "sleep 1000", health: {{exec: "sleep 60", interval: 1, ttl: 3}}}},
        {{name: "note", exec: {shell("note unhealthy")}, when: {{source: "a", each: "unhealthy"}}}}
    """
    with Corepilot(config(jobs, 'logging: {level: "debug"},'), tmp_path) as corepilot:
        Record(corepilot).until("unhealthy", 4, deadline_s=30)
        output = corepilot.output
        assert output.count("{TimerExpired a.heartbeat}") <= output.count("{StatusUnhealthy a}") + 2
        assert corepilot.stop() == 0
