"""The check `tcp`: a connection is made, and closed at once."""

from time import monotonic
from typing import Any

from corepilot.checks.check import Check, CheckContext, CheckFailed
from corepilot.http.connecting import connect_first, connect_unix
from corepilot.http.resolve import resolve


class TcpCheck(Check):
    """A job is healthy when its port, or its unix socket, accepts a connection."""

    def __init__(self, options: Any, context: CheckContext) -> None:
        super().__init__(options, context)
        self._path, self._host, self._port = "", "", 0
        if options.address.startswith("unix://"):
            self._path = options.address.removeprefix("unix://")
        else:
            host, _, port = options.address.rpartition(":")
            self._host = host.strip("[]") or context.address or "127.0.0.1"
            self._port = int(port or context.port)
        shown = f"[{self._host}]" if ":" in self._host else self._host
        self._where = self._path or f"{shown}:{self._port}"

    def ask(self, deadline_s: float) -> str:
        """See Check."""
        if not (self._path or self._port):
            raise CheckFailed("there is no port to connect to: name one, as tcp: 6379, or give the job a port")
        try:
            if self._path:
                sock = connect_unix(self._path)
            else:
                sock = connect_first(resolve(self._host, self._port), monotonic() + deadline_s)
        except OSError as error:
            raise CheckFailed(f"cannot connect to {self._where}: {error.strerror or error}") from error
        sock.close()
        return f"connected to {self._where}"
