"""The facet `locks`."""

import time
import uuid
from collections.abc import Iterator

import gevent
from corepilot_first_backend.file import File

from corepilot.discovery.locks import Locks
from corepilot.errors import LockLostError
from corepilot.model.catalog import Grant


class FileLocks(Locks):
    """Who holds what, in the file."""

    def __init__(self, file: File) -> None:
        self._file, self._owner = file, uuid.uuid4().hex

    def acquire(self, name: str, holder: str, ttl_s: float, delay_s: float) -> Grant | None:
        """Take a lock if it is free."""
        now = time.time()
        with self._file.open() as held:
            found = held["locks"].get(name)
            if found and found["until"] > now:
                return Grant(found["token"], found["ttl_s"]) if found["owner"] == self._owner else None
            held["writes"] += 1
            token = held["writes"]
            held["locks"][name] = {
                "owner": self._owner, "holder": holder, "token": token, "ttl_s": ttl_s, "until": now + ttl_s,
            }  # fmt: skip
            return Grant(token, ttl_s)

    def keep(self, name: str) -> float:
        """Renew a lock."""
        now = time.time()
        with self._file.open() as held:
            found = held["locks"].get(name)
            if not found or found["until"] <= now or found["owner"] != self._owner:
                raise LockLostError(f"cannot keep the lock {name}: it is not held")
            found["until"] = now + found["ttl_s"]
            return float(found["ttl_s"])

    def release(self, name: str) -> None:
        """Give a lock back."""
        with self._file.open() as held:
            if held["locks"].get(name, {}).get("owner") == self._owner:
                del held["locks"][name]

    def watch(self, name: str) -> Iterator[str | None]:
        """Yield the holder at once, and again after every change."""
        seen: str | None = ""
        while True:
            with self._file.open() as held:
                found = held["locks"].get(name)
            holder = found["holder"] if found and found["until"] > time.time() else None
            if holder != seen:
                yield holder
                seen = holder
            gevent.sleep(self._file.look_s)
