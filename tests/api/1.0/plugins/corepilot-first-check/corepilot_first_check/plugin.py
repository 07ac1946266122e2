"""Compares a number in a file with a limit."""

from dataclasses import dataclass
from typing import Any

from corepilot.plugin import OptionError, hookimpl, option

API = "1.0"
CAPABILITIES: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Options:
    """What a configuration may say."""

    path: str = option(help="a file that holds one number", example="/run/queue-length")
    maximum: float = option(help="the largest number of a healthy job", default=100.0)

    def __post_init__(self) -> None:
        """Rules that need more than a field can say."""
        if not self.path.startswith("/"):
            raise OptionError("path", "the file is named by its absolute path")


@hookimpl
def corepilot_register_check() -> type[Any]:
    """Return the check. What it needs is imported only now."""
    from corepilot_first_check.check import FirstCheckCheck

    return FirstCheckCheck
