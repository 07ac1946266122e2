"""What the command line uses to talk to a running corepilot: one blocking request over the control socket.

It imports the standard library's socket and nothing that is heavy: its start is most of what `corepilot ping` takes.
"""

import os
import socket
import time
from collections.abc import Mapping

from corepilot.control.locations import SocketAddress, SocketLocation, peer_of, socket_locations
from corepilot.errors import ControlError

_LONGEST_ANSWER = 16 * 1024 * 1024
_READ_BYTES = 64 * 1024
_PROBE_S = 1.0
_BACKLOG_FULL_WAIT_S = 0.02


class ControlClient:
    """Sends requests to the corepilot behind one control socket, each on a connection of its own. Blocks.

    Args:
        path: The socket.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def request(self, method: str, path: str, body: bytes | None = None, deadline_s: float = 5.0) -> tuple[int, bytes]:
        """Send one request and read the whole answer.

        Args:
            method: In capitals.
            path: Path and query, percent-encoded.
            body: None for a request without one.
            deadline_s: For everything together, in seconds.

        Returns:
            Status and body of the answer, whatever the status is.

        Raises:
            ControlError: The socket cannot be reached, does not answer in time, or what answers does not speak HTTP.
                Whether the request was carried out is then known only if there was no connection.
        """
        until = time.monotonic() + deadline_s
        payload = body or b""
        # HTTP/1.0: the answer is not chunked and ends with the connection, whoever the server is.
        head = f"{method} {path} HTTP/1.0\r\nHost: corepilot\r\nContent-Length: {len(payload)}\r\n\r\n"
        try:
            with _connect(self.path, until) as connected:
                return _parsed(_exchange(connected, head.encode() + payload, until), self.path)
        except TimeoutError as error:
            raise ControlError(
                f"cannot get an answer from corepilot at {self.path} within {deadline_s:g} s: "
                "it is there, but busy or stopped; try again, or give it more time"
            ) from error
        except OSError as error:
            _, why, hint = _miss(self.path, error)
            raise ControlError(f"cannot reach corepilot: {why} {self.path}; {hint}") from error


def find(configured: str | None = None, environment: Mapping[str, str] = os.environ) -> ControlClient:
    """Find the running corepilot.

    Args:
        configured: The socket, as the user or the configuration named it; None looks in the default places.
        environment: Where $XDG_RUNTIME_DIR is looked up.

    Returns:
        A client for the first place where somebody listens. At a place that was not named, it has to be a process of
        this user or of root: others may not pretend to be corepilot.

    Raises:
        ControlError: Nobody was found; the message names each place with its reason, and what to do.
    """
    misses: dict[str, list[str]] = {}
    hints: dict[str, str] = {}
    for place in socket_locations(configured, environment):
        try:
            with _connect(place.path, time.monotonic() + _PROBE_S) as connected:
                _require_trusted(place, connected)
        except TimeoutError:
            # Its backlog is full: somebody is there.
            return ControlClient(place.path)
        except OSError as error:
            key, why, hint = _miss(place.path, error)
            misses.setdefault(why, []).append(place.path)
            hints[key] = hint
        else:
            return ControlClient(place.path)
    found = "; ".join(f"{why} {', '.join(paths)}" for why, paths in misses.items())
    # A place where something stands says more than one where nothing does.
    hint = hints.get("denied") or hints.get("foreign") or hints.get("stale") or hints.get("other") or hints["absent"]
    raise ControlError(f"cannot reach corepilot: {found}; {hint}")


class _ForeignError(OSError):
    """The process at a default place is neither ours nor root's."""


def _require_trusted(place: SocketLocation, connected: socket.socket) -> None:
    _, uid = peer_of(connected)
    if not place.configured and uid not in {0, os.geteuid()}:
        raise _ForeignError(uid)


def _miss(path: str, error: OSError) -> tuple[str, str, str]:
    """Kind, wording and advice for a place that did not do."""
    name_it = "name the socket with --socket PATH, or its configuration with -c FILE"
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return "absent", "no socket at", f"is it running? if so, {name_it}"
    if isinstance(error, PermissionError):
        return "denied", "no permission to use", f"run this as the user corepilot runs as{_owner(path)}, or as root"
    if isinstance(error, _ForeignError):
        return "foreign", f"a process of another user (uid {error.args[0]}) listens at", name_it
    if isinstance(error, ConnectionRefusedError):
        return "stale", "nobody listens at", f"corepilot has ended there, or it is another file; {name_it}"
    return "other", f"{(error.strerror or str(error)).lower()} at", name_it


def _owner(path: str) -> str:
    try:
        return f" (uid {os.stat(path).st_uid})"
    except OSError:
        return ""


def _connect(path: str, until: float) -> socket.socket:
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with SocketAddress(path) as address:
            while True:
                connected.settimeout(_left(until))
                try:
                    connected.connect(address)
                except BlockingIOError:
                    # The backlog is full, and a unix socket cannot be waited for (connect(2)).
                    time.sleep(_BACKLOG_FULL_WAIT_S)
                else:
                    return connected
    except BaseException:
        connected.close()
        raise


def _exchange(connected: socket.socket, request: bytes, until: float) -> bytes:
    connected.settimeout(_left(until))
    try:  # noqa: SIM105  - contextlib is not worth its import here
        connected.sendall(request)
    except (BrokenPipeError, ConnectionResetError):
        # The server may have answered before it had read everything.
        pass
    answer = bytearray()
    while len(answer) <= _LONGEST_ANSWER:
        connected.settimeout(_left(until))
        try:
            data = connected.recv(_READ_BYTES)
        except ConnectionResetError:
            data = b""
        if not data:
            break
        answer += data
    return bytes(answer)


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _parsed(answer: bytes, path: str) -> tuple[int, bytes]:
    if not answer:
        raise ControlError(
            f"cannot get an answer from corepilot at {path}: it closed the connection; it may be stopping, try again"
        )
    head, separator, body = answer.partition(b"\r\n\r\n")
    first, *fields = head.split(b"\r\n")
    version, _, rest = first.partition(b" ")
    status = rest[:3]
    length = next((value for name, _, value in map(_field, fields) if name == b"content-length"), b"")
    complete = not length or (length.isdigit() and len(body) == int(length))
    if separator and version.startswith(b"HTTP/1.") and status.isdigit() and complete:
        return int(status), body
    raise ControlError(
        f"cannot understand the answer at {path}: it is not a complete answer in HTTP of at most "
        f"{_LONGEST_ANSWER} bytes; is this the control socket of corepilot?"
    )


def _field(line: bytes) -> tuple[bytes, bytes, bytes]:
    name, colon, value = line.partition(b":")
    return name.strip().lower(), colon, value.strip()
