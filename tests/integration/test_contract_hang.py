"""What hung ContainerPilot hangs nothing here (ContainerPilot contract, sections 9.1 and 10)."""

import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recording import Record, config, goes_on, shell
from running import Corepilot, cli

BEAT = f'{{name: "beat", exec: {shell("note beat")}, when: {{interval: "100ms"}}}}'


def ends_in_time(corepilot: Corepilot, most_s: float = 9) -> None:
    began = time.monotonic()
    assert corepilot.stop() == 0
    assert time.monotonic() - began < most_s


def test_an_exec_slower_than_its_period(tmp_path: Path) -> None:
    jobs = f"""{BEAT},
        {{name: "slow", exec: {shell("note begin; sleep 1; note end")}, when: {{interval: "2ms"}}, timeout: "10s"}}"""
    with Corepilot(config(jobs), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("begin", 3)
        goes_on(record)
        # Ticks coalesce: one run after another, and no more than one waits.
        words = [word for word in record.words if word != "beat"]
        assert words[:4] == ["begin", "end", "begin", "end"]
        ends_in_time(corepilot)


def test_a_check_slower_than_its_interval(tmp_path: Path) -> None:
    jobs = f"""{BEAT}, {{name: "app", exec: "sleep 1000", health:
        {{exec: {shell("note begin; sleep 1.5; note end")}, interval: 1, ttl: 5, timeout: "10s"}}}}"""
    with Corepilot(config(jobs), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("begin", 2)
        goes_on(record)
        words = [word for word in record.words if word != "beat"]
        assert words[:3] == ["begin", "end", "begin"]
        ends_in_time(corepilot)


@contextmanager
def silent_server() -> Iterator[str]:
    """An address that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_a_catalog_that_accepts_and_never_answers(tmp_path: Path) -> None:
    jobs = f"""{BEAT}, {{name: "app", exec: "sleep 1000", port: 80, interfaces: "static:192.0.2.7",
        health: {{exec: {shell("note check")}, interval: 1, ttl: 5}}, initial_status: "passing"}}"""
    more = """watches: [{name: "db", interval: 1}], telemetry: {port: 0, interfaces: ["static:127.0.0.1"]},"""
    with silent_server() as address:
        text = config(jobs, more).replace("consul: false", f'consul: "{address}"')
        with Corepilot(text, tmp_path) as corepilot:
            record = Record(corepilot)
            record.until("check", 3)
            goes_on(record)
            corepilot.client("maintenance", "enable")
            corepilot.client("maintenance", "disable")
            record.until("check", record.count("check") + 1)
            assert corepilot.client("reload").returncode == 0
            goes_on(record)
            ends_in_time(corepilot)


def test_ten_thousand_lines_a_second_and_a_flood_of_triggers(tmp_path: Path) -> None:
    jobs = f"""{BEAT},
        {{name: "loud", exec: ["sh", "-c", "exec yes a line of text that is repeated > /dev/stderr"]}},
        {{name: "ping", exec: "true", when: {{source: "pong", each: "exitSuccess"}}}},
        {{name: "pong", exec: "true", when: {{source: "ping", each: "exitSuccess"}}}},
        {{name: "kick", exec: "true"}},
        {{name: "pong", exec: "true", when: {{source: "kick", each: "exitSuccess"}}}}"""
    # Its log goes to a file that is nobody's to fill: what does not fit is dropped and counted.
    with Corepilot(config(jobs, 'logging: {output: "/dev/null"},'), tmp_path) as corepilot:
        record = Record(corepilot)
        goes_on(record, 20)
        ends_in_time(corepilot)


def test_a_stopped_process_and_one_that_is_stopped_by_its_job_are_ended(tmp_path: Path) -> None:
    jobs = f"""{BEAT}, {{name: "frozen", exec: {shell("note frozen; kill -STOP $$")}}}"""
    with Corepilot(config(jobs, "stopTimeout: 2,"), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("frozen")
        goes_on(record)
        ends_in_time(corepilot)


def test_a_stop_in_the_first_moments(tmp_path: Path) -> None:
    """A TERM at any point of the start ends everything: a spawn that races with the stop does not escape."""
    for delay_s in (0.0, 0.03, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2):
        with Corepilot(config('{name: "a", exec: "sleep 1000"}'), tmp_path) as corepilot:
            deadline = time.monotonic() + delay_s
            while time.monotonic() < deadline:
                pass
            corepilot.process.send_signal(signal.SIGTERM)
            assert corepilot.wait(10) in {0, -signal.SIGTERM}, corepilot.output


def test_a_long_line_without_end_kills_nobody(tmp_path: Path) -> None:
    endless = shell("head -c 3000000 /dev/zero | tr '\\0' x; note survived")
    jobs = f'{{name: "long", exec: {endless}}}'
    with Corepilot(config(jobs), tmp_path) as corepilot:
        assert corepilot.wait() == 0
        assert Record(corepilot).words == ["survived"]
        assert "too long" not in corepilot.output
        assert sum(len(found) for found in re.findall("x{100,}", corepilot.output)) == 3_000_000


def test_clients_time_out_where_nobody_answers(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "s"))
        sock.listen()
        answer = cli("ping", "--socket", str(tmp_path / "s"), timeout_s=60)
        assert answer.returncode == 1
        assert len(answer.stderr.splitlines()) == 1
