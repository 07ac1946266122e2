"""Hooks, deadlines and the end (ContainerPilot contract, sections 4.6 to 4.10)."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from agent import Recorder, listening
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
    with Corepilot(config(jobs, "stopTimeout: 600,"), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("up")
        assert corepilot.stop(60) == 0, "no tail: it leaves as soon as the work is done"
        assert record.words[:4] == ["up", "pre-begin", "pre-end", "gone"]
        assert sorted(record.words[4:]) == ["each", "post"]
        assert "no process had to be killed" in corepilot.lines[-1]


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
    for jobs, more, least_s, killed in (
        (f'{{name: "a", exec: {OBEYS}}}', "stopTimeout: 600,", 0.0, "no process had to be killed"),
        (f'{{name: "a", exec: {DEAF}}}', "stopTimeout: 1,", 1.0, "killed: a"),
        (f'{{name: "a", exec: {DEAF}}}', "stopTimeout: -1,", 0.0, "killed: a"),
    ):
        (tmp_path / "record").unlink(missing_ok=True)
        with Corepilot(config(jobs, more), tmp_path) as corepilot:
            Record(corepilot).until("up")
            began = time.monotonic()
            assert corepilot.stop(60) == 0
            assert time.monotonic() - began >= least_s, (more, corepilot.output)
            assert killed in corepilot.lines[-1]


def test_a_container_whose_only_job_is_true_ends_at_once(tmp_path: Path) -> None:
    with Corepilot(config('{name: "a", exec: "true"}'), tmp_path) as corepilot:
        assert corepilot.wait() == 0
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
        {{name: "app", exec: {shell("trap 'note wrong' HUP USR1 USR2 ALRM; note up; while :; do sleep 0.02; done")}}},
        {{name: "hup", exec: {shell("note hup")}, when: {{source: "SIGHUP"}}}},
        {{name: "usr2", exec: {shell("note usr2")}, when: {{source: "SIGUSR2"}}}},
    """
    with Corepilot(config(jobs), tmp_path, prefix=prefix) as corepilot:
        corepilot.until_ready()
        record = Record(corepilot)
        record.until("up")
        pid = corepilot.job("app")["pid"]
        for number in (signal.SIGUSR1, signal.SIGALRM, signal.SIGCONT):  # SIGWINCH: see test_stop_signals
            corepilot.signal(number)
        corepilot.signal(signal.SIGHUP)
        record.until("hup")
        corepilot.signal(signal.SIGUSR2)
        record.until("usr2")
        assert corepilot.job("app")["pid"] == pid
        assert record.words == ["up", "hup", "usr2"]
        corepilot.signal(signal.SIGINT)
        assert corepilot.wait() == 0


def test_sigquit_prints_the_stacks_and_ends_with_status_2(tmp_path: Path) -> None:
    """As PID 1 it is a stop: see test_stop_signals."""
    with Corepilot(config(f'{{name: "app", exec: {OBEYS}}}'), tmp_path) as corepilot:
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


def test_a_hook_that_hangs_is_ended_with_the_wait_for_it_and_named(tmp_path: Path) -> None:
    jobs = f"""
        {{name: "app", exec: {OBEYS}, stopTimeout: "300ms"}},
        {{name: "drain", exec: {shell("note drain; while :; do sleep 0.1; done")}, {once("app", "stopping")}}},
    """
    with Corepilot(config(jobs, "stopTimeout: 30,"), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("up")
        assert corepilot.stop(12) == 0
        assert record.words == ["up", "drain", "term"]
        assert "drain: ending the job: a hook that has not ended within 0.3 s; raise stopTimeout" in corepilot.output


def test_a_program_behind_a_shell_is_told_once_and_waited_for(tmp_path: Path) -> None:
    program = "trap 'note told; sleep 0.5; note cleaned; exit 0' TERM; note up; while :; do sleep 0.02; done"
    wrapped = shell(f"( {program} ) & wait")
    jobs = (
        f"""{{name: "app", exec: {wrapped}}}, {{name: "post", exec: {shell("note post")}, {once("app", "stopped")}}}"""
    )
    with Corepilot(config(jobs, "stopTimeout: 30,"), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("up")
        corepilot.reload_everything()
        record.until("up", 2)
        assert corepilot.stop(20) == 0
        assert record.words == ["up", "told", "cleaned", "post"] * 2


def test_what_is_left_of_a_job_is_killed_and_named_like_the_job(tmp_path: Path) -> None:
    wrapped = shell("(trap : TERM; note up; while :; do sleep 0.02; done) & wait")
    with Corepilot(config(f'{{name: "app", exec: {wrapped}}}', "stopTimeout: 1,"), tmp_path) as corepilot:
        Record(corepilot).until("up")
        assert corepilot.stop() == 0
        line = (
            r"app: killing the job's processes sh(, sleep)?: still running 1 s after its stop signal; raise stopTimeout"
        )
        assert re.search(line, corepilot.output)
        assert "killed: app" in corepilot.lines[-1]


def test_a_check_that_runs_when_its_job_ends_is_told_and_waited_for(tmp_path: Path) -> None:
    check = shell("trap 'note check; exit 0' TERM; note checking; while :; do sleep 0.02; done")
    jobs = f"""
        {{name: "app", exec: {OBEYS}, health: {{exec: {check}, interval: 1, ttl: 5, timeout: "30s"}}}},
        {{name: "well", exec: {shell("note well")}, {once("check.app", "exitSuccess")}}},
        {{name: "ill", exec: {shell("note ill")}, {once("check.app", "exitFailed")}}},
        {{name: "end", exec: {shell("while [ ! -e %(dir)s/end ]; do sleep 0.02; done")}}},
        {{name: "last", exec: {shell("note last")}, {once("app", "stopped")}}},
    """
    with Corepilot(config(jobs.replace(OBEYS, shell("note up; while [ ! -e %(dir)s/end ]; do sleep 0.02; done"))),
                   tmp_path) as corepilot:  # fmt: skip
        record = Record(corepilot)
        record.until("checking")
        (tmp_path / "end").touch()
        record.until("last")
        assert corepilot.wait() == 0
        assert "well" in record.words
        assert record.words.index("check") < record.words.index("last")
        assert "ill" not in record.words


def test_a_job_that_stops_after_others_is_there_until_they_have_ended(tmp_path: Path) -> None:
    agent = shell("trap 'note agent; exit 0' TERM; note up; while :; do sleep 0.02; done")
    slow = shell("trap 'sleep 0.3; note app; exit 0' TERM; note up; while :; do sleep 0.02; done")
    jobs = f"""
        {{name: "agent", exec: {agent}, restarts: "unlimited", stopAfter: ["app", "post"]}},
        {{name: "app", exec: {slow}}},
        {{name: "pre", exec: {shell("note pre")}, {once("app", "stopping")}}},
        {{name: "post", exec: {shell("sleep 0.3; note post")}, {once("app", "stopped")}}},
    """
    with Corepilot(config(jobs), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("up", 2)
        corepilot.reload_everything()
        record.until("up", 4)
        assert corepilot.stop() == 0
        assert record.words == ["up", "up", "pre", "app", "post", "agent"] * 2


def test_a_second_stop_does_not_wait_for_a_catalog_that_hangs(tmp_path: Path) -> None:
    recorder = Recorder()
    with listening(recorder) as address:
        job = f"""{{name: "app", exec: {OBEYS}, port: 80, interfaces: "static:192.0.2.7", initial_status: "passing",
            health: {{interval: 100, ttl: 1000}}}}"""
        text = config(job).replace("consul: false", f'consul: "{address}"')
        with Corepilot(text, tmp_path) as corepilot:
            eventually(lambda: recorder.sent)
            recorder.hold()
            try:
                corepilot.signal(signal.SIGTERM)
                eventually(lambda: len(recorder.sent) == 2, message="the deregistration")
                corepilot.signal(signal.SIGTERM)
                assert corepilot.wait() == 0
                assert "left the catalog without its answer" in corepilot.output
            finally:
                recorder.release()


def test_a_stop_is_announced_before_there_is_anybody_to_carry_it_out() -> None:
    """On a starved machine a start takes seconds, and the guard must not take it for a supervisor that hangs."""
    script = """
import os, signal
from corepilot.supervisor.signals import Signals
signals = Signals(lambda _frame: os.write(1, b"announced\\n"))
for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
    os.kill(os.getpid(), number)
assert signals.stop_asked
"""
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout == "announced\n" * 2
