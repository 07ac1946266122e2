"""The facet `keys`."""

import base64
from collections.abc import Iterator

import gevent
from corepilot_first_backend.file import File

from corepilot.discovery.keys import Keys
from corepilot.model.catalog import Entries, Entry


class FileKeys(Keys):
    """Values under names in the file."""

    def __init__(self, file: File) -> None:
        self._file = file

    def get(self, key: str) -> Entry | None:
        """What a key holds."""
        return next((one for one in self._all() if one.key == key), None)

    def put(self, key: str, value: bytes) -> None:
        """Make a key hold a value."""
        with self._file.open() as held:
            held["writes"] += 1
            held["keys"][key] = [base64.b64encode(value).decode(), str(held["writes"])]

    def compare_and_set(self, key: str, value: bytes, version: str | None) -> bool:
        """Write only if nobody else has written."""
        with self._file.open() as held:
            if held["keys"].get(key, (None, None))[1] != version:
                return False
            held["writes"] += 1
            held["keys"][key] = [base64.b64encode(value).decode(), str(held["writes"])]
            return True

    def delete(self, key: str) -> None:
        """Take a key away."""
        with self._file.open() as held:
            held["keys"].pop(key, None)

    def list(self, prefix: str) -> Entries:
        """All keys below a prefix."""
        return tuple(one for one in self._all() if one.key.startswith(f"{prefix.rstrip('/')}/"))

    def watch(self, key: str, *, prefix: bool = False) -> Iterator[Entries]:
        """Yield what is there at once, and again after every change."""
        seen = None
        while True:
            found = self.list(key) if prefix else tuple(one for one in self._all() if one.key == key)
            if found != seen:
                yield found
                seen = found
            gevent.sleep(self._file.look_s)

    def _all(self) -> Entries:
        with self._file.open() as held:
            return tuple(Entry(key, base64.b64decode(text), at) for key, (text, at) in sorted(held["keys"].items()))
