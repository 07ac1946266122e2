"""Writes a line for everything that happens."""

from dataclasses import dataclass
from typing import Any

from corepilot.plugin import OptionError, hookimpl, option

API = "1.0"
CAPABILITIES: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Options:
    """What a configuration may say."""

    path: str = option(help="the file that lines are appended to", example="/var/log/first-observer.log")

    def __post_init__(self) -> None:
        """Rules that need more than a field can say."""
        if not self.path.startswith("/"):
            raise OptionError("path", "the file is named by its absolute path")


@hookimpl
def corepilot_register_observer() -> type[Any]:
    """Return the observer. What it needs is imported only now."""
    from corepilot_first_observer.observer import FirstObserverObserver

    return FirstObserverObserver
