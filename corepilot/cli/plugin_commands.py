"""Commands of plugins: found by name in the installed metadata, imported when they are called, and only then."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

from corepilot.plugin.hookspec import KINDS
from corepilot.plugin.installed import InstalledPlugin, find, scan

_STATUS_MAX = 255


def installed_commands() -> list[tuple[str, str]]:
    """The name of each command that a plugin brings, and the distribution; those with a name of the core's left out."""
    from corepilot.cli.table import COMMANDS

    return [(one.name, one.distribution) for one in scan(KINDS["command"].group) if one.name not in COMMANDS]


def find_command(name: str) -> InstalledPlugin | None:
    """The plugin that brings a command, or None.

    Raises:
        PluginError: two distributions bring it.
    """
    group = KINDS["command"].group
    return find(group, name) if any(one.name == name for one in scan(group)) else None


def run_command(plugin: InstalledPlugin, words: Sequence[str]) -> int:
    """Import a command, call it in this process, and return its exit status.

    Args:
        plugin: From `find_command`.
        words: What stands after its name.

    Raises:
        PluginError: it cannot be used, or what it returned is no exit status.
        CorepilotError: what the command itself raised.
    """
    from corepilot.errors import PluginError
    from corepilot.plugin.foreign import shown
    from corepilot.plugin.light import import_light
    from corepilot.plugin.manager import Plugins

    title = f"command {plugin.name!r} ({plugin.distribution} {plugin.version})"
    where = f"cannot load {title}"
    light = import_light(plugin.module, plugin.attribute, "command", where, plugin.distribution)
    main: Callable[[Sequence[str]], Any] = Plugins().implementation(light, "command", plugin.name, where)
    status = main(list(words))
    sys.stdout.flush()
    number = int.__pos__(status) if isinstance(status, int) and not isinstance(status, bool) else -1  # a plain one
    if not 0 <= number <= _STATUS_MAX:
        raise PluginError(f"cannot end with what {title} returned: an exit status is 0 to 255, not {shown(status)}")
    return number
