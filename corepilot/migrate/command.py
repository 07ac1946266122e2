"""`corepilot migrate`: what is typed, what is printed where, and the exit status."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Protocol

from corepilot.cli.arguments import UsageError
from corepilot.cli.check import environment_of
from corepilot.migrate.errors import MigrationError
from corepilot.migrate.outcome import UNUSABLE, Outcome, outcome
from corepilot.migrate.telling import compared_text, plain, turned_text


class MigrateArguments(Protocol):
    """What is typed.

    Attributes:
        positionals: The files, and `program` behind them.
        program: What stands behind `--`.
        output: "json" or "text", a file to write to, or None.
        json: As `output` is "json".
        every: Tell of every difference, also of those that no file can rely on.
        env_file: Files with variables, later ones win.
        env: `NAME=VALUE`, which win over files.
        environment: The environment of the command.
    """

    positionals: list[str]
    program: list[str]
    output: str | None
    json: bool
    every: bool
    env_file: list[str]
    env: list[str]
    environment: Mapping[str, str]


def migrate(arguments: MigrateArguments) -> int:
    """`corepilot migrate FILE… [-- COMMAND ARGS…]`: see docs/how-to/replace-containerpilot.md.

    Raises:
        UsageError: the words do not fit the files.
        ConfigError: a variable or a file of variables cannot be used; nothing was printed.
    """
    program = arguments.program
    files = arguments.positionals[: len(arguments.positionals) - len(program)]
    if not files:
        raise UsageError("cannot migrate nothing: corepilot migrate FILE… [-- COMMAND ARGS…]")
    environment = environment_of(arguments)  # type: ignore[arg-type]  # it looks at env, env_file and environment only
    target = arguments.output if arguments.output not in {None, "json", "text"} else None
    reports = [outcome(file, program, environment, every=arguments.every, target=target) for file in files]
    made = [report for report in reports if report.text is not None]
    _judge_usage(arguments, reports, target)
    for report in made if target is not None else ():
        _write_file(str(target), str(report.text))
    if arguments.json or arguments.output == "json":
        found = [plain(report, None if report.text is None else target) for report in reports]
        sys.stdout.write(json.dumps({"files": found}, indent=2, ensure_ascii=False) + "\n")
    else:
        for report in reports:
            _print(report, target)
    statuses = {report.status for report in reports}
    return UNUSABLE if UNUSABLE in statuses else max(statuses)


def _judge_usage(arguments: MigrateArguments, reports: Sequence[Outcome], target: str | None) -> None:
    made = [report.file for report in reports if report.text is not None]
    as_json = arguments.json or arguments.output == "json"
    if made and len(reports) > 1 and not as_json:
        raise UsageError(f"cannot print several files at once: migrate {made[0]}, of version 2, by itself")
    if any(report.status == UNUSABLE for report in reports):
        return
    if target is not None and len(made) != 1:
        raise UsageError(f"cannot write {target}: there is nothing to write, as no file is of version 2")
    if arguments.program and not made:
        raise UsageError("cannot use a main program: it belongs to files of version 2, and there is none")
    if target is not None and _is_same(target, made[0].removeprefix("file://")):
        raise UsageError(f"cannot write {target}: it is the file that is read; choose another name")


def _is_same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def _print(report: Outcome, target: str | None) -> None:
    if report.version == 3:
        sys.stdout.write(compared_text(report))
        sys.stdout.flush()
        return
    if report.text is not None and target is None:
        sys.stdout.write(report.text)
        sys.stdout.flush()
    sys.stderr.write(turned_text(report, target))


def _write_file(path: str, text: str) -> None:
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise MigrationError(f"cannot write {path}: {error.strerror}") from error
