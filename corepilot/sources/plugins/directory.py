"""Reads the configuration from the files of a directory, in the order of their names."""

from typing import Any

from corepilot.plugin import hookimpl

API = "1.0"
CAPABILITIES: frozenset[str] = frozenset()


@hookimpl
def corepilot_register_source() -> type[Any]:
    """Return the source. What it needs is imported only now."""
    from corepilot.sources.directory import DirectorySource

    return DirectorySource
