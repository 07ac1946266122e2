"""`corepilot plugins info` and `verify`: what a plugin takes, whether it works.

`info` imports light modules; `verify` loads each plugin completely, in a
process of its own. Each function writes to stdout, errors to stderr, and returns the exit status.
"""

import contextlib
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from corepilot.cli.plugin_list import Output, enumerate_installed, look_alikes, note, plain, write_json, write_table
from corepilot.errors import PluginError
from corepilot.plugin.installed import InstalledPlugin, explain_unknown
from corepilot.plugin.light import import_light
from corepilot.plugin.options import OptionField, fields_of
from corepilot.plugin.verify import verify
from corepilot.wording.escaping import escaped


@dataclass(frozen=True, slots=True)
class InfoArguments:
    """`corepilot plugins info NAME [-o json]`."""

    name: str
    output: Output = "table"


@dataclass(frozen=True, slots=True)
class VerifyArguments:
    """`corepilot plugins verify [NAME…] [-o json]`; without names all that are installed."""

    names: tuple[str, ...] = ()
    output: Output = "table"


def show_plugin(arguments: InfoArguments) -> int:
    """Show what a plugin takes and promises. Returns 1 if there is none of that name, or it cannot be imported."""
    plugins = enumerate_installed()
    try:
        shown = [_details(plugin, schema=arguments.output == "json") for plugin in _named((arguments.name,), plugins)]
    except PluginError as error:
        sys.stderr.write(f"{escaped(str(error))}\n")
        return 1
    if arguments.output == "json":
        write_json(shown)
        return 0
    for position, one in enumerate(shown):
        sys.stdout.write("\n" if position else "")
        _write_details(one)
    return 0


def verify_plugins(arguments: VerifyArguments) -> int:
    """Load plugins, each in a process of its own, and say what is wrong. Returns 1 if anything is."""
    plugins = enumerate_installed()
    try:
        chosen = _named(arguments.names, plugins) if arguments.names else plugins
    except PluginError as error:
        sys.stderr.write(f"{escaped(str(error))}\n")
        return 1
    results: list[dict[str, Any]] = []
    for plugin in chosen:
        unused = note(plugin, plugins)
        results.append({**plain(plugin), "problems": ([unused] if unused else []) + verify(plugin)})
    for alike in [] if arguments.names else look_alikes():
        facts = alike._asdict()
        why = facts.pop("why")
        results.append({**facts, "kind": "", "problems": [why]})
    if arguments.output == "json":
        write_json(results)
    else:
        rows = [(one["name"], one["kind"] or "-", "; ".join(one["problems"]) or "ok") for one in results]
        write_table(("NAME", "KIND", "RESULT"), rows)
    return 1 if any(one["problems"] for one in results) else 0


def _named(names: Iterable[str], plugins: Sequence[InstalledPlugin]) -> list[InstalledPlugin]:
    """The plugins of these names, of whatever kind."""
    chosen = []
    for name in names:
        same = [plugin for plugin in plugins if plugin.name == name]
        if not same:
            hidden = next((one for one in look_alikes() if one.name == name), None)
            if hidden is not None:
                raise PluginError(f"cannot find plugin {name!r}: {hidden.why}")
            known = {plugin.name for plugin in plugins}
            raise PluginError(f"cannot find plugin {name!r}: {explain_unknown(None, name, known)}")
        chosen += same
    return chosen


def _details(plugin: InstalledPlugin, *, schema: bool) -> dict[str, Any]:
    where = f"cannot show {plugin.kind} {plugin.name!r} ({plugin.distribution} {plugin.version})"
    with contextlib.redirect_stdout(sys.stderr):  # what a plugin prints must not get into a table or JSON
        light = import_light(plugin.module, plugin.attribute, plugin.kind, where, plugin.distribution)
    manual = (getattr(light.module, "__doc__", None) or "").strip()
    options: dict[str, Any] = {}
    if schema:
        from corepilot.config.schema.options import json_schema

        options["schema"] = json_schema(light.options) if light.options else {"type": "object", "properties": {}}
    return {
        **plain(plugin),
        **options,
        "summary": manual.partition("\n")[0],
        "api": light.api,
        "capabilities": sorted(light.capabilities),
        "options": [_plain_option(one) for one in fields_of(light.options)] if light.options else [],
    }


def _plain_option(one: OptionField) -> dict[str, Any]:
    info = one.info
    return {
        "name": one.name,
        "type": one.type,
        "required": one.required,
        "default": one.default,
        "help": info.help,
        "unit": info.unit,
        "minimum": info.minimum,
        "maximum": info.maximum,
        "env": info.env,
        "env_wins": info.env_wins,
        "secret": info.secret,
        "example": info.example,
        "path": info.path,
    }


def _write_details(one: dict[str, Any]) -> None:
    facts = (
        ("name", one["name"]),
        ("kind", one["kind"]),
        ("summary", one["summary"] or "-"),
        ("distribution", f"{one['distribution']} {one['version']}"),
        ("file", one["file"] or "not there"),
        ("interface", f"version {one['api']}"),
        ("capabilities", ", ".join(one["capabilities"]) or "none"),
    )
    for label, value in facts:
        sys.stdout.write(f"{label + ':':<14} {escaped(value)}\n")
    if not one["options"]:
        sys.stdout.write("options:       none\n")
        return
    sys.stdout.write("\n")
    rows = [
        (
            option["name"],
            _type_and_range(option),
            "required" if option["required"] else _shown_default(option["default"]),
            option["env"] + (" (wins)" if option["env_wins"] else ""),
            option["help"] + (" (secret)" if option["secret"] else ""),
        )
        for option in one["options"]
    ]
    write_table(("OPTION", "TYPE", "DEFAULT", "ENVIRONMENT", "HELP"), rows)


def _type_and_range(option: dict[str, Any]) -> str:
    text: str = {"file": "path of a file", "directory": "path of a directory"}.get(option["path"], option["type"])
    if option["unit"] and text != "duration":
        text += f" ({option['unit']})"
    low, high, unit = option["minimum"], option["maximum"], f" {option['unit']}" if text == "duration" else ""
    if low is not None and high is not None:
        return f"{text}, {low:g} to {high:g}{unit}"
    if low is not None:
        return f"{text}, at least {low:g}{unit}"
    return f"{text}, at most {high:g}{unit}" if high is not None else text


def _shown_default(value: Any) -> str:
    return "-" if value in ("", (), None) else json.dumps(value)
