"""What every answer of the control API is made with: the supervisor, the request, and the forms of an answer."""

from __future__ import annotations

from corepilot.control.payload import EnvironBudget, encode
from corepilot.http.message import Headers, Request, Response
from corepilot.model.value import Value

TYPE_CHECKING = False  # the types are not worth their import on the boot path
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from corepilot.control.target import ControlTarget

    Log = Callable[[str, str], object]

_TEXT = Headers((("Content-Type", "text/plain; charset=utf-8"),))
_JSON = Headers((("Content-Type", "application/json"),))


class ForbiddenError(Exception):
    """The configuration has switched off what a request asks for."""


class RoutedRequest(Value):
    """A request that has a route.

    Attributes:
        request: The request.
        name: What its path has in the place of NAME or ID; "" if the path has none.
        parameters: The values of each parameter in its query, decoded.
    """

    request: Request
    name: str
    parameters: Mapping[str, list[str]]

    @property
    def client_pid(self) -> int | None:
        """The process that asks, if it is in our PID namespace."""
        peer = self.request.peer
        return peer.pid if peer is not None and peer.pid else None


class Api:
    """What the answers share, over one supervisor.

    Args:
        target: The supervisor.
        log: `log(level, message)`.
        disabled: Verbs that are switched off.

    Attributes:
        waiting: How many clients wait for the end of an operation.
    """

    def __init__(self, target: ControlTarget, log: Log, disabled: Iterable[str] = ()) -> None:
        self.target = target
        self.log = log
        self.budget = EnvironBudget()
        self.waiting = 0
        self._disabled = frozenset(disabled)

    def require(self, verb: str) -> None:
        """Make sure that something may be done.

        Raises:
            ForbiddenError: It is switched off.
        """
        if verb in self._disabled:
            raise ForbiddenError(f"cannot {verb} over the control socket: the configuration forbids it")


def plain(status: int, text: str) -> Response:
    """An answer in text, with one newline at its end."""
    return Response(status, _TEXT, text.rstrip("\n").encode("utf-8", "backslashreplace") + b"\n")


def as_json(status: int, value: object) -> Response:
    """An answer in JSON."""
    return Response(status, _JSON, encode(value))


def failed(status: int, text: str) -> Response:
    """An error of /v1."""
    return as_json(status, {"error": text})
