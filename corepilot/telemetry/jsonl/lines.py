"""Metrics and runs as JSON lines. No I/O."""

import json
import math
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any

from corepilot.model.fact import RunEnded
from corepilot.telemetry.metrics import BUCKETS, Family, Series

_BOUNDS = (*[f"{bound:g}" for bound in BUCKETS], "+Inf")


def of_metrics(families: Iterable[Family], at_s: float, now: float) -> Iterator[str]:
    """A line for each series.

    Args:
        families: As they are.
        at_s: When that is, in seconds since 1970.
        now: The same in monotonic seconds, for quantiles.
    """
    for family in families:
        for labels, series in family.series.items():
            named = {"at": round(at_s, 3), "metric": family.name, "type": family.kind}
            if labels:
                named["labels"] = dict(zip(family.labels, labels, strict=True))
            yield _line(named | _values(family, series, now))


def of_run(run: RunEnded) -> str:
    """The line for a run."""
    return _line(
        {
            "at": round(run.at_s, 3),
            "run": run.job,
            "number": run.number,
            "pid": run.pid,
            "status": run.status,
            "reason": run.reason,
            "duration_s": round(run.duration_s, 6),
        }
    )


def _values(family: Family, series: Series, now: float) -> dict[str, Any]:
    if family.kind in {"counter", "gauge"}:
        return {"value": series.value}
    observed: dict[str, Any] = {"count": series.count, "sum": series.value}
    if family.kind == "histogram":
        return observed | {"buckets": dict(zip(_BOUNDS, accumulate(series.buckets), strict=True))}
    quantiles = series.quantiles(now).items()
    return observed | {"quantiles": {f"{of:g}": None if math.isnan(value) else value for of, value in quantiles}}


def _line(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")) + "\n"
