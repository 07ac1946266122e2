"""Metrics as StatsD lines: counters as what they have grown by, gauges as they are. No I/O.

The lines: https://github.com/statsd/statsd/blob/master/docs/metric_types.md, and Datadog's tags:
https://docs.datadoghq.com/developers/dogstatsd/datagram_shell/. A histogram's or summary's observations are counted by
corepilot, so they go out as counters (`.count`, `.sum`, one for each bucket) and, of a summary, as gauges of its
quantiles: adding up counters of several senders gives what Prometheus would give.
"""

import math
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from corepilot.telemetry.metrics import BUCKETS, Family, Series

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]")
_NOT_IN_TAGS = re.compile(r"[|,#\s]")
_PART_MAX = 200
_EMPTY = "none"

Key = tuple[str, tuple[str, ...], str]
"""What a counter is remembered by: family, label values, and which of the family's counters."""


class Line(NamedTuple):
    """What goes into one datagram together.

    Attributes:
        text: One line, or two of which the first prepares the second.
        key: The counter that it is about, or None.
        total: What that counter stands at: remembered once the line has been sent.
    """

    text: str
    key: Key | None = None
    total: float = 0.0


class Writer:
    """Writes lines, and remembers what has been sent of each counter.

    Args:
        prefix: Goes before every name.
        tags: Labels are tags, as Datadog has them.
        extra_tags: Go with every line.
    """

    def __init__(self, prefix: str = "", *, tags: bool = False, extra_tags: Iterable[str] = ()) -> None:
        self._prefix = prefix.rstrip(".") + "." if prefix else ""
        self._tags, self._extra = tags, tuple(_NOT_IN_TAGS.sub("_", tag)[:_PART_MAX] for tag in extra_tags)
        self._sent: dict[Key, float] = {}

    def lines(self, families: Iterable[Family], now: float) -> list[Line]:
        """Everything that is to be sent now.

        Args:
            families: As they are.
            now: Monotonic seconds, for the quantiles.
        """
        found: list[Line] = []
        seen: set[Key] = set()
        for family in families:
            for labels, series in family.series.items():
                for part, bound, total in _counters(family, series):
                    key = (family.name, labels, part + bound)
                    seen.add(key)
                    found += self._grown(key, self._named(family, labels, part, bound), total)
                for part, value in _gauges(family, series, now):
                    found.append(self._gauge(*self._named(family, labels, part, ""), value))
        for key in self._sent.keys() - seen:
            del self._sent[key]
        return found

    def forget(self) -> None:
        """All counters have begun anew."""
        self._sent.clear()

    def sent(self, lines: Iterable[Line]) -> None:
        """These lines are gone: what they said is not said again."""
        for line in lines:
            if line.key is not None:
                self._sent[line.key] = line.total

    def _grown(self, key: Key, named: tuple[str, str], total: float) -> Iterator[Line]:
        before = self._sent.get(key, 0.0)
        delta = total - before if total >= before else total  # it has begun anew
        if delta:
            name, tags = named
            yield Line(f"{name}:{_number(delta)}|c{tags}", key, total)
        else:
            self._sent[key] = total

    def _gauge(self, name: str, tags: str, value: float) -> Line:
        # To plain StatsD a sign means a change: a negative value takes two lines.
        zero = f"{name}:0|g\n" if value < 0 and not self._tags else ""
        return Line(f"{zero}{name}:{_number(value)}|g{tags}")

    def _named(self, family: Family, labels: tuple[str, ...], part: str, bound: str) -> tuple[str, str]:
        """The name of a metric, and its tags."""
        name = self._prefix + family.name
        if not self._tags:
            values = (*labels, part, bound and f"le_{bound}")
            return ".".join([name, *[_NOT_IN_NAMES.sub("_", value[:_PART_MAX]) for value in values if value]]), ""
        pairs = [f"{label}:{_tag_value(value)}" for label, value in zip(family.labels, labels, strict=True)]
        pairs += [f"le:{bound}"] if bound else []
        tags = ",".join([*self._extra, *pairs])
        return f"{name}.{part}" if part else name, f"|#{tags}" if tags else ""


def packets(lines: Iterable[Line], most_bytes: int) -> Iterator[tuple[bytes, list[Line]]]:
    """Lines joined to datagrams of at most so many bytes, and what is in each.

    A line that is longer by itself comes alone, with an empty datagram: it cannot be sent.
    """
    size, held = 0, list[Line]()
    for line in lines:
        length = len(line.text.encode())
        if length > most_bytes:
            yield b"", [line]
            continue
        if held and size + 1 + length > most_bytes:
            yield "\n".join([one.text for one in held]).encode(), held
            size, held = 0, []
        size += length + bool(held)
        held.append(line)
    if held:
        yield "\n".join([one.text for one in held]).encode(), held


def _counters(family: Family, series: Series) -> Iterator[tuple[str, str, float]]:
    """The counters in a series: the end of the name, the bucket's bound or "", and the value."""
    if family.kind == "counter":
        yield "", "", series.value
    elif family.kind != "gauge":
        yield "count", "", series.count
        yield "sum", "", series.value
        total = 0
        for bound, count in zip((*BUCKETS, math.inf), series.buckets, strict=False):
            total += count
            yield "bucket", "inf" if math.isinf(bound) else f"{bound:g}", total


def _gauges(family: Family, series: Series, now: float) -> Iterator[tuple[str, float]]:
    """The gauges in a series: the end of the name, and the value."""
    if family.kind == "gauge":
        yield "", series.value
    elif family.kind == "summary":
        for quantile, value in series.quantiles(now).items():
            if not math.isnan(value):
                yield f"p{quantile * 100:g}", value


def _number(value: float) -> str:
    """Without an exponent, which not every server reads."""
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.9f}".rstrip("0").rstrip(".")


def _tag_value(value: str) -> str:
    return _NOT_IN_TAGS.sub("_", value)[:_PART_MAX] or _EMPTY
