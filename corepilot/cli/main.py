"""The command line's first steps: which of guard, wrapper and client this process is to be.

Imports little, and late: `corepilot` is on the boot path of a container, and `corepilot ping` runs every few seconds.
"""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from corepilot.supervisor.arguments import RunArguments

FORBIDDEN = ("PYTHON", "GEVENT", "GREENLET", "VIRTUAL_ENV", "COREPILOT_HELD_")
"""Beginnings of the variables that are the application's, and must not reach our own interpreter and event loop."""

INTERRUPTED = 130
"""Exit status of a client that Ctrl-C ended, as shells have it."""

_ONE_QUESTION = frozenset(("ping", "health", "--version", "-V"))
"""Commands that start nothing, and leave nothing open or behind: probes, which run every few seconds."""

_COERCED = ("C.UTF-8", "C.utf8", "UTF-8")  # PEP 538; isolated mode heeds no variable that would turn it off


def main(words: Sequence[str] | None = None) -> int:
    """Carry out a command line; returns the exit status, if this is not the end of a guard.

    Args:
        words: The command line; None for this process's own.
    """
    end = _leave if words is None else _stay
    words = sys.argv[1:] if words is None else list(words)
    given = own_environment()
    open_standard()
    if words[:1] == ["--"]:
        return end(_wrap(words[1:], given))
    name, rest = _command(words)
    if name == "run" and not _asks_for_help(rest):
        from corepilot import guard

        guard.install_early_handlers()  # PID 1 loses a TERM that comes before: nothing else is imported until here
        return end(_run(rest, given))
    status = _carry_out(name, rest, given)
    return end(status) if name in _ONE_QUESTION else status


def _stay(status: int) -> int:
    return status


def _leave(status: int) -> int:
    """End at once: a guard has nothing left, nor has a client; and taking an interpreter apart takes a while."""
    for stream in (sys.stdout, sys.stderr):
        try:  # noqa: SIM105  - contextlib is not worth its import here
            stream.flush()
        except (OSError, ValueError):
            pass  # nobody reads on
    os._exit(status)


def open_standard() -> None:
    """Give descriptors 0 to 2 that were closed to /dev/null, or the first pipe would become somebody's stdout."""
    try:
        while (fd := os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)) <= 2:
            os.set_inheritable(fd, True)  # noqa: FBT003  - that is its signature
    except OSError as error:
        sys.exit(f"corepilot: cannot open {os.devnull}: {error.strerror}; a container has a /dev of its own")
    os.close(fd)
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:  # what the interpreter makes of a closed descriptor
            setattr(sys, name, open(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False))  # noqa: SIM115  - stays open


def own_environment() -> dict[str, str]:
    """Take what is the application's out of our own environment; returns the environment as it was given."""
    given = dict(os.environ)
    if "COREPILOT_BUNDLE" in given:
        from corepilot.system import bundled

        if bundled.folder(given):
            given = bundled.as_given(given)
    for name in list(os.environ):
        if name.startswith(FORBIDDEN):
            del os.environ[name]
    if given.get("LC_CTYPE") in _COERCED:
        _undo_coercion(given)
    return given


def _undo_coercion(given: dict[str, str]) -> None:
    """Take back what Python does to LC_CTYPE in the C locale. What it was is in /proc (proc_pid_environ(5))."""
    try:
        with open("/proc/self/environ", "rb") as file:
            entries = file.read().split(b"\0")
    except OSError:
        return
    before = next((entry for entry in entries if entry.startswith(b"LC_CTYPE=")), None)
    if before is None:
        del given["LC_CTYPE"]
    else:
        given["LC_CTYPE"] = os.fsdecode(before[9:])


def _command(words: Sequence[str]) -> tuple[str, list[str]]:
    """The command's name, and what is left: `corepilot` and `corepilot -c FILE` are `corepilot run …`."""
    if words and not words[0].startswith("-"):
        return words[0], list(words[1:])
    if words[:1] in (["--help"], ["-h"], ["--version"], ["-V"]):
        return words[0], []
    return "run", list(words)


def _asks_for_help(words: Sequence[str]) -> bool:
    ours = words[: words.index("--")] if "--" in words else words
    return "--help" in ours or "-h" in ours


def _wrap(words: Sequence[str], given: Mapping[str, str]) -> int:
    if not words:
        _complain("cannot wrap nothing: corepilot -- COMMAND ARGS…")
        return 2
    from corepilot.guard.wrapping import wrap
    from corepilot.system.naming import name_process

    name_process("corepilot")
    return wrap(words, environment=given)


def _carry_out(name: str, words: list[str], given: Mapping[str, str]) -> int:
    from corepilot.cli.arguments import USAGE, UsageError
    from corepilot.errors import ConfigError, CorepilotError

    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name of a file, or of an instance, may be in no encoding
    try:
        return _command_status(name, words, given)
    except UsageError as error:
        _complain(str(error))
        return 1 if name == "health" else USAGE  # 2 is reserved in the status of a Docker health check
    except ConfigError as error:
        for reason in error.args:
            _complain(str(reason))
        return 1
    except CorepilotError as error:
        _complain(str(error))
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # `corepilot status | head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1


def _complain(reason: str) -> None:
    from corepilot.wording.escaping import escaped

    try:
        sys.stderr.write(f"corepilot: {escaped(reason)}\n")
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # nobody reads: the status tells, here and at the very end


def _command_status(name: str, words: list[str], given: Mapping[str, str]) -> int:
    if name in {"--version", "-V"}:
        from corepilot import _version

        sys.stdout.write(f"corepilot {_version.__version__}\n")
        return 0
    from corepilot.cli.arguments import EVERYWHERE, UsageError, parse, suggest
    from corepilot.cli.table import COMMANDS, overview, usage

    if name in {"--help", "-h", "help"}:
        from corepilot.cli.plugin_commands import installed_commands

        about = COMMANDS.get(words[0]) if words else None
        sys.stdout.write(overview(installed_commands()) if about is None else usage(about))
        return 0
    if name not in _ONE_QUESTION:
        from corepilot.system.search_path import complete

        complete()
    command = COMMANDS.get(name)
    if command is None:
        from corepilot.cli.plugin_commands import find_command, installed_commands, run_command

        plugin = find_command(name)
        if plugin is not None:
            return run_command(plugin, words)
        file = "." in name or "/" in name
        known = [*COMMANDS, *dict(installed_commands()), *EVERYWHERE]
        way_out = "; name a configuration with -c FILE" if file else suggest(name, known)
        raise UsageError(f"cannot run {name!r}: unknown command{way_out}")
    if _asks_for_help(words):
        sys.stdout.write(usage(command))
        return 0
    arguments = parse(command, words)
    arguments.environment = given
    module, _, function = command.run.partition(":")
    status: int = getattr(__import__(module, fromlist=[function]), function)(arguments)
    sys.stdout.flush()
    return status


def _run(words: list[str], given: Mapping[str, str]) -> int:
    """`corepilot run`: be the guard of a supervisor, which reads the command line."""
    pid_1 = os.getpid() == 1

    def prepare() -> RunArguments:
        from corepilot import cli
        from corepilot.cli.arguments import parse
        from corepilot.cli.files import locate
        from corepilot.cli.table import COMMANDS
        from corepilot.supervisor.arguments import RunArguments

        found = parse(COMMANDS["run"], words)
        discovery = found.discovery or given.get("COREPILOT_DISCOVERY") or None
        where = locate(found.config, given, pid_1=pid_1)
        for name in ("arguments", "files", "table"):  # a supervisor reads one command line
            del sys.modules[f"corepilot.cli.{name}"]
            delattr(cli, name)
        return RunArguments(where.locations, discovery, given, paths_only=where.paths_only)

    return supervise(prepare)


def supervise(prepare: Callable[[], RunArguments], name: str = "corepilot") -> int:
    """Be the guard of a supervisor, from here to its end; returns its exit status.

    Args:
        prepare: Says what to run. Called in the supervisor; a CorepilotError ends it with one line on stderr.
        name: What guard, supervisor and loader are called for `pgrep` and `pkill`.
    """
    from corepilot import guard
    from corepilot.system.naming import name_process

    name_process(name)

    def supervisor(channel: guard.Channel) -> int:
        from corepilot.supervisor import boot

        return boot.main(channel, prepare)

    return guard.supervise(supervisor)
