"""Writes metrics, and each completed run of a job, to a file: one JSON object a line, rotated by size."""

import os
from dataclasses import dataclass
from typing import Any

from corepilot.plugin import OptionError, hookimpl, option

API = "1.0"
CAPABILITIES: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Options:
    """What `{sink: "jsonl", …}` takes."""

    path: str = option(help="the file, absolute; its directory must exist", example="/var/log/corepilot/metrics.jsonl")
    interval: float = option(
        help="how often lines are written", unit="s", minimum=1, maximum=3600, default=10.0, example="10s"
    )
    runs: bool = option(help="write a line for each completed run of a job, too", default=True)
    maxBytes: int = option(  # noqa: N815  - a key of the configuration
        help="size at which the file becomes PATH.1 and a new one is begun; 0: never",
        unit="bytes",
        minimum=0,
        default=10 * 1024 * 1024,
    )
    keep: int = option(help="how many files are kept beside it, PATH.1 the latest", minimum=0, maximum=100, default=3)

    def __post_init__(self) -> None:
        """Refuse a path that would mean something else in another working directory.

        Raises:
            OptionError: the path is relative.
        """
        if not os.path.isabs(self.path):
            raise OptionError("path", "must be absolute")


@hookimpl
def corepilot_register_sink() -> type[Any]:
    """Return the sink. What it needs is imported only now."""
    from corepilot.telemetry.jsonl.sink import JsonlSink

    return JsonlSink
