"""Arrays of plugins, each with its options in the same object: `telemetry.sinks` and `observers`."""

from typing import Any

from corepilot.config.diagnostics.complaints import Complaint, shown
from corepilot.config.diagnostics.source_map import Path
from corepilot.config.diagnostics.verdict import Verdict
from corepilot.config.rules.host import Host
from corepilot.config.rules.naming import NamedPlugin
from corepilot.config.rules.plugin_lookup import plugin_of
from corepilot.model.plugin import PluginReference


def entries_of(kind: str, entries: Any, path: Path, verdict: Verdict, host: Host) -> tuple[PluginReference, ...]:
    """The plugins of an array that can be used, in its order.

    Args:
        kind: One of `corepilot.plugin.hookspec.KINDS`; also the key that holds a plugin's name.
        entries: What the array holds: names, or objects of name and options.
        path: Where the array is.
        verdict: Takes what is wrong.
        host: The machine.
    """
    found = []
    for index, entry in enumerate(entries):
        named = _named(kind, entry, (*path, index), verdict)
        plugin = None if named is None else plugin_of(kind, named, verdict, host)
        if plugin is not None:
            found.append(plugin)
    return tuple(found)


def _named(kind: str, entry: Any, path: Path, verdict: Verdict) -> NamedPlugin | None:
    example = f'write {{ {kind}: "NAME", … }}'
    if entry is None:
        verdict.warn(path, "null-element", "null is skipped", "leave it out")
        return None
    if isinstance(entry, str) and entry:
        return NamedPlugin(entry, {}, path, path, inside=True)
    if not isinstance(entry, dict):
        verdict.complain(path, Complaint("wrong-type", f"{shown(entry)} names no {kind}", example))
        return None
    key = next((one for one in entry if one.lower() == kind), kind)
    name = entry.get(key)
    if isinstance(name, str) and name:
        options = {option: value for option, value in entry.items() if option != key}
        return NamedPlugin(name, options, (*path, key), path, inside=True)
    if name is None:
        verdict.complain(path, Complaint("missing-key", f"it does not name {_a(kind)}", example))
    else:
        complaint = Complaint("wrong-type", f"{shown(name)} is not the name of {_a(kind)}", "write a name in quotes")
        verdict.complain((*path, key), complaint)
    return None


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"
