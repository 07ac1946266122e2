"""Metrics in OTLP's form: everything cumulative, since corepilot began or a reload has reset it. No I/O.

The data model: https://opentelemetry.io/docs/specs/otel/metrics/data-model/. A collector that has missed some requests
has missed no count.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AGGREGATION_TEMPORALITY_CUMULATIVE,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    Sum,
    Summary,
    SummaryDataPoint,
)

from corepilot.telemetry.metrics import BUCKETS, Family, Series
from corepilot_otlp.resource import attributes

_UNITS = {"_seconds": "s", "_bytes": "By"}


class _Seen(NamedTuple):
    began_ns: int
    total: float


class Points:
    """Makes points, and remembers since when each series has been counted.

    Args:
        began_ns: When counting began, in nanoseconds since 1970.
    """

    def __init__(self, began_ns: int) -> None:
        self._began_ns = began_ns
        self._seen: dict[tuple[str, tuple[str, ...]], _Seen] = {}

    def begin_anew(self, at_ns: int) -> None:
        """All values were forgotten, at some time after this one."""
        self._began_ns = at_ns
        self._seen.clear()

    def metrics(self, families: Iterable[Family], at_ns: int, now: float) -> list[Metric]:
        """Every family with at least one series.

        Args:
            families: As they are.
            at_ns: When that is, in nanoseconds since 1970.
            now: The same in monotonic seconds, for quantiles.
        """
        return [self._metric(family, at_ns, now) for family in families if family.series]

    def _metric(self, family: Family, at_ns: int, now: float) -> Metric:
        unit = next((unit for ending, unit in _UNITS.items() if family.name.endswith(ending)), "")
        made = Metric(name=family.name, description=family.help, unit=unit)
        series = family.series.items()
        if family.kind == "gauge":
            made.gauge.CopyFrom(Gauge(data_points=[self._number(family, *one, at_ns) for one in series]))
        elif family.kind == "counter":
            made.sum.CopyFrom(
                Sum(
                    data_points=[self._number(family, *one, at_ns) for one in series],
                    aggregation_temporality=AGGREGATION_TEMPORALITY_CUMULATIVE,
                    is_monotonic=True,
                )
            )
        elif family.kind == "histogram":
            made.histogram.CopyFrom(
                Histogram(
                    data_points=[self._buckets(family, *one, at_ns) for one in series],
                    aggregation_temporality=AGGREGATION_TEMPORALITY_CUMULATIVE,
                )
            )
        else:
            made.summary.CopyFrom(Summary(data_points=[self._quantiles(family, *one, at_ns, now) for one in series]))
        return made

    def _number(self, family: Family, labels: tuple[str, ...], series: Series, at_ns: int) -> NumberDataPoint:
        began_ns = self._began(family, labels, series.value, at_ns) if family.kind == "counter" else 0
        return NumberDataPoint(
            attributes=attributes(dict(zip(family.labels, labels, strict=True))),
            start_time_unix_nano=began_ns,
            time_unix_nano=at_ns,
            as_double=series.value,
        )

    def _buckets(self, family: Family, labels: tuple[str, ...], series: Series, at_ns: int) -> HistogramDataPoint:
        return HistogramDataPoint(
            attributes=attributes(dict(zip(family.labels, labels, strict=True))),
            start_time_unix_nano=self._began(family, labels, series.count, at_ns),
            time_unix_nano=at_ns,
            count=series.count,
            sum=series.value,
            bucket_counts=series.buckets,
            explicit_bounds=BUCKETS,
        )

    def _quantiles(
        self, family: Family, labels: tuple[str, ...], series: Series, at_ns: int, now: float
    ) -> SummaryDataPoint:
        found = series.quantiles(now)
        return SummaryDataPoint(
            attributes=attributes(dict(zip(family.labels, labels, strict=True))),
            start_time_unix_nano=self._began(family, labels, series.count, at_ns),
            time_unix_nano=at_ns,
            count=series.count,
            sum=series.value,
            quantile_values=[
                SummaryDataPoint.ValueAtQuantile(quantile=quantile, value=value)
                for quantile, value in found.items()
                if not math.isnan(value)
            ],
        )

    def _began(self, family: Family, labels: tuple[str, ...], total: float, at_ns: int) -> int:
        """Since when a series has been counted: it is less than before where it has begun anew."""
        key = family.name, labels
        before = self._seen.get(key, _Seen(self._began_ns, 0.0))
        began_ns = before.began_ns if total >= before.total else at_ns
        self._seen[key] = _Seen(began_ns, total)
        return began_ns
