"""What the checks of a job have said lately, for people: bounded, and nothing as long as there are no checks."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator

from corepilot.jobs.state import CheckState
from corepilot.model.job import Job
from corepilot.model.value import Value

KEPT = 10
"""How many results of a check are kept."""

SHOWN = 200
"""Characters of the output of a result that is not the last."""


class CheckRecord(Value):
    """One result of a check.

    Attributes:
        at: When it came, in seconds since the epoch.
        duration_s: How long it took; 0 for a command that could not be started.
        passed: Whether it passed.
        output: What was said.
    """

    at: float
    duration_s: float
    passed: bool
    output: str


class CheckResults:
    """The last results of each check of a job.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began: dict[int, float] = {}
        self._kept: dict[str, deque[CheckRecord]] = {}

    def begin(self, index: int) -> None:
        """A check asks now."""
        self._began[index] = self._clock()

    def end(self, job: Job, index: int, output: str, *, passed: bool) -> float | None:
        """A check has given a result; returns how long it took, None if it could not be asked."""
        began = self._began.pop(index, None)
        duration_s = None if began is None else self._clock() - began
        if index < len(job.checks):
            if len(self._kept) > len(job.checks):  # a reload has taken some away
                names = {check.name for check in job.checks}
                self._kept = {name: results for name, results in self._kept.items() if name in names}
            results = self._kept.setdefault(job.checks[index].name, deque(maxlen=KEPT))
            if results and len(results[-1].output) > SHOWN:
                last = results.pop()
                results.append(last.changed(output=last.output[:SHOWN]))
            results.append(CheckRecord(time.time(), duration_s or 0.0, passed, output))
        return duration_s

    @staticmethod
    def named(job: Job, index: int, reason: str) -> str:
        """Why a check has failed, with its name where it has one."""
        name = job.checks[index].name if index < len(job.checks) else ""
        return f"{name}: {reason}" if name else reason

    def why(self, job: Job, index: int, reason: str) -> str:
        """Why a job is not healthy any more; of a check with a command in ContainerPilot's words."""
        if index < len(job.checks) and job.checks[index].command is not None:
            return f"{job.check_source(index)} exited with error: {reason}"
        return self.named(job, index, reason)

    def status(self, job: Job, states: tuple[CheckState, ...]) -> list[dict[str, object]]:
        """What `corepilot status` shows of them, in the order of the configuration."""
        return list(self._status(job, states))

    def _status(self, job: Job, states: tuple[CheckState, ...]) -> Iterator[dict[str, object]]:
        for check, state in zip(job.checks, states, strict=False):
            results = self._kept.get(check.name, ()) if check.asks else ()
            last = results[-1] if results else None
            yield {
                "name": check.name,
                "level": check.level,
                "status": "unknown" if state.passed is None else "passing" if state.passed else "failing",
                "failures": state.failures,
                "output": last.output if last else "",
                "duration_s": round(last.duration_s, 6) if last else None,
                "history": [
                    {
                        "at": round(one.at, 3),
                        "passed": one.passed,
                        "duration_s": round(one.duration_s, 6),
                        "output": one.output[:SHOWN],
                    }
                    for one in results
                ],
            }
