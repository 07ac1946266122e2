"""The commands for single jobs, and reload: they wait for what they ask for."""

import json
import shlex
import sys
from typing import Any

from corepilot.cli.arguments import UsageError
from corepilot.cli.clients import INCOMPLETE, REFUSED, ask, client_of, complain, say
from corepilot.cli.following import follow
from corepilot.cli.table import FOR
from corepilot.system.signal_names import signal_name, signal_number


def start(arguments: Any) -> int:
    """`corepilot start JOB…`."""
    return _act(arguments, "start")


def stop(arguments: Any) -> int:
    """`corepilot stop JOB…`."""
    return _act(arguments, "stop")


def restart(arguments: Any) -> int:
    """`corepilot restart JOB…`."""
    return _act(arguments, "restart")


def reload_job(arguments: Any) -> int:
    """`corepilot reload-job JOB…`."""
    return _act(arguments, "reload")


def wait(arguments: Any) -> int:
    """`corepilot wait JOB… --for STATE`."""
    if arguments.condition is None:
        raise UsageError(f"cannot wait without --for: it is one of {', '.join(FOR.choices)}")
    return _act(arguments, "wait", **{"for": arguments.condition})


def reload(arguments: Any) -> int:
    """`corepilot reload [--all]`."""
    mode = "all" if arguments.every else "changed"
    return follow(arguments, f"/v1/reload?mode={mode}", look="corepilot status")


def signal(arguments: Any) -> int:
    """`corepilot signal SIG JOB…`: status 3 if some of the jobs do not run, 1 if none does."""
    word, *jobs = arguments.positionals
    try:
        number = signal_number(word)
    except ValueError as error:
        raise UsageError(str(error)) from error
    body = {"action": "signal", "jobs": jobs, "signal": number, "group": arguments.group}
    found = ask(client_of(arguments), "POST", "/v1/jobs", body)
    whom = "the process group of pid" if arguments.group else "pid"
    for one in found:
        if arguments.output == "json":
            sys.stdout.write(json.dumps(one) + "\n")
        elif one["signalled"]:
            say(f"{one['job']}: sent {signal_name(number)} to {whom} {one['pid']}")
        else:
            complain(f"cannot signal {one['job']}: it has no process now")
    signalled = [one["signalled"] for one in found]
    if all(signalled):
        return 0
    return INCOMPLETE if any(signalled) else REFUSED


def _act(arguments: Any, action: str, **more: object) -> int:
    jobs = arguments.positionals
    body = {"action": action, "jobs": jobs, **more}
    return follow(arguments, "/v1/jobs", body, look=f"corepilot status {shlex.join(jobs)}")
