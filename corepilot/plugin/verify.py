"""Checks an installed plugin in a process of its own, so that whatever it does happens to nobody else.

`assert_light` is for tests: the loader imports the light module of every plugin in use, on the way to the first job,
so it may import the standard library and `corepilot.plugin` and nothing else. `verify` asks everything that can be
asked without a configuration; `corepilot plugins verify` shows its answers.
"""

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence

from corepilot.errors import PluginError
from corepilot.plugin.installed import InstalledPlugin
from corepilot.plugin.light import foreign, import_light
from corepilot.system.python import python_command

DEADLINE_S = 30.0
"""How long importing a plugin may take before it counts as hanging."""

OUTPUT_BYTES = 1 << 20
"""What a plugin under test may print; more is an error for it."""

# To see what a module brings, nothing of ours is imported before it.
_CHILD = """
import sys
answer, phase, *rest = sys.argv[1:]
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
if phase == "imports":
    before = set(sys.modules)
    import importlib
    try:
        importlib.import_module(rest[0])
        found = "\\n".join(sorted(set(sys.modules) - before))
    except BaseException as error:
        found = "!" + type(error).__name__ + ": " + str(error)
else:
    from corepilot.plugin.verify import examine
    found = examine(*rest)
sys.stdout.flush()
with open(int(answer), "w", encoding="utf-8", errors="replace") as pipe:
    pipe.write(found[:60000])
""".replace("{limit}", str(OUTPUT_BYTES))


def imported_by(module: str) -> frozenset[str]:
    """The modules, apart from the standard library, that importing a module brings with it, itself left out.

    Args:
        module: The full name. It is imported by a fresh isolated interpreter with the search path of this one.

    Raises:
        PluginError: it cannot be imported.
    """
    answer, problem = _run("imports", [module])
    if problem or answer.startswith("!"):
        raise PluginError(f"cannot import {module}: {problem or answer[1:]}")
    return frozenset(foreign(answer.split("\n"), module))


def assert_light(module: str) -> None:
    """Fail unless a module imports only the standard library and `corepilot.plugin`.

    Args:
        module: A light module: what an entry point names.

    Raises:
        AssertionError: it imports more; names what.
        PluginError: it cannot be imported.
    """
    heavy = sorted(imported_by(module))
    if heavy:
        raise AssertionError(f"{module} must import only the standard library and corepilot.plugin, not {heavy}")


def verify(plugin: InstalledPlugin) -> list[str]:
    """Everything that is wrong with a plugin, as far as it shows without a configuration; empty if it is fine.

    Loads the plugin, its heavy part included, in a process of its own. Makes no instance of it and opens no connection.

    Args:
        plugin: From `corepilot.plugin.installed`.
    """
    problems = _problems_of_file(plugin.file)
    answer, problem = _run("verify", [plugin.module, plugin.attribute, plugin.kind, plugin.name])
    return problems + ([problem] if problem else list(json.loads(answer)))


def examine(module: str, attribute: str, kind: str, name: str) -> str:
    """What is wrong with a plugin, as JSON: in the child, with the judgement that the loader and the supervisor use.

    Args:
        module: The light module.
        attribute: The attribute that the entry point names.
        kind: One of `corepilot.plugin.hookspec.KINDS`.
        name: The entry point's name.
    """
    try:
        light = import_light(module, attribute, kind, "cannot use it")
        from corepilot.plugin.manager import Plugins  # not before: what it imports would not count as the plugin's

        Plugins().implementation(light, kind, name, "cannot use it")
    except PluginError as error:
        return json.dumps([str(error)])
    return "[]"


def _problems_of_file(file: str) -> list[str]:
    if not file:
        return ["its module is not there; install it again"]
    mode = os.stat(file).st_mode
    return [f"{file} can be changed by every user of this machine; chmod o-w it"] if mode & 0o002 else []


def _run(phase: str, arguments: Sequence[str]) -> tuple[str, str]:
    """The child's answer, or what became of the child instead."""
    reader, writer = os.pipe()
    with tempfile.TemporaryFile() as output:
        try:
            child = subprocess.Popen(
                python_command(_CHILD, str(writer), phase, *arguments),
                pass_fds=[writer],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        finally:
            os.close(writer)
        with child, open(reader, encoding="utf-8") as pipe:
            try:
                status = child.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                child.kill()
                return "", f"loading it did not end within {DEADLINE_S:g} s"
            answer = pipe.read()
        output.seek(0)
        printed = output.read(400).decode(errors="replace").strip()
    if status != 0 or not answer:
        ended = f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
        return "", f"loading it ended the process with {ended}{f', after printing: {printed}' if printed else ''}"
    if printed:
        return "", f"it prints while it is loaded: {printed}"
    return answer, ""
