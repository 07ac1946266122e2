"""Telemetry sinks of a real corepilot: several at once, unreachable ones, reloads, and the stop."""

import json
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from eventually import eventually
from running import Corepilot
from scraping import Endpoint
from servers.collector import Collector
from servers.process import free_port

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


def test_one_telemetry_feeds_prometheus_statsd_and_otlp_at_once(tmp_path: Path, receiver: Receiver) -> None:
    endpoint = Endpoint(free_port())
    telemetry = f"""port: {endpoint.port}, interfaces: ["static:127.0.0.1"],
        metrics: [{{name: "hits", help: "h", type: "counter"}}],
        sinks: ["prometheus", {{sink: "statsd", address: "{receiver.address}", interval: "1s"}},
            {{sink: "otlp", endpoint: "%(collector)s", interval: "1s"}}]"""
    with (
        Collector(tmp_path) as collector,
        running(tmp_path, telemetry.replace("%(collector)s", collector.endpoint)) as corepilot,
    ):
        corepilot.client("metric", "hits=3")
        eventually(lambda: endpoint.samples()["hits"] == 3)
        eventually(lambda: receiver.total("hits") == 3)
        eventually(lambda: '"hits"' in str(collector.requests("resourceMetrics")).replace("'", '"'))
        # each is seen by the others
        for sink in ("statsd", "otlp"):
            name = f'corepilot_sink_flushes_total{{result="sent",sink="{sink}"}}'
            eventually(partial(_at_least, endpoint, name, 1))
        shown = {sink["name"]: sink for sink in corepilot.status()["sinks"]}
        assert shown["prometheus"]["address"] == f"http://127.0.0.1:{endpoint.port}"
        assert shown["statsd"]["address"] == receiver.address
        assert shown["otlp"]["address"] == collector.endpoint
        assert {sink["failed"] for sink in shown.values()} == {0}
        # Prometheus was named, so telemetry is a service of its own, as in ContainerPilot.
        assert "containerpilot" in [job["name"] for job in corepilot.status()["jobs"]]
        assert corepilot.stop() == 0


def test_sinks_that_cannot_be_reached_hold_up_nothing(tmp_path: Path, receiver: Receiver) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        port = silent.getsockname()[1]
        telemetry = f"""sinks: [
            {{sink: "otlp", endpoint: "http://127.0.0.1:{port}", interval: "1s", timeout: "5s"}},
            {{sink: "statsd", address: "unix://{tmp_path}/nobody", interval: "1s"}},
            {{sink: "statsd", address: "{receiver.address}", interval: "1s"}}]"""
        with running(tmp_path, telemetry) as corepilot:
            eventually(lambda: min(sink["failed"] for sink in corepilot.status()["sinks"][:2]) >= 2, 20)
            hanging, missing, good = corepilot.status()["sinks"]
            assert "no end within 1 s" in hanging["last_error"]
            assert "No such file" in missing["last_error"]
            assert [sink["faults"] for sink in (hanging, missing, good)] == [0, 0, 0]
            assert (good["failed"], good["last_error"]) == (0, "")
            # The good one tells of the others.
            eventually(lambda: receiver.total("corepilot_sink_flushes.otlp.failed") >= 1)
            corepilot.client("restart", "app")
            assert corepilot.stop() == 0
            assert "plugins did not close" not in corepilot.output


def test_a_sink_is_told_when_it_is_reached_again(tmp_path: Path) -> None:
    telemetry = f"""metrics: [{{name: "hits", help: "h", type: "counter"}}],
        sinks: [{{sink: "statsd", address: "unix://{tmp_path}/statsd", interval: "1s"}}]"""
    with running(tmp_path, telemetry) as corepilot:
        corepilot.client("metric", "hits=3")
        corepilot.until("cannot send telemetry to")
        with (receiver := Receiver(tmp_path / "statsd")).socket:
            eventually(lambda: receiver.total("hits") == 3)
            corepilot.until("telemetry reaches")
            assert corepilot.stop() == 0


def test_a_reload_changes_one_sink_and_keeps_port_and_counts(tmp_path: Path, receiver: Receiver) -> None:
    endpoint = Endpoint(free_port())

    def telemetry(address: str, prefix: str) -> str:
        return f"""port: {endpoint.port}, interfaces: ["static:127.0.0.1"],
            metrics: [{{name: "hits", help: "h", type: "counter"}}],
            sinks: [{{sink: "statsd", address: "{address}", prefix: "{prefix}", interval: "1s"}}]"""

    with running(tmp_path, telemetry(f"unix://{tmp_path}/nobody", "old")) as corepilot:
        corepilot.client("metric", "hits=5")
        corepilot.configure(config(telemetry(receiver.address, "new")))
        assert corepilot.client("reload").returncode == 0
        assert endpoint.samples()["hits"] == 5
        corepilot.client("metric", "hits=2")
        eventually(lambda: receiver.total("new.hits") == 2, 10, "only what has come since")
        shown = [sink["address"] for sink in corepilot.status()["sinks"]]
        assert shown == [f"http://127.0.0.1:{endpoint.port}", receiver.address]
        # Another port: the one that tells stays as it is, the one that is asked moves.
        before = corepilot.status()["sinks"][1]["flushed"]
        old, endpoint.port = endpoint.port, free_port()
        corepilot.configure(config(telemetry(receiver.address, "new")))
        assert corepilot.client("reload").returncode == 0
        assert endpoint.up()
        assert not Endpoint(old).up()
        assert corepilot.status()["sinks"][1]["flushed"] >= before > 0
        assert corepilot.stop() == 0


def test_a_prometheus_of_other_options_takes_over_the_same_port(tmp_path: Path) -> None:
    endpoint = Endpoint(free_port())
    listen = f'port: {endpoint.port}, interfaces: ["static:127.0.0.1"]'
    with running(tmp_path, f'{listen}, sinks: [{{sink: "prometheus", connections: 3}}]') as corepilot:
        assert endpoint.up()
        for connections in (4, 5, 6):
            corepilot.configure(config(f'{listen}, sinks: [{{sink: "prometheus", connections: {connections}}}]'))
            assert corepilot.client("reload").returncode == 0
            assert endpoint.up()
        assert corepilot.stop() == 0


def test_more_than_one_address(tmp_path: Path) -> None:
    first, second = Endpoint(free_port()), Endpoint(free_port())
    with running(tmp_path, f'listen: ["127.0.0.1:{first.port}", "127.0.0.1:{second.port}"]') as corepilot:
        assert first.up()
        assert second.up()
        assert first.status()["Services"] is None, "only an address of `interfaces` is advertised"
        (shown,) = corepilot.status()["sinks"]
        assert shown["address"] == f"http://127.0.0.1:{first.port} http://127.0.0.1:{second.port}"
        assert corepilot.stop() == 0


def test_sinks_alone_listen_nowhere_and_are_no_service(tmp_path: Path, receiver: Receiver) -> None:
    sinks = f'sinks: [{{sink: "statsd", address: "{receiver.address}", interval: "1s"}}]'
    with running(tmp_path, sinks) as corepilot:
        eventually(lambda: receiver.total("corepilot_events.startup.global") == 1)
        assert [job["name"] for job in corepilot.status()["jobs"]] == ["app"]
        inodes = {os.readlink(f"/proc/{corepilot.supervisor}/fd/{name}") for name in descriptors(corepilot.supervisor)}
        for table in ("tcp", "tcp6"):
            listening = [
                f"socket:[{line.split()[9]}]"
                for line in Path(f"/proc/{corepilot.supervisor}/net/{table}").read_text().splitlines()[1:]
                if line.split()[3] == "0A"
            ]
            assert not inodes & set(listening)
        assert corepilot.stop() == 0


def _at_least(endpoint: Endpoint, sample: str, value: float) -> bool:
    return endpoint.samples().get(sample, 0) >= value


def descriptors(pid: int) -> list[str]:
    """Those that are there at a second look, too."""
    first = os.listdir(f"/proc/{pid}/fd")
    return [name for name in first if os.path.lexists(f"/proc/{pid}/fd/{name}")]


def test_sinks_alone_keep_nothing_up_and_the_end_is_told(tmp_path: Path, receiver: Receiver) -> None:
    sinks = f'sinks: [{{sink: "statsd", address: "{receiver.address}", interval: "60s"}}]'
    with Corepilot(config(sinks, '{name: "once", exec: "true"}'), tmp_path) as corepilot:
        assert corepilot.wait() == 0
    assert receiver.total("corepilot_job_exits.once.success") == 1
