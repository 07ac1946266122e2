"""What comes of one file: version 2 is turned into version 3, and version 3 compared with ContainerPilot."""

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from corepilot.cli.check import DEADLINE_S
from corepilot.config.diagnostics.documents import SourceDocument
from corepilot.config.diagnostics.problems import Problem
from corepilot.config.diagnostics.source_map import SourceMap
from corepilot.config.loading import loader
from corepilot.config.loading.exchange import LoadResult
from corepilot.config.rules.version2 import judge_location, keys_in
from corepilot.config.text.json5_document import position
from corepilot.migrate.conversion import Decision, convert, decisions, is_version_2
from corepilot.migrate.differences import DIFFERENCES, Difference
from corepilot.migrate.errors import CANNOT_READ, MigrationError
from corepilot.migrate.facts import Facts, Location
from corepilot.migrate.reading import Version2File
from corepilot.migrate.rules import RULES
from corepilot.sources.file import read
from corepilot.sources.source import SourceError

DONE, UNUSABLE, UNDECIDED = 0, 1, 3
"""Exit statuses: nothing to do; a file cannot be loaded; a person has to decide."""

READ_S = 8.0

_UNREADABLE = frozenset(("template", "json5"))
"""Codes of what is wrong with the text itself."""


class Found(NamedTuple):
    """A difference that a file has to do with, and where."""

    difference: Difference
    places: tuple[Location, ...]


class Outcome(NamedTuple):
    """What came of one file.

    Attributes:
        file: As the user named it.
        version: 2 or 3.
        status: The exit status for this file alone.
        found: The differences, for version 3.
        problems: Why it, or what was made of it, cannot be loaded; and warnings of what was mended in it.
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


def outcome(
    file: str, program: Sequence[str], environment: dict[str, str], *, every: bool = False, target: str | None = None
) -> Outcome:
    """What comes of a file. Reads it; writes nothing.

    Args:
        file: A path or a `file://` URL.
        program: The main program of a file of version 2, as words.
        environment: For the template.
        every: Whether to tell of every difference.
        target: What the new file is going to be called, if that is known.
    """
    try:
        source = read(file, READ_S)
    except SourceError as error:
        message, _, hint = str(error).partition("; ")
        problem = judge_location(file) or Problem("error", "source", message, hint, file)
        return Outcome(file, 3, UNUSABLE, problems=(problem,))
    text = source.text
    try:
        old = Version2File(text)
        # A file without a single key of version 2 may still be one, if it comes with a program.
        if is_version_2(old) or (program and not _has_jobs(old)):
            return _turned(file, old, program, environment, target or "the new file")
    except MigrationError as error:
        if keys_in(text):
            return Outcome(file, 2, UNUSABLE, problems=_why(file, text, error, environment))
    return _compared(file, text, environment, every=every)


def _has_jobs(old: Version2File) -> bool:
    return any(True for _ in old.top("jobs"))


def _load(text: str, called: str, environment: dict[str, str]) -> LoadResult:
    """Load a text as the loader would load a file. What a pipe has given is not there for a second reader."""
    with os.fdopen(os.memfd_create("migrated"), "wb") as made:
        made.write(text.encode())
        made.flush()
        name = f"/proc/{os.getpid()}/fd/{made.fileno()}"
        request = loader.LoadRequest((name,), environment, judge_machine=False, hostname=os.uname().nodename)
        result = loader.collect(loader.start(request), DEADLINE_S)
    for problem in result.problems:
        problem.file = problem.file and called
        problem.message = problem.message.replace(name, called)
        problem.hint = problem.hint.replace(name, called)
    return result


def _why(file: str, text: str, error: MigrationError, environment: dict[str, str]) -> tuple[Problem, ...]:
    """Why a file of version 2 cannot be turned: what `check` says of it, where that is about the same fault."""
    if str(error).startswith(CANNOT_READ):
        problems = [one for one in _load(text, file, environment).problems if one.code in _UNREADABLE]
        # A variable that is not set breaks the text as well; but that is not what stopped us.
        if problems and not problems[0].unset:
            return tuple(problems)
    message, _, hint = str(error).partition("; ")
    return (_at(file, text, environment, error.offset, message, hint=hint),)


def _at(file: str, text: str, environment: Mapping[str, str], offset: int, message: str, *, hint: str = "") -> Problem:
    if offset < 0:
        return Problem("error", "version-2", message, hint, file)
    places = SourceMap([SourceDocument(file, text)], environment=environment)
    return places.in_source("version-2", message, *position(text, offset), hint)


def _turned(file: str, old: Version2File, program: Sequence[str], environment: dict[str, str], target: str) -> Outcome:
    """A file of version 2. What was made of it is loaded, with the variables there are."""
    text = convert(old, program)
    problems = [problem for problem in _load(text, target, environment).problems if problem.is_error]
    mended = [_at(file, old.masked.source, environment, mistake.offset, mistake.text) for mistake in old.comma_mistakes]
    for warning in mended:
        warning.severity = "warning"
    places = tuple(decisions(text))
    return Outcome(file, 2, UNDECIDED if places or problems else DONE, (), (*mended, *problems), text, places)


def _compared(file: str, text: str, environment: dict[str, str], *, every: bool) -> Outcome:
    """A file of version 3."""
    result = _load(text, file, environment)
    problems = tuple(problem for problem in result.problems if problem.is_error)
    found: list[Found] = []
    # Only what the loader could read within its limits is read again here, where there are none.
    if not any(problem.code in {"limit", "loader", *_UNREADABLE} for problem in problems):
        facts = Facts(file, text, environment)
        for difference in DIFFERENCES:
            paths = list(RULES[difference.id](facts)) if difference.id in RULES else []
            if paths or every:
                found.append(Found(difference, tuple(map(facts.place, paths))))
    if problems or result.config is None:
        return Outcome(file, 3, UNUSABLE, tuple(found), problems)
    wants = any(one.difference.decide and one.places for one in found)
    return Outcome(file, 3, UNDECIDED if wants else DONE, tuple(found))
