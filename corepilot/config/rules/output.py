"""Whether the output of commands can become what it is configured to become."""

import os
from collections.abc import Iterator, Sequence

from corepilot.config.diagnostics.complaints import Complaint
from corepilot.config.diagnostics.source_map import Path
from corepilot.config.diagnostics.verdict import Verdict
from corepilot.model.command import Command, OutputFile
from corepilot.model.configuration import Logging
from corepilot.model.job import Job
from corepilot.model.replicas import replica_of

_KEYS = ("file", "errorFile")


def judge_output(jobs: Sequence[tuple[int, Job]], logging: Logging, verdict: Verdict) -> None:
    """Judge what jobs and checks have for `logging`.

    Args:
        jobs: The jobs that can be used, each with its index in the configuration.
        logging: The log's own settings.
        verdict: Takes what is wrong.
    """
    commands = list(_commands(jobs))
    _judge_files(commands, logging.output, verdict)
    if logging.format != "json":
        for path, command in commands:
            if command.output.structured:
                rule = "the log is not one of JSON, so there is nothing that a line could be passed through to"
                verdict.warn(
                    (*path, "json"), "json-useless", rule, 'write logging: { format: "json" } at the top', key=True
                )


def _judge_files(commands: Sequence[tuple[Path, Command]], log: str, verdict: Verdict) -> None:
    """Complain of two that rotate one file in two ways, and of the file that is the log."""
    known: dict[str, OutputFile] = {}
    for path, file in _files(commands):
        name = os.path.abspath(file.path)
        first = known.setdefault(name, file)
        if log not in {"stdout", "stderr"} and name == os.path.abspath(log):
            hint = "name another file, or leave it out: then the output is in the log"
            verdict.complain((*path, "path"), Complaint("wrong-value", "it is the log, logging.output", hint))
        elif first[1:] != file[1:]:
            rule = f"{file.path} is renamed at another size, kept in another number, or has other lines elsewhere here"
            verdict.complain((*path, "path"), Complaint("wrong-value", rule, "write the same maxSize, keep and time"))
        folder = os.path.dirname(name)
        if os.path.isdir(name):
            verdict.warn((*path, "path"), "log-file", "it is a directory here", "name a file in it", machine=True)
        elif not os.path.isdir(folder):
            rule = f"the directory {folder} does not exist here"
            verdict.warn((*path, "path"), "no-directory", rule, "it has to be there when the job writes", machine=True)


def _commands(jobs: Sequence[tuple[int, Job]]) -> Iterator[tuple[Path, Command]]:
    """Every command, with the path to its `logging`."""
    for index, one in jobs:
        job = replica_of(one, 1) if one.replicas else one
        if job.command is not None:
            yield ("jobs", index, "logging"), job.command
        alone = len(job.checks) == 1 and not job.checks[0].name
        for number, check in enumerate(job.checks):
            if check.command is not None:
                where = ("jobs", index, "health") if alone else ("jobs", index, "health", number)
                yield (*where, "logging"), check.command


def _files(commands: Sequence[tuple[Path, Command]]) -> Iterator[tuple[Path, OutputFile]]:
    for path, command in commands:
        for key, file in zip(_KEYS, (command.output.file, command.output.error_file), strict=True):
            if file is not None:
                yield (*path, key), file
