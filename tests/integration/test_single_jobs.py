"""One job can be started, stopped, restarted and signalled by itself."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from eventually import eventually
from recording import Record, config, shell, unchanged_for
from running import Corepilot, alive


def test_a_job_is_stopped_and_started_by_hand_while_others_go_on(tmp_path: Path) -> None:
    jobs = '{name: "web", exec: "sleep 1001", restarts: "unlimited"}, {name: "db", exec: "sleep 1002"}'
    with Corepilot(config(jobs), tmp_path) as corepilot:
        corepilot.until_ready()
        web, db = corepilot.job("web")["pid"], corepilot.job("db")["pid"]
        stopped = corepilot.client("stop", "web")
        assert (stopped.returncode, stopped.stderr) == (0, "")
        assert not alive(web)
        assert corepilot.job("web")["state"] == "stopped"
        assert corepilot.client("stop", "web").returncode == 0  # already so is success
        assert corepilot.client("start", "web").returncode == 0
        restarted = corepilot.job("web")["pid"]
        assert restarted not in {None, web}
        assert corepilot.client("restart", "w*").returncode == 0
        assert corepilot.job("web")["pid"] not in {None, restarted}
        assert corepilot.job("web")["starts"] == 3
        assert corepilot.job("db")["pid"] == db
        assert corepilot.stop() == 0


def test_one_unknown_name_and_nothing_is_done(tmp_path: Path) -> None:
    with Corepilot(config('{name: "web", exec: "sleep 1001"}'), tmp_path) as corepilot:
        corepilot.until_ready()
        answer = corepilot.client("stop", "web", "wbe")
        assert answer.returncode == 1
        assert "'wbe'" in answer.stderr
        assert "web" in answer.stderr
        assert corepilot.job("web")["state"] == "running"
        usage = corepilot.client("stop")
        assert usage.returncode == 2
        assert "corepilot shutdown" in usage.stderr
        assert corepilot.client("shutdown").returncode == 0
        assert corepilot.wait() == 0


def test_a_job_that_was_stopped_by_hand_ignores_triggers_and_keeps_everything_up(tmp_path: Path) -> None:
    jobs = f"""
        {{name: "each", exec: {shell("note each")}, when: {{source: "SIGHUP"}}}},
        {{name: "short", exec: "sleep 1", when: {{source: "global", once: "enterMaintenance"}}}}
    """
    with Corepilot(config(jobs), tmp_path) as corepilot:
        record = Record(corepilot)
        corepilot.until_ready()
        corepilot.signal(signal.SIGHUP)
        record.until("each")
        assert corepilot.client("stop", "each").returncode == 0
        corepilot.signal(signal.SIGHUP)
        assert corepilot.client("maintenance", "enable").returncode == 0
        eventually(lambda: corepilot.job("short")["state"] == "complete")
        unchanged_for(0.3, record)
        assert corepilot.process.poll() is None
        assert corepilot.client("start", "each").returncode == 0
        record.until("each", 2)
        corepilot.signal(signal.SIGHUP)
        record.until("each", 3)
        assert corepilot.stop() == 0


def test_a_stop_by_hand_takes_what_has_left_the_group_and_a_restart_by_itself_does_not(tmp_path: Path) -> None:
    script = 'setsid sh -c "echo \\$\\$ >> %(dir)s/strays; exec sleep 1005" & note up; sleep 0.5; wait'.replace(
        "sleep 0.5; wait", "while [ ! -e %(dir)s/end ]; do sleep 0.02; done"
    )
    with Corepilot(config(f'{{name: "a", exec: {shell(script)}, restarts: "unlimited"}}'), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("up")
        strays = tmp_path / "strays"
        first = int(eventually(lambda: strays.read_text().split() if strays.exists() else [])[0])
        (tmp_path / "end").touch()
        record.until("up", 2)
        (tmp_path / "end").unlink()
        assert alive(first), "a child that has left the group survives the end of its run (contract, section 4.2)"
        corepilot.until_ready()
        assert corepilot.client("stop", "a").returncode == 0
        assert [pid for pid in map(int, strays.read_text().split()) if alive(pid)] == []
        assert corepilot.stop() == 0


def test_hooks_run_at_a_stop_by_hand_and_are_armed_again(tmp_path: Path) -> None:
    jobs = f"""
        {{name: "app", exec: {shell("note up; exec sleep 1000")}}},
        {{name: "pre", exec: {shell("note pre")}, when: {{source: "app", once: "stopping"}}}},
        {{name: "post", exec: {shell("note post")}, when: {{source: "app", once: "stopped"}}}}
    """
    with Corepilot(config(jobs), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("up")
        corepilot.until_ready()
        for count in (1, 2):
            assert corepilot.client("restart", "app").returncode == 0
            record.until("up", count + 1)
            record.until("post", count)
        assert corepilot.stop() == 0
        assert [record.count(word) for word in ("up", "pre", "post")] == [3, 3, 3]


def test_signals_reach_the_main_process_or_the_group(tmp_path: Path) -> None:
    script = "trap 'note usr1' USR1; note up; while :; do sleep 0.02; done"
    with Corepilot(config(f'{{name: "a", exec: {shell(script)}}}'), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("up")
        corepilot.until_ready()
        assert corepilot.client("signal", "USR1", "a").returncode == 0
        record.until("usr1")
        assert corepilot.client("signal", "nonsense", "a").returncode == 2
        assert corepilot.client("signal", "TERM", "a", "--group").returncode == 0
        assert corepilot.wait() == 128 + signal.SIGTERM  # its only job has failed for good


def test_waiting_for_a_state(tmp_path: Path) -> None:
    jobs = '{name: "a", exec: "sleep 0.3"}, {name: "b", exec: "sleep 1000"}'
    with Corepilot(config(jobs), tmp_path) as corepilot:
        corepilot.until_ready()
        assert corepilot.client("wait", "a", "--for", "complete").returncode == 0
        assert corepilot.client("wait", "b", "--for", "running").returncode == 0
        late = corepilot.client("wait", "b", "--for", "complete", "--timeout", "100ms")
        assert late.returncode == 4
        assert corepilot.stop() == 0


def test_a_job_may_restart_itself(tmp_path: Path) -> None:
    script = (
        "note up; [ -e %(dir)s/done ] || { touch %(dir)s/done; corepilot restart a --socket %(dir)s/control.socket; }"
    )
    jobs = f'{{name: "a", exec: {shell(script + "; exec sleep 1000")}}}'
    with Corepilot(config(jobs), tmp_path, environment={"PATH": os.environ["PATH"]}) as corepilot:
        record = Record(corepilot)
        record.until("up", 2)
        assert corepilot.stop() == 0


def test_jobs_that_share_a_name_are_addressed_by_number(tmp_path: Path) -> None:
    jobs = '{name: "w", exec: "sleep 1001"}, {name: "w", exec: "sleep 1002"}'
    with Corepilot(config(jobs), tmp_path) as corepilot:
        corepilot.until_ready()
        first, second = corepilot.job("w")["pid"], corepilot.job("w@2")["pid"]
        assert corepilot.client("restart", "w@2").returncode == 0
        assert corepilot.job("w")["pid"] == first
        assert corepilot.job("w@2")["pid"] not in {None, second}
        assert corepilot.stop() == 0


def test_a_wait_that_can_never_come_true_is_said_and_counts_as_an_end(tmp_path: Path) -> None:
    jobs = """
        {name: "migrate", exec: ["sh", "-c", "exit 3"]},
        {name: "app", exec: "sleep 1000", when: {source: "migrate", once: "exitSuccess"}},
        {name: "more", exec: "sleep 1000", when: {source: "app", each: "exitSuccess"}}
    """
    with Corepilot(config(jobs), tmp_path) as corepilot:
        assert corepilot.wait() == 3
        assert corepilot.output.count("cannot start any more") == 2
        assert "app: cannot start any more: it waits for exitSuccess of migrate" in corepilot.output
        assert "job migrate failed for good with status 3" in corepilot.output


def test_a_job_that_waits_in_vain_can_be_started_by_hand(tmp_path: Path) -> None:
    jobs = '{name: "x", exec: "true", when: {}}, {name: "y", exec: "sleep 1000"}'
    with Corepilot(config(jobs), tmp_path) as corepilot:
        corepilot.until_ready()
        corepilot.until("x: cannot start any more: its when names no event")
        assert corepilot.client("start", "x").returncode == 0
        assert corepilot.job("x")["starts"] == 1
        assert corepilot.stop() == 0


@pytest.mark.parametrize(
    ("first", "second", "status", "state"), [("restart", "stop", 3, "stopped"), ("stop", "start", 0, "running")]
)
def test_a_request_that_another_one_has_overtaken_ends(
    tmp_path: Path, first: str, second: str, status: int, state: str
) -> None:
    ends = "while ! [ -e %(dir)s/go ]; do sleep 0.05; done; rm %(dir)s/go; exit 0"
    slow = shell(f"trap '{ends}' TERM; note up; while :; do sleep 0.05; done")
    with Corepilot(config(f'{{name: "app", exec: {slow}, stopTimeout: 60}}'), tmp_path) as corepilot:
        Record(corepilot).until("up")
        corepilot.until_ready()
        with ThreadPoolExecutor() as pool:
            overtaken = pool.submit(corepilot.client, first, "app", "--timeout", "30s")
            eventually(lambda: corepilot.job("app")["state"] == "terminating")
            assert corepilot.client(second, "app", "--no-wait").returncode == 0
            (tmp_path / "go").touch()
            assert overtaken.result().returncode == status
        eventually(lambda: corepilot.job("app")["state"] == state)
        (tmp_path / "go").touch()
        assert corepilot.stop() == 0
