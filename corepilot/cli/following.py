"""Requests that take a while: what happens is printed line by line, and the end of it becomes an exit status."""

import json
import sys
from typing import Any, NamedTuple

from corepilot.cli.arguments import UsageError
from corepilot.cli.clients import INCOMPLETE, LATE, REFUSED, client_of, complain, decoded, say
from corepilot.cli.main import INTERRUPTED
from corepilot.control.stream import AnswerStream
from corepilot.errors import ControlError

STATUSES = {"done": 0, "refused": REFUSED, "incomplete": INCOMPLETE, "late": LATE}
"""The exit status of each result."""

_PATIENCE_S = 5.0
"""Seconds that corepilot may be late to say that something is late."""

_OK = 200
_LINES = ({"result", "message"}, {"what", "name", "kind"})
"""What the last line has, and what the others have."""


class FollowOptions(NamedTuple):
    """How to tell of an operation.

    Attributes:
        as_json: Print what comes as it comes.
        look: The command that shows how far it is.
    """

    as_json: bool
    look: str


def follow(arguments: Any, path: str, body: object = None, *, look: str) -> int:
    """Ask for something and wait for it, unless --no-wait is given; returns the exit status.

    Args:
        arguments: Those of the command.
        path: Path and query, without what says whether to wait.
        body: Of the request, in JSON types; None for none.
        look: The command that shows how far it is.

    Raises:
        UsageError: --timeout is no duration, or together with --no-wait.
        ControlError: It was refused at once, or nobody knows what became of it.
    """
    wait, timeout_s = _waiting(arguments)
    if wait:
        path += ("&" if "?" in path else "?") + "wait=1" + ("" if timeout_s is None else f"&timeout_s={timeout_s:f}")
    data = None if body is None else json.dumps(body).encode()
    deadline_s = (timeout_s or 0.0) + _PATIENCE_S if timeout_s is not None or not wait else None
    client = client_of(arguments)
    request = ""
    try:
        with client.stream("POST", path, data, deadline_s) as stream:
            request = stream.fields.get(b"corepilot-request", b"").decode("ascii", "replace")
            options = FollowOptions(arguments.output == "json", look)
            if stream.status == _OK:
                return _follow(stream, request, options)
            return _say_begun(decoded(stream.status, stream.read()), options)
    except KeyboardInterrupt:
        what = f"request {request} goes on" if request else "what was asked for may go on"
        complain(f"interrupted: {what}; {look} shows how far it is")
        return INTERRUPTED


def _waiting(arguments: Any) -> tuple[bool, float | None]:
    wait = not getattr(arguments, "no_wait", False)
    if arguments.timeout is None:
        return wait, None
    if not wait:
        raise UsageError("cannot use --timeout together with --no-wait: it says how long to wait")
    from corepilot.config.text.units import DurationError, parse_duration

    try:
        timeout_s = parse_duration(arguments.timeout)
    except DurationError as error:
        raise UsageError(f"cannot use --timeout {arguments.timeout}: {error.rule}; {error.hint}") from error
    if timeout_s < 0:
        raise UsageError(f"cannot use --timeout {arguments.timeout}: it must not be negative")
    return wait, timeout_s


def _say_begun(answer: dict[str, Any], options: FollowOptions) -> int:
    if options.as_json:
        sys.stdout.write(json.dumps(answer) + "\n")
    else:
        say(f"request {answer['request']} has begun; {options.look} shows how far it is")
    return 0


def _follow(stream: AnswerStream, request: str, options: FollowOptions) -> int:
    unchanged: dict[str, int] = {}
    for line in stream:
        found = _parsed(line)
        if options.as_json:
            sys.stdout.write(line.decode("utf-8", "replace") + "\n")
        if "result" in found:
            if not options.as_json and unchanged:
                say(unchanged_line(unchanged))
            return _end(found, request, options)
        if not options.as_json:
            if found["kind"] == "unchanged":
                unchanged[found["what"]] = unchanged.get(found["what"], 0) + 1
            elif found["what"] == "problem":
                complain(found.get("message") or "")
            else:
                say(change_line(found))
        sys.stdout.flush()  # who reads a pipe wants to know now
    raise ControlError(f"cannot tell what became of request {request}: the answer has no end; {options.look} shows it")


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not any(found.keys() >= one for one in _LINES):
        raise ControlError("cannot understand the answer: a line of it is no change; is this the socket of corepilot?")
    return found


def _end(found: dict[str, Any], request: str, options: FollowOptions) -> int:
    result, message = found["result"], found["message"]
    if result == "late":
        message = f"{message or 'not done in time'}; request {request} goes on, {options.look} shows how far it is"
    if message and result == "done":
        if not options.as_json:
            say(message)
    elif message:
        sys.stdout.flush()
        complain(message)
    return STATUSES.get(result, REFUSED)


def change_line(change: dict[str, Any]) -> str:
    """One change in words: `web: restarted, pid 12`."""
    kind, state, pid = change["kind"], change.get("state") or "", change.get("pid")
    if kind == "already":
        kind, state = f"already {state}", ""
    elif kind and state == "running":
        state = ""
    parts = (kind, state, f"pid {pid}" if pid else "", change.get("message") or "")
    return f"{subject(change)}: {', '.join(filter(None, parts))}"


def subject(change: dict[str, Any]) -> str:
    """What a change is about: a job by its name, else what it is, and its name if it has one."""
    what, name = change["what"], change["name"]
    return str(name if what == "job" else f"{what} {name}".strip())


def unchanged_line(numbers: dict[str, int]) -> str:
    """How many of each kind of thing stay as they are."""
    from corepilot.wording.counting import counted

    plurals = {"watch": "watches", "catalog": "catalogs"}
    return "unchanged: " + ", ".join([counted(number, what, plurals.get(what)) for what, number in numbers.items()])
