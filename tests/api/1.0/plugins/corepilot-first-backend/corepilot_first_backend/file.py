"""The JSON file that holds everything, and who may write it."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from corepilot.errors import BackendUnavailableError


class File:
    """A JSON object with services, keys and locks, shared by everybody who opens it.

    Attributes:
        closed: Whether the client has been closed; streams end then.
    """

    def __init__(self, path: str, look_s: float) -> None:
        self.path, self.look_s, self.closed = path, look_s, False

    @contextmanager
    def open(self) -> Iterator[dict[str, Any]]:
        """What the file holds, read and, where it was changed, written back. Others wait, for microseconds."""
        if self.closed:
            raise BackendUnavailableError(f"cannot use {self.path}: the client was closed")
        try:
            with open(self.path, "a+", encoding="utf-8") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                file.seek(0)
                before = file.read()
                held = {"services": {}, "keys": {}, "locks": {}, "writes": 0, **json.loads(before or "{}")}
                yield held
                after = json.dumps(held)
                if after != before:
                    os.truncate(file.fileno(), 0)
                    file.write(after)
        except (OSError, ValueError) as error:
            raise BackendUnavailableError(f"cannot use {self.path}: {error}") from error
