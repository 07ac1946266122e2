"""The families `go_*`, for dashboards made for ContainerPilot (ContainerPilot contract, section 9.2).

There is no Go here. What its client library tells of Go's runtime has a counterpart in Python's for the families
below: they keep their names, and their help says what is counted. What has none (spans, caches, stacks) is not there.
"""

import gc
import os
import platform
import sys
import time
from collections.abc import Iterable

from greenlet import greenlet
from prometheus_client.core import GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

_PAGE = os.sysconf("SC_PAGE_SIZE")
_QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)
_KEPT = 256
"""Pauses that quantiles are taken from: the latest, as Go keeps them."""


class RuntimeCollector(Collector):
    """Measures the pauses of the garbage collector from now on, until `close`; everything else at a scrape."""

    def __init__(self) -> None:
        self._pauses: list[float] = []
        self._count = 0
        self._sum = 0.0
        self._began_at = 0.0
        self._last_at = 0.0
        gc.callbacks.append(self._collects)

    def close(self) -> None:
        """Measure no more. Idempotent."""
        if self._collects in gc.callbacks:
            gc.callbacks.remove(self._collects)

    def describe(self) -> Iterable[Metric]:
        """Nothing: their names are nobody else's."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Every family as it is now."""
        memory = _pages()
        heap, data = memory[1] - memory[2], memory[5]
        yield self._durations()
        yield _gauge("goroutines", "greenlets", sum(isinstance(one, greenlet) for one in gc.get_objects()))
        yield _gauge("threads", "threads of the operating system", len(os.listdir("/proc/self/task")))
        info = GaugeMetricFamily("go_info", "the Python that corepilot runs on", labels=("version",))
        info.add_metric((f"python{platform.python_version()}",), 1)
        yield info
        for name in ("alloc_bytes", "heap_alloc_bytes", "heap_inuse_bytes"):
            yield _gauge(f"memstats_{name}", "resident memory that is not a file's", heap * _PAGE)
        yield _gauge("memstats_heap_sys_bytes", "size of the data segment", data * _PAGE)
        yield _gauge("memstats_sys_bytes", "size of the data segment", data * _PAGE)
        yield _gauge("memstats_heap_objects", "blocks that Python has allocated", sys.getallocatedblocks())
        yield _gauge("memstats_last_gc_time_seconds", "when garbage was collected last, since 1970", self._last_at)

    def _durations(self) -> Metric:
        name = "go_gc_duration_seconds"
        summary = SummaryMetricFamily(name, "pauses for Python's garbage collection")
        pauses = sorted(self._pauses)
        for quantile in _QUANTILES:
            value = pauses[round(quantile * (len(pauses) - 1))] if pauses else 0.0
            summary.add_sample(name, {"quantile": f"{quantile:g}"}, value)
        summary.add_metric((), self._count, self._sum)
        return summary

    def _collects(self, phase: str, _facts: dict[str, int]) -> None:
        now = time.perf_counter()
        if phase == "start":
            self._began_at = now
            return
        pause = now - self._began_at
        self._count += 1
        self._sum += pause
        self._last_at = time.time()
        self._pauses.append(pause)
        del self._pauses[:-_KEPT]


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"go_{name}", help_text, value)


def _pages() -> list[int]:
    """proc(5), /proc/[pid]/statm: size, resident, shared, text, lib, data, dt, in pages."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]
