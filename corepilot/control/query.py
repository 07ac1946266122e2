"""Parameters in the query of a request. Strict: a parameter that is misspelt must not be ignored."""

from __future__ import annotations

import math

from corepilot.control.payload import PayloadError
from corepilot.http.message import percent_decoded
from corepilot.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LONGEST_WAIT_S = 365 * 24 * 3600.0
_LONGEST_SHOWN = 40


class Waiting(Value):
    """Whether a client waits for the end of what it asked for.

    Attributes:
        wait: It does.
        timeout_s: For so many seconds; None for as long as it takes.
    """

    wait: bool
    timeout_s: float | None


def parse_query(query: str, known: Sequence[str]) -> dict[str, list[str]]:
    """The values of each parameter, percent-decoded, in their order. A plus sign is a plus sign.

    Raises:
        PayloadError: A parameter is not known, or its value is not percent-encoded UTF-8.
    """
    found: dict[str, list[str]] = {}
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        if name not in known:
            rule = f"known: {', '.join(known)}" if known else "this path takes none"
            raise PayloadError(f"cannot use parameter {_shown(name)}: {rule}")
        try:
            found.setdefault(name, []).append(percent_decoded(value.encode("latin-1")))
        except ValueError as error:
            raise PayloadError(f"cannot use parameter {name!r}: its value is not percent-encoded UTF-8") from error
    return found


def parse_waiting(parameters: Mapping[str, list[str]]) -> Waiting:
    """Whether to wait, and for how long, by `wait` and `timeout_s`.

    Raises:
        PayloadError: One of them has no valid value, or there is a timeout and no wait.
    """
    wait = one_of(parameters, "wait", ("0", "1"), "0") == "1"
    text = single(parameters, "timeout_s", "")
    if not text:
        return Waiting(wait, None)
    try:
        timeout_s = float(text)
    except ValueError:
        timeout_s = math.nan
    if not 0 <= timeout_s <= LONGEST_WAIT_S:
        raise PayloadError(f"cannot use timeout_s={_shown(text)}: write seconds from 0 to {LONGEST_WAIT_S:.0f}")
    if not wait:
        raise PayloadError("cannot use timeout_s without wait=1")
    return Waiting(wait, timeout_s)


def one_of(parameters: Mapping[str, list[str]], name: str, choices: Sequence[str], default: str) -> str:
    """The value of a parameter that has few.

    Raises:
        PayloadError: It has another one, or several.
    """
    value = single(parameters, name, default)
    if value not in choices:
        raise PayloadError(f"cannot use {name}={_shown(value)}: it is one of {', '.join(choices)}")
    return value


def single(parameters: Mapping[str, list[str]], name: str, default: str) -> str:
    """The value of a parameter that is given once at most.

    Raises:
        PayloadError: It is given several times.
    """
    values = parameters.get(name, [default])
    if len(values) > 1:
        raise PayloadError(f"cannot use parameter {name!r} {len(values)} times: once is enough")
    return values[0]


def _shown(text: str) -> str:
    return repr(text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…")
