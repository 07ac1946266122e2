"""One load from end to end: sources, templates, JSON5, merging, rules (ContainerPilot contract, section 1.2)."""

from collections.abc import Callable, Mapping, Sequence

from corepilot.config.diagnostics.complaints import shown
from corepilot.config.diagnostics.documents import SourceDocument
from corepilot.config.diagnostics.origins import origins
from corepilot.config.diagnostics.problems import Problem, in_order
from corepilot.config.diagnostics.source_map import SourceMap
from corepilot.config.diagnostics.verdict import MOST, Verdict
from corepilot.config.loading.exchange import JUDGING, PARSING, RENDERING, LoadRequest, LoadResult, importing
from corepilot.config.loading.reading import read_all
from corepilot.config.rules.host import Host
from corepilot.config.rules.judge import judge, not_an_object
from corepilot.config.text.json5 import parse
from corepilot.config.text.json5_document import Document, Json5Error
from corepilot.gotemplate import Rendered, TemplateError, render
from corepilot.sources.locations import all_shown
from corepilot.sources.values import SourceText


def load(request: LoadRequest, reached: Callable[[bytes], None]) -> LoadResult:
    """Load a configuration. What is said of it holds none of the environment's secrets.

    Args:
        request: What to load, and how.
        reached: Told of each stage before it begins.
    """
    texts: list[SourceText] = []
    host = _host(request, lambda name: reached(importing(name) if name else JUDGING))
    result = _load(request, reached, host, texts)
    if result.problems:
        from corepilot.config.diagnostics.excerpts import hide

        hide(result.problems, request.environment, host.secrets)
        if result.config is not None:
            warnings = tuple([problem.sentence() for problem in result.problems])
            result = result.changed(config=result.config.changed(warnings=warnings))
    if request.cache and result.config is not None:
        from corepilot.config.loading.depends import AskedHost, keep

        assert isinstance(host, AskedHost)  # noqa: S101  - see _host
        result = result.changed(uncached=keep(request, texts, host, result.config))
    return result


def _host(request: LoadRequest, importing: Callable[[str], None]) -> Host:
    if not request.cache:
        return Host(request.environment, request.hostname, importing)
    from corepilot.config.loading.depends import Asked, AskedHost

    return AskedHost(Asked(request.environment), request.hostname, importing)


def _load(request: LoadRequest, reached: Callable[[bytes], None], host: Host, texts: list[SourceText]) -> LoadResult:
    """Load; `texts` takes the documents."""
    found = read_all(request, reached)
    texts += found.texts
    if found.problems:
        return LoadResult(None, found.problems, kept=found.kept)
    reached(RENDERING)
    rendered, problems = _rendered(found.texts, request, host.environment)
    if problems:
        return LoadResult(None, problems, kept=found.kept)
    if request.render_only:
        return LoadResult(None, [], _as_one(found.texts, rendered), found.kept)
    reached(PARSING)
    documents, parsed, problems = _parsed(found.texts, rendered, request)
    name = all_shown(request.locations)
    if not problems:
        whole, problems = _merged(documents, parsed, request)
    if problems:
        return LoadResult(None, problems, kept=found.kept)
    reached(JUDGING)
    source_map = SourceMap(documents, whole.root, request.environment, name)
    verdict = Verdict(source_map, judge_machine=request.judge_machine)
    for index, text in enumerate(found.texts):
        for warning in text.warnings:
            message, _, hint = warning.partition("; ")
            code = "source-open" if text.path else "source-warning"
            verdict.add(source_map.whole(code, message, hint, severity="warning", document=index))
    config = judge(whole, verdict, host, location=name, discovery=request.discovery)
    problems = in_order(verdict.all(), [one.name for one in documents])
    if request.strict:
        for problem in problems:
            if problem.severity == "warning" and not problem.machine:
                problem.severity = "error"
    if config is None or any(problem.is_error for problem in problems):
        return LoadResult(None, problems, kept=found.kept)
    return LoadResult(config.changed(origins=origins(documents, whole.root)), problems, kept=found.kept)


def _rendered(
    texts: Sequence[SourceText], request: LoadRequest, environment: Mapping[str, str]
) -> tuple[list[Rendered], list[Problem]]:
    """What the template of each document makes, each by itself."""
    found, problems = [], []
    for text in texts:
        try:
            found.append(render(text.text, environment))
        except TemplateError as error:
            message = f"cannot carry out the template: {error.message}"
            source_map = SourceMap([SourceDocument(text.name, text.text)], environment=request.environment)
            problem = source_map.in_source("template", message, error.line, error.column)
            problems += _with_version(problem, text)
    return found, problems


def _as_one(texts: Sequence[SourceText], rendered: Sequence[Rendered]) -> str:
    """Rendered documents to be shown: of several, each begins with its name in a comment."""
    if len(rendered) == 1:
        return rendered[0].text
    parts = []
    for text, one in zip(texts, rendered, strict=True):
        name = "".join([char if char.isprintable() else "?" for char in text.name])
        parts.append(f"// {name}\n{one.text}" + ("" if one.text.endswith("\n") else "\n"))
    return "".join(parts)


def _parsed(
    texts: Sequence[SourceText], rendered: Sequence[Rendered], request: LoadRequest
) -> tuple[list[SourceDocument], list[Document], list[Problem]]:
    """The documents, side by side, with what each of them says."""
    documents: list[SourceDocument] = []
    parsed: list[Document] = []
    problems: list[Problem] = []
    for text, one in zip(texts, rendered, strict=True):
        start = documents[-1].end if documents else 0
        documents.append(SourceDocument(text.name, text.text, one, start))
        try:
            document = parse(one.text)
        except Json5Error as error:
            message = f"cannot read the configuration: {error.message}"
            source_map = SourceMap([SourceDocument(text.name, text.text, one)], environment=request.environment)
            offset, hint = _stumble(one.text, error, source_map)
            problem = source_map.in_rendered("json5", message, offset, offset, hint, around=True)
            if problem.unset:
                problem.hint = _set_them(problem.unset)
            problems += _with_version(problem, text)
            continue
        if start:
            from corepilot.config.text.merging import shift

            shift(document, start)
        parsed.append(document)
    return documents, parsed, problems


def _merged(
    documents: Sequence[SourceDocument], parsed: Sequence[Document], request: LoadRequest
) -> tuple[Document, list[Problem]]:
    """The documents as one. What a single document has wrong is left for the rules."""
    if len(parsed) == 1:
        return parsed[0], []
    from corepilot.config.text.merging import merge

    problems = []
    source_map = SourceMap(documents, environment=request.environment)
    for document in parsed:
        root = document.root
        if root.kind != "object":
            complaint = not_an_object(root.kind)
            message = f"cannot use the configuration: {complaint.rule}"
            problems.append(source_map.in_rendered(complaint.code, message, root.start, root.end, complaint.hint))
    if problems:
        return parsed[0], problems
    whole, faults = merge(parsed)
    for fault in faults[:MOST]:
        places = f"{source_map.place_of(fault.first)} and {source_map.place_of(fault.second)}"
        message = f"cannot merge by name: {shown(fault.name)} is there twice, in {places}"
        hint = "give each a name of its own, or leave one of them out"
        problems.append(source_map.in_rendered("name-twice", message, fault.second, fault.second + 1, hint))
    return whole, problems


def _with_version(problem: Problem, text: SourceText) -> list[Problem]:
    """Why a text cannot be read, and that it looks like one of ContainerPilot 2, if it does."""
    from corepilot.config.rules.version2 import judge_text

    version = judge_text(text.text, text.name)
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
