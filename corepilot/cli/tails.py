"""`corepilot logs` and `corepilot events`: what has happened lately, and what follows."""

import json
import sys
import time
from collections.abc import Iterator
from typing import Any

from corepilot.cli.arguments import UsageError
from corepilot.cli.clients import client_of, complain, decoded, quoted
from corepilot.control.stream import AnswerStream
from corepilot.errors import ControlError

_OK = 200
_ANSWER_S = 10.0


def logs(arguments: Any) -> int:
    """`corepilot logs [JOB…]`."""
    jobs = [f"job={quoted(job)}" for job in arguments.positionals]
    for entry in _entries(arguments, "/v1/logs", jobs):
        if "raw" in entry:
            sys.stdout.flush()
            complain(f"{', '.join(entry['raw'])}: logging.raw is set, so the lines are in corepilot's own output only")
        elif "lost" in entry:
            _tell_lost(arguments, entry["lost"], "lines")
        else:
            _show_lines(entry, as_json=arguments.output == "json")
    return 0


def events(arguments: Any) -> int:
    """`corepilot events`."""
    for entry in _entries(arguments, "/v1/events", []):
        if "lost" in entry:
            _tell_lost(arguments, entry["lost"], "events")
        elif arguments.output == "json":
            _write(json.dumps(entry))
        else:
            _write(" ".join(_event_words(entry)))
    return 0


def _entries(arguments: Any, path: str, parameters: list[str]) -> Iterator[dict[str, Any]]:
    if arguments.follow:
        parameters.append("follow=1")
    if arguments.last is not None:
        if not (arguments.last.isascii() and arguments.last.isdigit()):
            raise UsageError(f"cannot use -n {arguments.last}: it is a number")
        parameters.append(f"n={arguments.last}")
    if arguments.since is not None:
        parameters.append(f"since_s={_since(arguments.since):.6f}")
    query = f"{path}?{'&'.join(parameters)}" if parameters else path
    deadline_s = None if arguments.follow else _ANSWER_S
    with client_of(arguments).stream("GET", query, None, deadline_s) as stream:
        if stream.status != _OK:
            decoded(stream.status, stream.read())
        yield from _parsed(stream)


def _parsed(stream: AnswerStream) -> Iterator[dict[str, Any]]:
    for line in stream:
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        if not isinstance(entry, dict):
            raise ControlError("cannot understand the answer: is this the socket of corepilot?")
        yield entry
        sys.stdout.flush()  # who reads a pipe wants to know now


def _since(text: str) -> float:
    """A time of the past, in seconds of Unix time: a duration before now, or a time as the log writes it."""
    from corepilot.config.text.units import DurationError, parse_duration

    try:
        return max(time.time() - parse_duration(text), 0.0)
    except DurationError:
        pass
    from datetime import datetime

    try:
        return max(datetime.fromisoformat(text).timestamp(), 0.0)
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            f"cannot use --since {text}: write how long ago, such as 10m, or a time, such as 2026-03-01T12:00:00Z"
        ) from None


def _tell_lost(arguments: Any, count: int, what: str) -> None:
    if arguments.output == "json":
        _write(json.dumps({"lost": count}))
    sys.stdout.flush()
    complain(f"{count} {what} were lost here: this reader is too slow")


def _show_lines(entry: dict[str, Any], *, as_json: bool) -> None:
    lines = entry.pop("lines")
    if as_json:
        _write("\n".join([json.dumps({**entry, "msg": line}) for line in lines]))
        return
    head = " ".join([str(entry[name]) for name in ("time", "job", "check", "pid", "stream") if name in entry]) + " "
    _write("\n".join([head + line for line in lines]))


def _event_words(entry: dict[str, Any]) -> Iterator[str]:
    from corepilot.wording.escaping import escaped

    yield entry["time"]
    yield entry["code"]
    yield escaped(entry["source"])
    if entry["detail"]:
        yield escaped(entry["detail"])
    if entry["status"] is not None:
        yield f"status={entry['status']}"
    if entry["origin"]:
        yield "origin=" + ",".join([f"{escaped(job)}#{number}" for job, number in entry["origin"]])


def _write(text: str) -> None:
    sys.stdout.write(f"{text}\n")
