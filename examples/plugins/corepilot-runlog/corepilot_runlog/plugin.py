"""Writes each run of a job as a line of JSON."""

from dataclasses import dataclass
from typing import Any

from corepilot.plugin import OptionError, hookimpl, option

API = "1.0"
CAPABILITIES: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Options:
    path: str = option(help="the file that lines are appended to", example="/var/log/runs.jsonl")

    def __post_init__(self) -> None:
        if not self.path.startswith("/"):
            raise OptionError("path", "the file is named by its absolute path")


@hookimpl
def corepilot_register_observer() -> type[Any]:
    from corepilot_runlog.observer import RunLogObserver

    return RunLogObserver
