"""Configurations judged in the test process, and the smallest ones that rules can be tried on."""

import marshal
from pathlib import Path
from typing import Any

from corepilot.config.diagnostics.problems import Problem
from corepilot.config.loading.exchange import LoadRequest, LoadResult
from corepilot.config.loading.loader import load
from corepilot.model.configuration import Configuration
from corepilot.model.job import Job
from corepilot.model.value import decode, encode

PATH = "/usr/bin:/bin"
HEALTH = "health: { interval: 1, ttl: 5 }"
SERVICE = f'name: "app", port: 80, interfaces: "static:192.0.2.1", {HEALTH}'
"""A job with a port, but for what a test adds."""


def judged(text: str, directory: Path, environment: dict[str, str] | None = None, **request: Any) -> LoadResult:
    """Load a configuration with this text. By default what depends on the machine is a warning."""
    file = directory / "app.json5"
    file.write_text(text, encoding="utf-8")
    settings = {"judge_machine": False, "hostname": "host", **request}
    return load(LoadRequest((str(file),), {"PATH": PATH, **(environment or {})}, **settings))


def accepted(text: str, directory: Path, environment: dict[str, str] | None = None, **request: Any) -> Configuration:
    """The configuration with this text, which must be good."""
    result = judged(text, directory, environment, **request)
    assert result.config is not None, [problem.sentence() for problem in result.problems]
    sent = decode(marshal.loads(marshal.dumps(encode(result.config))))
    assert sent == result.config, "the configuration does not come out of a pipe as it went in"
    return result.config


def job(settings: str, directory: Path, **request: Any) -> Job:
    """The first job of a good configuration."""
    return accepted(f"{{ discovery: false, jobs: [ {{ {settings} }} ] }}", directory, **request).jobs[0]


def errors(result: LoadResult) -> list[Problem]:
    """Those problems that are errors; there is no configuration if there are any."""
    found = [problem for problem in result.problems if problem.is_error]
    assert bool(found) == (result.config is None)
    return found


def codes(result: LoadResult) -> list[tuple[str, str]]:
    """Code and path of each error."""
    return [(problem.code, problem.path) for problem in errors(result)]


def warnings(result: LoadResult) -> list[tuple[str, str]]:
    """Code and path of each warning."""
    return [(problem.code, problem.path) for problem in result.problems if not problem.is_error]
