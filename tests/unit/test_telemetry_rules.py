"""Which sinks a `telemetry` section means, and where it listens."""

from pathlib import Path

import pytest
from judging import accepted, codes, judged

from corepilot.model.configuration import Telemetry
from corepilot.model.plugin import Secret

LO = 'interfaces: ["static:192.0.2.1"]'


def telemetry(section: str, directory: Path, environment: dict[str, str] | None = None) -> Telemetry:
    found = accepted(f"{{ consul: false, telemetry: {{ {section} }} }}", directory, environment).telemetry
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("section", "sinks", "listen", "service"),
    [
        (LO, ["prometheus"], [("192.0.2.1", 9090)], "containerpilot"),
        (f"{LO}, port: 1", ["prometheus"], [("192.0.2.1", 1)], "containerpilot"),
        (f"{LO}, port: 0", ["prometheus"], [("192.0.2.1", 0)], ""),
        ('sinks: ["statsd"]', ["statsd"], [], ""),
        (f'{LO}, port: 1, sinks: ["statsd"]', ["prometheus", "statsd"], [("192.0.2.1", 1)], "containerpilot"),
        (
            f'{LO}, port: 1, sinks: ["statsd", "prometheus"]',
            ["statsd", "prometheus"],
            [("192.0.2.1", 1)],
            "containerpilot",
        ),
        ('listen: ["[::1]:1", "0.0.0.0:2"]', ["prometheus"], [("::1", 1), ("0.0.0.0", 2)], ""),
        (f'{LO}, port: 1, listen: ["0.0.0.0:2"]', ["prometheus"], [("192.0.2.1", 1), ("0.0.0.0", 2)], "containerpilot"),
        ('sinks: ["statsd", "statsd"]', ["statsd", "statsd"], [], ""),
        ("sinks: []", [], [], ""),
    ],
)
def test_what_is_served_where(
    tmp_path: Path, section: str, sinks: list[str], listen: list[tuple[str, int]], service: str
) -> None:
    found = telemetry(section, tmp_path)
    assert ([sink.name for sink in found.sinks], list(found.listen)) == (sinks, listen)
    assert (found.service.registration.service if found.service else "") == service


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ('listen: ["0.0.0.0"]', ("bad-address", "telemetry.listen[0]")),
        ('listen: ["host:1"]', ("bad-address", "telemetry.listen[0]")),
        ('listen: ["0.0.0.0:0"]', ("bad-address", "telemetry.listen[0]")),
        ('listen: ["0.0.0.0:1", "0.0.0.0:1"]', ("bad-address", "telemetry.listen[1]")),
        (f'{LO}, port: 1, listen: ["192.0.2.1:1"]', ("bad-address", "telemetry.listen[0]")),
        ('sinks: ["prometheus"]', ("bad-address", "telemetry.sinks")),
        ('sinks: [{address: "127.0.0.1:1"}]', ("missing-key", "telemetry.sinks[0]")),
        ('sinks: [{sink: "statsd", interval: 0}]', ("wrong-value", "telemetry.sinks[0].interval")),
        ('sinks: [{sink: "statsd", address: "nowhere:http"}]', ("bad-option", "telemetry.sinks[0].address")),
        ('sinks: [{sink: "otlp", endpoint: "collector:4318"}]', ("bad-option", "telemetry.sinks[0].endpoint")),
        ('sinks: [{sink: "otlp", endpoint: "http://a:b@collector"}]', ("bad-option", "telemetry.sinks[0].endpoint")),
        ('sinks: [{sink: "otlp", endpoint: "http://collector/v1?x=1"}]', ("bad-option", "telemetry.sinks[0].endpoint")),
        ('sinks: [{sink: "otlp", headers: "secret"}]', ("bad-option", "telemetry.sinks[0].headers")),
        ('sinks: [{sink: "otlp", resource: "=x"}]', ("bad-option", "telemetry.sinks[0].resource")),
        ('sinks: [{sink: "jsonl", path: "x"}]', ("bad-option", "telemetry.sinks[0].path")),
    ],
)
def test_what_is_refused(tmp_path: Path, section: str, problem: tuple[str, str]) -> None:
    assert codes(judged(f"{{ consul: false, telemetry: {{ {section} }} }}", tmp_path)) == [problem]


def test_opentelemetrys_variables_fill_in_what_the_configuration_leaves_out(tmp_path: Path) -> None:
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318/base",
        "OTEL_EXPORTER_OTLP_HEADERS": "api-key=s3cret",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
        "OTEL_RESOURCE_ATTRIBUTES": "team=shop",
        "OTEL_SERVICE_NAME": "ignored",
    }
    (sink,) = telemetry('sinks: [{sink: "otlp", service: "web"}]', tmp_path, environment).sinks
    options = dict(sink.options.items)
    assert options["endpoint"] == "http://collector:4318/base"
    assert options["headers"] == Secret("api-key=s3cret")
    assert (options["protocol"], options["resource"], options["service"]) == ("http/json", "team=shop", "web")


def test_a_protocol_that_is_not_spoken_is_ignored_where_a_variable_names_it(tmp_path: Path) -> None:
    (sink,) = telemetry('sinks: ["otlp"]', tmp_path, {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}).sinks
    assert dict(sink.options.items).get("protocol", "http/protobuf") == "http/protobuf"
