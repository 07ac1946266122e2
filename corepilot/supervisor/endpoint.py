"""The control socket over all configurations: made before the first job, served later, moved by reloads, kept there."""

from collections.abc import Callable, Mapping
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
        control: `control` of the first configuration.
        environment: What corepilot was given.
        log: The log.
        cancelled: Whether to stop waiting for the socket's directory.

    Raises:
        CorepilotError: no place can be had.
    """

    def __init__(
        self, control: Control, environment: Mapping[str, str], log: Log, cancelled: Callable[[], bool]
    ) -> None:
        self._environment, self._log = environment, log
        self._server: ControlServer | None = None
        self._socket = bind_control_socket(
            control.socket,
            environment,
            strict=control.strict,
            on_wait=lambda message: log("warning", message),
            cancelled=cancelled,
        )

    @property
    def path(self) -> str:
        """Where it is."""
        return self._current.path

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is not as it should be about the place."""
        return self._current.warnings

    def serve(self, target: "ControlTarget", requests: "Family", refill: Callable[[], object]) -> None:
        """Answer from now on; connections made since the binding have waited.

        Args:
            target: Who carries out requests.
            requests: Counts them, by code and path.
            refill: Called now and then: descriptors may be free again.
        """
        from corepilot.control.server import ControlServer

        self._server = ControlServer(
            self._socket,
            target,
            log=self._log,
            on_event=self._security_event,
            on_request=lambda path, code: requests.record(1, (str(code), path)),
            on_error=lambda trace: self._log("error", f"a bug in corepilot: {trace}"),
        )
        self._server.start()
        gevent.spawn(self._keep, self._server, refill)

    def bind(self, control: Control) -> ControlSocket | None:
        """Bind the socket of another configuration (ContainerPilot contract, section 4.11); None if it stays.

        Raises:
            CorepilotError: it cannot be had.
        """
        if is_there(self.path, control.socket, self._environment):
            return None
        # No wait for a directory: there is a socket, and nobody stands still for another one.
        return bind_control_socket(
            control.socket, self._environment, retry_s=0, strict=control.strict, sleep=gevent.sleep
        )

    def move(self, control_socket: ControlSocket) -> None:
        """Answer there from now on."""
        assert self._server is not None  # noqa: S101  - a reload comes through it
        old = self.path
        self._server.move(control_socket)
        self._log(
            "info", f"the control socket is now at {escaped(control_socket.path)}, and no longer at {escaped(old)}"
        )

    def stop(self) -> None:
        """Let requests in flight end, drop the rest, and remove the file."""
        server, self._server = self._server, None
        if server is not None:
            self._socket = server.control_socket
            server.stop()

    def remove(self) -> None:
        """Remove the file, if that has not been done."""
        self._current.remove()

    @property
    def _current(self) -> ControlSocket:
        return self._server.control_socket if self._server is not None else self._socket

    def _keep(self, server: "ControlServer", refill: Callable[[], object]) -> None:
        """Listen again where somebody has removed the socket's file."""
        told = ""
        while self._server is server:
            gevent.sleep(LOOK_EVERY_S)
            refill()
            try:
                if server.restore():
                    self._log("warning", f"the control socket {escaped(self.path)} was removed; it is there again")
                told = ""
            except CorepilotError as error:
                if str(error) != told:
                    told = str(error)
                    self._log("error", told)

    def _security_event(self, event: dict[str, object]) -> None:
        facts = ", ".join(f"{name} {value}" for name, value in event.items())
        self._log("warning" if str(event["event"]).endswith("fail") else "debug", f"control socket: {facts}")
