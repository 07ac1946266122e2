"""One load from end to end: source, template, JSON5, rules (ContainerPilot contract, section 1.2)."""

from collections.abc import Callable

from corepilot.config.diagnostics.origins import origins
from corepilot.config.diagnostics.problems import Problem, in_order
from corepilot.config.diagnostics.source_map import SourceMap
from corepilot.config.diagnostics.verdict import Verdict
from corepilot.config.loading.exchange import JUDGING, PARSING, READING, RENDERING, LoadRequest, LoadResult, importing
from corepilot.config.rules.host import Host
from corepilot.config.rules.judge import judge
from corepilot.config.text.json5 import parse
from corepilot.config.text.json5_document import Json5Error
from corepilot.gotemplate import TemplateError, render
from corepilot.sources.file import read
from corepilot.sources.source import SourceError

SOURCE_DEADLINE_S = 8.0


def load(request: LoadRequest, reached: Callable[[bytes], None]) -> LoadResult:
    """Load a configuration. What is said of it holds none of the environment's secrets.

    Args:
        request: What to load, and how.
        reached: Told of each stage before it begins.
    """
    result = _load(request, reached)
    if result.problems:
        from corepilot.config.diagnostics.excerpts import hide

        hide(result.problems, request.environment)
        if result.config is not None:
            warnings = tuple([problem.sentence() for problem in result.problems])
            result = result.changed(config=result.config.changed(warnings=warnings))
    return result


def _load(request: LoadRequest, reached: Callable[[bytes], None]) -> LoadResult:
    reached(READING)
    try:
        source = read(request.location, SOURCE_DEADLINE_S)
    except SourceError as error:
        from corepilot.config.rules.version2 import judge_location

        message, _, hint = str(error).partition("; ")
        problem = judge_location(request.location) or Problem("error", "source", message, hint, request.location)
        return LoadResult(None, [problem])
    reached(RENDERING)
    source_map = SourceMap(source.name, source.text, environment=request.environment)
    try:
        rendered = render(source.text, request.environment)
    except TemplateError as error:
        message = f"cannot carry out the template: {error.message}"
        problem = source_map.in_source("template", message, error.line, error.column)
        return LoadResult(None, _with_version(problem, source.text, request.location))
    if request.render_only:
        return LoadResult(None, [], rendered.text)
    reached(PARSING)
    source_map = SourceMap(source.name, source.text, rendered, environment=request.environment)
    try:
        document = parse(rendered.text)
    except Json5Error as error:
        message = f"cannot read the configuration: {error.message}"
        offset, hint = _stumble(rendered.text, error, source_map)
        problem = source_map.in_rendered("json5", message, offset, offset, hint, around=True)
        if problem.unset:
            problem.hint = _set_them(problem.unset)
        return LoadResult(None, _with_version(problem, source.text, request.location))
    reached(JUDGING)
    source_map = SourceMap(source.name, source.text, rendered, document.root, request.environment)
    verdict = Verdict(source_map, judge_machine=request.judge_machine)
    for warning in source.warnings:
        message, _, hint = warning.partition("; ")
        verdict.add(source_map.whole("source-open", message, hint, severity="warning"))
    host = Host(
        request.environment, request.hostname, importing=lambda name: reached(importing(name) if name else JUDGING)
    )
    config = judge(document, verdict, host, location=request.location, discovery=request.discovery)
    problems = in_order(verdict.all())
    if request.strict:
        for problem in problems:
            if problem.severity == "warning" and not problem.machine:
                problem.severity = "error"
    if config is None or any(problem.is_error for problem in problems):
        return LoadResult(None, problems)
    return LoadResult(config.changed(origins=origins(source.name, rendered, document.root)), problems)


def _with_version(problem: Problem, text: str, location: str) -> list[Problem]:
    """Why a text cannot be read, and that it looks like one of ContainerPilot 2, if it does."""
    from corepilot.config.rules.version2 import judge_text

    version = judge_text(text, location)
    return [problem, version] if version else [problem]


def _stumble(text: str, error: Json5Error, source_map: SourceMap) -> tuple[int, str]:
    """Where to point for an error in the text, and what to do.

    A comma that is missing belongs to the end of a line that looks innocent. The line below, which cannot be read
    without it, is the place that people, and ContainerPilot, look at.
    """
    if not error.message.startswith("missing comma"):
        return error.offset, error.hint
    import re

    blanks = re.compile(r"(?:\s+|//[^\n\r]*|/\*.*?\*/)*", re.DOTALL).match(text, error.offset)
    offset = blanks.end() if blanks else error.offset
    line, next_line = source_map.line_of(error.offset), source_map.line_of(offset)
    if line == next_line:
        return error.offset, error.hint
    return offset, f"{error.hint} in line {line}"


def _set_them(unset: tuple[str, ...]) -> str:
    """What to do about variables that are not set: the commonest mistake in real files."""
    name = unset[0]
    return f'set {", ".join(unset)}, or give a default: {{{{ .{name} | default "…" }}}}'
