"""The catalog's directory and the one of each service below it: where they are, who may write, and what went wrong."""

import errno
import os
import stat
from collections.abc import Mapping
from contextlib import suppress

from corepilot.discovery.embedded.names import directory_name
from corepilot.errors import BackendError, BackendRefusedError, BackendUnavailableError

_SHARED_MODE = 0o1777
_FORBIDDEN = frozenset((errno.EACCES, errno.EPERM))
_WRONG_PLACE = frozenset((errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EEXIST))
_NO_LOCKS = frozenset((errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS))


def default_path(environment: Mapping[str, str]) -> str:
    """The directory for who does not name one: the same for all corepilots of one user (our decision).

    root's is /var/run/corepilot/catalog. Others cannot create that: theirs is in $XDG_RUNTIME_DIR, or else in a
    directory of their own in /tmp, /tmp/corepilot-UID, which is refused when somebody else owns it.

    For root in a container of another user's (`docker exec -u 0`) it is that user's, if a corepilot of theirs has made
    the directory above: a lock that is taken there has to be the one that the jobs take.
    """
    user = os.geteuid()
    if user != 0:
        return _defaults_of(user, environment)[0]
    with suppress(OSError):
        host = os.stat("/proc/1").st_uid
        for path in _defaults_of(host, environment) if host else ():
            if owner_of(os.path.dirname(path)) == host and not os.path.islink(path):
                return path
    return "/var/run/corepilot/catalog"


def owner_of(directory: str) -> int | None:
    """Whose it is; None if it is no directory, or a link to one."""
    try:
        status = os.lstat(directory)
    except OSError:
        return None
    return status.st_uid if stat.S_ISDIR(status.st_mode) else None


def _defaults_of(user: int, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Where a user's can be, the place to make it at first."""
    runtime = environment.get("XDG_RUNTIME_DIR", "")
    own = f"{_private_parent(user)}/catalog"
    return (os.path.join(runtime, "corepilot", "catalog"), own) if os.path.isabs(runtime) else (own,)


class Place:
    """One directory of a catalog: where it is, and how it is made.

    Args:
        directories: Of the catalog.
        name: Its name in there.
        keep_sticky: Whether it is as sticky as the catalog's: then nobody can remove what is somebody else's.
    """

    def __init__(self, directories: "Directories", name: str, *, keep_sticky: bool = True) -> None:
        self.root = directories.root
        self.path = os.path.join(directories.root, name)
        self.explain = directories.explain
        self._directories = directories
        self._keep_sticky = keep_sticky

    def make(self) -> None:
        """Make it if it is missing, with all that is above it.

        Raises:
            OSError: it cannot be made.
            BackendRefusedError: the default in /tmp belongs to somebody else.
        """
        if not os.path.isdir(self.path):
            self._directories.make_root()
            try:
                os.mkdir(self.path, 0o755)
            except FileExistsError:
                if not os.path.isdir(self.path):
                    raise
            else:
                self._directories.hand_over(self.path)
                mode = stat.S_IMODE(os.stat(self.root).st_mode)
                if not self._keep_sticky:
                    mode &= ~stat.S_ISVTX
                if mode != stat.S_IMODE(os.stat(self.path).st_mode):
                    os.chmod(self.path, mode)


class Directories:
    """Makes the directories of a catalog.

    Who may advertise is decided by the mode of the catalog's directory: 0755 (less the umask) when we make it, so only
    its owner; 1777 with `shared`, so everybody, and nobody can remove what is somebody else's. A directory that is
    there already keeps its mode, and those of the services copy it: `chmod` on one directory before it is used (or
    on all with -R later) is all that an operator has to do.

    Args:
        root: The catalog's directory, absolute.
        shared: Whether everybody may advertise.
        chosen: Nobody has named it: it is what `default_path` says, and the directory above it says whose it is.
    """

    def __init__(self, root: str, *, shared: bool, chosen: bool = False) -> None:
        self.root = root
        self.shared = shared
        self._chosen = chosen

    def of(self, service: str) -> Place:
        """The directory of a service."""
        return Place(self, directory_name(service))

    def services(self) -> list[str]:
        """The directories of all services.

        Raises:
            OSError: the catalog's directory cannot be read.
        """
        with os.scandir(self.root) as entries:
            return [one.path for one in entries if not one.name.startswith(".") and one.is_dir(follow_symlinks=False)]

    def make_root(self) -> None:
        """Make the catalog's directory if it is missing.

        Raises:
            OSError: it cannot be made.
            BackendRefusedError: the default in /tmp belongs to somebody else.
        """
        own = _private_parent(os.geteuid())
        if self.root.startswith(f"{own}/"):
            with suppress(FileExistsError):
                os.mkdir(own, 0o700)
            status = os.lstat(own)
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
                raise BackendRefusedError(
                    f"cannot use the catalog {self.root}: {own} is not a directory of ours; remove it, or set "
                    "discovery.path"
                )
        if not os.path.isdir(self.root):
            os.makedirs(self.root, 0o755, exist_ok=True)
            self.hand_over(self.root)
        if self.shared:
            status = os.stat(self.root)
            if not status.st_mode & stat.S_IWOTH and os.geteuid() in {0, status.st_uid}:
                os.chmod(self.root, _SHARED_MODE)

    def hand_over(self, made: str) -> None:
        """Let a directory that root has made in another user's default catalog be that user's.

        Raises:
            OSError: it cannot.
        """
        if self._chosen and os.geteuid() == 0:
            user = owner_of(os.path.dirname(self.root))
            if user:
                os.chown(made, user, -1, follow_symlinks=False)

    def explain(self, action: str, error: OSError) -> BackendError:
        """What an error of the operating system means to the registrar, and to the operator.

        Args:
            action: What cannot be done, to follow "cannot ".
            error: Why.
        """
        where = f"cannot {action} in the catalog {self.root}"
        why = os.strerror(error.errno) if error.errno else str(error)
        if error.errno == errno.EROFS:
            return BackendRefusedError(f"{where}: {why}; mount it writable here, or advertise nothing from here")
        if error.errno in _FORBIDDEN:
            return BackendRefusedError(f"{where}: {why} for user {os.geteuid()}; {self._who()}")
        if error.errno in _WRONG_PLACE:
            return BackendRefusedError(f"{where}: {why} ({error.filename}); set discovery.path to a directory")
        if error.errno in _NO_LOCKS:
            return BackendRefusedError(f"{where}: its file system has no locks ({why}); use a local one")
        return BackendUnavailableError(f"{where}: {why}")

    def _who(self) -> str:
        if self._chosen:
            owner = owner_of(os.path.dirname(self.root))
            if owner not in {None, os.geteuid()}:
                return f"it is that of user {owner}: run this as that user, or set discovery.path"
        try:
            status = os.stat(self.root)
        except OSError:
            return "run as a user who may create it, or set discovery.path"
        mode = stat.S_IMODE(status.st_mode)
        return (
            f"it belongs to user {status.st_uid} and has the mode {mode:04o}; let everybody advertise with "
            f"`chmod -R 1777 {self.root}`, or change its owner, or set discovery.path"
        )


def _private_parent(user: int) -> str:
    return f"/tmp/corepilot-{user}"  # noqa: S108  - ownership is verified before it is used
