"""Keeps services in one JSON file."""

from dataclasses import dataclass
from typing import Any

from corepilot.plugin import OptionError, hookimpl, option

API = "1.0"
CAPABILITIES = frozenset({"services", "register", "watch", "expiry", "keys", "locks"})


@dataclass(frozen=True)
class Options:
    """What a configuration may say."""

    path: str = option(help="the file that holds the services", example="/run/first-backend.json")
    look_s: float = option(help="how often a watch looks for changes", unit="s", minimum=0.01, default=0.1)

    def __post_init__(self) -> None:
        """Rules that need more than one field, or more than a field can say."""
        if not self.path.startswith("/"):
            raise OptionError("path", "the file is named by its absolute path")


@hookimpl
def corepilot_register_backend() -> type[Any]:
    """Return the backend. What it needs is imported only now."""
    from corepilot_first_backend.backend import FirstBackend

    return FirstBackend
