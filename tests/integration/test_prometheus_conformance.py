"""The shipped sink passes the suite of sinks."""

from corepilot_prometheus.plugin import CAPABILITIES, Options
from corepilot_prometheus.sink import PrometheusSink

from corepilot.telemetry.sink import Sink, SinkContext
from corepilot.testing.sinks import SinkSuite


class TestPrometheus(SinkSuite):
    capabilities = CAPABILITIES

    def sink(self, context: SinkContext) -> Sink:
        return PrometheusSink(Options(), context)
