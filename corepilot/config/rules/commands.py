"""From the validated settings of a command to what is run (ContainerPilot contract, sections 3.6 and 4.2)."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from corepilot.config.diagnostics.complaints import shown
from corepilot.config.diagnostics.source_map import Path
from corepilot.config.diagnostics.verdict import Verdict
from corepilot.config.rules.host import Host
from corepilot.config.rules.process_settings import in_directory
from corepilot.config.schema.filling import made
from corepilot.config.schema.output import FILES, OWN
from corepilot.config.text import commands
from corepilot.model.command import Command, OutputFile, OutputSettings, ProcessSettings
from corepilot.model.replicas import command_of_replica
from corepilot.system.programs import DEFAULT_PATH

_AS_USUAL = OutputSettings()


class Start(NamedTuple):
    """How the commands of a job are started: its own, and those of its checks.

    Attributes:
        settings: What their processes are started with.
        shell: What runs a command that is one text, which is a script then; empty if it is none.
        replicas: Whether the job has replicas, so that `%i` is the number of one.
    """

    settings: ProcessSettings = ProcessSettings()
    shell: tuple[str, ...] = ()
    replicas: bool = False


def command_of(data: Mapping[str, Any], written: Any, start: Start) -> Command | None:
    """The command of a job or of a check, if there is one.

    Args:
        data: What is valid of its settings.
        written: Its `exec` as it was written.
        start: See there.
    """
    if not data.get("exec"):
        return None
    argv = (*start.shell, written) if start.shell and isinstance(written, str) else data["exec"]
    logging = data.get("logging") or {}
    return made(Command, logging, argv=argv, settings=start.settings, output=_output(logging))


def _output(logging: Mapping[str, Any]) -> OutputSettings:
    if not any(logging.get(name) for name in OWN):
        return _AS_USUAL
    written = [logging.get(name) or {} for name in FILES]
    # Without a path that can be used there has been a complaint about it.
    file, error_file = [made(OutputFile, one) if one.get("path") else None for one in written]
    return OutputSettings(
        separate=logging.get("separate", False),
        prefix=logging.get("prefix", ""),
        structured=logging.get("structured", False),
        file=file,
        error_file=error_file,
        both=logging.get("both", False),
    )


def judge_command(
    command: Command | None, written: Any, path: Path, verdict: Verdict, host: Host, *, start: Start
) -> None:
    """Warn of a command that is not what its words say, or that cannot be executed here."""
    if command is None:
        return
    if isinstance(written, str) and not start.shell:
        for oddity in commands.oddities(written):
            hint = 'write shell: true, or an array that says where arguments begin and end: ["/bin/sh", "-c", "…"]'
            verdict.warn(path, "exec-literal", oddity, hint)
    if start.replicas:
        command = command_of_replica(command, 1)
    settings, name = command.settings, command.argv[0]
    if settings.environment_files and "/" not in name:
        return  # there may be another PATH in them
    search = dict(settings.environment).get("PATH", None if settings.inherit else DEFAULT_PATH)
    fault = host.program_fault(in_directory(name, settings.cwd), search)
    if fault:
        hint = "it has to be there when the job starts"
        verdict.warn(path, "exec-missing", f"cannot execute {shown(name)} here: {fault}", hint, machine=True)
