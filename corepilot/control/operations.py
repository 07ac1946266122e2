"""The answers of /v1 about single jobs and reloads, for which a client may wait.

What was asked for is an operation of the supervisor, which goes on whether or not anybody waits. With `wait=1` the
answer is its lines as they come, one JSON object each (NDJSON), and outlives the limit for a handler; without, its id.
"""

from __future__ import annotations

from typing import cast

from corepilot.control.api import Api, RoutedRequest, as_json, failed
from corepilot.control.payload import PayloadError, encode, parse_object
from corepilot.control.query import Waiting, one_of, parse_waiting
from corepilot.errors import ControlError
from corepilot.http.message import Answer, Headers, Response, StreamingResponse
from corepilot.model.value import Value
from corepilot.system.signal_names import signal_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    from corepilot.control.target import Action, Condition, Operation, ReloadMode

CONDITIONS = ("running", "ready", "healthy", "complete", "stopped")
MODES = ("changed", "all", "everything")
ACTIONS = ("start", "stop", "restart", "reload", "signal", "wait")
MOST_PATTERNS = 256
"""Each is compared with every job."""

MOST_WAITING = 32
"""Clients that may wait at the same time: half of the server's connections, so that others are answered meanwhile."""

_MOST_DIGITS = 15


class JobCommand(Value):
    """One action on some jobs, checked.

    Attributes:
        action: What to do.
        jobs: Patterns, at least one.
        number: The signal to send; 0 if it is another action.
        group: Send it to the whole process group.
        condition: What to wait for; None if it is another action.
    """

    action: str
    jobs: tuple[str, ...]
    number: int
    group: bool
    condition: Condition | None


def jobs(api: Api, asked: RoutedRequest) -> Response:
    """The status of all jobs, or of those that are named."""
    return as_json(200, api.target.jobs(checked_patterns(asked.parameters.get("job", []))))


def job(api: Api, asked: RoutedRequest) -> Response:
    """The status of one job, or of those that match."""
    return as_json(200, api.target.jobs((asked.name,)))


def on_jobs(api: Api, asked: RoutedRequest) -> Answer:
    """One action on several jobs: on all of them, or, with one unknown name, on none."""
    values = parse_object(asked.request.body)
    action = values.pop("action", None)
    if action not in ACTIONS:
        raise PayloadError(f"cannot act on jobs: `action` is one of {', '.join(ACTIONS)}")
    named = values.pop("jobs", None)
    if not isinstance(named, list) or not named or not all(isinstance(name, str) for name in named):
        raise PayloadError(f"cannot {action}: `jobs` is a list of at least one name or pattern")
    return _carry_out(api, asked, str(action), checked_patterns(named), values)


def start(api: Api, asked: RoutedRequest) -> Answer:
    """Run a job now."""
    return _on_one(api, asked, "start")


def stop(api: Api, asked: RoutedRequest) -> Answer:
    """Stop a job."""
    return _on_one(api, asked, "stop")


def restart(api: Api, asked: RoutedRequest) -> Answer:
    """Stop a job and run it again."""
    return _on_one(api, asked, "restart")


def reload_job(api: Api, asked: RoutedRequest) -> Answer:
    """Have a job read its own configuration again."""
    return _on_one(api, asked, "reload")


def signal(api: Api, asked: RoutedRequest) -> Answer:
    """Send a signal to a job."""
    return _on_one(api, asked, "signal")


def wait(api: Api, asked: RoutedRequest) -> Answer:
    """Wait until a job is in a state."""
    return _on_one(api, asked, "wait")


def reload(api: Api, asked: RoutedRequest) -> Answer:
    """Take the configuration into use as it is now."""
    mode = cast("ReloadMode", one_of(asked.parameters, "mode", MODES, "changed"))
    waiting = _checked_waiting(api, asked)
    return _begun(api, api.target.reload(mode, asked.client_pid), waiting)


def request(api: Api, asked: RoutedRequest) -> Response:
    """What became of an operation."""
    digits = asked.name
    valid = digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS
    operation = api.target.operation(int(digits)) if valid else None
    if operation is None:
        return failed(404, f"cannot find request {digits[:_MOST_DIGITS]!r}: it has ended long ago, or never was")
    return as_json(200, operation.state())


def _on_one(
    api: Api, asked: RoutedRequest, action: Literal["start", "stop", "restart", "reload", "signal", "wait"]
) -> Answer:
    body = asked.request.body
    return _carry_out(api, asked, action, (asked.name,), parse_object(body) if body else {})


def _carry_out(
    api: Api, asked: RoutedRequest, action: str, patterns: tuple[str, ...], values: dict[str, object]
) -> Answer:
    api.require(action)
    waiting = _checked_waiting(api, asked)
    command = _parse_command(action, patterns, values)
    if action == "signal":
        return as_json(200, api.target.signal(command.number, command.jobs, group=command.group))
    if action == "reload":
        return _begun(api, api.target.reload_jobs(command.jobs), waiting)
    if command.condition is not None:
        return _begun(api, api.target.wait_for(command.condition, command.jobs), waiting)
    return _begun(api, api.target.act(cast("Action", action), command.jobs, asked.client_pid), waiting)


def _parse_command(action: str, patterns: tuple[str, ...], values: dict[str, object]) -> JobCommand:
    known = {"signal": ("signal", "group"), "wait": ("for",)}.get(action, ())
    for name in values:
        if name not in known:
            rule = f"it takes {', '.join(known)}" if known else "it takes nothing else"
            raise PayloadError(f"cannot {action} with an unknown member in the body: {rule}")
    number, condition = 0, None
    group = values.get("group", False)
    if action == "signal":
        try:
            number = signal_number(values.get("signal"))
        except ValueError as error:
            raise PayloadError(str(error)) from error
    if not isinstance(group, bool):
        raise PayloadError("cannot signal: `group` is true or false")
    if action == "wait":
        if values.get("for") not in CONDITIONS:
            raise PayloadError(f"cannot wait: `for` is one of {', '.join(CONDITIONS)}")
        condition = cast("Condition", values["for"])
    return JobCommand(action, patterns, number, group, condition)


def checked_patterns(patterns: list[str]) -> tuple[str, ...]:
    """The patterns, if they are not too many.

    Raises:
        PayloadError: they are.
    """
    if len(patterns) > MOST_PATTERNS:
        raise PayloadError(
            f"cannot use {len(patterns)} names at once: {MOST_PATTERNS} are the limit; a pattern such as 'web-*' is one"
        )
    return tuple(patterns)


def _checked_waiting(api: Api, asked: RoutedRequest) -> Waiting:
    waiting = parse_waiting(asked.parameters)
    if waiting.wait and api.waiting >= MOST_WAITING:
        raise ControlError(
            f"cannot wait: {MOST_WAITING} clients wait already, and nothing was done; "
            "ask again without waiting, or when one of them has its answer"
        )
    return waiting


def _begun(api: Api, operation: Operation, waiting: Waiting) -> Answer:
    if not waiting.wait:
        return as_json(202, {"request": operation.id})
    fields = (("Content-Type", "application/x-ndjson"), ("Corepilot-Request", str(operation.id)))
    return StreamingResponse(200, Headers(fields), _encoded(api, operation.lines(waiting.timeout_s)))


def _encoded(api: Api, lines: Iterator[dict[str, object]]) -> Iterator[bytes]:
    api.waiting += 1
    try:
        for line in lines:
            yield encode(line)
    finally:
        api.waiting -= 1
