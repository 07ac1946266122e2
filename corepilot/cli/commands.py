"""The commands that ask a running corepilot for one thing, and get it at once."""

from __future__ import annotations

import os
import sys

from corepilot.cli.arguments import UsageError, suggest
from corepilot.cli.clients import ask, client_of, complain, decoded, quoted, say, say_json
from corepilot.errors import ControlError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, Literal

_OK, _UNAVAILABLE = 200, 503
_FIRST_ERROR = 400


def ping(arguments: Any) -> int:
    """`corepilot ping`: prints `ok`."""
    code, answer = client_of(arguments).request("GET", "/v1/ping")
    if code >= _FIRST_ERROR:
        decoded(code, answer)
    say("ok")
    return 0


def health(arguments: Any) -> int:
    """`corepilot health [--live|--ready] [JOB…]`: one line; 0 if it is so, else 1."""
    if arguments.live and arguments.ready:
        raise UsageError("cannot ask for --live and --ready at once: what is ready is live")
    query = "&".join([f"job={quoted(name)}" for name in arguments.positionals])
    path = "/livez" if arguments.live else "/readyz"
    try:
        client = client_of(arguments)
    except ControlError:
        if query or arguments.socket or arguments.config or not _is_wrapped():
            raise
        code, text = _OK, "ok: the container wraps one command"
    else:
        code, answer = client.request("GET", f"{path}?{query}" if query else path)
        text = answer.decode("utf-8", "replace").strip()
    if code not in {_OK, _UNAVAILABLE}:
        raise ControlError(text)
    try:
        say(text)
        sys.stdout.flush()
    except OSError:  # nobody reads it, or it is full: the status tells
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 0 if code == _OK else 1


def _is_wrapped() -> bool:
    """Whether PID 1 is `corepilot -- COMMAND`, which has no control socket, and ends when the command does."""
    try:
        with open("/proc/1/cmdline", "rb") as file:
            return file.read(13) == b"corepilot\0--\0"  # see corepilot.system.naming
    except OSError:
        return False


def debug(arguments: Any) -> int:
    """`corepilot debug stacks`."""
    what = arguments.positionals[0]
    if what != "stacks":
        raise UsageError(f"cannot show {what!r}: it is stacks{suggest(what, ('stacks',))}")
    code, answer = client_of(arguments).request("GET", "/v1/debug/stacks")
    if code >= _FIRST_ERROR:
        decoded(code, answer)
    sys.stdout.write(answer.decode("utf-8", "replace"))
    return 0


def shutdown(arguments: Any) -> int:
    """`corepilot shutdown`: returns when the stop has begun.

    In a container the kernel kills this process with the last of the others, which takes no longer than an import:
    what is to be read is written before anything else.
    """
    code, answer = client_of(arguments).request("POST", "/v1/shutdown")
    if code >= _FIRST_ERROR:
        decoded(code, answer)
    say("corepilot is stopping")
    sys.stdout.flush()
    return 0


def maintenance(arguments: Any) -> int:
    """`corepilot maintenance enable|disable`."""
    verb = arguments.positionals[0]
    if verb not in {"enable", "disable"}:
        raise UsageError(f"cannot do {verb!r}: write enable or disable{suggest(verb, ('enable', 'disable'))}")
    ask(client_of(arguments), "POST", f"/v1/maintenance/{verb}")
    say(f"maintenance {verb}d")
    return 0


def env(arguments: Any) -> int:
    """`corepilot env NAME=VALUE…`. Prints names, not values: one may be a secret."""
    pairs = dict(_pairs(arguments.positionals))
    found = ask(client_of(arguments), "POST", "/v1/environ", pairs)
    say(f"set for commands that start from now on: {', '.join(found['set'])}")
    return 0


def metric(arguments: Any) -> int:
    """`corepilot metric NAME=VALUE…`."""
    pairs = dict(_pairs(arguments.positionals))
    ask(client_of(arguments), "POST", "/v1/metric", pairs)
    say(f"recorded {', '.join(pairs)}")
    return 0


def instances(arguments: Any) -> int:
    """`corepilot instances SERVICE`: one `ADDRESS:PORT ID` a line, passing instances only; JSON shows all."""
    found = ask(client_of(arguments), "GET", f"/v1/instances/{quoted(arguments.positionals[0])}")
    if arguments.output == "json":
        say_json(found)
        return 0
    passing = [one for one in found if one["status"] == "passing"]
    for one in passing:
        address = f"[{one['address']}]" if ":" in one["address"] else one["address"]
        say(f"{address}:{one['port']} {one['id']}")
    if not passing:
        complain(f"no passing instance of {arguments.positionals[0]}")  # programs that read stdout find nothing there
    return 0


def plugins(arguments: Any) -> int:
    """`corepilot plugins list|info NAME|verify [NAME…]|new KIND NAME`."""
    verb, *names = arguments.positionals
    output: Literal["table", "json"] = "json" if arguments.output == "json" else "table"
    if verb == "list" and not names:
        from corepilot.cli.plugin_list import ListArguments, list_plugins

        return list_plugins(ListArguments(output, arguments.config, arguments.load, arguments.environment))
    if verb == "info" and len(names) == 1:
        from corepilot.cli.plugins import InfoArguments, show_plugin

        return show_plugin(InfoArguments(names[0], output))
    if verb == "verify":
        from corepilot.cli.plugins import VerifyArguments, verify_plugins

        return verify_plugins(VerifyArguments(tuple(names), output))
    if verb == "new" and len(names) == 2:
        from corepilot.cli.new_plugin import new_plugin

        return new_plugin(names[0], names[1], arguments.directory)
    what = " ".join(arguments.positionals)
    forms = {"list": "list", "info": "info NAME", "new": "new KIND NAME"}
    if verb in forms:
        raise UsageError(f"cannot do {what!r}: write corepilot plugins {forms[verb]}")
    near = suggest(verb, ("list", "info", "verify", "new"))
    raise UsageError(f"cannot do {what!r}: it is list, info NAME, verify [NAME…], or new KIND NAME{near}")


def _pairs(words: Sequence[str]) -> Iterable[tuple[str, str]]:
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise UsageError(f"cannot set {word!r}: write NAME=VALUE")
        yield name, value
