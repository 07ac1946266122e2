"""Replaces a file as a whole: whoever reads it sees the old content or the new one, also after a crash (rename(2))."""

import os
import stat
from contextlib import suppress


class FileError(Exception):
    """A file cannot be written; what was there is still there, unchanged."""


def replace(path: str, content: bytes, *, mode: int, temporary: str) -> bool:
    """Make a file hold something. Its mode and owner stay what they are. Blocks: not for the event loop.

    The order is that of every durable replacement: write another file in the same directory, fsync(2) it, rename it
    over the old one, fsync the directory.

    Args:
        path: The file. A symbolic link stays one, and what it leads to is replaced.
        content: What it is to hold.
        mode: Its mode, if there is none yet.
        temporary: Ends the name of the other file, which only one process uses at a time: one that was killed may
            have left it behind.

    Returns:
        Whether the file was written; False if it held just this.

    Raises:
        FileError: it cannot be written, or not with its owner; says why and what to do.
    """
    path = os.path.realpath(path)
    directory, name = os.path.split(path)
    beside = os.path.join(directory, f".{name[:200]}.{temporary}")
    try:
        with suppress(FileNotFoundError):
            os.unlink(beside)
        before = _present(path)
        if before is not None and before.st_size == len(content) and _holds(path, content):
            return False
        _write(beside, content, before, mode)
        os.rename(beside, path)
        _sync(directory)
    except OSError as error:
        raise FileError(_reason(error, directory)) from error
    finally:
        with suppress(OSError):
            os.unlink(beside)
    return True


def _present(path: str) -> os.stat_result | None:
    try:
        info = os.stat(path)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(info.st_mode):
        raise FileError("what is there is not a regular file; name another path, or take it away")
    return info


def _holds(path: str, content: bytes) -> bool:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read(len(content) + 1) == content
    except PermissionError:
        return False  # it may be written all the same: that is the directory's affair


def _write(path: str, content: bytes, before: os.stat_result | None, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        if before is not None:
            _own(descriptor, before)
            mode = stat.S_IMODE(before.st_mode)
        os.fchmod(descriptor, mode)  # after fchown(2), which takes set-user-ID away
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _own(descriptor: int, before: os.stat_result) -> None:
    now = os.fstat(descriptor)
    if (now.st_uid, now.st_gid) == (before.st_uid, before.st_gid):
        return
    try:
        os.fchown(descriptor, before.st_uid, before.st_gid)
    except PermissionError:
        owner = f"user {before.st_uid} and group {before.st_gid}"
        why = f"it belongs to {owner}, and user {os.geteuid()} cannot make a file theirs; change its owner"
        raise FileError(why) from None


def _sync(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError:  # a file system that has no such thing, as some network ones
        return
    finally:
        os.close(descriptor)


def _reason(error: OSError, directory: str) -> str:
    import errno

    if isinstance(error, FileNotFoundError) and os.path.isdir(directory):
        return f"no file can be made in {directory}; name another directory"  # /proc says so
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return f"there is no directory {directory}; make it, or mount its volume"
    if isinstance(error, PermissionError):
        return f"user {os.geteuid()} may not write in {directory}; give it the right to"
    if error.errno == errno.EBUSY:
        return f"it is mounted by itself, so it cannot be replaced as a whole; mount {directory} instead"
    if error.errno == errno.EROFS:
        return f"{directory} is on a read-only file system; mount a volume there"
    return f"{(error.strerror or type(error).__name__).lower()}; look at the file system of {directory}"
