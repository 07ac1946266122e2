"""Greets people."""

from collections.abc import Callable, Sequence

from corepilot.plugin import hookimpl

API = "1.0"
CAPABILITIES: frozenset[str] = frozenset()


@hookimpl
def corepilot_register_command() -> Callable[[Sequence[str]], int]:
    """Return the command. What it needs is imported only now."""
    from corepilot_first_command.command import main

    return main
