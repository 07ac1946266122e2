"""Tells a collector what corepilot measures, and what has become of each run of a job."""

import time
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import ResourceMetrics, ScopeMetrics
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from corepilot.http.tls import TlsOptions
from corepilot.model.fact import Fact, RunEnded
from corepilot.telemetry.sink import Sink, SinkContext
from corepilot_otlp.collector import Collector, RefusedError
from corepilot_otlp.encoding import Encoding
from corepilot_otlp.points import Points
from corepilot_otlp.resource import resource_of, scope_of
from corepilot_otlp.spans import Spans

BATCH = 512
"""Spans of one request."""


class OtlpSink(Sink):
    """Sends metrics first, then spans; what cannot be sent of spans waits for the next time."""

    def __init__(self, options: Any, context: SinkContext) -> None:
        super().__init__(options, context)
        self.interval_s = options.interval
        origin, path = options.target()
        self._collector = Collector(
            origin,
            path,
            Encoding(json=options.protocol == "http/json", compressed=options.compression == "gzip"),
            headers=options.fields(),
            tls=TlsOptions(
                ca_file=options.certificate,
                cert_file=options.clientCertificate if options.clientKey else "",
                key_file=options.clientKey if options.clientCertificate else "",
            ),
            timeout_s=options.timeout,
        )
        self._resource = resource_of(options.service, context.instance, options.attributes())
        self._scope = scope_of(context.version)
        self._points = Points(time.time_ns())
        self._spans = Spans(options.spans)
        self._resets = context.metrics.resets
        self._sent_ns = time.time_ns()

    @property
    def address(self) -> str:
        """As configured."""
        return str(self.options.endpoint)

    def start(self) -> None:
        """Counting began with corepilot, not with this sink."""
        uptime_s = float(self.context.status().get("uptime_s", 0.0))
        self._points = Points(time.time_ns() - int(uptime_s * 1e9))

    def observe(self, fact: Fact) -> None:
        """Keep a run that has ended."""
        if isinstance(fact, RunEnded) and self.options.spans:
            self._spans.add(fact)
            self.dropped = self._spans.dropped

    def flush(self) -> None:
        """Send everything.

        Raises:
            OSError: something could not be sent.
        """
        self._send_metrics()
        spans = self._spans.take()
        while spans:
            try:
                self._send_spans(spans[:BATCH])
            except RefusedError:
                self._spans.dropped += len(spans[:BATCH])
                self._spans.give_back(spans[BATCH:])
                raise
            except BaseException:
                self._spans.give_back(spans)
                raise
            finally:
                self.dropped = self._spans.dropped
            spans = spans[BATCH:]

    def close(self) -> None:
        """Close the connections."""
        self._collector.close()

    def _send_metrics(self) -> None:
        source, at_ns = self.context.metrics, time.time_ns()
        if source.resets != self._resets:
            self._resets = source.resets
            self._points.begin_anew(self._sent_ns)
        self._sent_ns = at_ns
        metrics = self._points.metrics(source.collect(), at_ns, time.monotonic())
        scoped = ScopeMetrics(scope=self._scope, metrics=metrics)
        request = ExportMetricsServiceRequest(
            resource_metrics=[ResourceMetrics(resource=self._resource, scope_metrics=[scoped])]
        )
        answer = ExportMetricsServiceResponse()
        self._collector.send("metrics", request, answer)
        rejected = answer.partial_success.rejected_data_points
        if rejected:
            self.context.log("warning", f"{rejected} points were rejected: {answer.partial_success.error_message}")

    def _send_spans(self, spans: tuple[Span, ...]) -> None:
        scoped = ScopeSpans(scope=self._scope, spans=spans)
        request = ExportTraceServiceRequest(
            resource_spans=[ResourceSpans(resource=self._resource, scope_spans=[scoped])]
        )
        answer = ExportTraceServiceResponse()
        self._collector.send("traces", request, answer)
        rejected = answer.partial_success.rejected_spans
        if rejected:
            self._spans.dropped += rejected
            self.context.log("warning", f"{rejected} spans were rejected: {answer.partial_success.error_message}")
