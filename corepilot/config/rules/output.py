"""Whether the files that commands write their output to can be what they are configured to be."""

import os
from collections.abc import Iterator, Sequence

from corepilot.config.diagnostics.complaints import Complaint
from corepilot.config.diagnostics.source_map import Path
from corepilot.config.diagnostics.verdict import Verdict
from corepilot.model.command import Command, OutputFile
from corepilot.model.job import Job
from corepilot.model.replicas import replica_of

_KEYS = ("file", "errorFile")


def judge_files(jobs: Sequence[tuple[int, Job]], log: str, verdict: Verdict) -> None:
    """Complain of two that rotate one file in two ways, and of the file that is the log.

    Args:
        jobs: The jobs that can be used, each with its index in the configuration.
        log: `logging.output`.
        verdict: Takes what is wrong.
    """
    known: dict[str, OutputFile] = {}
    for path, file in _files(jobs):
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


def _files(jobs: Sequence[tuple[int, Job]]) -> Iterator[tuple[Path, OutputFile]]:
    for index, one in jobs:
        job = replica_of(one, 1) if one.replicas else one
        yield from _of_command(job.command, ("jobs", index, "logging"))
        alone = len(job.checks) == 1 and not job.checks[0].name
        for number, check in enumerate(job.checks):
            where = ("jobs", index, "health") if alone else ("jobs", index, "health", number)
            yield from _of_command(check.command, (*where, "logging"))


def _of_command(command: Command | None, path: Path) -> Iterator[tuple[Path, OutputFile]]:
    if command is not None:
        for key, file in zip(_KEYS, (command.output.file, command.output.error_file), strict=True):
            if file is not None:
                yield (*path, key), file
