"""How corepilot's families become Prometheus text."""

import math

import pytest
from corepilot_prometheus.families import FamilyCollector, typed
from corepilot_prometheus.requests import Scrapes
from corepilot_prometheus.status import containerpilot_status
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from corepilot.http.message import Request, Response
from corepilot.model.configuration import Metric
from corepilot.telemetry.metrics import OVERFLOW, SERIES_MAX, Family, Metrics


def exposed(metrics: Metrics) -> list[str]:
    registry = CollectorRegistry()
    registry.register(FamilyCollector(metrics))
    return typed(generate_latest(registry), metrics.collect()).decode().splitlines()


def samples(metrics: Metrics) -> dict[str, float]:
    pairs = [line.rpartition(" ") for line in exposed(metrics) if not line.startswith("#")]
    return {name: float(value) for name, _, value in pairs}


@pytest.mark.parametrize("name", ["hits", "hits_total", "hits_count", "hits_sum", "hits_bucket", "hits_created"])
def test_a_users_counter_keeps_its_name_and_is_a_counter(name: str) -> None:
    metrics = Metrics([Metric(name, "what it counts", "counter")])
    metrics.record({name: 2})
    assert exposed(metrics) == [f"# HELP {name} what it counts", f"# TYPE {name} counter", f"{name} 2.0"]


def test_a_counter_whose_name_begins_another_is_typed_by_itself() -> None:
    metrics = Metrics([Metric("a", "h", "counter"), Metric("a_b", "h", "counter")])
    assert [line for line in exposed(metrics) if "TYPE" in line] == ["# TYPE a counter", "# TYPE a_b counter"]


def test_help_and_labels_are_escaped() -> None:
    metrics = Metrics([Metric("m", 'two\nlines, a \\ and a "', "gauge")])
    metrics.add(Family("corepilot_events", "counter", "events", ("code", "source"))).record(1, ("changed", 'a"b\\c\nd'))
    lines = exposed(metrics)
    assert '# HELP m two\\nlines, a \\\\ and a "' in lines
    assert 'containerpilot_events{code="StatusChanged",source="a\\"b\\\\c\\nd"} 1.0' in lines
    assert 'corepilot_events_total{code="changed",source="a\\"b\\\\c\\nd"} 1.0' in lines


def test_a_family_has_no_more_series_than_it_may() -> None:
    metrics = Metrics()
    events = metrics.add(Family("corepilot_events", "counter", "events", ("code", "source")))
    for number in range(SERIES_MAX + 50):
        events.record(1, ("healthy", f"job-{number}"))
    found = samples(metrics)
    assert len(found) == 2 * (SERIES_MAX + 1)
    assert found[f'corepilot_events_total{{code="{OVERFLOW}",source="{OVERFLOW}"}}'] == 50


def test_an_empty_summary_has_no_quantiles_yet() -> None:
    found = samples(Metrics([Metric("s", "h", "summary")]))
    assert math.isnan(found['s{quantile="0.9"}'])
    assert found["s_count"] == found["s_sum"] == 0


def test_scrapes_are_measured() -> None:
    metrics = Metrics()
    scrapes = Scrapes(metrics)
    assert samples(metrics)['http_request_size_bytes_count{handler="prometheus"}'] == 0
    scrapes.answered(Request("GET", "/metrics"), Response(200, body=b"12345"), 0.0)
    found = samples(metrics)
    assert found['http_request_size_bytes_sum{handler="prometheus"}'] == len("GET/metrics")
    assert found['http_response_size_bytes_sum{handler="prometheus"}'] == 5
    assert found['http_request_duration_microseconds{handler="prometheus",quantile="0.5"}'] > 0


@pytest.mark.parametrize(
    ("name", "health", "shown"),
    [
        ("app", "idle", "unknown"), ("app", "unknown", "unknown"), ("app", "healthy", "healthy"),
        ("app", "unhealthy", "unhealthy"), ("app", "maintenance", "maintenance"),
        ("containerpilot", "unknown", "healthy"), ("containerpilot", "maintenance", "healthy"),
    ],
)  # fmt: skip
def test_statuses(name: str, health: str, shown: str) -> None:
    job = {"name": name, "health": health, "address": "192.0.2.1", "port": 80}
    found = containerpilot_status({"jobs": [job], "watches": []}, "1.2")
    service = {"Name": name, "Address": "192.0.2.1", "Port": 80, "Status": shown}
    assert found == {"Version": "1.2", "Jobs": None, "Services": [service], "Watches": None}
