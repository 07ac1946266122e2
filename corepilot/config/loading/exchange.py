"""What is asked of the loader and what it answers, and both as bytes on a pipe.

The bytes are `marshal`'s: the same interpreter writes and reads them, and it keeps what JSON would not, the lone
surrogates that stand for bytes of the environment that are not UTF-8.

An answer begins with one letter for each stage that was reached, so that the death of the loader can be explained; what
is imported for a plugin has the plugin's name after the letter, as `p<backend 'note' (corepilot-note 1.2)>`, and of
several locations that are read each has its own, as `l<https://config.example/app.json5>`.

On the boot path: problems are imported where there are some.
"""

from __future__ import annotations

import marshal
from collections.abc import Callable

from corepilot.model.configuration import Configuration
from corepilot.model.value import Value, decode_in_slices, encode

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    from corepilot.config.diagnostics.problems import Problem

CPU_S = 2
"""Seconds of CPU time that a load may take, imports not counted."""

MEMORY_BYTES = 256 * 1024 * 1024
"""How much address space a load may take, above what the loader has before it begins."""

ANSWER_MAX_BYTES = 32 * 1024 * 1024
"""No answer is longer: source, rendered text and problems are bounded."""

READING, RENDERING, PARSING, JUDGING = b"s", b"t", b"j", b"r"
"""The stages."""

_PLUGIN, _LOCATION, _END = b"p<", b"l<", b">"
_ANSWER = b"="
_DOING = {
    READING: ("reading it", "look at what is behind this path"),
    RENDERING: ("the template", "look for a loop in the template that does not end, or that makes very much text"),
    PARSING: ("reading the rendered text", "make the configuration smaller"),
    JUDGING: ("judging the configuration", "make the configuration smaller"),
}


Kept = tuple[tuple[str, tuple[tuple[str, str, str | None, tuple[str, ...], str], ...]], ...]
"""Locations, and of each the texts that have a version: the arguments of `corepilot.sources.source.SourceText`."""


class LoadRequest(Value):
    """What to load.

    Attributes:
        locations: Each a path, a `file://` URL, or what another source understands; at least one.
        environment: The jobs' environment: template data, and what plugin options are filled from.
        discovery: What `--discovery` or `$COREPILOT_DISCOVERY` says: `NAME[:OPTION=VALUE[,OPTION=VALUE]]` or `none`; or
            None.
        judge_machine: Whether what depends on this machine is an error (`run`, `reload`, `check --here`) or a warning.
            A missing program is a warning always.
        strict: Whether warnings, other than those that depend on the machine, are errors.
        hostname: The host's name: what instance ids end with.
        render_only: Whether to stop when the template is rendered, as ContainerPilot's `-template` does.
        paths_only: Whether a location is the path of a file, or a `file://` URL, whatever it looks like.
        known: What a result of an earlier request says in `kept`.
        cache: The directory in which the configuration is kept for the next start; "" not to keep it.
    """

    locations: tuple[str, ...]
    environment: dict[str, str]
    discovery: str | None = None
    judge_machine: bool = True
    strict: bool = False
    hostname: str = ""
    render_only: bool = False
    paths_only: bool = False
    known: Kept = ()
    cache: str = ""


class LoadResult(Value):
    """What came of it.

    Attributes:
        config: The configuration; None if there is an error, or if only rendering was asked for. Holds secrets.
        problems: All that is wrong, in the order of the file.
        rendered: The rendered text, where only that was asked for. Holds secrets.
        kept: What the sources want to be told again when they are asked next. Holds secrets.
        uncached: Why the configuration is not kept for the next start; "" if it is, or was not to be.
    """

    config: Configuration | None
    problems: list[Problem]
    rendered: str | None = None
    kept: Kept = ()
    uncached: str = ""


def importing(plugin: str) -> bytes:
    """The stage of importing a plugin, such as "backend 'note' (corepilot-note 1.2)"; the last stage follows again."""
    return _PLUGIN + _inside(plugin) + _END


def reading(location: str) -> bytes:
    """The stage of reading one of several locations, or one that is not a file."""
    return _LOCATION + _inside(location) + _END


def _inside(text: str) -> bytes:
    return "".join(one for one in text if one.isprintable() and one not in "<>=").encode("utf-8", "replace")


def _doing(stages: bytes) -> tuple[str, str]:
    """What the loader did last, and what to look at."""
    if not stages.endswith(_END):
        return _DOING.get(stages[-1:], ("starting the loader", "look at the messages above"))
    what = stages[stages.rfind(b"<") + 1 : -1].decode("utf-8", "replace")
    if stages[: stages.rfind(b"<") + 1].endswith(_LOCATION):
        return f"reading {what}", "look at what is behind this location"
    return f"importing {what}", "it is this plugin that does so; leave it out, and tell its author"


def encode_request(request: LoadRequest) -> bytes:
    """A request as the loader's standard input."""
    return marshal.dumps(list(request))


def decode_request(data: bytes) -> LoadRequest:
    """The inverse of `encode_request`.

    Raises:
        EOFError, ValueError, TypeError: `data` is no whole request.
    """
    return LoadRequest(*marshal.loads(data))  # noqa: S302  - our own parent wrote it


def encode_result(result: LoadResult) -> bytes:
    """A result as the end of the loader's answer."""
    problems = [one.to_json() for one in result.problems]
    return _ANSWER + marshal.dumps((encode(result.config), problems, result.rendered, result.kept, result.uncached))


def decode_result(
    answer: bytes, request: LoadRequest, status: int | None = None, pause: Callable[[], object] = bool
) -> LoadResult:
    """What a loader answered. A loader that died without an answer makes a result with one error.

    Args:
        answer: All that it wrote.
        request: What it was asked.
        status: Its exit status, 128+n for a signal; None if it is not known.
        pause: Called every now and then while a long answer is decoded: lets others have their turn.
    """
    stages, found, body = answer.partition(_ANSWER)
    if found:
        try:
            config, problems, rendered, kept, uncached = marshal.loads(body)  # noqa: S302  - our own child wrote it
            return LoadResult(decode_in_slices(config, pause), _problems(problems), rendered, kept, uncached)
        except (EOFError, ValueError, TypeError, KeyError):
            pass  # it died while it wrote
    return unanswered(request, stages, status)


def unanswered(request: LoadRequest, stages: bytes, status: int | None = None, deadline_s: float = 0) -> LoadResult:
    """The result of a loader that was ended, or that died.

    Args:
        request: What it was asked.
        stages: The beginning of its answer.
        status: Its exit status, 128+n for a signal; None if it is not known.
        deadline_s: The seconds it was given, if it was ended because they were over.
    """
    doing, hint = _doing(stages)
    code = "limit"
    if deadline_s:
        why = f"{doing} did not end within {deadline_s:g} s"
    elif status == 128 + 24:  # SIGXCPU, which the kernel sends at the limit of CPU time
        why = f"{doing} did not end within {CPU_S} s of CPU time"
    elif status == 128 + 9:  # SIGKILL comes a second after SIGXCPU, and where memory has run out
        why = f"{doing} did not end: it took more than {CPU_S} s of CPU time, or there was too little memory"
    else:
        code = "loader"
        ended = "was killed by signal %d" if status is not None and status > 128 else "ended with exit status %d"
        how = "ended" if status is None else ended % (status - 128 if status > 128 else status)
        why = f"{doing} did not end: the loader {how}"
        if not stages.endswith(_END):
            hint = "this is a bug of corepilot"
    return refused(request, code, why, hint)


def refused(request: LoadRequest, code: str, why: str, hint: str) -> LoadResult:
    """The result for a load that came to nothing for a reason that has no place in the file."""
    from corepilot.config.diagnostics.problems import Problem
    from corepilot.sources.locations import all_shown

    locations = all_shown(request.locations)
    return LoadResult(None, [Problem("error", code, f"cannot load {locations}: {why}", hint, locations)])


def overrun(request: LoadRequest, stages: bytes, *, memory: bool) -> LoadResult:
    """The result of a load that noticed by itself that it took too much."""
    doing, hint = _doing(stages or JUDGING)
    much = (
        f"took more than {MEMORY_BYTES >> 20} MiB of memory" if memory else f"did not end within {CPU_S} s of CPU time"
    )
    return refused(request, "limit", f"{doing} {much}", hint)


def _problems(plain: list[dict[str, object]]) -> list[Problem]:
    if not plain:
        return []
    from corepilot.config.diagnostics.problems import Problem

    return [Problem.from_json(one) for one in plain]
