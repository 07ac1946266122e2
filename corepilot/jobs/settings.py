"""What the launcher is told of a job's settings. Imported only for a job that has some. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from corepilot.model.command import ProcessSettings


def request_of(
    argv: Sequence[str],
    environment: Mapping[str, str],
    settings: ProcessSettings,
    own: Mapping[str, str],
    *,
    own_output: bool,
    cgroup: str = "",
) -> dict[str, Any]:
    """What the launcher is told.

    Args:
        argv: Program and arguments.
        environment: The jobs' environment.
        settings: The job's.
        own: Variables of this run, which nothing replaces.
        own_output: Whether its output is a pipe that nobody else writes to.
        cgroup: The directory of the control group that it enters; "" for none.
    """
    return {
        "argv": list(argv),
        "environment": dict(environment),
        "defaults": [*settings.defaults],
        "files": [*settings.environment_files],
        "variables": [*settings.environment],
        "own": dict(own),
        "own_output": own_output,
        "stdin": settings.stdin,
        "stdin_socket": settings.stdin_socket,
        "tty": settings.tty,
        "cgroup": cgroup,
        "sockets": [one.name for one in settings.listen],
        "cwd": settings.cwd,
        "user": settings.user,
        "group": settings.group,
        "groups": [*settings.groups],
        "umask": settings.umask,
        "limits": [*settings.limits],
        "nice": settings.nice,
        "oom_score_adj": settings.oom_score_adj,
    }
