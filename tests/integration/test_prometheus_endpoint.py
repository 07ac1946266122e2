"""`/metrics` and `/status` of a real corepilot (ContainerPilot contract, sections 7.5, 8 and 9.2)."""

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from eventually import eventually
from running import Corepilot
from scraping import Endpoint
from servers.consul import ConsulServer
from servers.process import free_port

METRICS = """
    {namespace: "ns", subsystem: "sub", name: "counted", help: "counts", type: "counter"},
    {name: "bare", help: "goes up and down", type: "gauge"},
    {namespace: "ns2", name: "timed", help: "how long", type: "histogram"},
    {name: "summed", help: "quantiles", type: "summary"},
"""
JOBS = """
    {name: "app", exec: "sleep 1000", port: 8000, interfaces: "static:192.0.2.7",
     health: {exec: "true", interval: 1, ttl: 5}},
    {name: "ill", exec: "sleep 1000", port: 8001, interfaces: "static:192.0.2.7",
     health: {exec: "false", interval: 1, ttl: 5}},
    {name: "plain", exec: "sleep 1000"},
    {name: "done", exec: "true"},
"""


@contextmanager
def telemetry(
    directory: Path, *, jobs: str = JOBS, more: str = "", metrics: str = METRICS, consul: str = "false"
) -> Iterator[tuple[Corepilot, Endpoint]]:
    port = free_port()
    config = f"""{{consul: {consul}, control: {{socket: "%(dir)s/control.socket"}}, {more}
        telemetry: {{port: {port}, interfaces: ["lo", "static:127.0.0.1"], tags: ["one", "two"], metrics: [{metrics}]}},
        jobs: [{jobs}]}}"""
    with Corepilot(config, directory) as corepilot:
        endpoint = Endpoint(port)
        eventually(endpoint.up, message=f"the endpoint:\n{corepilot.output}")
        corepilot.until_ready()
        yield corepilot, endpoint


def test_status_shows_jobs_services_and_watches(tmp_path: Path) -> None:
    with telemetry(tmp_path, consul='"127.0.0.1:1"', more='watches: [{name: "db", interval: 1}],') as (_, endpoint):
        eventually(lambda: [one["Status"] for one in endpoint.status()["Services"]][:2] == ["healthy", "unhealthy"])
        found = endpoint.status()
        assert set(found) == {"Version", "Jobs", "Services", "Watches"}
        assert found["Version"]
        assert found["Jobs"] == [{"Name": "plain", "Status": "unknown"}, {"Name": "done", "Status": "unknown"}]
        assert found["Watches"] == ["db"]
        assert found["Services"] == [
            {"Name": "app", "Address": "192.0.2.7", "Port": 8000, "Status": "healthy"},
            {"Name": "ill", "Address": "192.0.2.7", "Port": 8001, "Status": "unhealthy"},
            {"Name": "containerpilot", "Address": "127.0.0.1", "Port": endpoint.port, "Status": "healthy"},
        ]


def test_status_of_nothing_maintenance_and_other_paths(tmp_path: Path) -> None:
    with telemetry(tmp_path, jobs="", metrics="") as (corepilot, endpoint):
        assert endpoint.status()["Jobs"] is None
        assert endpoint.status()["Watches"] is None
        corepilot.client("maintenance", "enable")
        eventually(lambda: corepilot.job("containerpilot")["health"] == "maintenance")
        assert endpoint.status()["Services"][0]["Status"] == "healthy", "always, as ContainerPilot has it"
        corepilot.client("maintenance", "disable")
        assert endpoint.ask("/status", "POST")[0] == 405
        for path in ("/", "/status/", "/metrics/x", "/v3/ping"):
            assert endpoint.ask(path)[0] == 404, path
        for method in ("GET", "POST", "PUT"):
            assert endpoint.ask("/metrics", method)[0] == 200, method
        # Telemetry alone keeps the container alive, and a stop ends it.
        assert corepilot.stop() == 0


def test_the_exposition_is_prometheus_text_with_every_family(tmp_path: Path) -> None:
    with telemetry(tmp_path) as (corepilot, endpoint):
        status, kind, _ = endpoint.ask("/metrics")
        assert status == 200
        assert kind.startswith("text/plain; version=0.0.4")
        corepilot.client("ping")
        found, types = endpoint.samples(), endpoint.types()
        for name in ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"):
            assert found[name] > 0
        for name in ("goroutines", "threads", "memstats_alloc_bytes", "memstats_sys_bytes", "memstats_heap_objects"):
            assert found[f"go_{name}"] >= 1
            assert types[f"go_{name}"] == "gauge"
        assert types["go_gc_duration_seconds"] == "summary"
        assert found["go_gc_duration_seconds_count"] >= 0
        assert 'go_gc_duration_seconds{quantile="0.75"}' in found
        for name in ("duration_microseconds", "size_bytes"):
            assert found[f'http_request_{name}_count{{handler="prometheus"}}'] >= 1
            assert f'http_request_{name}{{handler="prometheus",quantile="0.99"}}' in found
        assert found['http_response_size_bytes_sum{handler="prometheus"}'] > 1000
        assert types["containerpilot_events"] == types["containerpilot_control_http_requests"] == "counter"
        assert types["ns_sub_counted"] == "counter"
        assert (types["bare"], types["ns2_timed"], types["summed"]) == ("gauge", "histogram", "summary")
        # Users' metrics are there from the start, with nothing in them.
        assert found["ns_sub_counted"] == found["bare"] == found["ns2_timed_count"] == found["summed_count"] == 0


def test_events_and_requests_are_counted_under_both_names(tmp_path: Path) -> None:
    with telemetry(tmp_path) as (corepilot, endpoint):
        corepilot.client("maintenance", "enable")
        corepilot.client("maintenance", "disable")
        for pair in (
            ("Startup", "global"), ("ExitSuccess", "done"), ("Stopping", "done"), ("Stopped", "done"),
            ("ExitSuccess", "check.app"), ("StatusHealthy", "app"), ("ExitFailed", "check.ill"),
            ("StatusUnhealthy", "ill"), ("Error", "check.ill"), ("EnterMaintenance", "global"),
            ("ExitMaintenance", "global"),
        ):  # fmt: skip
            name = 'containerpilot_events{{code="{}",source="{}"}}'.format(*pair)
            eventually(partial(_counted, endpoint, name), message=name)
        corepilot.signal(signal.SIGHUP)
        eventually(lambda: endpoint.samples().get('containerpilot_events{code="Signal",source="SIGHUP"}') == 1)
        found = endpoint.samples()
        assert found['corepilot_events_total{code="exitSuccess",source="done"}'] == 1
        assert not [name for name in found if "Metric" in name]
        requests = [name for name in found if name.startswith("containerpilot_control_http_requests")]
        assert all('code="200"' in name for name in requests)
        assert len(requests) == len([name for name in found if name.startswith("corepilot_control_requests_total")])


def test_values_arrive_under_every_spelling_and_kind(tmp_path: Path) -> None:
    with telemetry(tmp_path) as (corepilot, endpoint):
        for pairs in (["ns_sub_counted=2", "bare=5"], ["ns_sub_counted=3.5", "__bare=-7"], ["ns2__timed=0.3"],
                      ["ns2_timed=99", "summed=4", "__summed=6"]):  # fmt: skip
            assert corepilot.client("metric", *pairs).returncode == 0
        found = endpoint.samples()
        assert found["ns_sub_counted"] == 5.5
        assert found["bare"] == -7
        assert found["ns2_timed_count"] == 2
        assert found["ns2_timed_sum"] == pytest.approx(99.3)
        bounds = [".005", ".01", ".025", ".05", ".1", ".25", ".5", "1", "2.5", "5", "10"]
        buckets = {name: value for name, value in found.items() if name.startswith("ns2_timed_bucket")}
        names = [f'ns2_timed_bucket{{le="{"0" * bound.startswith(".")}{bound}"}}' for bound in bounds]
        assert list(buckets) == [*names, 'ns2_timed_bucket{le="+Inf"}']
        assert list(buckets.values()) == [0] * 6 + [1] * 5 + [2]
        assert found["summed_sum"] == 10
        assert found['summed{quantile="0.5"}'] == 4
        assert found['summed{quantile="0.99"}'] == 6


def test_rejected_values_harm_nothing_now_or_later(tmp_path: Path) -> None:
    with telemetry(tmp_path) as (corepilot, endpoint):
        for pair in ("ns_sub_counted=-1", "bare=many", "nobody=1", "bare=NaN", "summed=Inf"):
            answer = corepilot.client("metric", pair)
            assert answer.returncode == 1
            assert pair.partition("=")[0] in answer.stderr
        corepilot.client("metric", "ns_sub_counted=1")
        assert endpoint.samples()["ns_sub_counted"] == 1
        corepilot.reload_everything()
        # It begins with new values, and the endpoint comes back on the same port.
        eventually(lambda: endpoint.up() and endpoint.samples().get("ns_sub_counted") == 0)
        assert corepilot.stop() == 0


def test_a_stop_while_the_port_is_waited_for_starts_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = f"""{{consul: false, control: {{socket: "%(dir)s/control.socket"}},
            telemetry: {{port: {taken.getsockname()[1]}, interfaces: ["static:127.0.0.1"]}},
            jobs: [{{name: "app", exec: "echo started"}}]}}"""
        with Corepilot(config, tmp_path) as corepilot:
            corepilot.until("Address already in use")
            assert corepilot.stop() == 0
            assert "started" not in corepilot.output


def test_port_0_is_any_free_port_and_is_not_advertised(tmp_path: Path) -> None:
    config = """{consul: false, control: {socket: "%(dir)s/control.socket"},
        telemetry: {port: 0, interfaces: ["static:127.0.0.1"]}, jobs: [{name: "env", exec: "env"}]}"""
    with Corepilot(config, tmp_path) as corepilot:
        corepilot.until("telemetry at http://127.0.0.1:")
        port = int(corepilot.output.partition("telemetry at http://127.0.0.1:")[2].split()[0])
        assert Endpoint(port).status()["Services"] is None
        assert corepilot.stop() == 0


def test_telemetry_registers_itself(tmp_path: Path, consul: ConsulServer) -> None:
    with telemetry(tmp_path, jobs="", consul=f'"{consul.address}"') as (_, endpoint):
        eventually(lambda: consul.get("/v1/agent/services"), 10, "the registration, 5 s after the start")
        (service,) = consul.get("/v1/agent/services").values()
        assert service["ID"] == f"containerpilot-{socket.gethostname()}"
        assert service["Service"] == "containerpilot"
        assert service["Port"] == endpoint.port
        assert service["Address"] == "127.0.0.1"
        assert service["Tags"] == ["one", "two", endpoint.status()["Version"]]
        check = consul.get("/v1/agent/checks")[f"service:{service['ID']}"]
        assert (check["Status"], check["Type"]) == ("passing", "ttl")
    assert consul.get("/v1/agent/services") == {}


def _counted(endpoint: Endpoint, name: str) -> bool:
    return endpoint.samples().get(name, 0) >= 1
