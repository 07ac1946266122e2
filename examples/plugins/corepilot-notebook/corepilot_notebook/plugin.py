"""Keeps services in a notebook: one JSON file that several processes of one machine share."""

from dataclasses import dataclass
from typing import Any

from corepilot.plugin import OptionError, hookimpl, option

API = "1.0"
CAPABILITIES = frozenset({"services", "register", "watch"})


@dataclass(frozen=True)
class Options:
    path: str = option(help="the notebook's file", example="/run/notebook.json")
    look_s: float = option(help="how often a watch looks for changes", unit="s", minimum=0.01, default=0.1)

    def __post_init__(self) -> None:
        if not self.path.startswith("/"):
            raise OptionError("path", "the notebook is named by its absolute path")


@hookimpl
def corepilot_register_backend() -> type[Any]:
    from corepilot_notebook.backend import NotebookBackend

    return NotebookBackend
