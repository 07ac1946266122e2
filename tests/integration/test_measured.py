"""What corepilot measures of itself, as Prometheus sees it: every family, and what moves it."""

import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from eventually import eventually
from go_programs import PROMLINT
from running import Corepilot
from scraping import Endpoint
from servers.consul import ConsulServer
from servers.process import free_port

from corepilot.telemetry.builtin import BUILT_IN

CONTAINERPILOTS = ("containerpilot_", "http_", "go_")

JOBS = """
    {name: "app", exec: "sleep 1000", port: 8000, interfaces: "static:192.0.2.7",
     health: {exec: "true", interval: 1, ttl: 5}},
    {name: "done", exec: "true"},
    {name: "bad", exec: ["sh", "-c", "exit 3"], restarts: 1},
    {name: "shot", exec: ["sh", "-c", "kill -9 $$"]},
    {name: "missing", exec: "/nonexistent/program"},
    {name: "loops", exec: "false", restarts: "unlimited"},
"""


def config(port: int, jobs: str, more: str = "consul: false,") -> str:
    return f"""{{{more} control: {{socket: "%(dir)s/control.socket"}}, jobs: [{jobs}],
        telemetry: {{port: {port}, interfaces: ["static:127.0.0.1"],
            sinks: ["prometheus", {{sink: "jsonl", path: "%(dir)s/m.jsonl", interval: "1s"}}]}}}}"""


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint(free_port())


def up(corepilot: Corepilot, endpoint: Endpoint) -> Callable[..., float]:
    """Wait until the endpoint answers; returns what waits until a sample has at least a value."""
    corepilot.until_ready()
    eventually(endpoint.up)

    def reached(sample: str, value: float) -> bool:
        return endpoint.samples().get(sample, -1) >= value

    def until(sample: str, value: float = 1) -> float:
        eventually(partial(reached, sample, value), message=f"{sample} {value}")
        return endpoint.samples()[sample]

    return until


def test_jobs(tmp_path: Path, endpoint: Endpoint) -> None:
    with Corepilot(config(endpoint.port, JOBS), tmp_path) as corepilot:
        until = up(corepilot, endpoint)
        until('corepilot_job_state{job="app",state="running"}')
        until('corepilot_job_health{health="healthy",job="app"}')
        until('corepilot_job_state{job="done",state="complete"}')
        assert until('corepilot_job_starts_total{job="bad"}', 2) == 2
        assert until('corepilot_job_exits_total{job="bad",reason="failure"}', 2) == 2
        assert until('corepilot_job_exits_total{job="done",reason="success"}') == 1
        assert until('corepilot_job_exits_total{job="shot",reason="signal"}') == 1
        assert until('corepilot_job_exits_total{job="missing",reason="unstarted"}') == 1
        until('corepilot_job_restart_delay_seconds{job="loops"}', 0.25)
        until('corepilot_check_duration_seconds_count{job="app"}')
        until("corepilot_hub_lag_seconds_count")
        corepilot.client("stop", "app")
        until('corepilot_job_state{job="app",state="stopped"}')
        found = endpoint.samples()
        assert found['corepilot_job_state{job="app",state="running"}'] == 0, "a server that keeps gauges is told"
        assert found['corepilot_job_exits_total{job="app",reason="stopped"}'] == 1
        assert found["corepilot_output_dropped_bytes_total"] == 0
        (build,) = [name for name in found if name.startswith("corepilot_build_info")]
        assert f'version="{corepilot.status()["version"]}"' in build


def test_reloads_sinks_and_plugins(tmp_path: Path, endpoint: Endpoint) -> None:
    with Corepilot(config(endpoint.port, '{name: "app", exec: "sleep 1000"}'), tmp_path) as corepilot:
        until = up(corepilot, endpoint)
        until('corepilot_sink_flushes_total{result="sent",sink="jsonl"}')
        corepilot.configure("{nonsense")
        assert corepilot.client("reload").returncode == 1
        assert until('corepilot_reloads_total{result="refused"}') == 1
        corepilot.configure(config(endpoint.port, '{name: "other", exec: "sleep 1000"}'))
        assert corepilot.client("reload").returncode == 0
        assert until('corepilot_reloads_total{result="applied"}') == 1
        until('corepilot_job_state{job="other",state="running"}')
        found = endpoint.samples()
        assert not [name for name in found if 'job="app"' in name and name.startswith("corepilot_job_")]
        assert found['corepilot_plugin_faults_total{kind="sink",plugin="jsonl"}'] == 0
        assert found['corepilot_plugin_off{kind="sink",plugin="prometheus"}'] == 0
        assert found['corepilot_sink_dropped_total{sink="jsonl"}'] == 0


def test_the_catalog(tmp_path: Path, endpoint: Endpoint, consul: ConsulServer) -> None:
    jobs = """{name: "app", exec: "sleep 1000", port: 8000, interfaces: "static:192.0.2.7",
        health: {exec: "true", interval: 1, ttl: 5}}"""
    more = f'consul: "{consul.address}", watches: [{{name: "app", interval: 1}}],'
    with Corepilot(config(endpoint.port, jobs, more), tmp_path) as corepilot:
        until = up(corepilot, endpoint)
        until('corepilot_catalog_requests_total{operation="register",result="ok"}')
        until('corepilot_catalog_requests_total{operation="report",result="ok"}')
        until('corepilot_catalog_requests_total{operation="watch",result="ok"}')
        assert until('corepilot_watch_instances{service="app"}') == 1
        assert until('corepilot_watch_lag_seconds{service="app"}', 0) == 0
        consul.kill()
        until('corepilot_catalog_requests_total{operation="watch",result="unavailable"}')
        until('corepilot_watch_lag_seconds{service="app"}', 0.001)
        assert endpoint.samples()['corepilot_watch_instances{service="app"}'] == 1, "what is known is kept"


def test_locks_and_files_keep_their_counts_over_reloads(tmp_path: Path, endpoint: Endpoint) -> None:
    (tmp_path / "made").mkdir()

    def text(ttl_s: int, word: str) -> str:
        return config(
            endpoint.port,
            '{name: "app", exec: "sleep 1000", lock: "primary", stopTimeout: "1s"}, {name: "main", exec: "sleep 1000"}',
            f"""discovery: {{backend: "embedded", path: "%(dir)s/catalog"}},
            locks: [{{name: "primary", ttl: "{ttl_s}s"}}, {{name: "unused", ttl: "30s"}}], stopTimeout: 1,
            render: [{{name: "words", template: "{word}", to: "%(dir)s/made/words"}}],""",
        )

    with Corepilot(text(30, "one"), tmp_path) as corepilot:
        until = up(corepilot, endpoint)
        assert until('corepilot_lock_held{lock="primary"}') == 1
        until('corepilot_render_writes_total{render="words"}')
        found = endpoint.samples()
        assert found['corepilot_lock_acquisitions_total{lock="primary"}'] == 1
        assert found['corepilot_lock_held{lock="unused"}'] == 0
        assert found['corepilot_render_failures_total{render="words"}'] == 0
        (tmp_path / "made" / "words").unlink()
        (tmp_path / "made").rmdir()
        corepilot.configure(text(60, "two"))
        assert corepilot.client("reload").returncode == 0
        until('corepilot_render_failures_total{render="words"}')
        assert until('corepilot_lock_acquisitions_total{lock="primary"}', 2) == 2, (
            "it was given back, and is ours again"
        )
        assert endpoint.samples()['corepilot_lock_losses_total{lock="primary"}'] == 1
        (tmp_path / "made").mkdir()
        assert until('corepilot_render_writes_total{render="words"}', 2) == 2
        corepilot.configure(config(endpoint.port, '{name: "main", exec: "sleep 1000"}'))
        assert corepilot.client("reload").returncode == 0
        assert not [name for name in endpoint.samples() if name.startswith(("corepilot_lock_", "corepilot_render_"))]


def test_every_built_in_family_is_there_and_follows_prometheus_rules(tmp_path: Path, endpoint: Endpoint) -> None:
    with Corepilot(config(endpoint.port, JOBS), tmp_path) as corepilot:
        up(corepilot, endpoint)('corepilot_check_duration_seconds_count{job="app"}', 1)
        corepilot.client("ping")
        exposition = endpoint.ask("/metrics")[2]
    types = [line.split()[2:] for line in exposition.splitlines() if line.startswith("# TYPE corepilot_")]
    wanted = [[one.name + "_total" * (one.kind == "counter"), one.kind] for one in BUILT_IN]
    assert sorted(types) == sorted(wanted)
    found = subprocess.run(
        [PROMLINT.binary()], input=exposition, capture_output=True, text=True, check=False, timeout=60
    )
    assert found.returncode in {0, 3}, found.stderr
    problems = found.stdout.splitlines()
    assert [line for line in problems if not line.startswith(CONTAINERPILOTS)] == []
    assert [line for line in problems if line.startswith("containerpilot_events")], "it finds what there is to find"
