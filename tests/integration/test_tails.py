"""`corepilot logs` and `corepilot events`: the last of it, what follows, and readers that are too slow."""

import json
import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from eventually import eventually
from recording import config, shell
from running import Corepilot

from corepilot.testing.running import COMMAND

JOBS = f"""
    {{name: "app", exec: {shell("for i in 1 2 3; do echo line $i; done; exec sleep 1000")},
      health: {{exec: "echo checked", interval: 1, ttl: 5}}}},
    {{name: "other", exec: {shell("echo other; exec sleep 1000")}}},
    {{name: "raw", exec: {shell("echo raw; exec sleep 1000")}, logging: {{raw: true}}}},
    {{name: "hup", exec: "echo ran", when: {{source: "SIGUSR2"}}}},
"""


class Reader:
    """A request for lines that follow, whose answer is read when the test reads it."""

    def __init__(self, corepilot: Corepilot, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(30)
        self._socket.connect(str(corepilot.socket))
        self._socket.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        self._file = self._socket.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        while self._file.readline().strip():
            pass

    def __iter__(self) -> "Reader":
        return self

    def __next__(self) -> dict[str, Any]:
        line = self._file.readline()
        if not line:
            raise StopIteration
        found: dict[str, Any] = json.loads(line)
        return found

    def close(self) -> None:
        self._file.close()
        self._socket.close()


def texts(shown: str) -> list[str]:
    """Without the times and pids."""
    return [" ".join([line.split()[1], *line.split()[3:]]) for line in shown.splitlines()]


def test_the_last_lines_of_all_jobs_and_of_some(tmp_path: Path) -> None:
    with Corepilot(config(JOBS), tmp_path) as corepilot:
        corepilot.until("checked")
        everything = corepilot.client("logs")
        assert everything.stderr == (
            "corepilot: raw: logging.raw is set, so the lines are in corepilot's own output only\n"
        )
        assert set(texts(everything.stdout)) == {
            "app line 1", "app line 2", "app line 3", "check.app checked", "other other",
        }  # fmt: skip
        assert texts(corepilot.client("logs", "o*").stdout) == ["other other"]
        assert texts(corepilot.client("logs", "app", "-n", "3").stdout)[-1] == "check.app checked"
        assert corepilot.client("logs", "app", "-n", "0").stdout == ""
        assert corepilot.client("logs", "other", "--since", "0s").stdout == ""
        assert texts(corepilot.client("logs", "other", "--since", "2020-01-01T00:00:00Z").stdout) == ["other other"]
        (line,) = corepilot.client("logs", "other", "-o", "json").stdout.splitlines()
        found = json.loads(line)
        assert (found["job"], found["pid"], found["msg"]) == ("other", corepilot.job("other")["pid"], "other")
        unknown = corepilot.client("logs", "nobody")
        assert (unknown.returncode, unknown.stdout) == (1, "")
        assert "cannot find a job called 'nobody'; jobs: app, other, raw, hup" in unknown.stderr
        assert corepilot.client("logs", "--since", "yesterday").returncode == 2
        assert corepilot.client("logs", "-n", "-1").returncode == 2


def test_following_shows_what_comes_and_ends_with_corepilot(tmp_path: Path) -> None:
    with Corepilot(config(JOBS), tmp_path) as corepilot:
        corepilot.until_ready()
        corepilot.until("checked")
        out = tmp_path / "out"
        with out.open("wb") as file:
            command = [*COMMAND, "logs", "-f", "-n", "0", "hup", "--socket", str(corepilot.socket)]
            follower = subprocess.Popen(command, stdout=file, stderr=file)
        try:
            eventually(lambda: _signalled_until(corepilot, "ran" in out.read_text()), message="a line that follows")
            assert corepilot.stop() == 0
            assert follower.wait(30) == 0
            assert {line.rpartition(" ")[2] for line in out.read_text().splitlines()} == {"ran"}
        finally:
            follower.kill()
            follower.wait()


def _signalled_until(corepilot: Corepilot, done: bool) -> bool:  # noqa: FBT001
    if not done:
        corepilot.signal(signal.SIGUSR2)
    return done


def test_who_follows_a_job_hears_of_replicas_and_jobs_that_a_reload_brings(tmp_path: Path) -> None:
    loop = shell("while :; do echo here; sleep 0.05; done")

    def jobs(replicas: int, *more: str) -> str:
        first = f'{{name: "web", exec: {loop}, replicas: {replicas}}}'
        return config(", ".join([first, *[f'{{name: "{name}", exec: {loop}}}' for name in ("other", *more)]]))

    with Corepilot(jobs(1, "app-a"), tmp_path) as corepilot:
        corepilot.until_ready()
        readers = [Reader(corepilot, f"/v1/logs?job={job}&follow=1&n=0") for job in ("web", "app-*")]
        try:
            corepilot.configure(jobs(2, "app-a", "app-b"))
            assert corepilot.client("reload").returncode == 0
            for reader, old, new in zip(readers, ("web@1", "app-a"), ("web@2", "app-b"), strict=True):
                seen = {old}
                for line in reader:
                    seen.add(line["job"])
                    if new in seen:
                        break
                assert seen == {old, new}
        finally:
            for reader in readers:
                reader.close()
        assert corepilot.stop() == 0


def test_a_slow_reader_loses_lines_is_told_how_many_and_blocks_nobody(tmp_path: Path) -> None:
    count = 600_000
    loud = f'{{name: "loud", exec: {shell(f"seq {count}; echo end")}, when: {{source: "SIGHUP"}}}}'
    with Corepilot(config(f"{JOBS} {loud}", 'logging: {output: "/dev/null"},'), tmp_path) as corepilot:
        eventually(lambda: corepilot.client("ping").returncode == 0, message="an answer")
        reader = Reader(corepilot, "/v1/logs?job=loud&follow=1&n=0")
        corepilot.signal(signal.SIGHUP)
        eventually(lambda: corepilot.job("loud")["last_status"] == 0, message="its end, though nobody reads")
        got, lost = 0, 0
        for entry in reader:
            got += len(entry.get("lines", ()))
            lost += entry.get("lost", 0)
            if got + lost >= count + 1:
                break
        assert got + lost == count + 1
        assert lost > 0
        assert got > 0
        reader.close()


def test_few_may_follow_and_one_that_goes_makes_room(tmp_path: Path) -> None:
    with Corepilot(config(JOBS), tmp_path) as corepilot:
        corepilot.until_ready()
        readers = [Reader(corepilot, f"/v1/{what}?follow=1") for what in ("logs", "events") * 4]
        try:
            assert [reader.status for reader in readers] == [200] * 8
            answer = corepilot.client("logs", "-f")
            assert answer.returncode == 1
            assert "cannot follow: 8 clients follow already" in answer.stderr
            assert corepilot.client("logs").returncode == 0
            readers.pop().close()

            def follows() -> bool:
                one = Reader(corepilot, "/v1/events?follow=1")
                readers.append(one)
                return one.status == 200

            eventually(follows, message="room for another one")
        finally:
            for reader in readers:
                reader.close()
        assert corepilot.stop() == 0


def test_events_with_time_and_status(tmp_path: Path) -> None:
    jobs = f"""{{name: "first", exec: ["sh", "-c", "exit 3"]}}, {{name: "second", exec: "true",
        when: {{source: "first", once: "exitFailed"}}}}, {JOBS}"""
    with Corepilot(config(jobs), tmp_path) as corepilot:
        eventually(lambda: "exitSuccess second" in corepilot.client("events").stdout, message="the second job's exit")
        shown = [line.partition(" ")[2] for line in corepilot.client("events").stdout.splitlines()]
        assert shown[0] == "startup global"
        assert any(line.startswith("exitFailed first status=3") for line in shown)
        found = [json.loads(line) for line in corepilot.client("events", "-o", "json").stdout.splitlines()]
        failed = next(one for one in found if (one["code"], one["source"]) == ("exitFailed", "first"))
        assert failed["status"] == 3
        reader = Reader(corepilot, "/v1/events?follow=1&n=0")
        corepilot.signal(signal.SIGHUP)
        assert next(one["source"] for one in reader if one["code"] == "signal") == "SIGHUP"
        reader.close()
        assert len(corepilot.client("events", "-n", "2").stdout.splitlines()) == 2


def test_what_a_client_makes_an_event_of_is_short(tmp_path: Path) -> None:
    with Corepilot(config('{name: "app", exec: "sleep 1000"}', 'logging: {level: "debug"},'), tmp_path) as corepilot:
        corepilot.until_ready()
        corepilot.client("metric", f"{'n' * 1000}={'1' * 100_000}")
        events = [json.loads(line) for line in corepilot.client("events", "-o", "json").stdout.splitlines()]
        found = [(one["source"], one["detail"]) for one in events if one["code"] == "metric"]
        assert found == [("n" * 256, "1" * 256)]
        assert corepilot.stop() == 0


@pytest.mark.parametrize("query", ["n=x", "n=-1", "since_s=nan", "follow=2", "n=1&n=2", "last=3"])
def test_a_parameter_without_a_meaning_is_refused(tmp_path: Path, query: str) -> None:
    with Corepilot(config(JOBS), tmp_path) as corepilot:
        corepilot.until_ready()
        reader = Reader(corepilot, f"/v1/events?{query}")
        assert reader.status == 422
        reader.close()


def test_what_is_kept_is_configured_and_changes_at_a_reload(tmp_path: Path) -> None:
    with Corepilot(config(JOBS, 'logging: {keep: "64KiB"},'), tmp_path) as corepilot:
        corepilot.until("line 3")
        assert corepilot.client("logs", "app").stdout.count("line") == 3
        corepilot.configure(config(JOBS, "logging: {keep: 0},"))
        assert corepilot.client("reload").returncode == 0
        assert corepilot.client("logs").stdout == ""
        corepilot.configure(config(JOBS, 'logging: {keep: "much"},'))
        refused = corepilot.client("reload")
        assert refused.returncode == 1
        assert 'cannot use logging.keep: "much" is not a size' in refused.stderr


def test_a_reader_of_a_pipe_that_has_gone_ends_the_command(tmp_path: Path) -> None:
    with Corepilot(config(JOBS), tmp_path) as corepilot:
        corepilot.until("checked")
        read_end, write_end = os.pipe()
        os.close(read_end)
        command = [*COMMAND, "logs", "-f", "--socket", str(corepilot.socket)]
        with os.fdopen(write_end, "wb") as output:
            follower = subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL)
        assert follower.wait(30) == 1
