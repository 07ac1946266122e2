"""What a started program has written so far."""

import os
from typing import IO


class Written:
    """stdout and stderr of a program, in one unnamed file, which whoever started it makes and closes."""

    _log: IO[bytes]

    @property
    def output(self) -> str:
        """All of it."""
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), size, 0).decode("utf-8", "replace")

    @property
    def lines(self) -> list[str]:
        """The same by lines."""
        return self.output.splitlines()
