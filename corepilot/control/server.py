"""The control socket's server: who may ask, what for, and a record of who did."""

import os
from collections.abc import Callable, Iterable

from gevent import sleep

from corepilot.control.api import Api, ForbiddenError, RoutedRequest, failed, plain
from corepilot.control.paths import ControlSocket
from corepilot.control.payload import PayloadError
from corepilot.control.query import parse_query
from corepilot.control.routes import Endpoint, find
from corepilot.errors import ControlError, UnknownJobError
from corepilot.http.message import Answer, Headers, Request, Response
from corepilot.http.server import HttpServer, ServerLimits
from corepilot.wording.escaping import escaped

__all__ = ["ControlServer", "ServerLimits"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from corepilot.control.target import ControlTarget

_LONGEST_SHOWN = 200
_LIGHT = ("/ping", "/livez", "/readyz")
_LIMITS = ServerLimits(body_bytes=1024 * 1024)


def _ignore(*_: object) -> None:
    pass


class ControlServer:
    """Serves the control API on a bound socket. Creating it starts nothing.

    Every request carries the credentials of the process that sent it, as the kernel knows them. Root and the user
    that corepilot runs as may do everything; the mode of the socket already keeps others out, this check still holds
    if somebody loosens it.

    Args:
        control_socket: From `bind_control_socket`; the server takes over its socket in `start`.
        target: The supervisor.
        allowed_uids: Further users who may do everything.
        disabled: Verbs that are switched off and answered 403, by the names that `ROUTES` gives them.
        log: `log(level, message)`, level being one of debug, info, warning, error. Never blocks.
        on_event: Told of each refused and each changing request: a flat object to be logged as JSON, `event` being a
            name of the OWASP logging vocabulary (authz_fail, authz_admin, input_validation_fail).
        on_request: Told the path (one of few) and the status of each request that had a route, for a counter.
        on_error: Told of exceptions that are our own bugs, with their traceback, on one line.
        limits: For connections and requests. By default a body has at most 1 MiB; ContainerPilot reads any (contract,
            section 9.1).
    """

    def __init__(
        self,
        control_socket: ControlSocket,
        target: "ControlTarget",
        *,
        allowed_uids: Iterable[int] = (),
        disabled: Iterable[str] = (),
        log: Callable[[str, str], object] = _ignore,
        on_event: Callable[[dict[str, object]], object] = _ignore,
        on_request: Callable[[str, int], object] = _ignore,
        on_error: Callable[[str], object] = _ignore,
        limits: ServerLimits | None = None,
    ) -> None:
        self._socket = control_socket
        self._api = Api(target, log, disabled)
        self._uids = frozenset((0, os.geteuid(), *allowed_uids))
        self._on_event = on_event
        self._on_request = on_request
        self._on_error = on_error
        self._limits = limits or _LIMITS
        self._http = self._server_on(control_socket)
        self._retired: list[HttpServer] = []
        self._stopped = False

    @property
    def path(self) -> str:
        """Where the socket is."""
        return self._socket.path

    @property
    def connections(self) -> int:
        """How many connections are open now."""
        return self._http.connections

    def start(self) -> None:
        """Begin to answer; connections made since the binding have waited. Does not switch."""
        self._http.start()

    def move(self, control_socket: ControlSocket) -> None:
        """Answer at another socket from now on, and no longer at this one. Does not switch.

        The new one answers before the old one's file is removed. Who has connected to the old one is still served:
        the request that leads to the move is one of them.

        Args:
            control_socket: From `bind_control_socket`; taken over as in `start`, which has been called.
        """
        server = self._server_on(control_socket)
        server.start()
        old_socket, self._socket = self._socket, control_socket
        old_server, self._http = self._http, server
        old_socket.close()
        old_server.retire()
        self._retired = [one for one in (*self._retired, old_server) if one.running]

    def retire(self) -> None:
        """Remove the socket's file and take no more connections; those that are open are served to their end.

        The request that leads to it is one of them. `move` brings it back. Does not switch.
        """
        self._socket.close()
        self._http.retire()

    def restore(self) -> bool:
        """Listen again at the same path if somebody has removed or replaced the socket's file.

        For a timer: one system call as long as everything is in place. Otherwise it may switch to the hub, for a second
        at most, and must not run twice at a time. The socket of a process that listens there is left alone.

        Returns:
            Whether it was necessary; the new `control_socket` then has warnings of its own. Never after `stop`.

        Raises:
            ControlError: It cannot be done now, and why: say so once, and try again at the next tick. Requests that
                have come in are still served.
        """
        if self._stopped or self._socket.is_in_place():
            return False
        return self._move_unless_stopped(self._socket.bind_again(sleep))

    def _move_unless_stopped(self, control_socket: ControlSocket) -> bool:
        if self._stopped:
            control_socket.close()
        else:
            self.move(control_socket)
        return not self._stopped

    @property
    def control_socket(self) -> ControlSocket:
        """The socket it answers at now: after `move` or `restore` another one than before."""
        return self._socket

    def _server_on(self, control_socket: ControlSocket) -> HttpServer:
        return HttpServer(
            control_socket.socket, self._handle, on_error=self._broke, limits=self._limits, heavy=_is_heavy
        )

    def stop(self, grace_s: float = 0.6) -> None:
        """Remove the socket's file, let requests in flight end for `grace_s` seconds, drop the rest. Idempotent.

        Takes no longer than the grace and a second, and as long again after a move. Not to be called from a request.
        """
        self._stopped = True
        # Before the listener closes: whoever finds the file finds somebody who listens.
        self._socket.remove()
        self._http.stop(grace_s)
        for server in self._retired:
            server.stop(grace_s)
        self._socket.close()

    def _handle(self, request: Request) -> Answer:
        if request.peer is None or request.peer.uid not in self._uids:
            self._report("authz_fail", request, 403)
            return _refused(request, 403, "cannot use the control socket as this user")
        endpoint = find(request.path)
        if endpoint is None:
            ours = request.path.startswith("/v1/")
            return _refused(request, 404, "cannot find anything at this path" if ours else "404 page not found")
        try:
            response = self._answer(request, endpoint)
        except BaseException:
            self._on_request(endpoint.label, 500)
            raise
        self._on_request(endpoint.label, response.status)
        route = endpoint.route(request.method)
        if response.status in {403, 405}:
            self._report("authz_fail", request, response.status)
        elif route is not None and route.changes:
            done = response.status in {200, 202}
            self._report("authz_admin" if done else "input_validation_fail", request, response.status)
        return response

    def _answer(self, request: Request, endpoint: Endpoint) -> Answer:
        route = endpoint.route(request.method)
        if route is None:
            return _refused(request, 405, "Method Not Allowed", allow=sorted(endpoint.methods))
        try:
            self._api.require(route.verb)
            # ContainerPilot ignores a query.
            ignored = endpoint.label.startswith("/v3/")
            parameters = {} if ignored else parse_query(request.query, route.parameters)
            return route.answer(self._api, RoutedRequest(request, endpoint.name, parameters))
        except ForbiddenError as error:
            return _refused(request, 403, str(error))
        except PayloadError as error:
            return _refused(request, 422, str(error))
        except UnknownJobError as error:
            return _refused(request, 404, str(error))
        except ControlError as error:
            return _refused(request, 409, str(error))

    def _broke(self, where: str, error: BaseException) -> None:
        from traceback import format_exception

        # On one line: what the exception tells may be a client's.
        trace = escaped("".join(format_exception(error)).rstrip("\n").replace("\n", " | "))
        self._on_error(f"the control server failed at {where[:_LONGEST_SHOWN]}: {trace}")

    def _report(self, event: str, request: Request, status: int) -> None:
        peer = request.peer
        self._on_event(
            {
                "event": event,
                "uid": None if peer is None else peer.uid,
                "pid": None if peer is None else peer.pid,
                "method": request.method[:_LONGEST_SHOWN],
                "path": escaped(request.path[:_LONGEST_SHOWN]),
                "status": status,
            }
        )


def _is_heavy(request: Request) -> bool:
    """Whether the answer grows with the configuration: what only looks waits for what changes something."""
    return request.method in {"GET", "HEAD"} and not request.path.endswith(_LIGHT)


def _refused(request: Request, status: int, text: str, *, allow: Iterable[str] = ()) -> Response:
    """An error in the form of the API that was asked."""
    response = plain(status, text) if not request.path.startswith("/v1/") else failed(status, text)
    if not allow:
        return response
    return Response(status, Headers((*response.headers.items(), ("Allow", ", ".join(allow)))), response.body)
