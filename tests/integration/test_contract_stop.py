"""Hooks, deadlines and the end (ContainerPilot contract, sections 4.6 to 4.10)."""

import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from eventually import eventually
from recording import Record, config, shell
from running import PIDNS, Corepilot, alive

OBEYS = shell("trap 'note term; exit 0' TERM; note up; while :; do sleep 0.02; done")
DEAF = shell("trap 'note deaf' TERM; note up; while :; do sleep 0.02; done")


def once(source: str, code: str) -> str:
    return f'when: {{source: "{source}", once: "{code}"}}'


def test_the_order_of_a_stop_with_hooks(tmp_path: Path) -> None:
    slow = shell("trap 'sleep 0.3; note gone; exit 0' TERM; note up; while :; do sleep 0.02; done")
    jobs = f"""
        {{name: "app", exec: {slow}}},
        {{name: "pre", exec: {shell("note pre-begin; sleep 0.3; note pre-end")}, {once("app", "stopping")}}},
        {{name: "post", exec: {shell("note post")}, {once("app", "stopped")}}},
        {{name: "each", exec: {shell("note each")}, when: {{source: "app", each: "stopped"}}}},
    """
    with Corepilot(config(jobs, "stopTimeout: 5,"), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("up")
        began = time.monotonic()
        assert corepilot.stop() == 0
        assert time.monotonic() - began < 4, "no tail: it leaves as soon as the work is done"
        assert record.words[:4] == ["up", "pre-begin", "pre-end", "gone"]
        assert sorted(record.words[4:]) == ["each", "post"]
        assert "killed: nobody" in corepilot.lines[-1]


def test_hooks_run_when_a_job_ends_by_itself_too(tmp_path: Path) -> None:
    jobs = f"""
        {{name: "app", exec: {shell("note app")}}},
        {{name: "pre", exec: {shell("note pre")}, {once("app", "stopping")}}},
        {{name: "post", exec: {shell("note post")}, {once("app", "stopped")}}},
    """
    with Corepilot(config(jobs), tmp_path) as corepilot:
        assert corepilot.wait() == 0
        assert Record(corepilot).words == ["app", "pre", "post"]


def test_a_hook_that_hangs_is_bounded_by_the_stop_timeout_of_its_job(tmp_path: Path) -> None:
    jobs = f"""
        {{name: "app", exec: {OBEYS}, stopTimeout: "500ms"}},
        {{name: "pre", exec: {shell("trap '' TERM; note pre; sleep 1000")}, {once("app", "stopping")}, stopTimeout: 1}},
    """
    with Corepilot(config(jobs, "stopTimeout: 1,"), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("up")
        assert corepilot.stop(12) == 0
        assert record.words == ["up", "pre", "term"]


def test_a_hook_on_a_name_that_does_not_exist_keeps_nothing_alive(tmp_path: Path) -> None:
    jobs = f"""{{name: "app", exec: {shell("note app")}}},
        {{name: "typo", exec: {shell("note wrong")}, {once("ap", "stopping")}}}"""
    with Corepilot(config(jobs), tmp_path) as corepilot:
        assert corepilot.wait(10) == 0
        assert Record(corepilot).words == ["app"]


def test_a_stop_waits_no_longer_than_needed_and_no_longer_than_the_deadline(tmp_path: Path) -> None:
    for jobs, more, least, most in (
        (f'{{name: "a", exec: {OBEYS}}}', "stopTimeout: 20,", 0.0, 8.0),
        (f'{{name: "a", exec: {DEAF}}}', "stopTimeout: 1,", 0.9, 6.0),
        (f'{{name: "a", exec: {DEAF}}}', "stopTimeout: -1,", 0.0, 4.0),
    ):
        (tmp_path / "record").unlink(missing_ok=True)
        with Corepilot(config(jobs, more), tmp_path) as corepilot:
            Record(corepilot).until("up")
            began = time.monotonic()
            assert corepilot.stop() == 0
            assert least <= time.monotonic() - began < most, (more, corepilot.output)


def test_a_container_whose_only_job_is_true_ends_at_once(tmp_path: Path) -> None:
    with Corepilot(config('{name: "a", exec: "true"}'), tmp_path) as corepilot:
        began = time.monotonic()
        assert corepilot.wait() == 0
        assert time.monotonic() - began < 4
        assert not corepilot.socket.exists()


@pytest.mark.parametrize("more", ["", 'watches: [{name: "db", interval: 1}],'])
def test_a_configuration_without_jobs_can_be_stopped(tmp_path: Path, more: str) -> None:
    text = config("", more).replace("consul: false", 'consul: "127.0.0.1:1"')
    with Corepilot(text, tmp_path) as corepilot:
        corepilot.until_ready()
        assert corepilot.client("reload").returncode == 0
        corepilot.until_ready()
        assert corepilot.stop() == 0
        assert not corepilot.socket.exists()


@pytest.mark.parametrize("prefix", [(), PIDNS], ids=["child", "pid1"])
def test_each_signal_does_what_the_table_says(tmp_path: Path, prefix: Sequence[str]) -> None:
    jobs = f"""
        {{name: "app", exec: {shell("trap 'note wrong' HUP USR1 USR2 WINCH; note up; while :; do sleep 0.02; done")}}},
        {{name: "hup", exec: {shell("note hup")}, when: {{source: "SIGHUP"}}}},
        {{name: "usr2", exec: {shell("note usr2")}, when: {{source: "SIGUSR2"}}}},
    """
    with Corepilot(config(jobs), tmp_path, prefix=prefix) as corepilot:
        corepilot.until_ready()
        record = Record(corepilot)
        record.until("up")
        pid = corepilot.job("app")["pid"]
        for number in (signal.SIGUSR1, signal.SIGWINCH, signal.SIGCONT):
            corepilot.signal(number)
        corepilot.signal(signal.SIGHUP)
        record.until("hup")
        corepilot.signal(signal.SIGUSR2)
        record.until("usr2")
        assert corepilot.job("app")["pid"] == pid
        assert record.words == ["up", "hup", "usr2"]
        corepilot.signal(signal.SIGINT)
        assert corepilot.wait() == 0


@pytest.mark.parametrize("prefix", [(), PIDNS], ids=["child", "pid1"])
def test_sigquit_prints_the_stacks_and_ends_with_status_2(tmp_path: Path, prefix: Sequence[str]) -> None:
    with Corepilot(config(f'{{name: "app", exec: {OBEYS}}}'), tmp_path, prefix=prefix) as corepilot:
        corepilot.until_ready()
        record = Record(corepilot)
        record.until("up")
        corepilot.signal(signal.SIGQUIT)
        assert corepilot.wait() == 2
        assert "Greenlet" in corepilot.output
        assert record.words == ["up", "term"]


def test_as_pid_1_orphans_are_reaped_and_the_worker_is_another_process(tmp_path: Path) -> None:
    script = "echo pid=$CONTAINERPILOT_PID; (setsid sleep 0.05 &); exec sleep 1000"
    jobs = f'{{name: "a", exec: {shell(script)}}}'
    with Corepilot(config(jobs), tmp_path, prefix=PIDNS) as corepilot:
        corepilot.until("pid=")
        assert int(corepilot.output.partition("pid=")[2].split()[0]) > 1
        supervisor, guard = corepilot.supervisor, corepilot.guard
        assert supervisor != guard

        def zombies() -> list[str]:
            paths = [Path(f"/proc/{pid}/task/{pid}/children") for pid in (supervisor, guard)]
            return [child for path in paths for child in path.read_text().split() if not alive(int(child))]

        eventually(lambda: not zombies())
        assert corepilot.stop() == 0


def test_a_second_term_ends_the_waiting(tmp_path: Path) -> None:
    jobs = f"""{{name: "a", exec: {DEAF}}},
        {{name: "pre", exec: {shell("note pre; sleep 1000")}, {once("a", "stopping")}, stopTimeout: "1h"}}"""
    with Corepilot(config(jobs, "stopTimeout: 1000,"), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("up")
        corepilot.signal(signal.SIGTERM)
        record.until("pre")
        corepilot.signal(signal.SIGTERM)
        assert corepilot.wait(10) == 0
