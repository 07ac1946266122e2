"""Tells whether a file was written lately."""

from dataclasses import dataclass
from typing import Any

from corepilot.plugin import OptionError, hookimpl, option

API = "1.0"
CAPABILITIES: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Options:
    path: str = option(help="the file that the job writes while it is well", example="/run/heartbeat")
    maximum_age_s: float = option(help="how long ago it may have been written", unit="s", minimum=0, default=60.0)

    def __post_init__(self) -> None:
        if not self.path.startswith("/"):
            raise OptionError("path", "the file is named by its absolute path")


@hookimpl
def corepilot_register_check() -> type[Any]:
    from corepilot_freshness.check import FreshnessCheck

    return FreshnessCheck
