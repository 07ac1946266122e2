"""Reads a configuration that was compressed with gzip."""

from typing import Any

from corepilot.plugin import hookimpl

API = "1.0"
CAPABILITIES: frozenset[str] = frozenset()


@hookimpl
def corepilot_register_source() -> type[Any]:
    from corepilot_gzip.source import GzipSource

    return GzipSource
