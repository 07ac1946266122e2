"""Reads the configuration from a web server: an http:// or https:// URL."""

from typing import Any

from corepilot.plugin import hookimpl

API = "1.0"
CAPABILITIES: frozenset[str] = frozenset()


@hookimpl
def corepilot_register_source() -> type[Any]:
    """Return the source. What it needs is imported only now."""
    from corepilot.sources.http import HttpSource

    return HttpSource
