"""`corepilot migrate`: what is typed, what is printed, and the exit status."""

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from corepilot.cli.arguments import UsageError
from corepilot.cli.check import DEADLINE_S, environment_of
from corepilot.config import loader
from corepilot.config.json5 import position
from corepilot.config.problems import Problem
from corepilot.migrate.conversion import Decision, convert, decisions, is_version_2
from corepilot.migrate.differences import DIFFERENCES, Difference
from corepilot.migrate.errors import MigrationError
from corepilot.migrate.facts import Facts, Place
from corepilot.migrate.reading import KEYS, Old
from corepilot.migrate.rules import RULES
from corepilot.sources.file import read
from corepilot.sources.source import SourceError

DONE, UNUSABLE, UNDECIDED = 0, 1, 3
"""Exit statuses: nothing to do; a file cannot be loaded; a person has to decide."""

READ_S = 8.0

_OLD_KEY = re.compile(rf"""["']?\b({"|".join(KEYS)})\b["']?\s*:""")
_NEW_KEY = re.compile(r"""(?<![\w])["']?jobs["']?\s*:\s*\[""")


class Arguments(Protocol):
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


class Found(NamedTuple):
    """A difference that a file has to do with, and where."""

    difference: Difference
    places: tuple[Place, ...]


class Report(NamedTuple):
    """What came of one file.

    Attributes:
        file: As the user named it.
        version: 2 or 3.
        status: The exit status for this file alone.
        found: The differences, for version 3.
        problems: Why it, or what was made of it, cannot be loaded.
        text: The new file, for version 2; else None.
        decisions: The places in it that want a person.
    """

    file: str
    version: int
    status: int
    found: tuple[Found, ...] = ()
    problems: tuple[Problem, ...] = ()
    text: str | None = None
    decisions: tuple[Decision, ...] = ()


def migrate(arguments: Arguments) -> int:
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
    reports = [_report(file, program, environment, every=arguments.every) for file in files]
    target = arguments.output if arguments.output not in {None, "json", "text"} else None
    made = [report for report in reports if report.text is not None]
    _judge_usage(arguments, reports, target)
    for report in made if target is not None else ():
        _write_file(str(target), str(report.text))
    if arguments.json or arguments.output == "json":
        plain = [_plain(report, None if report.text is None else target) for report in reports]
        sys.stdout.write(json.dumps({"files": plain}, indent=2, ensure_ascii=False) + "\n")
    else:
        for report in reports:
            _print(report, target)
    statuses = {report.status for report in reports}
    return UNUSABLE if UNUSABLE in statuses else max(statuses)


def _judge_usage(arguments: Arguments, reports: Sequence[Report], target: str | None) -> None:
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


def _report(file: str, program: Sequence[str], environment: dict[str, str], *, every: bool) -> Report:
    try:
        source = read(file, READ_S)
    except SourceError as error:
        message, _, hint = str(error).partition("; ")
        return Report(file, 3, UNUSABLE, problems=(Problem("error", "source", message, hint, file),))
    try:
        old = Old(source.text)
        if is_version_2(old) or (program and not _NEW_KEY.search(source.text)):
            return _turned(file, convert(old, program), environment)
    except MigrationError as error:
        if _OLD_KEY.search(source.text) and not _NEW_KEY.search(source.text):
            line, column = position(source.text, error.offset) if error.offset >= 0 else (0, 0)
            problem = Problem("error", "version-2", str(error), "", file, line, column)
            return Report(file, 2, UNUSABLE, problems=(problem,))
    return _compared(file, source.text, environment, every=every)


def _turned(file: str, text: str, environment: dict[str, str]) -> Report:
    """A file of version 2. What was made of it is loaded, with the variables there are."""
    with os.fdopen(os.memfd_create("migrated"), "wb") as made:
        made.write(text.encode())
        made.flush()
        name = f"/proc/{os.getpid()}/fd/{made.fileno()}"
        request = loader.LoadRequest(name, environment, judge_machine=False, hostname=os.uname().nodename)
        result = loader.collect(loader.start(request), DEADLINE_S)
    problems = tuple(problem for problem in result.problems if problem.is_error)
    for problem in problems:
        problem.file = "version 3"
        problem.message = problem.message.replace(name, problem.file)
    places = tuple(decisions(text))
    return Report(file, 2, UNDECIDED if places or problems else DONE, (), problems, text, places)


def _compared(file: str, text: str, environment: dict[str, str], *, every: bool) -> Report:
    """A file of version 3."""
    request = loader.LoadRequest(file, environment, judge_machine=False, hostname=os.uname().nodename)
    result = loader.collect(loader.start(request), DEADLINE_S)
    problems = tuple(problem for problem in result.problems if problem.is_error)
    found: list[Found] = []
    # Only what the loader could read within its limits is read again here, where there are none.
    if not any(problem.code in {"template", "limit", "loader", "json5"} for problem in problems):
        facts = Facts(file, text, environment)
        for difference in DIFFERENCES:
            paths = list(RULES[difference.id](facts)) if difference.id in RULES else []
            if paths or every:
                found.append(Found(difference, tuple(map(facts.place, paths))))
    if problems or result.config is None:
        return Report(file, 3, UNUSABLE, tuple(found), problems)
    wants = any(one.difference.decide and one.places for one in found)
    return Report(file, 3, UNDECIDED if wants else DONE, tuple(found))


def _print(report: Report, target: str | None) -> None:
    problems = "".join(problem.text() + "\n" for problem in report.problems)
    if report.version == 2:
        if report.text is not None and target is None:
            sys.stdout.write(report.text)
        if problems and report.text is not None:
            problems += (
                "These variables, or none, may be the cause: give those of the container with -e or --env-file.\n"
            )
        sys.stdout.flush()
        sys.stderr.write(f"{problems}{report.file}: {_made(report, target)}\n")
        return
    sys.stdout.write(problems + _compared_text(report))
    sys.stdout.flush()


def _made(report: Report, target: str | None) -> str:
    if report.text is None:
        return "cannot be turned into version 3"
    lines = ", ".join(str(one.line) for one in report.decisions)
    said = f"turned into version 3{f', in {target}' if target else ''}"
    count = len(report.decisions)
    return f"{said}; {_count(count, 'place wants', 'places want')} a decision: line {lines}" if count else said


def _compared_text(report: Report) -> str:
    refused = report.status == UNUSABLE
    if not report.found and not refused:
        return f"{report.file}: loads unchanged\n"
    count = len(report.found)
    head = f"loads, with {_count(count, 'difference', 'differences')} from ContainerPilot"
    if refused:
        head = f"cannot be loaded ({_count(len(report.problems), 'error', 'errors')})"
    lines = [f"{report.file}: {head}"]
    for difference, places in report.found:
        where = ", ".join(_place(place) for place in places if place.path)
        lines.append(f"  {difference.id}{' (decide)' if difference.decide else ''}{f': {where}' if where else ''}")
        lines.append(f"    ContainerPilot: {difference.old}")
        lines.append(f"    corepilot:      {difference.new}")
        lines.append(f"    to restore:     {difference.restore or 'there is no setting'}")
    return "\n".join(lines) + "\n"


def _place(place: Place) -> str:
    return f"{place.path} (line {place.line})" if place.line else place.path


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _write_file(path: str, text: str) -> None:
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise MigrationError(f"cannot write {path}: {error.strerror}") from error


def _plain(report: Report, target: str | None) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "file": report.file,
        "version": report.version,
        "ok": report.status != UNUSABLE,
        "decide": report.status == UNDECIDED,
        "problems": [problem.to_json() for problem in report.problems],
    }
    if report.version == 2:
        plain["text"] = None if target else report.text
        plain["written"] = target
        plain["decisions"] = [one._asdict() for one in report.decisions]
        return plain
    plain["unchanged"] = not report.found and report.status != UNUSABLE
    plain["differences"] = [
        {
            "id": one.id,
            "containerpilot": one.old,
            "corepilot": one.new,
            "restore": one.restore or None,
            "decide": one.decide,
            "places": [{"path": place.path, "line": place.line, "column": place.column} for place in places],
        }
        for one, places in report.found
    ]
    return plain
