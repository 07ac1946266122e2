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
    from gevent.event import Event

    from corepilot.control.server import ControlServer
    from corepilot.control.target import ControlTarget
    from corepilot.system.path_watch import PathWatch
    from corepilot.telemetry.metrics import Family

LOOK_EVERY_S = 1.0
"""How often it is looked whether clients find the socket, where the kernel does not tell or something is amiss."""


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
        self._stirred: Event | None = None
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

    def serve(self, target: "ControlTarget", requests: "Family", refill: Callable[[], bool]) -> None:
        """Answer from now on; connections made since the binding have waited.

        Args:
            target: Who carries out requests.
            requests: Counts them, by code and path.
            refill: Fills up the descriptors in reserve; whether that is done. Otherwise it is called again.
        """
        from gevent.event import Event

        self._serve = partial(self._served, target, requests)
        if self._socket is not None:
            self._server = self._serve(self._socket)
        self._stirred = Event()
        gevent.spawn(self._keep, self._stirred, refill)

    def stir(self) -> None:
        """Something may be amiss: see to the socket's file and the descriptors in reserve, soon."""
        if self._stirred is not None:
            self._stirred.set()

    def look(self) -> None:
        """Look whether the socket's file is there: one system call, for what the kernel does not tell."""
        if self._server is not None and self._current is not None and not self._current.is_in_place():
            self.stir()

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
        self.stir()
        parts = [f"now at {escaped(self.path)}"] if self.path else []
        parts += [f"no longer at {escaped(old)}"] if old else []
        self._log("info", f"the control socket is {', and '.join(parts)}")

    def stop(self) -> None:
        """Let requests in flight end, drop the rest, and remove the file."""
        server, self._server, self._serve = self._server, None, None
        self.stir()
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

    def _keep(self, stirred: "Event", refill: Callable[[], bool]) -> None:
        """Listen again where somebody has removed the socket's file. Sleeps as long as nothing is amiss."""
        logged = ""
        while self._serve is not None:
            well = refill()
            stirred.clear()
            server = self._server if self._socket is not None else None
            watch = self._watch(stirred) if server is not None else None  # before the look: nothing can come between
            try:
                if server is not None and server.restore():
                    self._log("warning", f"the control socket {escaped(self.path)} was removed; it is there again")
                    well = False  # the watch is of the old one
                logged = ""
            except CorepilotError as error:
                well = False
                if str(error) != logged:
                    logged = str(error)
                    self._log("error", logged)
            try:
                stirred.wait(None if well and (watch is not None or server is None) else LOOK_EVERY_S)
            finally:
                if watch is not None:
                    watch.close()

    def _watch(self, stirred: "Event") -> "PathWatch | None":
        from corepilot.system.path_watch import PathWatch

        try:
            return PathWatch(gevent.get_hub().loop, self.path, stirred.set)
        except OSError:  # there is nothing to watch, or too many watch already
            return None

    def _security_event(self, event: dict[str, object]) -> None:
        facts = ", ".join(f"{name} {value}" for name, value in event.items())
        self._log("warning" if str(event["event"]).endswith("fail") else "debug", f"control socket: {facts}")
