"""One request over a control socket and the bytes of its answer, blocking, with a deadline for everything.

Standard library only, and little of it: the client's start is most of what `corepilot ping` takes.
"""

from __future__ import annotations

import os
import time

from corepilot.control.locations import SocketAddress, peer_of
from corepilot.errors import ControlError
from corepilot.wording.escaping import escaped

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    import socket
    from types import TracebackType
    from typing import Self
else:  # see corepilot.control.locations
    import _socket as socket

LONGEST_ANSWER = 16 * 1024 * 1024
TURNED_AWAY_WAIT_S = 0.05
_READ_BYTES = 64 * 1024
_LONGEST_HEAD = 64 * 1024
_BACKLOG_FULL_WAIT_S = 0.02
_UNAVAILABLE = 503
_UNRESERVED = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")


class ForeignProcessError(OSError):
    """The process at a default place is neither ours nor root's. The argument is its user id."""


class Exchange:
    """A connection to a control socket, for one request and its answer.

    All its methods raise `TimeoutError` when the time is up, and another `OSError` if the connection cannot be had or
    is lost: `explained` makes a `ControlError` of either.

    Args:
        path: The socket.
        until: When the time is up, on the monotonic clock; None for never.
        pid: The process that has to listen there; 0 for any. Another one counts as nobody.

    Attributes:
        pid: The process that listens; 0 if it lives outside our PID namespace.
        uid: Its user.
    """

    def __init__(self, path: str, until: float | None, pid: int = 0) -> None:
        self.path = path
        self.until = until
        self.pid, self.uid = 0, -1
        self._buffer = b""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._connect()
            self._identify(pid)
        except BaseException:
            self._socket.close()
            raise

    def _connect(self) -> None:
        with SocketAddress(self.path) as address:
            while True:
                self._set_timeout()
                try:
                    self._socket.connect(address)
                except BlockingIOError:
                    # The backlog is full, and a unix socket cannot be waited for (connect(2)).
                    time.sleep(_BACKLOG_FULL_WAIT_S)
                else:
                    return

    def _identify(self, pid: int) -> None:
        self.pid, self.uid = peer_of(self._socket)
        if pid not in {0, self.pid}:
            raise ConnectionRefusedError

    def send(self, method: str, path: str, body: bytes | None, *, version: str) -> None:
        """Send the request.

        Args:
            method: In capitals.
            path: Path and query, percent-encoded.
            body: None for a request without one.
            version: Of HTTP. To 1.0 the answer comes without chunks, and ends with the connection.
        """
        payload = body or b""
        fields = "Connection: close\r\n" if version == "1.1" else ""
        head = f"{method} {path} HTTP/{version}\r\nHost: corepilot\r\n{fields}Content-Length: {len(payload)}\r\n\r\n"
        self._set_timeout()
        try:  # noqa: SIM105  - contextlib is not worth its import here
            self._socket.sendall(head.encode() + payload)
        except (BrokenPipeError, ConnectionResetError):
            # The server may have answered before it had read everything.
            pass

    def read_head(self) -> tuple[int, dict[bytes, bytes]]:
        """Status and fields, by lower-case name, of the answer.

        Raises:
            ControlError: The connection ends before there is an answer, or it is none.
        """
        head = bytearray()
        while (end := head.find(b"\r\n\r\n")) < 0 and len(head) <= _LONGEST_HEAD:
            data = self.read()
            if not data:
                raise self.not_understood() if head else self._closed()
            head += data
        self._buffer = bytes(head[end + 4 :])
        first, *lines = bytes(head[:end]).split(b"\r\n")
        version, _, rest = first.partition(b" ")
        status = rest[:3]
        if end < 0 or not version.startswith(b"HTTP/1.") or not status.isdigit():
            raise self.not_understood()
        fields = {}
        for line in lines:
            name, _, value = line.partition(b":")
            fields[name.strip().lower()] = value.strip()
        return int(status), fields

    def read(self) -> bytes:
        """What has come of the answer, after a wait for it; b"" at the end of the connection."""
        if self._buffer:
            data, self._buffer = self._buffer, b""
            return data
        self._set_timeout()
        try:
            return self._socket.recv(_READ_BYTES)
        except ConnectionResetError:
            return b""

    def read_all(self, fields: dict[bytes, bytes]) -> bytes:
        """The whole body, to the end of the connection.

        Raises:
            ControlError: It is longer than 16 MiB, or shorter than it should be.
        """
        body = bytearray()
        while len(body) <= LONGEST_ANSWER and (data := self.read()):
            body += data
        length = fields.get(b"content-length", b"")
        if len(body) > LONGEST_ANSWER or (length and not (length.isdigit() and len(body) == int(length))):
            raise self.not_understood()
        return bytes(body)

    def _set_timeout(self) -> None:
        if self.until is None:
            self._socket.settimeout(None)
            return
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)

    def not_understood(self) -> ControlError:
        """The error for an answer that is no HTTP, or not all of it."""
        return ControlError(
            f"cannot understand the answer at {escaped(self.path)}: it is not a complete answer in HTTP of at most "
            f"{LONGEST_ANSWER} bytes; is this the control socket of corepilot?"
        )

    def _closed(self) -> ControlError:
        return ControlError(
            f"cannot get an answer from corepilot at {escaped(self.path)}: "
            "it closed the connection; it may be stopping, try again"
        )

    def close(self) -> None:
        """Close the connection. Idempotent."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def quoted(segment: str) -> str:
    """A name as a segment of a request's path, whatever it holds (RFC 3986, 2.3)."""
    return "".join([chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in os.fsencode(segment)])


def turned_away(status: int, fields: dict[bytes, bytes]) -> bool:
    """Whether a server had no room for another connection, and has read nothing of the request."""
    return status == _UNAVAILABLE and b"retry-after" in fields


def explained(path: str, error: OSError, deadline_s: float | None) -> ControlError:
    """The error for a socket that cannot be used, or for an answer that has not come in time."""
    if isinstance(error, TimeoutError):
        within = "" if deadline_s is None else f" within {deadline_s:g} s"
        return ControlError(
            f"cannot get an answer from corepilot at {escaped(path)}{within}: "
            "it is there, but busy or stopped; try again, or give it more time"
        )
    _, why, hint = miss(path, error)
    return ControlError(f"cannot reach corepilot: {why} {escaped(path)}; {hint}")


def miss(path: str, error: OSError) -> tuple[str, str, str]:
    """Kind, wording and advice for a place that did not do."""
    name_it = "name the socket with --socket PATH, or its configuration with -c FILE"
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return "absent", "no socket at", f"is it running? if so, {name_it}"
    if isinstance(error, PermissionError):
        way_out = f"run this as the user corepilot runs as{_owner(path)}"
        return "denied", "no permission to use", f"{way_out}, or as root" if os.geteuid() else way_out
    if isinstance(error, ForeignProcessError):
        return "foreign", f"a process of another user (uid {error.args[0]}) listens at", name_it
    if isinstance(error, ConnectionRefusedError):
        return "stale", "nobody listens at", f"corepilot has ended there, or it is another file; {name_it}"
    return "other", f"{(error.strerror or str(error)).lower()} at", name_it


def _owner(path: str) -> str:
    for one in (path, os.path.dirname(path)):
        try:
            return f" (uid {os.stat(one).st_uid})"
        except OSError:
            continue  # we may not look into the directory
    return ""
