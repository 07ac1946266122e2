"""When jobs run, how often, and what keeps a container alive (ContainerPilot contract, sections 4.1, 4.3 and 4.5)."""

import signal
from pathlib import Path

import pytest
from eventually import eventually
from recording import Record, config, shell, unchanged_for
from running import Corepilot

LIVES = '{name: "lives", exec: "sleep 1000"}'
PULSE = '{name: "pulse", exec: "true", when: {interval: "100ms"}}'


def once(source: str, code: str) -> str:
    return f'when: {{source: "{source}", once: "{code}"}}'


def each(source: str, code: str) -> str:
    return f'when: {{source: "{source}", each: "{code}"}}'


def test_each_row_of_the_table_of_runs_that_ends_by_itself(tmp_path: Path) -> None:
    jobs = f"""
        {{name: "plain", exec: {shell("note plain")}}},
        {{name: "restarts-2", exec: {shell("note restarts-2")}, restarts: 2}},
        {{name: "restarts-text", exec: {shell("note restarts-text; exit 1")}, restarts: "1"}},
        {{name: "once-1", exec: {shell("note once-1")}, {once("plain", "exitSuccess")}, restarts: 1}},
        {{name: "interval-2", exec: {shell("note interval-2")}, when: {{interval: "1s"}}, restarts: 2}},
        {{name: "interval-never", restarts: 0, exec: {shell("note interval-never")}, when: {{interval: "1s"}}}},
        {{name: "fail-handler", exec: {shell("note fail-handler")}, {once("restarts-text", "exitFailed")}}},
        {{name: "after", exec: {shell("note after")}, {once("restarts-2", "stopped")}}},
    """
    with Corepilot(config(jobs), tmp_path) as corepilot:
        record = Record(corepilot)
        assert corepilot.wait() == 0
        assert sorted(record.words) == sorted(
            ["plain"] + ["restarts-2"] * 3 + ["restarts-text"] * 2 + ["once-1"] * 2 + ["interval-2"] * 3
            + ["interval-never", "fail-handler", "after"]
        )  # fmt: skip
        assert record.words.index("after") > max(i for i, word in enumerate(record.words) if word == "restarts-2")


def test_each_row_of_the_table_of_runs_that_waits_for_triggers(tmp_path: Path) -> None:
    jobs = f"""
        {LIVES},
        {{name: "hup", exec: {shell("note hup")}, when: {{source: "SIGHUP"}}}},
        {{name: "usr2", exec: {shell("note usr2")}, {each("SIGUSR2", "exitSuccess")}}},
        {{name: "usr2-2", exec: {shell("note usr2-2")}, when: {{source: "SIGUSR2"}}, restarts: 2}},
        {{name: "each", exec: {shell("note each")}, {each("hup", "exitSuccess")}}},
        {{name: "each-2", exec: {shell("note each-2")}, {each("hup", "exitSuccess")}, restarts: 2}},
        {{name: "once", exec: {shell("note once")}, {once("hup", "exitSuccess")}}},
        {{name: "once-sighup-elsewhere", exec: {shell("note wrong")}, {once("lives", "SIGHUP")}}},
        {{name: "nothing", exec: {shell("note wrong")}, when: {{}}}},
        {{name: "source-only", exec: {shell("note wrong")}, when: {{source: "hup"}}}},
        {{name: "shutdown", exec: {shell("note wrong")}, {once("global", "shutdown")}}},
        {{name: "exact", exec: {shell("note wrong")}, {each("hu", "exitSuccess")}}},
        {{name: "started", exec: {shell("note started")}, {once("global", "startup")}}},
        {{name: "unlimited", exec: {shell("note unlimited")}, {each("nobody", "healthy")}, restarts: 1}},
    """
    with Corepilot(config(jobs), tmp_path) as corepilot:
        record = Record(corepilot)
        corepilot.until_ready()
        for count in (1, 2, 3):
            corepilot.signal(signal.SIGHUP)
            record.until("hup", count)
            record.until("each", count)
            record.until("each-2", count + 2)
        for count in (1, 2, 3):
            corepilot.signal(signal.SIGUSR2)
            record.until("usr2", count)
            record.until("usr2-2", count + 2)
        unchanged_for(0.3, record)
        counts = {word: record.count(word) for word in set(record.words)}
        assert counts == {"hup": 3, "usr2": 3, "usr2-2": 5, "each": 3, "each-2": 5, "once": 1, "started": 1}
        assert corepilot.stop() == 0
        assert record.count("wrong") == 0


def test_interval_runs_at_startup_and_then_at_every_tick(tmp_path: Path) -> None:
    jobs = f"""{{name: "fast", exec: {shell("note fast")}, when: {{interval: "250ms"}}}},
        {{name: "bare", exec: {shell("note bare")}, when: {{interval: 1}}}}"""
    with Corepilot(config(jobs), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("fast", 9)
        record.until("bare", 3)
        assert record.count("bare") < record.count("fast")


def test_an_interval_job_without_restarts_has_a_running_exec_ended_at_the_first_tick(tmp_path: Path) -> None:
    trap = "trap 'note term; exit 0' TERM; note up; while :; do sleep 0.02; done"
    jobs = f'{{name: "job", exec: {shell(trap)}, when: {{interval: "500ms"}}, restarts: 0, timeout: "1h"}}'
    with Corepilot(config(jobs), tmp_path) as corepilot:
        assert corepilot.wait() == 0
        assert Record(corepilot).words == ["up", "term"]


def test_when_timeout_publishes_timer_expired_and_quits(tmp_path: Path) -> None:
    jobs = f"""
        {{name: "main", exec: {shell("note main")}, when: {{source: "nobody", once: "healthy", timeout: "300ms"}}}},
        {{name: "fallback", exec: {shell("note fallback")}, {once("main", "timerExpired")}}},
        {{name: "gone", exec: {shell("note gone")}, {once("main", "stopped")}}},
        {{name: "in-time", exec: "sleep 0.6", when: {{source: "global", once: "startup", timeout: "100ms"}}}},
        {{name: "no-timer", exec: {shell("note wrong")},
          when: {{source: "in-time", once: "timerExpired", timeout: "2s"}}}},
    """
    with Corepilot(config(jobs), tmp_path) as corepilot:
        assert corepilot.wait() == 0
        assert sorted(Record(corepilot).words) == ["fallback", "gone"]


def test_triggers_during_a_run_queue_up_and_never_run_side_by_side(tmp_path: Path) -> None:
    jobs = f'{{name: "job", exec: {shell("note begin; sleep 0.3; note end")}, when: {{source: "SIGHUP"}}}}'
    with Corepilot(config(jobs), tmp_path) as corepilot:
        corepilot.until_ready()
        record = Record(corepilot)
        for _ in range(3):
            corepilot.signal(signal.SIGHUP)
            # Equal signals that are pending merge (signal(7)): wait until this one has been seen.
            record.until("begin", 1)
            eventually(lambda: corepilot.client("ping").returncode == 0, message="an answer to ping")
        record.until("end", 3)
        assert record.words == ["begin", "end"] * 3


def test_jobs_of_one_name_react_to_each_others_exits(tmp_path: Path) -> None:
    first = shell("until [ -e %(dir)s/record ]; do sleep 0.02; done; note one")  # the other one is ready then
    jobs = f"""{{name: "twin", exec: {first}}},
        {{name: "twin", exec: {shell("trap 'note told; exit 0' TERM; note two; while :; do sleep 0.05; done")}}},
        {{name: "after", exec: {shell("note after")}, {once("twin", "stopped")}}}"""
    with Corepilot(config(jobs), tmp_path) as corepilot:
        assert corepilot.wait() == 0
        assert sorted(Record(corepilot).words) == ["after", "one", "told", "two"]


def test_names_are_free_without_a_port(tmp_path: Path) -> None:
    jobs = f"""{{name: "my job, or: ünïcode", exec: {shell("note ran")}}},
        {{name: "next", exec: {shell("note next")}, {once("my job, or: ünïcode", "exitSuccess")}}}"""
    with Corepilot(config(jobs), tmp_path) as corepilot:
        assert corepilot.wait() == 0
        assert Record(corepilot).words == ["ran", "next"]


@pytest.mark.parametrize(
    "jobs",
    [
        '{name: "no-exec"}',
        f'{{name: "each", exec: "true", {each("global", "startup")}}}',
        '{name: "signal", exec: "true", when: {source: "SIGHUP"}}',
        '{name: "unlimited", exec: "true", restarts: "unlimited"}',
        PULSE,
    ],
)
def test_jobs_that_never_complete_keep_the_container_alive_until_a_stop(tmp_path: Path, jobs: str) -> None:
    with Corepilot(config(jobs + ', {name: "short", exec: "true"}'), tmp_path) as corepilot:
        corepilot.until_ready()
        eventually(lambda: corepilot.job("short")["state"] == "complete")
        assert corepilot.process.poll() is None
        assert corepilot.stop() == 0
        assert not corepilot.socket.exists()


def test_a_spawn_failure_is_an_exit_that_failed_and_is_retried_with_delay(tmp_path: Path) -> None:
    jobs = f"""
        {{name: "missing", exec: "/no/such/program", restarts: "unlimited"}},
        {{name: "handler", exec: {shell("note failed")}, {each("missing", "exitFailed")}}},
    """
    with Corepilot(config(jobs), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("failed", 5)
        assert record.count("failed") < 20
        assert "/no/such/program" in corepilot.output


# ------------------------------------------------------------------------------------------------------- maintenance
def test_maintenance_keeps_execs_stops_checks_and_publishes_each_time(tmp_path: Path) -> None:
    jobs = f"""
        {{name: "app", exec: "sleep 1000", health: {{exec: {shell("note check")}, interval: 1, ttl: 5}}}},
        {{name: "enter", exec: {shell("note enter")}, {each("global", "enterMaintenance")}}},
        {{name: "exit", exec: {shell("note exit")}, {each("global", "exitMaintenance")}}},
        {{name: "late", exec: "true", {once("nobody", "healthy")},
          health: {{exec: {shell("note wrong")}, interval: 1, ttl: 5}}}},
    """
    with Corepilot(config(jobs), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("check")
        pid = corepilot.job("app")["pid"]
        assert corepilot.job("app")["health"] == "healthy"
        for count in (1, 2):
            assert corepilot.client("maintenance", "enable").returncode == 0
            record.until("enter", count)
        assert corepilot.job("app")["health"] == "maintenance"
        unchanged_for(1.3, record)
        assert corepilot.job("app")["pid"] == pid
        corepilot.client("maintenance", "disable")
        record.until("exit")
        checks = record.count("check")
        record.until("check", checks + 1)
        eventually(lambda: corepilot.job("app")["health"] == "healthy")
        assert record.count("wrong") == 0
        assert corepilot.stop() == 0
