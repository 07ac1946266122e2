"""The commands that talk to a running corepilot. Imports nothing but the control client: they run often."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from corepilot.cli.arguments import UsageError, suggest
from corepilot.control.client import ControlClient, find, quoted
from corepilot.errors import ControlError
from corepilot.wording.escaping import escaped
from corepilot.wording.tables import table

RELOAD_DEADLINE_S = 45.0
"""Seconds a reload may take: a load under way, and one more."""


def ping(arguments: Any) -> int:
    """`corepilot ping`: prints `ok`."""
    _ask(_client(arguments), "GET", "/v1/ping")
    _say("ok")
    return 0


def reload(arguments: Any) -> int:
    """`corepilot reload`: returns when the configuration has been judged; prints its problems."""
    _ask(_client(arguments), "POST", "/v1/reload", deadline_s=RELOAD_DEADLINE_S)
    return 0


def stop(arguments: Any) -> int:
    """`corepilot stop`: returns when the stop has begun."""
    _ask(_client(arguments), "POST", "/v1/stop")
    return 0


def maintenance(arguments: Any) -> int:
    """`corepilot maintenance enable|disable`."""
    verb = arguments.positionals[0]
    if verb not in {"enable", "disable"}:
        raise UsageError(f"cannot do {verb!r}: it is enable or disable{suggest(verb, ('enable', 'disable'))}")
    _ask(_client(arguments), "POST", f"/v1/maintenance/{verb}")
    return 0


def env(arguments: Any) -> int:
    """`corepilot env NAME=VALUE…`."""
    pairs = dict(_pairs(arguments.positionals))
    _ask(_client(arguments), "POST", "/v1/environ", pairs)
    return 0


def metric(arguments: Any) -> int:
    """`corepilot metric NAME=VALUE…`."""
    pairs = dict(_pairs(arguments.positionals))
    _ask(_client(arguments), "POST", "/v1/metric", pairs)
    return 0


def instances(arguments: Any) -> int:
    """`corepilot instances SERVICE`: one `ADDRESS:PORT ID` a line, passing instances only; JSON shows all."""
    found = _ask(_client(arguments), "GET", f"/v1/instances/{quoted(arguments.positionals[0])}")
    if arguments.output == "json":
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return 0
    for one in found:
        if one["status"] == "passing":
            address = f"[{one['address']}]" if ":" in one["address"] else one["address"]
            _say(f"{address}:{one['port']} {one['id']}")
    return 0


def status(arguments: Any) -> int:
    """`corepilot status`: tables of jobs, services and watches."""
    found = _ask(_client(arguments), "GET", "/v1/status")
    if arguments.output == "json":
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return 0
    catalog = found["catalog"]
    where = f"{catalog['backend']} at {catalog['address']}" if catalog else "none"
    if catalog and catalog["mode"] == "poll":
        where += " (polling: there are no notifications of changes here)"
    _say(f"corepilot {found['version']}, pid {found['pid']}, up {_duration(found['uptime_s'])}, {found['config']}")
    _say(f"catalog {where}, socket {found['socket']}" + (", stopping" if found["stopping"] else ""))
    rows = [
        (
            job["name"],
            job["state"],
            "-" if job["health"] in {"idle", "unknown"} else job["health"],
            str(job["pid"] or "-"),
            str(job["starts"]),
            "-" if job["last_status"] is None else str(job["last_status"]),
            "-" if job["up_s"] is None else _duration(job["up_s"]),
        )
        for job in found["jobs"]
    ]
    _say_table(("JOB", "STATE", "HEALTH", "PID", "STARTS", "LAST", "UP"), rows)
    services = [
        (one["id"], f"{one['address']}:{one['port']}", one["status"] or "-", "yes" if one["in_sync"] else "no")
        for one in found["services"]
    ]
    _say_table(("INSTANCE", "ADDRESS", "STATUS", "IN CATALOG"), services)
    watches = [
        (one["name"], str(one["passing"]), str(one["instances"]), "yes" if one["connected"] else "no")
        for one in found["watches"]
    ]
    _say_table(("WATCH", "PASSING", "INSTANCES", "CONNECTED"), watches)
    return 0


def plugins(arguments: Any) -> int:
    """`corepilot plugins list|info NAME|verify [NAME…]`."""
    from corepilot.cli.plugins import (
        InfoArguments,
        ListArguments,
        VerifyArguments,
        list_plugins,
        show_plugin,
        verify_plugins,
    )

    verb, *names = arguments.positionals
    output: Literal["table", "json"] = "json" if arguments.output == "json" else "table"
    if verb == "list" and not names:
        return list_plugins(ListArguments(output))
    if verb == "info" and len(names) == 1:
        return show_plugin(InfoArguments(names[0], output))
    if verb == "verify":
        return verify_plugins(VerifyArguments(tuple(names), output))
    what = " ".join(arguments.positionals)
    near = suggest(verb, ("list", "info", "verify"))
    raise UsageError(f"cannot do {what!r}: it is list, info NAME, or verify [NAME…]{near}")


def _client(arguments: Any) -> ControlClient:
    """The corepilot that is meant. One that `-c` names by its configuration is that one, or nobody."""
    if arguments.socket:
        return ControlClient(arguments.socket)
    from corepilot.cli.files import locate
    from corepilot.config.loading.peek import identify
    from corepilot.errors import ConfigError

    try:
        identity = identify(locate(arguments.config, arguments.environment, pid_1=False), arguments.environment)
    except ConfigError:
        if arguments.config:
            raise  # the default places are another corepilot's
        return find(None, arguments.environment)
    return find(identity.socket, arguments.environment, config=identity.path, required=bool(arguments.config))


def _ask(client: ControlClient, method: str, path: str, body: object = None, deadline_s: float = 5.0) -> Any:
    data = None if body is None else json.dumps(body).encode()
    code, answer = client.request(method, path, data, deadline_s=deadline_s)
    text = answer.decode("utf-8", "replace")
    try:
        found = json.loads(text) if text.strip() else None
    except ValueError:
        found = text
    if code >= 400:
        raise ControlError(str(found.get("error", text)).strip() if isinstance(found, dict) else text.strip())
    return found


def _pairs(words: Sequence[str]) -> Iterable[tuple[str, str]]:
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise UsageError(f"cannot set {word!r}: write NAME=VALUE")
        yield name, value


def _say(line: str) -> None:
    """Write one line; what others named, such as a service or an instance, stays in it."""
    sys.stdout.write(escaped(line) + "\n")


def _say_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    for line in table(head, rows):
        _say(line)


def _duration(seconds: float) -> str:
    from corepilot.config.text.units import format_duration

    return format_duration(round(seconds) if seconds >= 10 else round(seconds, 1))
