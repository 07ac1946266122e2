"""How every facet of a backend is asked: through the boundary, within a deadline, and counted."""

from collections.abc import Callable
from typing import Any, TypeVar

import gevent

from corepilot.errors import (
    BackendError,
    BackendRefusedError,
    BackendTimeoutError,
    BackendUnavailableError,
    LockLostError,
    UnknownInstanceError,
)
from corepilot.plugin.boundary import Boundary, PluginFaultError

CALL_S = 5.0
"""The most that a call to a backend may take, in seconds."""

Asked = Callable[[str, str], None]
"""Told of each call's name and result: ok, unknown, lost, unavailable, timeout, refused, fault or error."""

_Answer = TypeVar("_Answer")

_RESULTS: dict[type[BaseException], str] = {
    UnknownInstanceError: "unknown",
    LockLostError: "lost",
    BackendUnavailableError: "unavailable",
    BackendTimeoutError: "timeout",
    BackendRefusedError: "refused",
    gevent.Timeout: "timeout",
    PluginFaultError: "fault",
}


def result_of(error: BaseException) -> str:
    """The word for a failure."""
    return next((result for kind, result in _RESULTS.items() if isinstance(error, kind)), "error")


def asking(
    boundary: Boundary,
    asked: Asked,
    operation: str,
    function: Callable[..., Any],
    *arguments: Any,
    take: Callable[[Any], Any] | None = None,
) -> Any:
    """Make one call to a plugin, and count it.

    Raises:
        BackendError, PluginFaultError, gevent.Timeout: as the call did.
    """
    try:
        answer = boundary.call(operation, function, *arguments, allowed=(BackendError, gevent.Timeout), take=take)
    except (BackendError, PluginFaultError, gevent.Timeout) as error:
        asked(operation, result_of(error))
        raise
    asked(operation, "ok")
    return answer


def within(address: str, action: str, call: Callable[[], _Answer], seconds: float = CALL_S) -> _Answer:
    """Make a call that gets no more than so many seconds.

    Args:
        address: Of the catalog, for the error.
        action: What cannot be done then, to follow "cannot".
        call: Makes it.
        seconds: For it.

    Raises:
        BackendTimeoutError: it took longer.
    """
    try:
        with gevent.Timeout(seconds) as timeout:
            return call()
    except gevent.Timeout as over:
        if over is not timeout:
            raise
        raise BackendTimeoutError(
            f"cannot {action}: no answer from the catalog {address} within {seconds:g} s"
        ) from None
