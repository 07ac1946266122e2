"""`corepilot plan`: what a reload would do, and why."""

import json
import os
from typing import Any

from corepilot.cli.arguments import UsageError
from corepilot.cli.clients import INCOMPLETE, REFUSED, client_of, complain, decoded, say, say_json
from corepilot.cli.following import subject, unchanged_line

PLAN_DEADLINE_S = 45.0
"""Seconds a plan may take: it loads the configuration, perhaps after a load under way."""

_REFUSED = 422
_DESCRIPTORS = ("/dev/fd/", "/dev/std", "/proc/self/", "/proc/thread-self/")
"""Where paths begin that mean something else in another process."""


def plan(arguments: Any) -> int:
    """`corepilot plan [LOCATION…]`: status 0 if a reload has nothing to do, 3 if it has, 1 if it would be refused."""
    locations = [_location(one) for one in arguments.positionals]
    body = json.dumps({"location": locations[0] if len(locations) == 1 else locations or None}).encode()
    code, answer = client_of(arguments).request("POST", "/v1/plan", body, deadline_s=PLAN_DEADLINE_S)
    if code == _REFUSED:
        complain(_report(answer))
        return REFUSED
    changes: list[dict[str, Any]] = decoded(code, answer)["changes"]
    if arguments.output == "json":
        say_json({"changes": changes})
    else:
        _say_changes(changes)
    return INCOMPLETE if any(change["kind"] != "unchanged" for change in changes) else 0


def _location(file: str) -> str:
    """A location for corepilot to read: the absolute path of a file, or what is no path as it is."""
    from corepilot.sources.locations import scheme_of
    from corepilot.sources.paths import absolute_path

    if scheme_of(file):
        return file
    path = absolute_path(file)
    if path.startswith(_DESCRIPTORS):
        path = os.path.realpath(path)
        if not os.path.isfile(path):
            raise UsageError(
                f"cannot plan for {file}: corepilot reads the file itself; write it to one that has a name"
            )
    return path


def _report(answer: bytes) -> str:
    return str(json.loads(answer)["error"])


def _say_changes(changes: list[dict[str, Any]]) -> None:
    unchanged: dict[str, int] = {}
    for change in changes:
        if change["kind"] == "unchanged":
            unchanged[change["what"]] = unchanged.get(change["what"], 0) + 1
            continue
        consequence = f" ({change['consequence']})" if change["consequence"] else ""
        say(f"{subject(change)}: {change['kind']}{consequence}")
        for name, old, new in change["settings"]:
            say(f"  {name}: {old} -> {new}")
    if not changes or len(changes) == sum(unchanged.values()):
        say("nothing to do")
    if unchanged:
        say(unchanged_line(unchanged))
