"""The top level, logging, control, watches, telemetry: ContainerPilot contract, sections 3.3, 3.5, 3.7, 3.8 and 7.5."""

from pathlib import Path

import pytest
from judging import accepted, codes, errors, judged, warnings

from corepilot._version import __version__
from corepilot.model.configuration import Control, Logging, Metric, Watch
from corepilot.model.service import Registration

EMBEDDED = 'discovery: { backend: "embedded", path: "/tmp" }'


# ------------------------------------------------------------------------------------------------------ top level
@pytest.mark.parametrize(("value", "seconds"), [("0", 5), ("-1", -1), ("7", 7), ("0.9", 5), ("null", 5), ('"7"', 7)])
def test_stop_timeout(tmp_path: Path, value: str, seconds: float) -> None:
    assert accepted(f"{{ stopTimeout: {value} }}", tmp_path).stop_timeout_s == seconds


def test_exit_status_and_report_failing(tmp_path: Path) -> None:
    config = accepted("{}", tmp_path)
    assert (config.exit_status, config.report_failing) == ("job", True)
    config = accepted('{ exitStatus: "zero", reportFailing: false }', tmp_path)
    assert (config.exit_status, config.report_failing) == ("zero", False)
    assert codes(judged('{ exitStatus: "none" }', tmp_path)) == [("wrong-value", "exitStatus")]


def test_an_empty_configuration_loads_with_a_warning(tmp_path: Path) -> None:
    assert warnings(judged("{}", tmp_path)) == [("no-jobs", "")]
    assert accepted("{}", tmp_path).jobs == ()


def test_the_configuration_carries_its_warnings_and_its_name(tmp_path: Path) -> None:
    config = accepted("{ consul: false, jobs: [ null ] }", tmp_path)
    assert config.warnings == tuple(
        problem.sentence() for problem in judged("{ consul: false, jobs: [ null ] }", tmp_path).problems
    )
    assert len(config.warnings) == 2
    assert config.location == str(tmp_path / "app.json5")
    assert accepted("{ consul: {{ .X }}, jobs: [ ] }", tmp_path, {"X": "false"}) == config, "neither is compared"


def test_strict_refuses_warnings_but_not_those_of_the_machine(tmp_path: Path) -> None:
    jobs = 'jobs: [ { name: "a", exec: "no-such-program" } ]'
    assert judged(f"{{ discovery: false, {jobs} }}", tmp_path, strict=True).config is not None
    result = judged(f"{{ discovery: false, {jobs.replace(']', ', null ]')} }}", tmp_path, strict=True)
    assert codes(result) == [("null-element", "jobs[1]")]


# -------------------------------------------------------------------------------------------------------- logging
@pytest.mark.parametrize(
    ("logging", "expected"),
    [
        ("null", Logging()),
        ("{}", Logging()),
        ('{ level: "", format: "", output: "" }', Logging()),
        ('{ level: "DEBUG", format: "JSON", output: "STDERR" }', Logging("debug", "json", "stderr")),
        ('{ level: "Warn" }', Logging("warning")),
        ('{ level: "panic", format: "text", output: "/tmp/x.log" }', Logging("panic", "text", "/tmp/x.log")),
    ],
)
def test_logging(tmp_path: Path, logging: str, expected: Logging) -> None:
    assert accepted(f"{{ logging: {logging} }}", tmp_path).logging == expected


@pytest.mark.parametrize(
    ("logging", "expected"),
    [
        ('{ level: "loud" }', [("wrong-value", "logging.level")]),
        ('{ format: "xml" }', [("wrong-value", "logging.format")]),
        ('{ file: "x" }', [("unknown-key", "logging.file")]),
        ("{ raw: true }", [("unknown-key", "logging.raw")]),
        ("{ level: [] }", [("wrong-type", "logging.level")]),
    ],
)
def test_rules_of_logging(tmp_path: Path, logging: str, expected: list[tuple[str, str]]) -> None:
    assert codes(judged(f"{{ logging: {logging} }}", tmp_path)) == expected


def test_a_log_file_that_cannot_be_written_depends_on_the_machine(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    for output in ("/no/such/directory/log", str(tmp_path / "directory")):
        text = f'{{ discovery: false, jobs: [ {{ name: "a" }} ], logging: {{ output: "{output}" }} }}'
        (problem,) = judged(text, tmp_path).problems
        assert (problem.severity, problem.code, problem.machine) == ("warning", "log-file", True)
        assert codes(judged(text, tmp_path, judge_machine=True)) == [("log-file", "logging.output")]


# -------------------------------------------------------------------------------------------------------- control
def test_control(tmp_path: Path) -> None:
    assert accepted("{}", tmp_path).control == Control()
    assert accepted("{ control: {} }", tmp_path).control == Control()
    assert accepted('{ control: { socket: "/tmp/s" } }', tmp_path).control == Control("/tmp/s")
    assert codes(judged('{ control: { socket: "" } }', tmp_path)) == [("wrong-value", "control.socket")]


# -------------------------------------------------------------------------------------------------------- watches
def test_watches(tmp_path: Path) -> None:
    text = """{ consul: "c", watches: [ { name: "db", interval: 5 }, null,
      { name: "web-1", interval: "10", tag: "x", dc: "east" } ] }"""
    assert accepted(text, tmp_path).watches == (Watch("db", 5), Watch("web-1", 10, tag="x", datacenter="east"))


def test_a_watch_without_an_interval_looks_at_once(tmp_path: Path) -> None:
    text = f"""{{ {EMBEDDED}, watches: [ {{ name: "db" }}, {{ name: "postgres", service: "db", interval: 3 }} ] }}"""
    assert accepted(text, tmp_path).watches == (
        Watch("db", 10, at_start=True),
        Watch("postgres", 3, subject="db"),
    )


def test_watches_of_one_name_are_warned_of(tmp_path: Path) -> None:
    text = f"""{{ {EMBEDDED}, watches: [ {{ name: "db", interval: 5 }}, {{ name: "db", interval: 5, tag: "x" }} ] }}"""
    problem = next(one for one in judged(text, tmp_path).problems if one.code == "same-name")
    assert (problem.code, problem.severity, problem.path) == ("same-name", "warning", "watches[1].name")


@pytest.mark.parametrize(
    ("watch", "expected"),
    [
        ("{}", [("missing-key", "name")]),
        ('{ name: "a b", service: "Db" }', [("bad-name", "service")]),
        ('{ name: "a", key: "x/../y" }', [("bad-key", "key")]),
        ('{ name: "a", key: "" }', [("bad-name", "name")]),
        ('{ name: "a", service: "web", prefix: "x" }', [("watch-conflict", "prefix")]),
        ('{ name: "", key: "x" }', [("bad-name", "name")]),
        ('{ name: "db", dc: "east" }', [("no-capability", "dc")]),
        ('{ name: "db", catalog: "embeded" }', [("unknown-catalog", "catalog")]),
        ('{ name: "db", debounce: -1 }', [("wrong-value", "debounce")]),
        ('{ name: "x", interval: 1 }', [("bad-name", "name")]),
        ('{ name: "Db", interval: 1 }', [("bad-name", "name")]),
        ('{ name: "", interval: 1 }', [("bad-name", "name")]),
        ('{ name: "db", interval: 0 }', [("wrong-value", "interval")]),
        ('{ name: "db", interval: "5s" }', [("wrong-type", "interval")]),
        ('{ name: "db", interval: 1, poll: 3 }', [("unknown-key", "poll")]),
        ('{ name: "db", interval: 1, tag: [] }', [("wrong-type", "tag")]),
    ],
)
def test_rules_of_watches(tmp_path: Path, watch: str, expected: list[tuple[str, str]]) -> None:
    found = codes(judged(f"{{ {EMBEDDED}, watches: [ {watch} ] }}", tmp_path))
    assert sorted(found) == [(code, f"watches[0].{key}") for code, key in expected]


# ------------------------------------------------------------------------------------------------------ telemetry
def test_telemetry_registers_itself(tmp_path: Path) -> None:
    config = accepted('{ telemetry: { interfaces: ["static:192.0.2.1"], tags: ["a"] } }', tmp_path)
    assert config.telemetry is not None
    assert (config.telemetry.port, config.telemetry.address) == (9090, "192.0.2.1")
    assert config.telemetry.service is not None
    assert config.telemetry.service.registration == Registration(
        id="containerpilot-host",
        service="containerpilot",
        address="192.0.2.1",
        port=9090,
        tags=("a", __version__),
        ttl_s=15,
    )


def test_telemetry_on_port_0_is_not_registered(tmp_path: Path) -> None:
    config = accepted('{ telemetry: { port: 0, interfaces: ["static:192.0.2.1"] } }', tmp_path)
    assert config.telemetry is not None
    assert config.telemetry.service is None


def test_no_telemetry(tmp_path: Path) -> None:
    config = accepted("{ telemetry: null }", tmp_path)
    assert config.telemetry is None


@pytest.mark.parametrize(
    ("telemetry", "expected"),
    [
        ("{ port: 65536 }", [("wrong-value", "port")]),
        ('{ port: "x" }', [("wrong-type", "port")]),
        ('{ interfaces: "eth0" }', [("wrong-type", "interfaces")]),
        ('{ interfaces: ["a b"] }', [("bad-interface", "interfaces[0]")]),
        ('{ tags: "x" }', [("wrong-type", "tags")]),
        ("{ metrics: { a: 1 } }", [("wrong-type", "metrics")]),
        ("{ sensors: [] }", [("unknown-key", "sensors")]),
    ],
)
def test_rules_of_telemetry(tmp_path: Path, telemetry: str, expected: list[tuple[str, str]]) -> None:
    found = codes(judged(f"{{ telemetry: {telemetry} }}", tmp_path))
    assert found == [(code, f"telemetry.{key}") for code, key in expected]


def metrics_of(text: str, directory: Path) -> tuple[Metric, ...]:
    config = accepted(f'{{ telemetry: {{ interfaces: ["static:192.0.2.1"], metrics: [ {text} ] }} }}', directory)
    assert config.telemetry is not None
    return config.telemetry.metrics


def test_metrics(tmp_path: Path) -> None:
    text = """{ namespace: "app", subsystem: "http", name: "requests", help: "h", type: "counter" }, null,
      { name: "bare", help: "h", type: "summary" }"""
    assert metrics_of(text, tmp_path) == (
        Metric("requests", "h", "counter", "app", "http"),
        Metric("bare", "h", "summary"),
    )


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ('name: "a", help: "h", type: "Counter"', [("wrong-value", "type")]),
        ('name: "a", help: "h", type: "guage"', [("wrong-value", "type")]),
        ('name: "a", help: "h"', [("missing-key", "type")]),
        ('name: "a", help: "", type: "gauge"', [("wrong-value", "help")]),
        ('name: "a b", help: "h", type: "gauge"', [("bad-name", "name")]),
        ('name: "1a", help: "h", type: "gauge"', [("bad-name", "name")]),
        ('name: "a-b", help: "h", type: "gauge"', [("bad-name", "name")]),
        ('name: "ä", help: "h", type: "gauge"', [("bad-name", "name")]),
        ('name: "", namespace: "a", help: "h", type: "gauge"', [("bad-name", "name")]),
        ('name: "1", namespace: "a:b", help: "h", type: "gauge"', []),
        ('name: "containerpilot_events", help: "h", type: "counter"', [("metric-clash", "name")]),
        ('name: "watch_instances", namespace: "containerpilot", help: "h", type: "gauge"', [("metric-clash", "name")]),
        ('name: "goroutines", namespace: "go", help: "h", type: "gauge"', [("metric-clash", "name")]),
        ('name: "open_fds", namespace: "process", help: "h", type: "gauge"', [("metric-clash", "name")]),
        ('name: "things", namespace: "corepilot", help: "h", type: "gauge"', [("metric-clash", "name")]),
        *((f'namespace: "{one}", name: "things", help: "h", type: "gauge"', []) for one in ("go", "process", "python")),
        ('namespace: "http", subsystem: "request", name: "count", help: "h", type: "counter"', []),
    ],
)
def test_rules_of_metrics(tmp_path: Path, metric: str, expected: list[tuple[str, str]]) -> None:
    text = f'{{ telemetry: {{ interfaces: ["static:192.0.2.1"], metrics: [ {{ {metric} }} ] }} }}'
    assert codes(judged(text, tmp_path)) == [(code, f"telemetry.metrics[0].{key}") for code, key in expected]


def test_of_two_definitions_of_a_metric_the_last_counts(tmp_path: Path) -> None:
    text = """{ namespace: "a", name: "b", help: "old", type: "counter" },
      { name: "a_b", help: "new", type: "gauge" }"""
    assert metrics_of(text, tmp_path) == (Metric("a_b", "new", "gauge"),)
    full = f'{{ telemetry: {{ interfaces: ["static:192.0.2.1"], metrics: [ {text} ] }} }}'
    assert ("metric-twice", "telemetry.metrics[1].name") in warnings(judged(full, tmp_path))


# ------------------------------------------------------------------------------------------------------ version 2
@pytest.mark.parametrize(
    "text",
    [
        '{ consul: "c:8500", services: [ { name: "app", port: 80, health: "x", poll: 1, ttl: 5 } ] }',
        '{ "backends": [], "preStart": "/bin/x" }',
        "{ coprocesses: [] }",
        "{ tasks: [], logging: { level: 'INFO' } }",
    ],
)
def test_version_2_is_recognised_and_points_to_migrate(tmp_path: Path, text: str) -> None:
    (problem,) = errors(judged(text, tmp_path))
    assert problem.code == "version-2"
    assert problem.hint == f"turn it into one of version 3: corepilot migrate {tmp_path / 'app.json5'} -- COMMAND"


def test_a_file_with_jobs_is_not_of_version_2(tmp_path: Path) -> None:
    assert codes(judged("{ jobs: [], services: [] }", tmp_path)) == [("unknown-key", "services")]
