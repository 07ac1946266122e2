"""The places of the control socket, for the server that makes it and the client that looks for it.

A configured path is the only place. Otherwise there are three, in this order, and both sides go through them in it:

1. /var/run/containerpilot.socket, ContainerPilot's default, where we may create it;
2. below $XDG_RUNTIME_DIR, for a user without such rights;
3. in /tmp, in a directory that belongs to the user alone.

Standard library only, and little of it: binding happens before the supervisor has imported gevent, and the client
starts for every `corepilot status`, where typing, dataclasses and contextlib would be most of the time.
"""

from __future__ import annotations

import os
import stat
import sys

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping
else:  # the standard library's module turns every constant into an enum member: 3 ms before the first job
    import _socket as socket

DEFAULT_PATH = "/var/run/containerpilot.socket"
"""ContainerPilot contract, section 3.3."""

# Not $TMPDIR: the client has to find what the server chose, from whatever environment it is run in.
_PRIVATE_PARENT = "/tmp"  # noqa: S108  - in it, a directory of mode 0700 that has to belong to the user
_LONGEST_ADDRESS = 107
_INT_BYTES, _CREDENTIALS_BYTES = 4, 12  # struct ucred: pid, uid, gid


class SocketLocation:
    """Somewhere the control socket may be.

    Args:
        path: The path of the socket, absolute.
        configured: It was named by the operator, who answers for it. What we chose ourselves has to be beyond
            the reach of other users.
        own_directory: The directory is ours to create, and has to belong to this user alone.
    """

    __slots__ = ("configured", "own_directory", "path")

    def __init__(self, path: str, *, configured: bool = False, own_directory: bool = False) -> None:
        self.path = path
        self.configured = configured
        self.own_directory = own_directory


def container_user() -> int:
    """The user that a container's PID 1 runs as: for root, whose container it is. Our own where that is not known."""
    try:
        return os.stat("/proc/1").st_uid if os.geteuid() == 0 else os.geteuid()
    except OSError:
        return os.geteuid()


def private_location(uid: int) -> SocketLocation:
    """The last of the default places, for a user."""
    return SocketLocation(f"{_PRIVATE_PARENT}/corepilot-{uid}/control.socket", own_directory=True)


def others_sockets() -> list[tuple[str, int]]:
    """Sockets of other users at the last of the default places, and whose: also where one may not look for it."""
    found = []
    try:
        names = sorted(os.listdir(_PRIVATE_PARENT))
    except OSError:
        return []
    for name in names:
        _, prefix, digits = name.partition("corepilot-")
        if name != prefix + digits or not digits.isdecimal() or int(digits) == os.geteuid():
            continue
        path = f"{_PRIVATE_PARENT}/{name}/control.socket"
        try:
            if os.lstat(f"{_PRIVATE_PARENT}/{name}").st_uid == int(digits):
                os.stat(path)
                found.append((path, int(digits)))
        except PermissionError:
            found.append((path, int(digits)))
        except OSError:
            continue
    return found


def socket_locations(configured: str | None, environment: Mapping[str, str]) -> tuple[SocketLocation, ...]:
    """Where the control socket may be, in the order in which places are tried.

    Args:
        configured: `control.socket` of the file, or what the user named; None for the defaults.
        environment: The environment corepilot was given, for $XDG_RUNTIME_DIR.

    Returns:
        One place if one was configured, else two or three.
    """
    if configured:
        return (SocketLocation(os.path.abspath(configured), configured=True),)
    places = [SocketLocation(DEFAULT_PATH)]
    runtime = environment.get("XDG_RUNTIME_DIR", "")
    # Relative values are invalid and to be ignored (XDG Base Directory Specification).
    if runtime.startswith("/"):
        places.append(SocketLocation(f"{runtime}/corepilot/control.socket", own_directory=True))
    places.append(private_location(os.geteuid()))
    return tuple(places)


class SocketAddress:
    """A `with` block in which a path of any length can be given to bind(2) or connect(2).

    They take 107 bytes (unix(7)); a longer path is reached through its open directory.

    Raises:
        OSError: On entry: the path is too long, and its directory cannot be opened.
    """

    __slots__ = ("_directory", "_path")

    def __init__(self, path: str) -> None:
        self._path = path
        self._directory = -1

    def __enter__(self) -> str:
        if len(os.fsencode(self._path)) <= _LONGEST_ADDRESS:
            return self._path
        directory, name = os.path.split(self._path)
        self._directory = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        return f"/proc/self/fd/{self._directory}/{name}"

    def __exit__(self, *_: object) -> None:
        if self._directory >= 0:
            os.close(self._directory)
            self._directory = -1


def peer_of(connected: socket.socket) -> tuple[int, int]:
    """Process and user at the other end of a unix socket (SO_PEERCRED, unix(7)); for a server, those that listened.

    Returns:
        The process id, 0 if it lives outside our PID namespace, and the user id.
    """
    data = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS_BYTES)
    places = (data[:_INT_BYTES], data[_INT_BYTES : 2 * _INT_BYTES])
    pid, uid = [int.from_bytes(one, sys.byteorder, signed=True) for one in places]
    return pid, uid


def is_there(path: str, configured: str | None, environment: Mapping[str, str]) -> bool:
    """Whether a control socket at `path` is where clients look that know this much.

    Args:
        path: Where the socket is, absolute.
        configured: As for `socket_locations`.
        environment: The same.
    """
    return _resolved(path) in {_resolved(place.path) for place in socket_locations(configured, environment)}


def _resolved(path: str) -> str:
    directory, name = os.path.split(path)
    return os.path.join(os.path.realpath(directory), name)


def why_unsafe(directory: str) -> str:
    """Why other users could put something of theirs in the place of a file of ours; empty if they could not.

    Looks at the directory and all its parents: whoever can rename one of them can exchange everything below.

    Args:
        directory: A directory that exists. Symbolic links in it are resolved.
    """
    path = os.path.realpath(directory)
    trusted = (0, os.geteuid())
    while True:
        found = os.stat(path)
        if found.st_uid not in trusted:
            return f"{path} belongs to another user (uid {found.st_uid})"
        if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
            return f"{path} can be written by everybody"
        if path == "/":
            return ""
        path = os.path.dirname(path)
