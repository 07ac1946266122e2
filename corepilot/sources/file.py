"""A configuration in a file: a path, or a `file://` URL (RFC 8089); or in a pipe that has a path.

Opening never blocks: not on a FIFO without a writer, and no device is opened at all. Reading a regular file can take
long only where the file system does (a network file system whose server is gone); no system call bounds that, so it is
the loader's end that does.
"""

import os
import select
import stat
import time

from corepilot.sources.paths import path_of, printable
from corepilot.sources.text import decoded, too_long
from corepilot.sources.values import MAX_BYTES, SourceContext, SourceError, SourceText

_CHUNK_BYTES = 256 * 1024
_KINDS = {
    stat.S_IFDIR: ("it is a directory", "name a file in it"),
    stat.S_IFSOCK: ("it is a socket", "write the text to a file first"),
    stat.S_IFCHR: ("it is a device", "name a regular file"),
    stat.S_IFBLK: ("it is a device", "name a regular file"),
}


class FileSource:
    """The source for files, as a class like any other source's."""

    def read(self, location: str, context: SourceContext) -> SourceText:
        """Read a file; see `read` of this module."""
        return read(location, context.deadline_s)


def read(location: str, deadline_s: float) -> SourceText:
    """Return the text of a regular file or of a pipe, symbolic links followed.

    A pipe (`/dev/stdin`, a FIFO, a shell's `<(…)`) is read to its end, which a second time may be at once: a reload
    judges whatever there is then.

    Args:
        location: A path, relative to the working directory or absolute, or a `file://` URL with an absolute path, where
            `%20` and the like stand for bytes.
        deadline_s: Seconds this may take. Looked at between two reads of 256 KiB. Includes the wait for the writers of
            a pipe, who have to close it.

    Raises:
        SourceError: There is no such file, it may not be read, it is neither a regular file nor a pipe, it has more
            than `MAX_BYTES` bytes, it is not UTF-8, or the time is over.
    """
    end = time.monotonic() + deadline_s
    name = printable(location)
    path = path_of(location)
    try:
        # Opening a device can do things (rewind a tape, arm a watchdog): look first. The look after opening is the one
        # that counts, as another file may have taken the name.
        _refuse_what_is_no_file(os.stat(path), name)
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        try:
            info = os.fstat(descriptor)
            _refuse_what_is_no_file(info, name)
            pipe = stat.S_ISFIFO(info.st_mode)
            data = (_piped if pipe else _bytes)(descriptor, end, name, deadline_s)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise SourceError(f"cannot read configuration {name!r}: {_reason(error, path)}") from error
    where = None if pipe else os.path.abspath(path)
    return SourceText(decoded(data, name), name, where, world_writable(info, name, os.geteuid()))


def world_writable(info: os.stat_result, name: str, euid: int) -> tuple[str, ...]:
    """Return a warning if users other than the owner can write a file that root acts on, else an empty tuple.

    Only a warning: mode 0664 is normal after a COPY in a Dockerfile.

    Args:
        info: Of the file.
        name: The file in the warning.
        euid: The effective user that reads it. Only root is warned: others cannot do more than who wrote the file.
    """
    if euid != 0 or not info.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return ()
    who = "everyone" if info.st_mode & stat.S_IWOTH else f"group {info.st_gid}"
    return (f"{name!r} can be written by {who}, and root runs what it says; remove that right with chmod go-w",)


def _refuse_what_is_no_file(info: os.stat_result, name: str) -> None:
    if not stat.S_ISREG(info.st_mode) and not stat.S_ISFIFO(info.st_mode):
        what, hint = _KINDS.get(stat.S_IFMT(info.st_mode), ("it is not a regular file", "name a regular file"))
        raise SourceError(f"cannot read configuration {name!r}: {what}; {hint}")
    if info.st_size > MAX_BYTES:
        raise too_long(name, f"{info.st_size} bytes")


def _bytes(descriptor: int, end: float, name: str, deadline_s: float) -> bytes:
    """Read all there is: the size is no guide, because the file may grow, and files in /proc say 0."""
    chunks: list[bytes] = []
    size = 0
    while size <= MAX_BYTES:
        if time.monotonic() >= end:
            rule = f"reading took longer than {deadline_s:g} s"
            raise SourceError(f"cannot read configuration {name!r}: {rule}; check the file system it is on")
        chunk = os.read(descriptor, _CHUNK_BYTES)
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)
        size += len(chunk)
    raise too_long(name, "more bytes")


def _piped(descriptor: int, end: float, name: str, deadline_s: float) -> bytes:
    """Read a pipe until its writers have closed it, and wait for the first one where there may still come one."""
    anonymous = os.readlink(f"/proc/self/fd/{descriptor}").startswith("pipe:")
    ready = select.poll()
    ready.register(descriptor, select.POLLIN)
    data = bytearray()
    hung_up = False
    while len(data) <= MAX_BYTES:
        try:
            chunk = os.read(descriptor, _CHUNK_BYTES)
        except BlockingIOError:
            chunk = None  # there are writers, and nothing from them
        # A FIFO that nobody has opened for writing yet reads like one that all writers have closed.
        if chunk == b"" and (data or anonymous or hung_up):
            return bytes(data)
        data += chunk or b""
        left_s = end - time.monotonic()
        if not chunk and left_s > 0:
            hung_up = any(events & select.POLLHUP for _, events in ready.poll(left_s * 1000))
        if time.monotonic() >= end:
            rule = f"it is a pipe, and not all of it was written within {deadline_s:g} s"
            raise SourceError(f"cannot read configuration {name!r}: {rule}; start what writes it, and let it close it")
    raise too_long(name, "more bytes")


def _reason(error: OSError, path: str) -> str:
    if isinstance(error, FileNotFoundError):
        where = "" if os.path.isabs(path) else f" in {printable(_working_directory())}"
        return f"there is no such file{where}; check the path, and that its volume is mounted"
    if isinstance(error, PermissionError):
        return f"user {os.geteuid()} may not read it; give it the right to, on the file and the directories above it"
    return f"{(error.strerror or type(error).__name__).lower()}; check the path"


def _working_directory() -> str:
    try:
        return os.getcwd()
    except OSError:
        return "the working directory, which is gone"
