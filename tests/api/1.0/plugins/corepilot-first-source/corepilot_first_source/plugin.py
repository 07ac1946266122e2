"""Reads the configuration from a file."""

from typing import Any

from corepilot.plugin import hookimpl

API = "1.0"
CAPABILITIES: frozenset[str] = frozenset()


@hookimpl
def corepilot_register_source() -> type[Any]:
    """Return the source. What it needs is imported only now."""
    from corepilot_first_source.source import FirstSourceSource

    return FirstSourceSource
