"""Checks an installed plugin in a process of its own, so that whatever it does happens to nobody else.

`assert_light` is for tests: the loader imports the light module of every plugin in use, on the way to the first job,
so it may import the standard library and `corepilot.plugin` and nothing else. `verify` asks everything that can be
asked without a configuration; `corepilot plugins verify` shows its answers.
"""

import contextlib
import json
import os
import resource
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from corepilot.errors import PluginError
from corepilot.plugin.installed import InstalledPlugin
from corepilot.plugin.light import foreign, import_light
from corepilot.system.python import python_command

DEADLINE_S = 30.0
"""How long importing a plugin may take before it counts as hanging."""

LIGHT_CPU_S = 2
"""Seconds of processor time that importing a light module may take: as many as the loader has."""

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


class Examined(NamedTuple):
    """What loading a plugin in a process of its own has shown.

    Attributes:
        problems: All that is wrong, as sentences that begin with "cannot load it: "; empty if it is fine.
        api: The plugin interface it was made for; "" where that is not known.
        capabilities: What it declares, sorted.
        import_ms: How long importing all of it took, in milliseconds.
    """

    problems: list[str]
    api: str = ""
    capabilities: tuple[str, ...] = ()
    import_ms: float = 0.0


def verify(plugin: InstalledPlugin) -> list[str]:
    """Everything that is wrong with a plugin, as far as it shows without a configuration; empty if it is fine.

    Args:
        plugin: From `corepilot.plugin.installed`.
    """
    return _problems_of_file(plugin.file) + loaded(plugin).problems


def loaded(plugin: InstalledPlugin) -> Examined:
    """Load a plugin, its heavy part included, in a process of its own. Makes no instance, and opens no connection."""
    title = f"{plugin.kind} {plugin.name!r} ({plugin.distribution} {plugin.version})"
    answer, problem = _run("verify", [plugin.module, plugin.attribute, plugin.kind, plugin.name], f"importing {title}")
    if problem:
        return Examined([f"cannot load it: {problem}"])
    problems, api, capabilities, import_ms = json.loads(answer)
    return Examined(problems, api, tuple(capabilities), import_ms)


def examine(module: str, attribute: str, kind: str, name: str) -> str:
    """An `Examined` as JSON: in the child, with the judgement that the loader and the supervisor use.

    Args:
        module: The light module.
        attribute: The attribute that the entry point names.
        kind: One of `corepilot.plugin.hookspec.KINDS`.
        name: The entry point's name.
    """
    where = "cannot load it"
    began_at = time.perf_counter()
    api, capabilities = "", []
    try:
        with _cpu_limit():
            light = import_light(module, attribute, kind, where)
        api, capabilities = light.api, sorted(light.capabilities)
        taken_s = time.perf_counter() - began_at
        from corepilot.plugin.manager import Plugins, options_of  # not before: that would not count as the plugin's

        plugins = Plugins()
        began_at = time.perf_counter()
        plugins.implementation(light, kind, name, where)
        taken_s += time.perf_counter() - began_at
        options_of(light, where)
    except PluginError as error:
        return json.dumps([[str(error)], api, capabilities, 0.0])
    return json.dumps([[], api, capabilities, round(taken_s * 1000, 1)])


@contextlib.contextmanager
def _cpu_limit() -> Iterator[None]:
    """Give the block as much processor time as the loader gives; SIGXCPU ends the process then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    used = resource.getrusage(resource.RUSAGE_SELF)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + LIGHT_CPU_S, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def _problems_of_file(file: str) -> list[str]:
    if not file:
        return []  # loading it says so
    mode = os.stat(file).st_mode
    return [f"{file} can be changed by every user of this machine; chmod o-w it"] if mode & 0o002 else []


def _run(phase: str, arguments: Sequence[str], doing: str = "loading it") -> tuple[str, str]:
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
                return "", f"{doing} did not end within {DEADLINE_S:g} s"
            answer = pipe.read()
        output.seek(0)
        printed = output.read(400).decode(errors="replace").strip()
    if status != 0 or not answer:
        if status == -signal.SIGXCPU:
            return "", f"{doing} did not end within {LIGHT_CPU_S} s of CPU time"
        ended = f"was killed by signal {-status}" if status < 0 else f"ended with exit status {status}"
        return "", f"{doing} did not end: the process {ended}{f', after printing: {printed}' if printed else ''}"
    if printed:
        return "", f"it prints while it is loaded: {printed}"
    return answer, ""
