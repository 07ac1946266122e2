"""corepilot's metrics as Prometheus families: under our names, and under ContainerPilot's."""

import math
import time
from collections.abc import Iterable, Iterator

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from corepilot.model.event import spelled
from corepilot.telemetry.metrics import BUCKETS, Family, Metrics

CONTAINERPILOT = {
    "corepilot_events": "containerpilot_events",
    "corepilot_control_requests": "containerpilot_control_http_requests",
    "corepilot_watch_instances": "containerpilot_watch_instances",
}
"""Built-in families that ContainerPilot has too, under its names."""


class FamilyCollector(Collector):
    """Gives prometheus_client all families at every scrape.

    ContainerPilot's counters, and the user's, do not end in `_total`. prometheus_client writes no such counter; they
    are given to it untyped, and `typed` puts the word right.

    Attributes:
        families: Those of the last scrape.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self.families: list[Family] = []

    def collect(self) -> Iterable[Metric]:
        """Every family as it is now."""
        now = time.monotonic()
        self.families = self._metrics.collect()
        for family in self.families:
            yield _family(family, now)
            if family.name in CONTAINERPILOT:
                yield _containerpilot(family)

    def describe(self) -> Iterable[Metric]:
        """Nothing: families come and go with the configuration."""
        return ()


def typed(exposition: bytes, families: Iterable[Family]) -> bytes:
    """The exposition with the type `counter` for counters under names without `_total`."""
    for family in families:
        if family.kind == "counter":
            name = CONTAINERPILOT.get(family.name, family.name)
            exposition = exposition.replace(b"# TYPE %b untyped" % name.encode(), b"# TYPE %b counter" % name.encode())
    return exposition


def _family(family: Family, now: float) -> Metric:
    if family.kind == "counter" and not family.name.startswith("corepilot_"):
        return _plain_counter(family.name, family)
    if family.kind in {"counter", "gauge"}:
        kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
        single = kind(family.name, family.help, labels=family.labels)
        for labels, series in family.series.items():
            single.add_metric(labels, series.value)
        return single
    if family.kind == "histogram":
        histogram = HistogramMetricFamily(family.name, family.help, labels=family.labels)
        for labels, series in family.series.items():
            histogram.add_metric(labels, list(_cumulative(series.buckets)), series.value)
        return histogram
    summary = SummaryMetricFamily(family.name, family.help, labels=family.labels)
    for labels, series in family.series.items():
        for quantile, value in series.quantiles(now).items():
            names = dict(zip(family.labels, labels, strict=True))
            summary.add_sample(family.name, {**names, "quantile": f"{quantile:g}"}, value)
        summary.add_metric(labels, series.count, series.value)
    return summary


def _plain_counter(name: str, family: Family) -> Metric:
    """A counter under exactly this name, as ContainerPilot has it: without `_total`."""
    plain = Metric(name, family.help, "unknown")
    for labels, series in family.series.items():
        plain.add_sample(name, dict(zip(family.labels, labels, strict=True)), series.value)
    return plain


def _containerpilot(family: Family) -> Metric:
    name = CONTAINERPILOT[family.name]
    if family.kind == "gauge":
        gauge = GaugeMetricFamily(name, family.help, labels=family.labels)
        for labels, series in family.series.items():
            gauge.add_metric(labels, series.value)
        return gauge
    plain = Metric(name, family.help, "unknown")
    for labels, series in family.series.items():
        values = dict(zip(family.labels, labels, strict=True))
        if family.name == "corepilot_events":
            values["code"] = spelled(values["code"])
        plain.add_sample(name, values, series.value)
    return plain


def _cumulative(counts: list[int]) -> Iterator[tuple[str, float]]:
    total = 0
    for bound, count in zip((*BUCKETS, math.inf), counts, strict=True):
        total += count
        yield ("+Inf" if math.isinf(bound) else f"{bound:g}"), total
