"""Listening sockets for programs that are handed them: TCP addresses and paths. Imported only where jobs have some.

They are blocking, as those that systemd hands over: the programs that take them decide otherwise themselves.
"""

import errno
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
else:  # see corepilot.http.listening
    import _socket as socket


class StreamListener:
    """A listening socket, until `close`.

    Args:
        host: An IPv4 or IPv6 address of this machine; "" for every one of them.
        port: 1 to 65535; 0 for a path.
        path: Of a Unix socket; "" for TCP. A socket there on which nobody listens is replaced.
        backlog: How many connections wait in the kernel.
        mode: Of the path; None for what the umask leaves.
        owner: Of the path: "user" or "user:group", names or numbers; "" for this process's.

    Raises:
        OSError: It cannot be had. Nothing is left, at the path neither.
    """

    def __init__(self, host: str, port: int, path: str, backlog: int, mode: int | None, *, owner: str) -> None:
        self._path = path
        self._identity = (0, 0)
        self._socket = _at_path(path) if path else _at_port(host, port)
        try:
            if path:
                status = os.stat(path)
                self._identity = (status.st_dev, status.st_ino)
            self.adjust(backlog, mode, owner=owner)
        except OSError:
            self.close()
            raise

    def fileno(self) -> int:
        """Its descriptor."""
        return self._socket.fileno()

    def adjust(self, backlog: int, mode: int | None, *, owner: str) -> None:
        """Listen with another backlog, and another mode and owner of the path.

        Raises:
            OSError: The path is gone, or not ours, or there is no such user or group.
        """
        self._socket.listen(backlog)
        if self._path and owner:
            os.chown(self._path, *_ids(owner), follow_symlinks=False)
        if self._path and mode is not None:
            os.chmod(self._path, mode)

    def close(self) -> None:
        """Listen no more, and take the path away if it is still this socket's. Idempotent."""
        self._socket.close()
        if self._path:
            with suppress(OSError):
                status = os.lstat(self._path)
                if (status.st_dev, status.st_ino) == self._identity:
                    os.unlink(self._path)
            self._identity = (0, 0)


def _ids(owner: str) -> tuple[int, int]:
    """The numbers of "user" or "user:group"; without a group the user's first one, of a number without a name its own.

    Raises:
        OSError: There is none of that name.
    """
    import grp
    import pwd

    user, _, group = owner.partition(":")
    try:
        entry = pwd.getpwuid(int(user)) if _is_number(user) else pwd.getpwnam(user)
        uid, gid = entry.pw_uid, entry.pw_gid
    except KeyError:
        if not _is_number(user):
            raise OSError(errno.EINVAL, f"there is no user {user} here") from None
        uid = gid = int(user)
    try:
        return uid, gid if not group else int(group) if _is_number(group) else grp.getgrnam(group).gr_gid
    except KeyError:
        raise OSError(errno.EINVAL, f"there is no group {group} here") from None


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit()


def _at_port(host: str, port: int) -> "socket.socket":
    try:
        return _bound(socket.AF_INET6 if ":" in host or not host else socket.AF_INET, host or "::", port)
    except OSError as error:
        # Every address, on a machine that has no IPv6.
        if host or error.errno not in {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}:
            raise
    return _bound(socket.AF_INET, "0.0.0.0", port)  # noqa: S104  - this is what is asked for


def _bound(family: int, host: str, port: int) -> "socket.socket":
    made = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        # A port of connections that have ended is free for us again (socket(7)).
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if host == "::":
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    return made


def _at_path(path: str) -> "socket.socket":
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        try:
            made.bind(path)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            if not stat.S_ISSOCK(os.lstat(path).st_mode):
                raise OSError(errno.EEXIST, "what is there is no socket; remove it, or name another path") from None
            if not _is_stale(path):
                raise
            os.unlink(path)
            made.bind(path)
    except OSError:
        made.close()
        raise
    return made


def _is_stale(path: str) -> bool:
    """Whether nobody listens on a socket."""
    asking = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        asking.connect(path)
    except ConnectionRefusedError:
        return True
    except OSError:  # its queue is full, so that somebody listens; or it is not ours to ask
        return False
    finally:
        asking.close()
    return False
