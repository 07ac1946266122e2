"""How a configuration names a plugin."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from corepilot.config.diagnostics.source_map import Path


class NamedPlugin(NamedTuple):
    """A plugin as the configuration names it.

    Attributes:
        name: The entry point's name.
        options: What is given.
        path: Where the name is given; None on the command line.
        options_path: What holds the options; None on the command line.
        inside: Whether each option has a place of its own below `options_path`.
        texts: Whether all values are texts, as from a command line.
        extra: An extra of corepilot's that brings the plugin, to be installed in its place.
        spared: Options whose fault is only warned of; the plugin is left out then.
    """

    name: str
    options: Mapping[str, Any]
    path: Path | None
    options_path: Path | None
    inside: bool = False
    texts: bool = False
    extra: str = ""
    spared: tuple[str, ...] = ()
