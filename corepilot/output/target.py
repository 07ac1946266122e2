"""Where a log can be written: an inherited descriptor or a file, and what tells whether two are the same."""

import os
from errno import ENXIO
from typing import NamedTuple

Identity = tuple[int, int]


class Destination(NamedTuple):
    """An open descriptor.

    Attributes:
        fd: The descriptor.
        path: The file's name, for a file that we opened; None for stdout and stderr, which are never closed.
        identity: Device and inode. Two descriptors or spellings of one file, pipe or terminal have the same.
        unread: It is a fifo that nobody reads.
    """

    fd: int
    path: str | None
    identity: Identity
    unread: bool = False

    def close(self) -> None:
        """Close the descriptor, if it is ours."""
        if self.path is not None:
            os.close(self.fd)


def open_destination(output: str) -> Destination:
    """Open what `logging.output` names: "stdout", "stderr" or the path of a file.

    Raises:
        OSError: the file cannot be opened, or the descriptor is closed.
    """
    if output in {"stdout", "stderr"}:
        fd = 1 if output == "stdout" else 2
        return Destination(fd, None, _identity(fd))
    return open_file(output)


def open_file(path: str) -> Destination:
    """Open a file to append to it, created with mode 0644 (contract, section 6). Never blocks.

    Raises:
        OSError: it cannot be opened; a socket cannot, for one.
    """
    flags = os.O_APPEND | os.O_CLOEXEC | os.O_NOCTTY
    try:
        fd = os.open(path, flags | os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK, 0o644)
    except OSError as error:
        if error.errno != ENXIO:
            raise
        # A fifo that nobody reads. With its other end open here too, opening and writing go on as if somebody did
        # (fifo(7)). What else there is of this kind, such as a socket, cannot be opened so either.
        fd = os.open(path, flags | os.O_RDWR)
        return Destination(fd, path, _identity(fd), unread=True)
    os.set_blocking(fd, True)
    return Destination(fd, path, _identity(fd))


def _identity(fd: int) -> Identity:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino
