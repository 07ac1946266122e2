"""Telemetry sinks of a real corepilot: several at once, unreachable ones, reloads, and the stop."""

import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from eventually import eventually
from running import Corepilot

JOB = '{name: "app", exec: "sleep 1000"}'


class Receiver:
    """A StatsD server: remembers every line that it receives."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX if path else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(str(path) if path else ("127.0.0.1", 0))
        self.socket.settimeout(0.1)
        self.lines: list[str] = []

    @property
    def address(self) -> str:
        return f"unix://{self.path}" if self.path else f"127.0.0.1:{self.socket.getsockname()[1]}"

    def receive(self) -> list[str]:
        """All that has come so far, what waits in the socket included."""
        try:
            while True:
                self.lines += self.socket.recv(65536).decode().splitlines()
        except TimeoutError:
            return self.lines

    def total(self, name: str) -> float:
        """What a counter has grown by, all lines together."""
        found = [re.fullmatch(rf"{re.escape(name)}:(\S+)\|c", line) for line in self.receive()]
        return sum(float(match[1]) for match in found if match)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    with made.socket:
        yield made


def config(telemetry: str, jobs: str = JOB) -> str:
    return f"""{{consul: false, control: {{socket: "%(dir)s/control.socket"}},
        telemetry: {{{telemetry}}}, jobs: [{jobs}]}}"""


@contextmanager
def running(directory: Path, telemetry: str, jobs: str = JOB) -> Iterator[Corepilot]:
    with Corepilot(config(telemetry, jobs), directory) as corepilot:
        yield corepilot.until_ready()


def test_statsd_gets_gauges_and_what_counters_have_grown_by(tmp_path: Path, receiver: Receiver) -> None:
    telemetry = f"""metrics: [{{name: "hits", help: "h", type: "counter"}},
            {{name: "queue", help: "q", type: "gauge"}}],
        sinks: [{{sink: "statsd", address: "{receiver.address}", prefix: "shop", interval: "1s"}}]"""
    with running(tmp_path, telemetry) as corepilot:
        for _ in range(3):
            assert corepilot.client("metric", "hits=2", "queue=-7").returncode == 0
        eventually(lambda: receiver.total("shop.hits") == 6)
        assert "shop.queue:-7|g" in receiver.lines
        assert receiver.lines[receiver.lines.index("shop.queue:-7|g") - 1] == "shop.queue:0|g"
        assert receiver.total("shop.corepilot_events.startup.global") == 1
        corepilot.client("metric", "hits=1")
        # The last flush, at the stop, tells what the one before could not know.
        assert corepilot.stop() == 0
        assert receiver.total("shop.hits") == 7


def test_jsonl_is_written_and_rotated_and_the_stop_writes_the_last_lines(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    sink = f'sinks: [{{sink: "jsonl", path: "{path}", interval: "1s", maxBytes: 1000, keep: 2}}]'
    with running(tmp_path, sink, f'{JOB}, {{name: "once", exec: "true"}}') as corepilot:
        eventually((tmp_path / "metrics.jsonl.2").exists, 20)
        assert corepilot.status()["sinks"][0]["address"] == str(path)
        assert corepilot.stop() == 0
    assert not (tmp_path / "metrics.jsonl.3").exists()
    last = [json.loads(line) for line in path.read_text().splitlines()]
    assert ("app", 143) in [(line.get("run"), line.get("status")) for line in last]
    assert [line for line in last if line.get("metric") == "corepilot_events"]
