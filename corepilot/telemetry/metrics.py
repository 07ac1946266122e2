"""Metrics: counters, gauges, histograms and summaries, bounded, and free of any format. Sinks decide how they look.

Everything happens in the hub's thread; recording is a dictionary look-up and an addition.
"""

import math
import time
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from corepilot.model.configuration import Metric

Kind = Literal["counter", "gauge", "histogram", "summary"]
Labels = tuple[str, ...]

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of a histogram's buckets; +Inf is added (ContainerPilot contract, section 9.2)."""

QUANTILES = (0.5, 0.9, 0.99)
WINDOW_S = 600.0
WINDOW_MAX = 4096
"""A summary's quantiles are those of the last ten minutes (contract, section 9.2), of at most so many observations."""

SERIES_MAX = 1000
"""Series of one family; further label values are counted under `OVERFLOW`."""
OVERFLOW = "other"


class RejectedValueError(ValueError):
    """A value that cannot be recorded. Nothing has been recorded."""


class Series:
    """One series of a family: what was recorded under one tuple of label values.

    Attributes:
        value: Of a counter or gauge; the sum of a histogram's or summary's observations.
        count: Observations of a histogram or summary.
        buckets: Observations at or below each of BUCKETS, not cumulative; the last is +Inf. Histograms only.
        recent: When each of a summary's observations was made and its value, in turns, oldest first. Bare numbers,
            which take an eighth of what pairs do.
    """

    __slots__ = ("buckets", "count", "recent", "value")

    def __init__(
        self,
        value: float = 0.0,
        count: int = 0,
        buckets: "list[int] | None" = None,
        recent: "array[float] | None" = None,
    ) -> None:
        self.value, self.count = value, count
        self.buckets: list[int] = [] if buckets is None else buckets
        self.recent: array[float] = array("d") if recent is None else recent

    def quantiles(self, now: float) -> dict[float, float]:
        """The summary's quantiles over the last `WINDOW_S`; NaN where nothing was observed."""
        old = 0
        while old < len(self.recent) and self.recent[old] < now - WINDOW_S:
            old += 2
        del self.recent[:old]
        values = sorted(self.recent[1::2])
        return {
            quantile: values[min(len(values) - 1, math.ceil(quantile * len(values)) - 1)] if values else math.nan
            for quantile in QUANTILES
        }


class Family:
    """All series of one name.

    Args:
        name: Of letters, digits and underscores, as Prometheus has them.
        kind: What it counts.
        help: One line.
        labels: Names of the labels; () for a single series, which is there from the start.
        series_max: How many series it may have.
    """

    def __init__(
        self,
        name: str,
        kind: Kind,
        help: str,  # noqa: A002  - the field's word
        labels: Labels = (),
        series_max: int = SERIES_MAX,
    ) -> None:
        self.name, self.kind, self.help, self.labels, self._series_max = name, kind, help, labels, series_max
        self.series: dict[Labels, Series] = {}
        self.reset()

    def reset(self) -> None:
        """Forget all values. A single series is there from the start."""
        self.series.clear()
        if not self.labels:
            self._series(())

    def record(self, value: float, labels: Labels = (), *, now: float | None = None) -> None:
        """Add to a counter, set a gauge, or observe.

        Raises:
            RejectedValueError: the value is not finite, or negative for a counter, or the sum would not be finite.
        """
        if not math.isfinite(value):
            raise RejectedValueError(f"cannot record {value} as {self.name}: it has to be a finite number")
        if self.kind == "counter" and value < 0:
            raise RejectedValueError(f"cannot add {value:g} to {self.name}: a counter only grows")
        series = self._series(labels)
        if self.kind == "gauge":
            series.value = value
            return
        if not math.isfinite(series.value + value):
            raise RejectedValueError(f"cannot add {value:g} to {self.name}: the sum is too large")
        series.value += value
        if self.kind == "counter":
            return
        series.count += 1
        if self.kind == "histogram":
            series.buckets[bisect_left(BUCKETS, value)] += 1
        else:
            series.recent.extend((time.monotonic() if now is None else now, value))
            if len(series.recent) > 2 * WINDOW_MAX:
                del series.recent[:2]

    def replace(self, values: Mapping[Labels, float]) -> None:
        """Have exactly these series: for a gauge or counter that is read somewhere and not counted here."""
        self.series = {labels: Series(values[labels]) for labels in list(values)[: self._series_max]}

    def _series(self, labels: Labels) -> Series:
        found = self.series.get(labels)
        if found is None:
            if len(self.series) >= self._series_max:
                labels = (OVERFLOW,) * len(self.labels)
            found = self.series.setdefault(labels, Series())
            if self.kind == "histogram" and not found.buckets:
                found.buckets = [0] * (len(BUCKETS) + 1)
        return found


class Metrics:
    """The families of this process: the user's and ours.

    Args:
        declared: `telemetry.metrics`; of two with one name the last counts.

    Attributes:
        resets: How often all values were forgotten: who remembers what a counter stood at begins anew, too.
    """

    def __init__(self, declared: Iterable[Metric] = ()) -> None:
        self._families: dict[str, Family] = {}
        self._declared: dict[str, Metric] = {}
        self._keys: dict[str, Family] = {}
        self._collectors: list[Callable[[], None]] = []
        self.resets = 0
        self.declare(declared)

    def declare(self, declared: Iterable[Metric]) -> None:
        """Have these metrics of the user's instead of those before. One that is declared as before keeps its values."""
        before, self._declared = self._declared, {public_name(metric): metric for metric in declared}
        self._keys = {}
        for name in before.keys() - self._declared.keys():
            del self._families[name]
        for name, metric in self._declared.items():
            if before.get(name) != metric:
                self._families[name] = Family(name, metric.type, metric.help)
            # ContainerPilot listens to the name with the empty parts kept; both are accepted (section 9.2, FIX).
            key = f"{metric.namespace}_{metric.subsystem}_{metric.name}"
            self._keys[name] = self._keys[key] = self._families[name]

    def reset(self) -> None:
        """Forget all values: a reload of everything begins with none (contract, section 4.11)."""
        self.resets += 1
        for family in self._families.values():
            family.reset()

    def add(self, family: Family) -> Family:
        """Have a family of ours beside the declared ones, whose names the configuration keeps apart from ours.

        Args:
            family: A new one.

        Returns:
            The family to record into. It is an earlier one, with its values, if one was added under this name.
        """
        return self._families.setdefault(family.name, family)

    def before_collecting(self, refresh: Callable[[], None]) -> None:
        """Call `refresh` before every collection, for values that are read and not counted."""
        self._collectors.append(refresh)

    def collect(self) -> list[Family]:
        """All families, sorted by name, as they are now."""
        for refresh in self._collectors:
            refresh()
        return [self._families[name] for name in sorted(self._families)]

    def record(self, values: Mapping[str, object]) -> list[str]:
        """Record values of declared metrics, each by itself; returns one sentence for each that was rejected.

        Args:
            values: A number, or a text that is one, for each metric's name.
        """
        rejected = []
        for name, value in values.items():
            family = self._keys.get(name)
            if family is None:
                known = ", ".join(self._keys) or "no metrics"
                rejected.append(f"cannot record {name!r}: telemetry.metrics declares {known}")
                continue
            try:
                family.record(_number(name, value))
            except RejectedValueError as error:
                rejected.append(str(error))
        return rejected


def public_name(metric: Metric) -> str:
    """The name a metric is shown under: the parts that are not empty, joined with "_"."""
    return "_".join(filter(None, (metric.namespace, metric.subsystem, metric.name)))


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise RejectedValueError(f"cannot record {name!r}: it has to be a number, not {type(value).__name__}")
    try:
        return float(value)
    except (ValueError, OverflowError):
        raise RejectedValueError(f"cannot record {name!r}: {str(value)[:40]!r} is not a number") from None
