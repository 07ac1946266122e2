"""`corepilot check` and `corepilot render`: what `run` would make of a configuration, without running it."""

import os
import sys
from collections.abc import Mapping
from typing import Any, Protocol

from corepilot.cli.files import Located, locate
from corepilot.cli.named import plugins_named
from corepilot.config.diagnostics.problems import Problem
from corepilot.config.loading import loader
from corepilot.config.loading.exchange import LoadRequest, LoadResult
from corepilot.errors import ConfigError
from corepilot.model.configuration import Configuration
from corepilot.sources.locations import all_shown
from corepilot.wording.counting import counted
from corepilot.wording.escaping import escaped

DEADLINE_S = 10.0
"""Seconds that one file may take, whatever it waits for."""

_MOST_PROGRAMS = 20


class CheckArguments(Protocol):
    """What the two commands look at. `render` has no need of `output`, `here`, `strict` and `discovery`.

    Attributes:
        positionals: The files, each a configuration.
        config: The locations of `-c`, which make one configuration together.
        output: "json", or anything else for text.
        here: Judge what depends on this machine as `run` does.
        strict: Warnings that do not depend on the machine are errors.
        cache: Keep what is good for the next starts, and judge as `run` does.
        discovery: The catalog to use instead of the file's, or None.
        env_file: Files with variables, later ones win.
        env: `NAME=VALUE`, which win over files.
        environment: The environment of the command.
    """

    positionals: list[str]
    config: list[str]
    output: str | None
    here: bool
    strict: bool
    cache: bool
    discovery: str | None
    env_file: list[str]
    env: list[str]
    environment: Mapping[str, str]


def check(arguments: CheckArguments) -> int:
    """Say of each file whether it is good; returns 0 if all are, else 1.

    Raises:
        UsageError: a variable is not of the form NAME=VALUE.
        ConfigError: an `--env-file` cannot be read; no file was looked at.
    """
    environment = environment_of(arguments)
    configurations = _configurations(arguments, environment)
    if len(configurations) > 1:
        # Each load has a process of its own, which need not import everything again.
        from corepilot.config.loading import pipeline as pipeline  # noqa: PLC0414  - imported for its children
    discovery = arguments.discovery or environment.get("COREPILOT_DISCOVERY") or None
    directory = _made_directory(environment) if arguments.cache else ""
    reports = []
    for one in configurations:
        request = LoadRequest(
            locations=one.locations,
            environment=environment,
            discovery=discovery,
            judge_machine=arguments.here or arguments.cache,
            strict=arguments.strict,
            hostname=os.uname().nodename,
            paths_only=one.paths_only,
            cache=directory,
        )
        file = _name(one)
        reports.append((file, with_plugins(file, load(request))))
        if arguments.output != "json":
            _write(_text(file, reports[-1][1]))
            if directory and reports[-1][1].config is not None:
                _write(_kept(file, reports[-1][1], directory))
    if arguments.output == "json":
        import json

        _write(json.dumps({"files": [_plain(*report) for report in reports]}, indent=2) + "\n")
    return 0 if all(result.config is not None for _, result in reports) else 1


def _made_directory(environment: Mapping[str, str]) -> str:
    """The directory of what is kept for the next starts; made, if it is not there.

    Raises:
        ConfigError: there is none, and none can be made.
    """
    from corepilot.config.loading.cache import DIRECTORY, VARIABLE, directory_of

    directory = directory_of(environment)
    if not directory:
        raise ConfigError(f"cannot keep a configuration: ${VARIABLE} is no absolute path; leave it out for {DIRECTORY}")
    try:
        os.makedirs(directory, 0o755, exist_ok=True)
    except OSError as error:
        name = escaped(directory)
        raise ConfigError(f"cannot make {name}: {error.strerror}; name another directory with ${VARIABLE}") from error
    return directory


def _kept(file: str, result: LoadResult, directory: str) -> str:
    name = escaped(file)
    if result.uncached:
        return f"{name}: not kept, each start loads it: {escaped(result.uncached)}\n"
    return f"{name}: kept in {escaped(directory)} for the next starts\n"


def render(arguments: CheckArguments) -> int:
    """Print what the template of one configuration makes, exactly; returns 0, or 1 if it cannot be carried out.

    Of several documents each begins with a comment that names it.

    Raises:
        UsageError, ConfigError: see `check`.
    """
    environment = environment_of(arguments)
    where = _configurations(arguments, environment)[0]
    request = LoadRequest(
        where.locations, environment, judge_machine=False, render_only=True, paths_only=where.paths_only
    )
    result = load(request)
    if result.rendered is None:
        sys.stderr.buffer.write(_problems(_name(where), result.problems).encode("utf-8", "backslashreplace"))
        return 1
    # Bytes of the environment that are not UTF-8 come out as they were.
    sys.stdout.buffer.write(result.rendered.encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()
    return 0


def environment_of(arguments: CheckArguments) -> dict[str, str]:
    """The given environment with what `--env-file` and `-e` set, in this order.

    Raises:
        CorepilotError: a file or a pair cannot be read.
    """
    environment = dict(arguments.environment)
    for file in arguments.env_file:
        from corepilot.config.loading.dotenv import parse

        environment.update(parse(file))
    for pair in arguments.env:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            from corepilot.cli.arguments import UsageError

            raise UsageError(f"cannot set {name or pair!r}: write -e NAME=VALUE")
        environment[name] = value
    return environment


def _configurations(arguments: CheckArguments, environment: Mapping[str, str]) -> list[Located]:
    """What is asked about: all of `-c` together, and each file."""
    given = [Located(tuple(arguments.config))] if arguments.config else []
    files = [*given, *[Located((file,)) for file in arguments.positionals]]
    return files or [locate((), environment, pid_1=False)]


def _name(where: Located) -> str:
    return where.locations[0] if where.paths_only else all_shown(where.locations)


def load(request: LoadRequest) -> LoadResult:
    """Load a configuration in a process of its own, within `DEADLINE_S`."""
    child = loader.start(request)
    try:
        return loader.collect(child, DEADLINE_S)
    except KeyboardInterrupt:
        loader.abandon(child)
        raise


def with_plugins(file: str, result: LoadResult) -> LoadResult:
    """The result with what is wrong with the rest of each plugin that the configuration names.

    The loader has judged the light modules. What `run` imports afterwards is loaded here in a process of its own, with
    the judgement of `corepilot plugins verify`.
    """
    if result.config is None:
        return result
    problems = list(result.problems)
    seen: dict[tuple[str, str], list[str]] = {}
    for path, kind, named in plugins_named(result.config):
        if named.distribution == "corepilot":
            continue  # built in
        if (kind, named.name) not in seen:
            from corepilot.plugin.hookspec import KINDS
            from corepilot.plugin.installed import InstalledPlugin
            from corepilot.plugin.verify import loaded

            group = KINDS[kind].group
            one = (named.name, group, named.module, named.attribute, named.distribution, named.version, "")
            seen[kind, named.name] = loaded(InstalledPlugin(*one)).problems
        title = f"cannot load {kind} {named.name!r} ({named.distribution} {named.version}): "
        for problem in seen[kind, named.name]:
            message = title + problem.removeprefix("cannot load it: ")
            problems.append(Problem("error", "plugin-broken", message, "tell its author", file, path=path))
    if any(one.is_error for one in problems):
        return LoadResult(None, problems)
    return result


def _text(file: str, result: LoadResult) -> str:
    text = _problems(file, result.problems)
    file = escaped(file)
    if result.config is None:
        errors = sum(problem.is_error for problem in result.problems)
        return f"{text}{file}: refused ({counted(errors, 'error')})\n"
    return f"{text}{file}: ok ({_contents(result.config)})\n"


def _problems(file: str, problems: list[Problem]) -> str:
    """The problems, one after another; at the end, together, those that are only about programs of this machine.

    Where a container's file is checked on its author's machine, it may lack the program of every job.
    """
    lacking = [one for one in problems if one.code == "exec-missing"]
    if len(lacking) < 2:
        return "".join(problem.text() + "\n" for problem in problems)
    message = f"{counted(len(lacking), 'command')} cannot be executed here:"
    lines = Problem("warning", "exec-missing", message, file=file, machine=True).text().split("\n")
    for one in lacking[:_MOST_PROGRAMS]:
        where, _, what = one.message.partition(": cannot execute ")
        lines.append(escaped(f"  {one.line}:{one.column} {where}: {what.replace(' here: ', ': ', 1)}"))
    if len(lacking) > _MOST_PROGRAMS:
        lines.append(f"  and {len(lacking) - _MOST_PROGRAMS} more; -o json has all")
    lines.append("    = they have to be there when the jobs start")
    others = "".join(problem.text() + "\n" for problem in problems if problem.code != "exec-missing")
    return others + "\n".join(lines) + "\n"


def _contents(config: Configuration) -> str:
    return f"{counted(len(config.jobs), 'job')}, {counted(len(config.watches), 'watch', 'watches')}"


def _plain(file: str, result: LoadResult) -> dict[str, Any]:
    config = result.config
    return {
        "file": file,
        "ok": config is not None,
        "jobs": None if config is None else len(config.jobs),
        "watches": None if config is None else len(config.watches),
        "problems": [problem.to_json() for problem in result.problems],
    }


def _write(text: str) -> None:
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
    sys.stdout.buffer.flush()
