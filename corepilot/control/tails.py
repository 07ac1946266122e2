"""The answers of /v1 about what has happened lately: lines of jobs, and events. One JSON object a line (NDJSON)."""

from __future__ import annotations

import math

from corepilot.control.api import Api, RoutedRequest
from corepilot.control.operations import checked_patterns
from corepilot.control.payload import PayloadError, encode
from corepilot.control.query import one_of, single
from corepilot.http.message import Answer, Headers, StreamingResponse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from corepilot.control.target import Entries

STANDING_S = 3600.0
"""Seconds that a client may leave a chunk where it is: it may be a person who has stopped the screen."""

_MOST_LINES = 10**9
_NDJSON = Headers((("Content-Type", "application/x-ndjson"),))


def logs(api: Api, asked: RoutedRequest) -> Answer:
    """The last lines of jobs, and those that follow."""
    which = _Which(asked.parameters)
    jobs = checked_patterns(asked.parameters.get("job", []))
    return _answer(api.target.logs(jobs, since_s=which.since_s, last=which.last, follow=which.follow))


def events(api: Api, asked: RoutedRequest) -> Answer:
    """The last events, and those that follow."""
    which = _Which(asked.parameters)
    return _answer(api.target.events(since_s=which.since_s, last=which.last, follow=which.follow))


class _Which:
    """What is asked for.

    Raises:
        PayloadError: a parameter has no valid value.
    """

    def __init__(self, parameters: Mapping[str, list[str]]) -> None:
        self.follow = one_of(parameters, "follow", ("0", "1"), "0") == "1"
        self.last = None if "n" not in parameters else int(_number(parameters, "n", _MOST_LINES))
        self.since_s = 0.0 if "since_s" not in parameters else _number(parameters, "since_s", 2.0**40)


def _number(parameters: Mapping[str, list[str]], name: str, most: float) -> float:
    try:
        found = float(single(parameters, name, ""))
    except ValueError:
        found = math.nan
    if not 0 <= found <= most:
        raise PayloadError(f"cannot use {name}: write a number from 0 to {most:.0f}")
    return found


def _answer(entries: Entries) -> StreamingResponse:
    return StreamingResponse(200, _NDJSON, _Encoded(entries), write_s=STANDING_S)


class _Encoded:
    """What is sent: closing it closes what it reads, also when nothing was read yet."""

    def __init__(self, entries: Entries) -> None:
        self._entries = entries

    def __iter__(self) -> _Encoded:
        return self

    def __next__(self) -> bytes:
        return encode(next(self._entries))

    def close(self) -> None:
        """No more is wanted."""
        self._entries.close()
