"""Where a check connects to: an address of its own, or the job's."""

from time import monotonic
from typing import Any

from corepilot.checks.check import CheckContext, CheckFailed
from corepilot.checks.connection import Connection
from corepilot.checks.tls import reason_of
from corepilot.http.connecting import connect_first, connect_unix, secured
from corepilot.http.resolve import numeric, resolve
from corepilot.http.tls import TlsContexts


class Place:
    """A place to connect to.

    Args:
        address: See `corepilot.plugin.network.require_place`.
        context: Of the check; has the job's own address and port.
        tls: For a connection over TLS; None for a plain one.
    """

    def __init__(self, address: str, context: CheckContext, tls: TlsContexts | None = None) -> None:
        self._path, self._host, self._port, self._tls = "", "", 0, tls
        if address.startswith("unix://"):
            self._path = address.removeprefix("unix://")
        else:
            host, _, port = address.rpartition(":")
            self._host = host.strip("[]") or context.address or "127.0.0.1"
            self._port = int(port or context.port)
        shown = f"[{self._host}]" if ":" in self._host else self._host
        self._text = self._path or f"{shown}:{self._port}"

    def __str__(self) -> str:
        return self._text

    def connect(self, deadline_s: float) -> Any:
        """A connected socket, which is the caller's to close. Switches to the hub; the caller has the deadline.

        Raises:
            CheckFailed: there is nothing to connect to, or nobody accepts.
        """
        self._require_port()
        try:
            if self._path:
                sock = connect_unix(self._path)
            else:
                sock = connect_first(resolve(self._host, self._port), monotonic() + deadline_s)
            return sock if self._tls is None else secured(sock, self._tls, self._host or "localhost")
        except OSError as error:
            raise self._failed(error) from error

    def touch(self, deadline_s: float) -> None:
        """Connect, and close at once.

        Raises:
            CheckFailed: as for `connect`.
        """
        address = None if self._path or self._tls is not None else numeric(self._host, self._port)
        if address is None:
            self.connect(deadline_s).close()
            return
        self._require_port()
        try:
            connection = Connection(address)
            try:
                connection.connect()
            finally:
                connection.close()
        except OSError as error:
            raise self._failed(error) from error

    def _require_port(self) -> None:
        if not (self._path or self._port):
            raise CheckFailed("there is no port to connect to: name one, or give the job a port")

    def _failed(self, error: OSError) -> CheckFailed:
        return CheckFailed(f"cannot connect to {self}: {reason_of(error)}")
