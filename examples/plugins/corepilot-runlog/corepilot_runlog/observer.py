"""The observer: one line for each run that has ended."""

import json
from typing import Any, TextIO

from corepilot.model.fact import Fact, RunEnded
from corepilot.observers.observer import Observer


class RunLogObserver(Observer):
    _file: TextIO | None = None

    def observe(self, fact: Fact) -> None:
        if isinstance(fact, RunEnded):
            self._write(
                {
                    "ended_at_s": round(fact.at_s, 3),
                    "job": fact.job,
                    "run": fact.number,
                    "pid": fact.pid,
                    "status": fact.status,
                    "reason": fact.reason,
                    "duration_s": round(fact.duration_s, 3),
                }
            )

    def dropped(self, count: int) -> None:
        self._write({"lost": count})

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, line: dict[str, Any]) -> None:
        if self._file is None:
            self._file = open(self.options.path, "a", encoding="ascii")  # noqa: SIM115  - closed by close()
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
