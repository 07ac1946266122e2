"""`corepilot plugins list`: what is installed, who brings it, where the configuration names it, and whether that works.

Reads metadata, and imports no plugin; with `--load` each is loaded in a process of its own.
"""

import importlib.metadata
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from stevedore import NamedExtensionManager

from corepilot.plugin.installed import GROUPS, InstalledPlugin, module_file, split_value
from corepilot.wording.nearest import nearest
from corepilot.wording.tables import table

Output = Literal["table", "json"]


@dataclass(frozen=True, slots=True)
class ListArguments:
    """`corepilot plugins list [-c FILE] [--load] [-o json]`.

    Attributes:
        output: How it is shown.
        config: The locations of the configuration; none for where `run` would look.
        load: Whether to load each plugin, in a process of its own.
        environment: For the configuration.
    """

    output: Output = "table"
    config: tuple[str, ...] = ()
    load: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)


class LookAlike(NamedTuple):
    """An entry point of a group that looks like one of ours and is not.

    Attributes:
        name: The entry point's name.
        group: The group as it is written.
        distribution: Who brings it.
        version: Its version.
        why: What is wrong with it, and what was probably meant.
    """

    name: str
    group: str
    distribution: str
    version: str
    why: str


class _Group(NamedExtensionManager[Any]):
    """stevedore over one group, loading none of it.

    Its disk cache is left out: it keeps an entry point after a reinstallation that moved it, and has no distributions.
    """

    def __init__(self, group: str) -> None:
        super().__init__(group, names=[])

    def list_entry_points(self) -> list[importlib.metadata.EntryPoint]:
        return list(importlib.metadata.entry_points(group=self.namespace))


def enumerate_installed() -> list[InstalledPlugin]:
    """What stevedore finds: the same as `corepilot.plugin.installed.scan`, in the same order."""
    found = []
    for group in GROUPS:
        for entry in _Group(group).list_entry_points():
            module, attribute = split_value(entry.value)
            name, version = (entry.dist.name, entry.dist.version) if entry.dist else ("", "")
            found.append(InstalledPlugin(entry.name, group, module, attribute, name, version, module_file(module)))
    return sorted(found, key=lambda plugin: (plugin.group, plugin.name))


def look_alikes() -> list[LookAlike]:
    """Entry points that nobody looks at, because their group is misspelt; sorted by group and name."""
    found = []
    for group in importlib.metadata.entry_points().groups:
        if group in GROUPS or not group.lower().startswith("corepilot"):
            continue
        meant = nearest(group, GROUPS)
        way_out = f"did you mean {meant!r}?" if meant else f"there are {', '.join(GROUPS)}"
        for entry in importlib.metadata.entry_points(group=group):
            name, version = (entry.dist.name, entry.dist.version) if entry.dist else ("", "")
            why = f"cannot be used: {name} has it in the group {group!r}, which is none of corepilot's; {way_out}"
            found.append(LookAlike(entry.name, group, name, version, why))
    return sorted(found, key=lambda one: (one.group, one.name))


def list_plugins(arguments: ListArguments) -> int:
    """Show every installed plugin. Returns 0, also when there is none."""
    plugins = enumerate_installed()
    named = _named_in(arguments)
    shown = [{**plain(one), **_state(one, note(one, plugins), named)} for one in plugins]
    if arguments.load:
        for plugin, one in zip(plugins, shown, strict=True):
            one.update(_loaded(plugin))
    for alike in look_alikes():
        facts = alike._asdict()
        why = facts.pop("why")
        shown.append({**facts, "kind": "", "named_in": [], "state": why, "note": why})
    if arguments.output == "json":
        write_json(shown)
        return 0
    head = ["NAME", "KIND", "DISTRIBUTION", "VERSION", "NAMED IN", "STATE"]
    rows = [
        [one["name"], one["kind"] or "-", one["distribution"], one["version"], ", ".join(one["named_in"]), one["state"]]
        for one in shown
    ]
    if arguments.load:
        head += ["API", "IMPORT", "CAPABILITIES"]
        for one, row in zip(shown, rows, strict=True):
            taken_ms = one.get("import_ms")
            row += [one.get("api", ""), f"{taken_ms:g} ms" if taken_ms else "", ", ".join(one.get("capabilities", ()))]
    write_table(head, rows)
    return 0


def note(plugin: InstalledPlugin, plugins: Sequence[InstalledPlugin]) -> str:
    """Why nobody gets this plugin by its name; "" if they do."""
    if plugin.kind == "command":
        from corepilot.cli.table import COMMANDS

        if plugin.name in COMMANDS:
            return "not used: corepilot has a command of that name"
    rivals = [one for one in plugins if (one.group, one.name) == (plugin.group, plugin.name) and one is not plugin]
    if not rivals or plugin.built_in:
        return ""
    if any(one.built_in for one in rivals):
        return "not used: the built-in plugin of this name wins"
    return f"cannot be used: {', '.join(one.distribution for one in rivals)} brings a plugin of the same name"


def plain(plugin: InstalledPlugin) -> dict[str, Any]:
    """A plugin for JSON."""
    return {"kind": plugin.kind, **plugin._asdict()}


def _named_in(arguments: ListArguments) -> dict[tuple[str, str], list[str]]:
    """Where the configuration names plugins, by kind and name; empty without one that can be loaded."""
    from corepilot.cli.check import load
    from corepilot.cli.files import locate
    from corepilot.cli.named import plugins_named
    from corepilot.config.loading.exchange import LoadRequest
    from corepilot.errors import ConfigError
    from corepilot.sources.locations import all_shown, scheme_of

    try:
        located = locate(arguments.config, arguments.environment, pid_1=False)
    except ConfigError:
        return {}
    request = LoadRequest(
        located.locations, dict(arguments.environment), judge_machine=False, paths_only=located.paths_only
    )
    result = load(request)
    if result.config is None:
        first = next((one.sentence() for one in result.problems if one.is_error), "it cannot be loaded")
        sys.stderr.write(f"corepilot: cannot say what the configuration names: {first}\n")
        return {}
    found: dict[tuple[str, str], list[str]] = {}
    for location in located.locations:
        name = "file" if located.paths_only else scheme_of(location) or _file_or_directory(location)
        found.setdefault(("source", name), []).append(f"-c {all_shown([location])}")
    for path, kind, reference in plugins_named(result.config):
        found.setdefault((kind, reference.name), []).append(path)
    return found


def _file_or_directory(path: str) -> str:
    """The source of a location without a scheme."""
    import os

    return "directory" if os.path.isdir(path) else "file"


def _state(plugin: InstalledPlugin, unused: str, named: Mapping[tuple[str, str], list[str]]) -> dict[str, Any]:
    where = [f"corepilot {plugin.name}"] if plugin.kind == "command" else named.get((plugin.kind, plugin.name), [])
    missing = "" if plugin.file else f"cannot be used: its module {plugin.module} is not there"
    state = unused or missing or ("enabled" if where else "not named")
    return {"named_in": [] if unused else where, "state": state, "note": unused}


def _loaded(plugin: InstalledPlugin) -> dict[str, Any]:
    from corepilot.plugin.verify import loaded

    found = loaded(plugin)
    facts: dict[str, Any] = {
        "api": found.api, "capabilities": list(found.capabilities), "import_ms": found.import_ms,
        "problems": found.problems,
    }  # fmt: skip
    if found.problems:
        facts["state"] = found.problems[0]
    return facts


def write_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table to stdout."""
    sys.stdout.writelines(line + "\n" for line in table(head, rows))


def write_json(value: Any) -> None:
    """Write JSON to stdout."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
