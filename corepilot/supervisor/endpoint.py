"""The control socket over all configurations: made before the first job, served later, moved by reloads, kept there."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import gevent

from corepilot.control.locations import is_there
from corepilot.control.paths import ControlSocket, bind_control_socket
from corepilot.errors import CorepilotError
from corepilot.model.configuration import Control
from corepilot.output.log import Log
from corepilot.wording.escaping import escaped

if TYPE_CHECKING:
    from corepilot.control.server import ControlServer
    from corepilot.control.target import ControlTarget
    from corepilot.telemetry.metrics import Family

LOOK_EVERY_S = 1.0
"""How often it is looked whether clients still find the socket."""


class ControlEndpoint:
    """Where clients reach this process.

    Args:
        control: `control` of the first configuration; None for no socket.
        environment: What corepilot was given.
        log: The log.
        cancelled: Whether to stop waiting for the socket's directory.

    Raises:
        CorepilotError: no place can be had.
    """

    def __init__(
        self, control: Control | None, environment: Mapping[str, str], log: Log, cancelled: Callable[[], bool]
    ) -> None:
        self._environment, self._log = environment, log
        self._server: ControlServer | None = None
        self._serve: Callable[[ControlSocket], ControlServer] | None = None
        self._socket: ControlSocket | None = None
        if control is not None:
            self._socket = bind_control_socket(
                control.socket,
                environment,
                strict=control.strict,
                on_wait=lambda message: log("warning", message),
                cancelled=cancelled,
            )

    @property
    def path(self) -> str:
        """Where it is; "" where there is none."""
        return self._current.path if self._current is not None else ""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is not as it should be about the place."""
        return self._current.warnings if self._current is not None else ()

    def serve(self, target: "ControlTarget", requests: "Family", refill: Callable[[], object]) -> None:
        """Answer from now on; connections made since the binding have waited.

        Args:
            target: Who carries out requests.
            requests: Counts them, by code and path.
            refill: Called now and then: descriptors may be free again.
        """
        self._serve = partial(self._served, target, requests)
        if self._socket is not None:
            self._server = self._serve(self._socket)
        gevent.spawn(self._keep, refill)

    def _served(self, target: "ControlTarget", requests: "Family", control_socket: ControlSocket) -> "ControlServer":
        from corepilot.control.server import ControlServer

        server = ControlServer(
            control_socket,
            target,
            log=self._log,
            on_event=self._security_event,
            on_request=lambda path, code: requests.record(1, (str(code), path)),
            on_error=lambda trace: self._log("error", f"a bug in corepilot: {trace}"),
        )
        server.start()
        return server

    def bind(self, control: Control | None) -> ControlSocket | None:
        """Bind the socket of another configuration (ContainerPilot contract, section 4.11).

        Returns:
            The socket; None if it stays where it is, or none is wanted.

        Raises:
            CorepilotError: it cannot be had.
        """
        if control is None or (self.path and is_there(self.path, control.socket, self._environment)):
            return None
        # No wait for a directory: there is a socket, and nobody stands still for another one.
        return bind_control_socket(
            control.socket, self._environment, retry_s=0, strict=control.strict, sleep=gevent.sleep
        )

    def commit(self, control: Control | None, control_socket: ControlSocket | None) -> None:
        """Answer where the configuration wants it from now on: at what `bind` returned, where it was, or nowhere."""
        old = self.path
        if control_socket is not None and self._server is not None:
            self._server.move(control_socket)
        elif control_socket is not None and self._serve is not None:
            self._server = self._serve(control_socket)
        elif control is None and self._socket is not None and self._server is not None:
            self._server.retire()
        else:
            return
        self._socket = control_socket
        parts = [f"now at {escaped(self.path)}"] if self.path else []
        parts += [f"no longer at {escaped(old)}"] if old else []
        self._log("info", f"the control socket is {', and '.join(parts)}")

    def stop(self) -> None:
        """Let requests in flight end, drop the rest, and remove the file."""
        server, self._server, self._serve = self._server, None, None
        if server is not None:
            server.stop()

    def remove(self) -> None:
        """Remove the file, if that has not been done."""
        if self._current is not None:
            self._current.remove()

    @property
    def _current(self) -> ControlSocket | None:
        """The server knows better than we: it may have made the file again."""
        if self._socket is None or self._server is None:
            return self._socket
        return self._server.control_socket

    def _keep(self, refill: Callable[[], object]) -> None:
        """Listen again where somebody has removed the socket's file."""
        logged = ""
        while self._serve is not None:
            gevent.sleep(LOOK_EVERY_S)
            refill()
            server = self._server
            if server is None or self._socket is None:
                continue
            try:
                if server.restore():
                    self._log("warning", f"the control socket {escaped(self.path)} was removed; it is there again")
                logged = ""
            except CorepilotError as error:
                if str(error) != logged:
                    logged = str(error)
                    self._log("error", logged)

    def _security_event(self, event: dict[str, object]) -> None:
        facts = ", ".join(f"{name} {value}" for name, value in event.items())
        self._log("warning" if str(event["event"]).endswith("fail") else "debug", f"control socket: {facts}")
