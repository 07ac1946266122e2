"""Which catalogs of a new configuration go on with the client of an old one, whatever they are called. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from corepilot.model.configuration import Lock, Watch
from corepilot.model.plugin import PluginReference

Named = TypeVar("Named", Watch, Lock)
Catalogs = Sequence[tuple[str, PluginReference]]


def continued(old: Catalogs, new: Catalogs) -> dict[str, str]:
    """The catalogs that stay, each with the name that it has had so far.

    One with the same backend and options stays. Of several such, the one that keeps its name is meant, then the first.

    Args:
        old: Name and plugin of each catalog in use.
        new: The same, of those that are to be used.
    """
    left = dict(old)
    found: dict[str, str] = {}
    for name, plugin in new:
        if left.get(name) == plugin:
            found[name] = name
            del left[name]
    for name, plugin in new:
        before = next((one for one, known in left.items() if known == plugin), None) if name not in found else None
        if before is not None:
            found[name] = before
            del left[before]
    return found


def renamed(kept: Mapping[str, str]) -> dict[str, str]:
    """The catalogs that stay under another name: the old name of each, and the new one."""
    return {before: name for name, before in kept.items() if name != before}


def under_new_names(entries: Sequence[Named], names: Mapping[str, str]) -> tuple[Named, ...]:
    """Watches or locks as they would be written with the new names of catalogs."""
    return tuple([one.changed(catalog=names[one.catalog]) if one.catalog in names else one for one in entries])
