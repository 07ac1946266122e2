"""The OTLP sink: what a real collector understands of it, and what it does with each answer."""

import gzip
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gevent
import pytest
from corepilot_otlp.plugin import Options
from corepilot_otlp.sink import BATCH, OtlpSink
from eventually import eventually
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from running import Corepilot
from servers.collector import Collector
from servers.process import free_port
from sinking import context_with

from corepilot.http.listening import listen_tcp
from corepilot.http.message import Request, Response
from corepilot.http.server import HttpServer, ServerLimits
from corepilot.model.configuration import Metric
from corepilot.model.fact import RunEnded
from corepilot.telemetry.metrics import Metrics

RUN = RunEnded(1_700_000_010.0, "app", 42, 3, 143, "signal: terminated", 10.0)

LIMITS = ServerLimits(body_bytes=1 << 20)


# ----------------------------------------------------------------------------------------------- with a real collector
@pytest.mark.parametrize(
    "how", ['protocol: "http/protobuf"', 'protocol: "http/json", compression: "gzip"'], ids=["protobuf", "json-gzip"]
)
def test_a_collector_gets_metrics_and_a_span_for_each_run(tmp_path: Path, how: str) -> None:
    with Collector(tmp_path) as collector:
        config = f"""{{consul: false, control: {{socket: "%(dir)s/control.socket"}},
            telemetry: {{metrics: [{{name: "took_seconds", help: "how long", type: "histogram"}}],
                sinks: [{{sink: "otlp", {how}, interval: "1s", resource: "team=shop%20one"}}]}},
            jobs: [{{name: "app", exec: "sleep 1000"}}, {{name: "once", exec: ["sh", "-c", "exit 3"]}}]}}"""
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "COREPILOT_INSTANCE": "web-1"}
        with Corepilot(config, tmp_path, environment=environment) as corepilot:
            corepilot.until_ready()
            assert corepilot.client("metric", "took_seconds=0.3").returncode == 0
            eventually(
                lambda: _points(collector, "took_seconds") and _points(collector, "took_seconds")[-1]["count"] == "1"
            )
            assert corepilot.stop() == 0
        eventually(lambda: {span["name"] for span in _spans(collector)} == {"app", "once"}, 10, "the spans")
        point = _points(collector, "took_seconds")[-1]
        assert (point["count"], point["sum"], point["bucketCounts"][6]) == ("1", 0.3, "1")
        (startup,) = [one for one in _points(collector, "corepilot_events")[-40:] if _has(one, code="startup")][-1:]
        assert startup["asDouble"] == 1
        assert int(startup["startTimeUnixNano"]) < int(startup["timeUnixNano"])
        resource = _attributes(collector.requests("resourceMetrics")[0]["resource"])
        assert resource["service.name"] == {"stringValue": "corepilot"}
        assert resource["service.instance.id"] == {"stringValue": "web-1"}
        assert resource["team"] == {"stringValue": "shop one"}
        once = next(span for span in _spans(collector) if span["name"] == "once")
        assert (len(once["traceId"]), len(once["spanId"]), once["status"]["code"]) == (32, 16, 2)
        assert _attributes(once)["process.exit.code"] == {"intValue": "3"}
        assert int(once["endTimeUnixNano"]) >= int(once["startTimeUnixNano"]) > 0


def _points(collector: Collector, name: str) -> list[dict[str, Any]]:
    found = []
    for resource in collector.requests("resourceMetrics"):
        for metric in resource["scopeMetrics"][0]["metrics"]:
            if metric["name"] == name:
                kind = next(key for key in ("sum", "gauge", "histogram", "summary") if key in metric)
                found += metric[kind]["dataPoints"]
    return found


def _spans(collector: Collector) -> list[dict[str, Any]]:
    return [one for spans in collector.requests("resourceSpans") for one in spans["scopeSpans"][0]["spans"]]


def _attributes(holder: dict[str, Any]) -> dict[str, Any]:
    return {one["key"]: one["value"] for one in holder["attributes"]}


def _has(point: dict[str, Any], **labels: str) -> bool:
    found = _attributes(point)
    return all(found.get(name) == {"stringValue": value} for name, value in labels.items())


# ----------------------------------------------------------------------------------------------- with a scripted server
class Server:
    """Answers with `status`, or, for the next requests, with what `answers` holds."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answers: list[Response] = []
        listener = listen_tcp("127.0.0.1", 0)
        self.port = listener.getsockname()[1]
        self.http = HttpServer(listener, self._answer, on_error=lambda *_: None, limits=LIMITS, keep_alive=True)

    def _answer(self, request: Request) -> Response:
        self.requests.append(request)
        return self.answers.pop(0) if self.answers else Response(200)

    def spans(self) -> list[list[str]]:
        """The names of the spans in each request for traces."""
        found = []
        for request in self.requests:
            if request.path.endswith("/v1/traces"):
                message = ExportTraceServiceRequest.FromString(request.body)
                found.append([span.name for span in message.resource_spans[0].scope_spans[0].spans])
        return found


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    made.http.start()
    yield made
    made.http.stop(0)


@contextmanager
def sending(server: Server, log: list[str] | None = None, **options: Any) -> Iterator[tuple[OtlpSink, Metrics]]:
    metrics = Metrics([Metric("hits", "h", "counter"), Metric("s", "h", "summary")])
    sink = OtlpSink(Options(endpoint=f"http://127.0.0.1:{server.port}/base/", **options), context_with(metrics, log))
    sink.start()
    try:
        yield sink, metrics
    finally:
        sink.close()
        gevent.sleep(0)


def test_what_is_sent(server: Server) -> None:
    with sending(server, headers="api-key=a%2Cb,x=1", compression="gzip") as (sink, metrics):
        metrics.record({"hits": 2, "s": 4})
        sink.observe(RUN)
        sink.flush()
    first, second = server.requests
    assert (first.path, second.path) == ("/base/v1/metrics", "/base/v1/traces")
    assert (first.headers["api-key"], first.headers["x"]) == ("a,b", "1")
    assert first.headers["content-type"] == "application/x-protobuf"
    request = ExportMetricsServiceRequest.FromString(gzip.decompress(first.body))
    found = {metric.name: metric for metric in request.resource_metrics[0].scope_metrics[0].metrics}
    (hits,) = found["hits"].sum.data_points
    assert (hits.as_double, found["hits"].sum.is_monotonic) == (2, True)
    (summed,) = found["s"].summary.data_points
    assert (summed.count, [value.value for value in summed.quantile_values]) == (1, [4, 4, 4])
    spans = ExportTraceServiceRequest.FromString(gzip.decompress(second.body))
    (span,) = spans.resource_spans[0].scope_spans[0].spans
    assert (span.name, span.status.message) == ("app", "signal: terminated")
    assert span.end_time_unix_nano - span.start_time_unix_nano == 10_000_000_000


def test_ids_are_hexadecimal_and_enumerations_numbers_in_json(server: Server) -> None:
    with sending(server, protocol="http/json") as (sink, _):
        sink.observe(RUN)
        sink.flush()
    (span,) = json.loads(server.requests[1].body)["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert len(bytes.fromhex(span["traceId"])) == 16
    assert len(bytes.fromhex(span["spanId"])) == 8
    assert (span["kind"], span["status"]["code"]) == (1, 2)


def test_a_counter_that_begins_anew_has_a_new_beginning(server: Server) -> None:
    with sending(server) as (sink, metrics):
        metrics.record({"hits": 5})
        sink.flush()
        sink.flush()
        metrics.reset()
        metrics.record({"hits": 9})
        sink.flush()
    points = []
    for request in server.requests:
        message = ExportMetricsServiceRequest.FromString(request.body)
        metric = next(one for one in message.resource_metrics[0].scope_metrics[0].metrics if one.name == "hits")
        points.append(metric.sum.data_points[0])
    first, second, third = points
    assert first.start_time_unix_nano == second.start_time_unix_nano < first.time_unix_nano - 9_000_000_000
    assert second.time_unix_nano <= third.start_time_unix_nano < third.time_unix_nano


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_spans_wait_while_the_collector_is_busy(server: Server, status: int) -> None:
    server.answers = [Response(200), Response(status), Response(200)]
    with sending(server) as (sink, _):
        sink.observe(RUN)
        with pytest.raises(OSError, match=str(status)):
            sink.flush()
        sink.observe(RUN.changed(job="later"))
        sink.flush()
        assert sink.dropped == 0
    assert server.spans() == [["app"], ["app", "later"]]


def test_spans_that_are_refused_are_dropped_and_the_rest_waits(server: Server) -> None:
    server.answers = [Response(200), Response(400)]
    with sending(server) as (sink, _):
        for number in range(BATCH + 1):
            sink.observe(RUN.changed(job=f"run-{number}"))
        with pytest.raises(OSError, match="400"):
            sink.flush()
        assert sink.dropped == BATCH
        sink.flush()
    assert server.spans()[1:] == [[f"run-{BATCH}"]]


def test_what_a_collector_rejects_of_a_request_is_counted(server: Server) -> None:
    partial = ExportTracePartialSuccess(rejected_spans=1, error_message="too old")
    answer = ExportTraceServiceResponse(partial_success=partial).SerializeToString()
    server.answers = [Response(200), Response(200, body=answer)]
    log: list[str] = []
    with sending(server, log) as (sink, _):
        sink.observe(RUN)
        sink.flush()
        assert sink.dropped == 1
    assert log == ["warning: 1 spans were rejected: too old"]


def test_the_oldest_spans_go_when_too_many_wait(server: Server) -> None:
    server.answers = [Response(200), Response(503)]
    with sending(server, spans=2) as (sink, _):
        sink.observe(RUN.changed(job="a"))
        sink.observe(RUN.changed(job="b"))
        with pytest.raises(OSError, match="503"):
            sink.flush()
        sink.observe(RUN.changed(job="c"))
        sink.flush()
        assert sink.dropped == 1
    assert server.spans()[-1] == ["b", "c"]


def test_nobody_listens() -> None:
    options = Options(endpoint=f"http://127.0.0.1:{free_port()}", timeout=1.0)
    sink = OtlpSink(options, context_with(Metrics()))
    with pytest.raises(OSError, match="refused"):
        sink.flush()
    sink.close()


def test_an_answer_that_is_none_is_no_reason_to_send_again(server: Server) -> None:
    server.answers = [Response(200, body=os.urandom(64))]
    with sending(server) as (sink, _):
        sink.flush()
    assert len(server.requests) == 1
