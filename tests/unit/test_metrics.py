"""Metrics: what can be recorded, under which names, and what bounds them."""

import math

import pytest

from corepilot.model.configuration import Metric
from corepilot.telemetry.metrics import SERIES_MAX, WINDOW_MAX, Family, Metrics, RejectedValueError

DECLARED = (
    Metric("bare", "help", "counter"),
    Metric("x", "help", "gauge", namespace="ns2"),
    Metric("t", "help", "histogram", namespace="ns", subsystem="sub"),
    Metric("s", "help", "summary"),
)


@pytest.mark.parametrize(
    ("key", "name"), [("bare", "bare"), ("__bare", "bare"), ("ns2__x", "ns2_x"), ("ns2_x", "ns2_x")]
)
def test_a_metric_has_its_public_name_and_containerpilots(key: str, name: str) -> None:
    metrics = Metrics(DECLARED)
    assert metrics.record({key: "2.5"}) == []
    assert {family.name: family for family in metrics.collect()}[name].series[()].value == 2.5


@pytest.mark.parametrize("value", ["x", None, True, [1], "nan", math.inf, -math.inf, "1e999"])
def test_values_that_are_no_finite_numbers_are_rejected(value: object) -> None:
    (sentence,) = Metrics(DECLARED).record({"ns2_x": value})
    assert sentence.startswith("cannot record")


def test_a_negative_counter_and_an_unknown_name_are_rejected_and_the_rest_is_recorded() -> None:
    metrics = Metrics(DECLARED)
    rejected = metrics.record({"bare": -1, "nope": 1, "ns2_x": 4})
    assert len(rejected) == 2
    assert "a counter only grows" in rejected[0]
    assert "'nope'" in rejected[1]
    assert metrics.record({"bare": 1}) == []


def test_counters_add_gauges_set_and_histograms_observe() -> None:
    counter, gauge = Family("c", "counter", ""), Family("g", "gauge", "")
    histogram = Family("h", "histogram", "")
    for value in (1.0, 2.0, 0.004):
        for family in (counter, gauge, histogram):
            family.record(value)
    assert counter.series[()].value == 3.004
    assert gauge.series[()].value == 0.004
    series = histogram.series[()]
    assert (series.count, series.value, sum(series.buckets), series.buckets[0]) == (3, 3.004, 3, 1)


def test_a_summary_forgets_after_ten_minutes_and_is_bounded() -> None:
    summary = Family("s", "summary", "")
    for second in range(1000):
        summary.record(second, now=float(second))
    series = summary.series[()]
    assert series.quantiles(999.0) == {0.5: 699.0, 0.9: 939.0, 0.99: 993.0}
    assert all(math.isnan(value) for value in series.quantiles(5000.0).values())
    for _ in range(WINDOW_MAX + 10):
        summary.record(1.0, now=6000.0)
    assert len(series.recent) == 2 * WINDOW_MAX


def test_series_are_bounded() -> None:
    family = Family("f", "counter", "", ("source",))
    for number in range(SERIES_MAX + 500):
        family.record(1, (str(number),))
    assert len(family.series) == SERIES_MAX + 1
    assert family.series["other",].value == 500


def test_a_rejected_value_changes_nothing() -> None:
    family = Family("c", "counter", "")
    with pytest.raises(RejectedValueError):
        family.record(-1)
    assert family.series[()].value == 0


@pytest.mark.parametrize("name", ["bare", "ns_sub_t", "s"])
def test_a_sum_stays_finite(name: str) -> None:
    """An infinite one cannot be written as JSON, nor as a StatsD line."""
    metrics = Metrics(DECLARED)
    assert metrics.record({name: 1.7e308}) == []
    assert metrics.record({name: 1.7e308}) == [f"cannot add 1.7e+308 to {name}: the sum is too large"]
    assert metrics.record({name: 0}) == []


def test_of_two_definitions_the_last_counts() -> None:
    metrics = Metrics((Metric("a", "one", "counter"), Metric("a", "two", "gauge")))
    assert [(family.kind, family.help) for family in metrics.collect()] == [("gauge", "two")]
