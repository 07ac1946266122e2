"""Keys and locks behind the boundary: every call has a deadline, and every answer is judged."""

import math
from collections.abc import Iterator
from typing import Any

import gevent

from corepilot.discovery.backoff import chance
from corepilot.discovery.guarded_calls import Asked, asking, result_of, within
from corepilot.discovery.keys import Keys
from corepilot.discovery.locks import Locks
from corepilot.errors import BackendError
from corepilot.model.catalog import Entries, Entry, Grant
from corepilot.plugin.boundary import Boundary, PluginFaultError

POLL_S = 5.0
"""How often a catalog that does not watch keys is asked, in seconds; a random part of up to a fifth earlier."""

_ALLOWED: tuple[type[BaseException], ...] = (BackendError,)


class _Facet:
    def __init__(self, boundary: Boundary, asked: Asked, address: str) -> None:
        self._boundary, self._asked, self._address = boundary, asked, address

    def _ask(self, operation: str, subject: str, function: Any, *arguments: Any, judge: Any = None) -> Any:
        def call() -> Any:
            return asking(self._boundary, self._asked, operation, function, *arguments, judge=judge)

        return within(self._address, f"{operation.replace('_', ' ')} {subject}", call)

    def _follow(self, operation: str, stream: Any, judge: Any) -> Iterator[Any]:
        try:
            for found in self._boundary.follow(operation, stream(), allowed=_ALLOWED, judge=judge):
                self._asked(operation, "ok")
                yield found
        except (BackendError, PluginFaultError) as error:
            self._asked(operation, result_of(error))
            raise


class GuardedKeys(_Facet, Keys):
    """The keys of a backend. Raises only what the contract allows, and `PluginFaultError`."""

    def __init__(self, keys: Keys, boundary: Boundary, asked: Asked, address: str, *, pushes: bool) -> None:
        super().__init__(boundary, asked, address)
        self._keys, self._pushes = keys, pushes

    def get(self, key: str) -> Entry | None:
        """See Keys."""
        found: Entry | None = self._ask("get", key, self._keys.get, key, judge=_wrong_found)
        return found

    def put(self, key: str, value: bytes) -> None:
        """See Keys."""
        self._ask("put", key, self._keys.put, key, value)

    def compare_and_set(self, key: str, value: bytes, version: str | None) -> bool:
        """See Keys."""
        done: bool = self._ask(
            "compare_and_set", key, self._keys.compare_and_set, key, value, version, judge=_wrong_outcome
        )
        return done

    def delete(self, key: str) -> None:
        """See Keys."""
        self._ask("delete", key, self._keys.delete, key)

    def list(self, prefix: str) -> Entries:
        """See Keys."""
        return tuple(sorted(self._ask("list", prefix, self._keys.list, prefix, judge=_wrong_entries)))

    def watch(self, key: str, *, prefix: bool = False) -> Iterator[Entries]:
        """See Keys. A backend that does not watch is asked every `POLL_S` seconds."""
        if not self._pushes:
            while True:
                yield self._now(key, prefix=prefix)
                gevent.sleep(POLL_S * (1.0 - chance() / 5))

        def stream() -> Any:
            return self._boundary.call("watch", lambda: self._keys.watch(key, prefix=prefix), allowed=_ALLOWED)

        for found in self._follow("watch", stream, _wrong_entries):
            yield tuple(sorted(found))

    def _now(self, key: str, *, prefix: bool) -> Entries:
        if prefix:
            return self.list(key)
        found = self.get(key)
        return () if found is None else (found,)


class GuardedLocks(_Facet, Locks):
    """The locks of a backend. Raises only what the contract allows, and `PluginFaultError`."""

    def __init__(self, locks: Locks, boundary: Boundary, asked: Asked, address: str) -> None:
        super().__init__(boundary, asked, address)
        self._locks = locks

    def acquire(self, name: str, holder: str, ttl_s: float, delay_s: float) -> Grant | None:
        """See Locks."""
        granted: Grant | None = self._ask(
            "acquire", name, self._locks.acquire, name, holder, ttl_s, delay_s, judge=_wrong_grant
        )
        return granted

    def keep(self, name: str) -> float:
        """See Locks."""
        seconds: float = self._ask("keep", name, self._locks.keep, name, judge=_wrong_seconds)
        return seconds

    def release(self, name: str) -> None:
        """See Locks."""
        self._ask("release", name, self._locks.release, name)

    def watch(self, name: str) -> Iterator[str | None]:
        """See Locks."""

        def stream() -> Any:
            return self._boundary.call("watch", self._locks.watch, name, allowed=_ALLOWED)

        yield from self._follow("watch", stream, _wrong_holder)


def _wrong_entry(found: Any) -> bool:
    if not isinstance(found, Entry):
        return True
    key, value, version = found
    return not (isinstance(key, str) and type(value) is bytes and isinstance(version, str))


def _wrong_found(found: Any) -> str:
    if found is None or not _wrong_entry(found):
        return ""
    return f"must return a corepilot.model.catalog.Entry of text, bytes and text, or None, and returned {found!r:.80}"


def _wrong_entries(found: Any) -> str:
    if not isinstance(found, tuple | list) or isinstance(found, Entry) or any(map(_wrong_entry, found)):
        return f"must give a tuple of corepilot.model.catalog.Entry, and gave {found!r:.80}"
    if len({one.key for one in found}) < len(found):
        return "must give each key once"
    return ""


def _wrong_outcome(found: Any) -> str:
    return "" if isinstance(found, bool) else f"must return True or False, and returned {found!r:.80}"


def _wrong_grant(found: Any) -> str:
    if found is None:
        return ""
    if not isinstance(found, Grant) or type(found.token) is not int or found.token < 0:
        expected = "a corepilot.model.catalog.Grant with a token of 0 or more, or None"
        return f"must return {expected}, and returned {found!r:.80}"
    return _wrong_seconds(found.ttl_s)


def _wrong_seconds(found: Any) -> str:
    if isinstance(found, int | float) and not isinstance(found, bool) and math.isfinite(found) and found > 0:
        return ""
    return f"must tell for how many seconds the lock is ours, and told {found!r:.80}"


def _wrong_holder(found: Any) -> str:
    return "" if found is None or isinstance(found, str) else f"must yield a text or None, and yielded {found!r:.80}"
