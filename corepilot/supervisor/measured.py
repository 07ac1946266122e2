"""What corepilot measures of itself: counted where it happens, or read when somebody collects."""

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from corepilot._version import __version__
from corepilot.jobs.jobset import JobSet
from corepilot.jobs.runner import Runner
from corepilot.output.log import Log
from corepilot.supervisor.exposition import Exposition
from corepilot.supervisor.locks import JobLocks
from corepilot.supervisor.observers import Observers
from corepilot.supervisor.renders import Renders
from corepilot.telemetry import builtin
from corepilot.telemetry.metrics import Labels, Metrics

if TYPE_CHECKING:
    from corepilot.plugin.oversight import Oversight


class Measurable(Protocol):
    """The parts that are read."""

    exposition: Exposition
    jobs: JobSet
    locks: JobLocks
    log: Log
    metrics: Metrics
    observers: Observers
    oversight: "Oversight"
    renders: Renders


class Measured:
    """The built-in families that are not recorded by somebody else.

    Args:
        parts: What is read. Only `metrics` has to be there by now.
    """

    def __init__(self, parts: Measurable) -> None:
        self._parts = parts
        metrics = parts.metrics
        self._build = builtin.BUILD_INFO.family(metrics)
        self._state, self._health = builtin.JOB_STATE.family(metrics), builtin.JOB_HEALTH.family(metrics)
        self._starts, self._exits = builtin.JOB_STARTS.family(metrics), builtin.JOB_EXITS.family(metrics)
        self._delay = builtin.JOB_RESTART_DELAY.family(metrics)
        self._checks = builtin.CHECK_DURATION.family(metrics)
        self._requests = builtin.CATALOG_REQUESTS.family(metrics)
        self._held, self._losses = builtin.LOCK_HELD.family(metrics), builtin.LOCK_LOSSES.family(metrics)
        self._acquisitions = builtin.LOCK_ACQUISITIONS.family(metrics)
        self._writes, self._failures = builtin.RENDER_WRITES.family(metrics), builtin.RENDER_FAILURES.family(metrics)
        self._turns = builtin.HUB_LAG.family(metrics)
        self._faults, self._off = builtin.PLUGIN_FAULTS.family(metrics), builtin.PLUGIN_OFF.family(metrics)
        self._sink_dropped = builtin.SINK_DROPPED.family(metrics)
        self._observer_dropped = builtin.OBSERVER_DROPPED.family(metrics)
        self._output_dropped = builtin.OUTPUT_DROPPED.family(metrics)
        parts.metrics.before_collecting(self._refresh)

    def checked(self, job: str, seconds: float) -> None:
        """A check of a job has ended."""
        self._checks.record(seconds, (job,))

    def asked(self, operation: str, result: str) -> None:
        """The catalog was asked for something."""
        self._requests.record(1, (operation, result))

    def turned(self, seconds: float) -> None:
        """A turn of the event loop is over."""
        self._turns.record(seconds)

    def _refresh(self) -> None:
        parts = self._parts
        self._build.replace({(__version__, ".".join(map(str, sys.version_info[:3]))): 1})
        self._refresh_jobs([actor for actor in parts.jobs.all_actors if isinstance(actor, Runner)])
        locks, renders = parts.locks.counts(), parts.renders.counts()
        self._held.replace({(name,): int(one.held) for name, one in locks.items()})
        self._acquisitions.replace({(name,): one.acquisitions for name, one in locks.items()})
        self._losses.replace({(name,): one.losses for name, one in locks.items()})
        self._writes.replace({(name,): writes for name, (writes, _) in renders.items()})
        self._failures.replace({(name,): failures for name, (_, failures) in renders.items()})
        self._faults.replace(parts.oversight.faults())
        self._off.replace(parts.oversight.off())
        self._sink_dropped.replace(_sums((one.reference.name, one.lost) for one in parts.exposition.outlets))
        self._observer_dropped.replace(_sums((one.reference.name, one.lost) for one in parts.observers.attached))
        self._output_dropped.replace({(): parts.log.dropped_bytes})

    def _refresh_jobs(self, runners: list[Runner]) -> None:
        keys = {runner: str(runner.key) for runner in runners}
        self._state.replace(_one_of(self._state.series, {keys[one]: one.state.phase for one in runners}))
        self._health.replace(_one_of(self._health.series, {keys[one]: one.state.health for one in runners}))
        self._starts.replace({(keys[one],): one.starts for one in runners})
        self._delay.replace({(keys[one],): one.restart_delay_s for one in runners})
        self._exits.replace(
            {(keys[one], reason): count for one in runners for reason, count in one.account.exits.items()}
        )


def _one_of(before: Iterable[Labels], now: dict[str, str]) -> dict[Labels, float]:
    """1 for what each job is now, 0 for what it was seen to be before: a server that keeps gauges needs to be told."""
    found = dict.fromkeys([labels for labels in before if labels[0] in now], 0.0)
    return found | dict.fromkeys(now.items(), 1.0)


def _sums(counts: Iterable[tuple[str, int]]) -> dict[Labels, float]:
    found: dict[Labels, float] = {}
    for name, count in counts:
        found[(name,)] = found.get((name,), 0) + count
    return found
