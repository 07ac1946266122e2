"""Plugins that a configuration names, and what it gives them."""

from __future__ import annotations

from typing import Any

from corepilot.model.value import Value


class Secret(Value):
    """A value that is shown to nobody: its text forms are `***`."""

    value: str

    def __str__(self) -> str:
        return "***"

    def __repr__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return format("***", spec)


class Options(Value):
    """A plugin's options: names and values, in the order of the plugin's own declaration.

    Attributes:
        items: A value is None, a bool, a number, a text, a Secret, a tuple of values, or Options again.
    """

    items: tuple[tuple[str, Any], ...] = ()

    def plain(self) -> dict[str, Any]:
        """As dicts, secrets revealed: for the plugin, and for nobody else."""
        return {name: _plain(value) for name, value in self.items}

    def secrets(self) -> tuple[str, ...]:
        """The texts that must be shown to nobody, those of nested options too."""
        found: list[str] = []
        for _, value in self.items:
            if isinstance(value, Secret) and value.value:
                found.append(value.value)
            elif isinstance(value, Options):
                found += value.secrets()
        return tuple(found)


def _plain(value: Any) -> Any:
    if isinstance(value, Options):
        return value.plain()
    if isinstance(value, Secret):
        return value.value
    return tuple([_plain(one) for one in value]) if isinstance(value, tuple) else value


class PluginReference(Value):
    """A plugin that was found, with validated options; not yet imported by the supervisor.

    Attributes:
        name: The entry point's name.
        module: The light module.
        attribute: Attribute of the module that is the plugin's object; "" for the module itself.
        distribution: Name of the distribution that brings it.
        version: Version of that distribution.
        options: For the plugin's `Options`.
        capabilities: What it declares, sorted.
        lock_ttl_s: The shortest and the longest TTL that its locks may have; empty without limits.
    """

    name: str
    module: str
    attribute: str
    distribution: str
    version: str
    options: Options = Options()
    capabilities: tuple[str, ...] = ()
    lock_ttl_s: tuple[float, ...] = ()
