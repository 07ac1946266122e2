"""Making the control socket, so that clients find it from its first instant on.

What stands at the path is deleted, with a warning, and the mode is the umask's, as in ContainerPilot (its contract,
section 9.1). With `control.strict`, and in a directory of our own, only a socket on which nobody listens is replaced,
and the mode is 0600. Standard library only: this runs before gevent is imported.
"""

import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Mapping, Sequence

from corepilot.control.locations import SocketAddress, SocketLocation, peer_of, socket_locations, why_unsafe
from corepilot.errors import ControlError

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    import socket
else:  # the standard library's module turns every constant into an enum member: 3 ms before the first job
    import _socket as socket

_BACKLOG = 512
_LOCK_WAIT_S = 1.0
_LOCK_POLL_S = 0.01
_RETRY_EVERY_S = 0.1


class SocketInUseError(ControlError):
    """A process listens at the place."""


class NotASocketError(ControlError):
    """A file that is no socket stands at the place, and must not be deleted."""


class ControlSocket:
    """A socket that is bound and listening: non-blocking, close-on-exec.

    Attributes:
        path: Where clients find it.
        socket: Of the C module `_socket`: take its descriptor with `detach`. Whoever serves on it owns it.
        warnings: What is not as it should be, one sentence each.
    """

    def __init__(self, path: str, listener: "socket.socket", directory: int, warnings: Sequence[str]) -> None:
        self.path = path
        self.socket = listener
        self.warnings = tuple(warnings)
        self._directory = directory
        self._name = os.path.basename(path)
        self._identity = _identity(self._name, directory)

    def close(self) -> None:
        """Delete the file as `remove` does, and close the socket if nobody has taken it over. Idempotent."""
        self.remove()
        self.socket.close()

    def remove(self) -> None:
        """Delete the file if it is still the one we made. Does not close the socket. Idempotent; raises nothing."""
        if self._directory < 0:
            return
        try:
            if _identity(self._name, self._directory) == self._identity:
                os.unlink(self._name, dir_fd=self._directory)
        except OSError:
            # It has been removed already, or the place has become read-only: a stale socket is replaced at next start.
            pass
        finally:
            os.close(self._directory)
            self._directory = -1


def bind_control_socket(
    configured: str | None,
    environment: Mapping[str, str],
    *,
    retry_s: float = 10.0,
    strict: bool = False,
    on_wait: Callable[[str], object] = lambda _: None,
    give_up: Callable[[], bool] = lambda: False,
    sleep: Callable[[float], object] = time.sleep,
) -> ControlSocket:
    """Bind and listen at the first place that can be had.

    Meant for the boot of the supervisor, before anything runs that has to go on; later with another `sleep`.

    Args:
        configured: `control.socket` of the configuration, or None for the default places.
        environment: The environment corepilot was given.
        retry_s: How long to wait for the directory of a configured socket, in seconds: volumes may be mounted late.
            Ten is what ContainerPilot waits (contract, section 9.1).
        strict: Refuse what is otherwise a warning: a configured place that other users can tamper with, and at a place
            that is not ours alone a plain file, or a socket on which somebody listens. ContainerPilot deletes them
            (contract, section 9.1). The mode of the socket then is 0600 there too, and not by the umask.
        on_wait: Told once, before the wait, what is missing.
        give_up: Asked ten times a second during the wait; true ends it.
        sleep: How to wait, in seconds: for the directory, and at most a second for another start in it. Nothing else
            here blocks.

    Returns:
        The socket. Connections queue up in the kernel until somebody accepts.

    Raises:
        SocketInUseError: A process listens at the place, and `strict` was asked for or the place is ours alone.
        NotASocketError: A file that is no socket stands there, and the same; or it is no plain file.
        ControlError: No place can be had; the message names each with its reason. Nothing is left behind.
    """
    places = socket_locations(configured, environment)
    if configured:
        _await_directory(os.path.dirname(places[0].path), retry_s, on_wait, give_up, sleep)
    reasons = []
    for place in places:
        try:
            return _bind(place, strict=strict, sleep=sleep)
        except OSError as error:
            reasons.append(f"{place.path}: {error.strerror or error}")
    raise ControlError(
        f"cannot create the control socket at {'; '.join(reasons)}; set control.socket to a place that can be written"
    )


def _await_directory(
    path: str,
    retry_s: float,
    on_wait: Callable[[str], object],
    give_up: Callable[[], bool],
    sleep: Callable[[float], object],
) -> None:
    if os.path.isdir(path) or retry_s <= 0:
        return
    on_wait(f"the directory of the control socket, {path}, does not exist yet: waiting {retry_s:g} s for it")
    until = time.monotonic() + retry_s
    while not os.path.isdir(path) and time.monotonic() < until and not give_up():
        sleep(_RETRY_EVERY_S)


def _bind(place: SocketLocation, *, strict: bool, sleep: Callable[[float], object]) -> ControlSocket:
    parent = os.path.dirname(place.path)
    if place.own_directory:
        _make_own(parent)
    unsafe = why_unsafe(parent)
    if unsafe and (strict or place.own_directory):
        raise PermissionError(errno.EPERM, f"other users can replace it: {unsafe}")
    warnings = [f"the control socket {place.path} can be replaced by other users: {unsafe}"] if unsafe else []
    directory = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        _lock(directory, sleep)
        private = strict or place.own_directory
        deleted = _clear(place.path, directory, only_stale=private)
        if deleted:
            warnings.append(f"{deleted} has been deleted at {place.path}; control.strict refuses that")
        if private:
            # Linux gives the file the mode of the socket's own inode, less the umask: it is never open to others, and
            # no process-wide umask has to be changed while other threads may create files. Otherwise the mode is as
            # ContainerPilot's, by the umask; who may speak to us is decided by the credentials in any case.
            os.fchmod(listener.fileno(), 0o600)
        with SocketAddress(place.path) as address:
            listener.bind(address)
        listener.listen(_BACKLOG)
        fcntl.flock(directory, fcntl.LOCK_UN)
        return ControlSocket(place.path, listener, directory, warnings)
    except BaseException:
        listener.close()
        os.close(directory)
        raise


def _make_own(directory: str) -> None:
    """Make a directory for this user alone, or accept one that is so already."""
    try:
        os.mkdir(directory, 0o700)
    except FileExistsError:
        found = os.lstat(directory)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise PermissionError(
                errno.EPERM, f"{directory} is not a directory that belongs to this user alone (mode 0700)"
            ) from None


def _lock(directory: int, sleep: Callable[[float], object]) -> None:
    """Let one corepilot at a time look for a stale socket and bind in this directory.

    The lock is on the directory itself, so nothing is left behind. Anybody who can read the directory can hold it:
    after a second we go on without. What it prevents, two starts in the same instant, is rarer than that.
    """
    until = time.monotonic() + _LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() >= until:
                return
            sleep(_LOCK_POLL_S)
        else:
            return


def _clear(path: str, directory: int, *, only_stale: bool) -> str:
    """Remove what stands at the place; returns what else it was than a socket nobody listens on, or "".

    Args:
        path: The place.
        directory: Its directory, open.
        only_stale: Refuse whatever is not such a socket.
    """
    name = os.path.basename(path)
    try:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return ""
    what = ""
    if stat.S_ISSOCK(found.st_mode):
        whose = _listener(path)
        if whose is not None and only_stale:
            raise SocketInUseError(
                f"cannot create the control socket at {path}: another corepilot is running there{whose}; "
                "stop it, or set control.socket to another place"
            )
        what = "" if whose is None else f"the socket of another process{whose}"
    elif not only_stale and (stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode)):
        what = "a file that was no socket"
    else:
        raise NotASocketError(
            f"cannot create the control socket at {path}: a file that is no socket stands there, and is not deleted; "
            "remove it, or set control.socket to another place"
        )
    # A name can change hands between a look and an unlink: it is moved aside first, and looked at again there.
    aside = f".{name}.{os.urandom(4).hex()}"
    os.mkdir(aside, 0o700, dir_fd=directory)
    taken = f"{aside}/{name}"
    try:
        os.rename(name, taken, src_dir_fd=directory, dst_dir_fd=directory)
        if _identity(taken, directory) != (found.st_dev, found.st_ino):
            os.rename(taken, name, src_dir_fd=directory, dst_dir_fd=directory)
            raise SocketInUseError(
                f"cannot create the control socket at {path}: somebody else has just put a file there; start again"
            )
        os.unlink(taken, dir_fd=directory)
    finally:
        os.rmdir(aside, dir_fd=directory)
    return what


def _listener(path: str) -> str | None:
    """Who listens at a socket, for people: " (pid N)", or "" if that is not known; None if nobody does."""
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        try:
            with SocketAddress(path) as address:
                probe.connect(address)
        except (ConnectionRefusedError, FileNotFoundError):
            return None
        except BlockingIOError:
            return ""  # somebody listens, and has more connections waiting than it has accepted
        pid, _ = peer_of(probe)
        return f" (pid {pid})" if pid else ""
    finally:
        probe.close()


def _identity(name: str, directory: int) -> tuple[int, int]:
    found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    return found.st_dev, found.st_ino
