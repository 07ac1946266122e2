"""kazoo's exceptions as the contract's, in one place."""

from collections.abc import Callable
from typing import Any, TypeVar

from corepilot.errors import BackendError, BackendRefusedError, BackendUnavailableError
from corepilot_zookeeper.light_kazoo import exceptions

_REFUSED: dict[type[Exception], str] = {
    exceptions.NoAuthError: "there is no permission; check auth.credential and the node's ACL",
    exceptions.AuthFailedError: "the server does not accept auth.credential",
    exceptions.SessionClosedRequireSaslError: "the server insists on SASL, which this backend does not speak",
    exceptions.InvalidACLError: "the server does not accept the ACL; check auth",
    exceptions.UnimplementedError: "the server does not know this request; ZooKeeper 3.6 or later is needed",
    exceptions.BadArgumentsError: "the server does not accept the path",
    exceptions.NoChildrenForEphemeralsError: "the node above is ephemeral, and can have none below it",
    exceptions.QuotaExceededError: "the quota of the path is used up",
    exceptions.EphemeralOnLocalSessionError: "the server gives local sessions only, which cannot hold ephemeral nodes",
}
_GONE: dict[type[Exception], str] = {
    exceptions.SessionExpiredError: "the session is over",
    exceptions.ConnectionClosedError: "the client is closed",
    exceptions.ConnectionLoss: "the connection was lost",
}


class LostOnTheWayError(BackendUnavailableError):
    """The connection was lost before the answer came: it may or may not have been done."""


def translated(error: Exception, action: str, address: str) -> BackendError:
    """What to raise for an exception of kazoo's.

    Args:
        error: It.
        action: What could not be done, to follow "cannot". It may quote a path, and no value.
        address: Of the catalog.
    """
    kind = type(error)
    if kind in _REFUSED:
        return BackendRefusedError(f"cannot {action} at {address}: {_REFUSED[kind]}")
    if kind in _GONE:
        return LostOnTheWayError(f"cannot {action} at {address}: {_GONE[kind]}")
    reason = f"the server answers {kind.__name__}"
    return BackendUnavailableError(f"cannot {action} at {address}: {reason}")


_Answer = TypeVar("_Answer")


def persistent(call: Callable[..., _Answer]) -> Callable[..., _Answer]:
    """Make a call that changes nothing more when it is made again, and is, if the connection is lost on the way.

    Once: servers that restart, or choose a leader, are back in a moment; whatever takes longer is the caller's to know.
    """

    def twice(*arguments: Any, **named: Any) -> _Answer:
        try:
            return call(*arguments, **named)
        except LostOnTheWayError:
            return call(*arguments, **named)

    return twice
