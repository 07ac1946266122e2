"""A file that is appended to and rotated by size. Blocks as long as the disk does: for a thread, not for the hub."""

import os
import stat
from itertools import pairwise


class RotatedFile:
    """Appends whole blocks. Opened for each of them, so that whoever moves it away gets a new one.

    Args:
        path: The file. What is no regular file is never rotated.
        max_bytes: It is rotated before it would become larger; 0 for never. A block that is larger goes in whole.
        keep: How many rotated files are kept.
    """

    def __init__(self, path: str, max_bytes: int, keep: int) -> None:
        self._path, self._max_bytes, self._keep = path, max_bytes, keep

    def append(self, block: bytes) -> None:
        """Add a block, all of it or nothing.

        Raises:
            OSError: the file cannot be opened, written or rotated.
        """
        descriptor = self._open()
        try:
            found = os.fstat(descriptor)
            regular = stat.S_ISREG(found.st_mode)
            if regular and self._max_bytes and found.st_size and found.st_size + len(block) > self._max_bytes:
                self._rotate()
                os.close(descriptor)
                descriptor = -1
                descriptor = self._open()
            self._write(descriptor, block, regular=regular)
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def _open(self) -> int:
        # A fifo that nobody reads is an error at once, instead of a wait.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
        return os.open(self._path, flags, 0o644)

    def _write(self, descriptor: int, block: bytes, *, regular: bool) -> None:
        size = os.fstat(descriptor).st_size
        left = memoryview(block)
        try:
            while left:
                left = left[os.write(descriptor, left) :]
        except OSError:
            if regular:  # a full disk: half a line would spoil the next one
                os.ftruncate(descriptor, size)
            raise

    def _rotate(self) -> None:
        names = [self._path, *[f"{self._path}.{number}" for number in range(1, self._keep + 1)]]
        if len(names) == 1:
            os.unlink(self._path)
        for old, new in reversed(list(pairwise(names))):
            if os.path.exists(old):
                os.replace(old, new)
