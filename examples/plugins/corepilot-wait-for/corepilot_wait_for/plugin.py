"""Waits until ports can be connected to."""

from collections.abc import Callable, Sequence

from corepilot.plugin import hookimpl

API = "1.0"
CAPABILITIES: frozenset[str] = frozenset()


@hookimpl
def corepilot_register_command() -> Callable[[Sequence[str]], int]:
    from corepilot_wait_for.command import main

    return main
