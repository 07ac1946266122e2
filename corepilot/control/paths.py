"""Making the control socket, so that clients find it from its first instant on.

A socket on which somebody listens is never taken. Anything else at the path is deleted, with a warning, and the mode is
the umask's, as in ContainerPilot (its contract, section 9.1). With `control.strict`, and in a directory of our own,
only a socket on which nobody listens is replaced, and the mode is 0600. Standard library only: this runs before gevent
is imported.
"""

import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Mapping, Sequence

from corepilot.control.locations import SocketAddress, SocketLocation, peer_of, socket_locations, why_unsafe
from corepilot.errors import ControlError
from corepilot.wording.escaping import escaped

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    import socket
else:  # the standard library's module turns every constant into an enum member: 3 ms before the first job
    import _socket as socket

_BACKLOG = 512
_LOCK_WAIT_S = 1.0
_LOCK_POLL_S = 0.01
_RETRY_EVERY_S = 0.1
_ASIDE_BYTES = 4
_HEXADECIMAL = frozenset("0123456789abcdef")


class PlaceTakenError(ControlError):
    """What is at a place has to stay there.

    Attributes:
        reason: Why, in a few words.
    """

    def __init__(self, path: str, reason: str, hint: str) -> None:
        self.reason = reason
        super().__init__(f"cannot create the control socket at {escaped(path)}: {reason}; {hint}")


class SocketInUseError(PlaceTakenError):
    """A process listens at the place."""


class NotASocketError(PlaceTakenError):
    """A file that is no socket is at the place, and must not be deleted."""


class ControlSocket:
    """A socket that is bound and listening: non-blocking, close-on-exec.

    Attributes:
        path: Where clients find it.
        socket: Of the C module `_socket`: take its descriptor with `detach`. Whoever serves on it owns it.
        warnings: What is not as it should be, one sentence each.
    """

    def __init__(
        self,
        place: SocketLocation,
        listener: "socket.socket",
        directory: int,
        warnings: Sequence[str],
        *,
        strict: bool,
    ) -> None:
        self.path = place.path
        self.socket = listener
        self.warnings = tuple(warnings)
        self._place = place
        self._strict = strict
        self._directory = directory
        self._name = os.path.basename(place.path)
        self._identity = _identity(self._name, directory)

    def is_in_place(self) -> bool:
        """Whether clients that look at `path` find this socket: one system call, for a timer.

        False only if it is certain that they do not: the file or its directory has been removed, or replaced. As long
        as the socket is open no other file can have its number, because the kernel keeps the file of a bound socket.
        """
        try:
            found = os.stat(self.path, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True
        return (found.st_dev, found.st_ino) == self._identity

    def bind_again(self, sleep: Callable[[float], object]) -> "ControlSocket":
        """Bind and listen at the same place, by the same rules, after the file has been removed or replaced.

        Nothing is done to this socket, which its owner closes: `ControlServer.move` takes both.

        Args:
            sleep: How to wait, in seconds, at most one in all: for another start in the directory.

        Raises:
            SocketInUseError: Another process listens there now.
            NotASocketError: A file that must not be deleted is there now.
            ControlError: It cannot be made, because its directory is missing, say. Nothing is left behind.
        """
        try:
            return _bind(self._place, strict=self._strict, sleep=sleep)
        except OSError as error:
            why = escaped(error.strerror or str(error))
            raise ControlError(f"cannot create the control socket at {escaped(self.path)} again: {why}") from error

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
    cancelled: Callable[[], bool] = lambda: False,
    sleep: Callable[[float], object] = time.sleep,
) -> ControlSocket:
    """Bind and listen at the first place that can be had: a default place that is taken leads to the next one.

    Meant for the boot of the supervisor, before anything runs that has to go on; later with another `sleep`.

    Args:
        configured: `control.socket` of the configuration, or None for the default places.
        environment: The environment corepilot was given.
        retry_s: How long to wait for the directory of a configured socket, in seconds: volumes may be mounted late.
            Ten is what ContainerPilot waits (contract, section 9.1).
        strict: Refuse what is otherwise a warning: a configured place that other users can tamper with, and at a place
            that is not ours alone a plain file, which ContainerPilot deletes (contract, section 9.1). The mode of the
            socket then is 0600 there too, and not by the umask.
        on_wait: Told once, before the wait, what is missing.
        cancelled: Asked ten times a second during the wait; true ends it.
        sleep: How to wait, in seconds: for the directory, and at most a second for another start in it. Nothing else
            here blocks.

    Returns:
        The socket. Connections queue up in the kernel until somebody accepts.

    Raises:
        SocketInUseError: A process listens at the configured place.
        NotASocketError: A file that is no socket is at the configured place, and `strict` was asked for; or it is no
            plain file.
        ControlError: No place can be had; the message names each with its reason. Nothing is left behind.
    """
    places = socket_locations(configured, environment)
    if configured:
        _await_directory(os.path.dirname(places[0].path), retry_s, on_wait, cancelled, sleep)
    reasons = []
    for place in places:
        try:
            return _bind(place, strict=strict, sleep=sleep)
        except OSError as error:
            reasons.append(f"{escaped(place.path)}: {escaped(error.strerror or str(error))}")
        except PlaceTakenError as error:
            if place.configured:
                raise
            reasons.append(f"{escaped(place.path)}: {error.reason}")
    raise ControlError(
        f"cannot create the control socket at {'; '.join(reasons)}; "
        "set control.socket to a place that can be written, or control: false for none"
    )


def _await_directory(
    path: str,
    retry_s: float,
    on_wait: Callable[[str], object],
    cancelled: Callable[[], bool],
    sleep: Callable[[float], object],
) -> None:
    if os.path.isdir(path) or retry_s <= 0:
        return
    on_wait(f"the directory of the control socket, {escaped(path)}, does not exist yet: waiting {retry_s:g} s for it")
    until = time.monotonic() + retry_s
    while not os.path.isdir(path) and time.monotonic() < until and not cancelled():
        sleep(_RETRY_EVERY_S)


def _bind(place: SocketLocation, *, strict: bool, sleep: Callable[[float], object]) -> ControlSocket:
    parent = os.path.dirname(place.path)
    if place.own_directory:
        _make_own(parent)
    unsafe = why_unsafe(parent)
    if unsafe and (strict or place.own_directory):
        raise PermissionError(errno.EPERM, f"other users can replace it: {unsafe}")
    shown = escaped(place.path)
    warnings = [f"the control socket {shown} can be replaced by other users: {escaped(unsafe)}"] if unsafe else []
    directory = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        if _lock(directory, sleep):
            _put_back(place.path, directory)
        private = strict or place.own_directory
        if _clear(place.path, directory, only_stale=private):
            warnings.append(f"a file that was no socket has been deleted at {shown}; control.strict refuses that")
        if private:
            # Linux gives the file the mode of the socket's own inode, less the umask: it is never open to others, and
            # no process-wide umask has to be changed while other threads may create files. Otherwise the mode is as
            # ContainerPilot's, by the umask; who may speak to us is decided by the credentials in any case.
            os.fchmod(listener.fileno(), 0o600)
        with SocketAddress(place.path) as address:
            listener.bind(address)
        listener.listen(_BACKLOG)
        fcntl.flock(directory, fcntl.LOCK_UN)
        return ControlSocket(place, listener, directory, warnings, strict=strict)
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


def _lock(directory: int, sleep: Callable[[float], object]) -> bool:
    """Let one corepilot at a time look for a stale socket and bind in this directory; whether the lock is ours.

    The lock is on the directory itself, so nothing is left behind. Anybody who can read the directory can hold it:
    after a second we go on without. What it prevents, two starts in the same instant, is rarer than that.
    """
    until = time.monotonic() + _LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() >= until:
                return False
            sleep(_LOCK_POLL_S)
        else:
            return True


def _put_back(path: str, directory: int) -> None:
    """Undo what a start that was killed while it replaced a file has left: a directory beside it with the file inside.

    The file goes back to its place, if that is free, to be judged there. A stale socket whose place is taken again is
    deleted. Under the lock nobody else is in the middle of the same. What cannot be undone stays, and harms nothing.
    """
    name = os.path.basename(path)
    prefix = f".{name}."
    for aside in os.listdir(directory):
        suffix = aside.removeprefix(prefix)
        if suffix == aside or len(suffix) != 2 * _ASIDE_BYTES or not _HEXADECIMAL.issuperset(suffix):
            continue
        taken = f"{aside}/{name}"
        try:
            found = os.stat(aside, dir_fd=directory, follow_symlinks=False)
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
                continue
            if not _exists(name, directory):
                os.rename(taken, name, src_dir_fd=directory, dst_dir_fd=directory)
            elif stat.S_ISSOCK(os.stat(taken, dir_fd=directory, follow_symlinks=False).st_mode) and (
                _listener(os.path.join(os.path.dirname(path), taken)) is None
            ):
                os.unlink(taken, dir_fd=directory)
        except FileNotFoundError:
            pass  # it is empty
        except OSError:
            continue
        try:  # noqa: SIM105  - contextlib is not worth its import here
            os.rmdir(aside, dir_fd=directory)
        except OSError:
            pass


def _exists(name: str, directory: int) -> bool:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _clear(path: str, directory: int, *, only_stale: bool) -> bool:
    """Remove what is at the place; whether that was something else than a socket nobody listens on.

    Args:
        path: The place.
        directory: Its directory, open.
        only_stale: Refuse whatever is not such a socket.
    """
    name = os.path.basename(path)
    try:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    is_socket = stat.S_ISSOCK(found.st_mode)
    if is_socket:
        whose = _listener(path)
        if whose is not None:
            raise SocketInUseError(
                path,
                f"another corepilot is running there{whose}",
                "stop it, or set control.socket to another place",
            )
    elif only_stale or not (stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode)):
        raise NotASocketError(
            path,
            "there is a file that is no socket, and is not deleted",
            "remove it, or set control.socket to another place",
        )
    # A name can change hands between a look and an unlink: it is moved aside first, and looked at again there.
    aside = f".{name}.{os.urandom(_ASIDE_BYTES).hex()}"
    os.mkdir(aside, 0o700, dir_fd=directory)
    taken = f"{aside}/{name}"
    try:
        os.rename(name, taken, src_dir_fd=directory, dst_dir_fd=directory)
        if _identity(taken, directory) != (found.st_dev, found.st_ino):
            os.rename(taken, name, src_dir_fd=directory, dst_dir_fd=directory)
            raise SocketInUseError(path, "somebody else has just put a file there", "start again")
        os.unlink(taken, dir_fd=directory)
    finally:
        os.rmdir(aside, dir_fd=directory)
    return not is_socket


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
