"""Keys and locks behind the boundary: what is asked and what is answered is judged, and every call has a deadline."""

import math
from collections.abc import Iterator
from typing import Any

import gevent

from corepilot.discovery.facet_rules import require_key, require_lock_name, require_prefix, require_value
from corepilot.discovery.guarded_calls import Asked, asking, result_of, within
from corepilot.discovery.keys import Keys
from corepilot.discovery.locks import Locks
from corepilot.errors import BackendError
from corepilot.model.catalog import Entries, Entry, Grant
from corepilot.plugin.boundary import Boundary, PluginFaultError, WrongAnswerError
from corepilot.plugin.foreign import plain, shown
from corepilot.system.backoff import chance

POLL_S = 5.0
"""How often a catalog that does not watch keys is asked, in seconds; a random part of up to a fifth earlier."""

_ALLOWED: tuple[type[BaseException], ...] = (BackendError, gevent.Timeout)


class _Facet:
    def __init__(self, boundary: Boundary, asked: Asked, address: str) -> None:
        self._boundary, self._asked, self._address = boundary, asked, address

    def _ask(self, operation: str, subject: str, function: Any, *arguments: Any, take: Any = None) -> Any:
        def call() -> Any:
            return asking(self._boundary, self._asked, operation, function, *arguments, take=take)

        return within(self._address, f"{operation.replace('_', ' ')} {subject}", call)

    def _follow(self, operation: str, stream: Any, take: Any) -> Iterator[Any]:
        try:
            for found in self._boundary.follow(operation, stream(), allowed=_ALLOWED, take=take):
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

    def place(self, key: str) -> str:
        """See Keys."""
        require_key("use", key)
        found: str = self._boundary.call("place", self._keys.place, key, allowed=_ALLOWED, take=plain)
        return found

    def get(self, key: str) -> Entry | None:
        """See Keys."""
        require_key("get", key)
        found: Entry | None = self._ask("get", key, self._keys.get, key, take=_found)
        return found

    def put(self, key: str, value: bytes) -> None:
        """See Keys."""
        require_key("put", key)
        require_value("put", key, value)
        self._ask("put", key, self._keys.put, key, value)

    def compare_and_set(self, key: str, value: bytes, version: str | None) -> bool:
        """See Keys."""
        require_key("compare and set", key)
        require_value("compare and set", key, value)
        done: bool = self._ask("compare_and_set", key, self._keys.compare_and_set, key, value, version, take=_outcome)
        return done

    def delete(self, key: str) -> None:
        """See Keys."""
        require_key("delete", key)
        self._ask("delete", key, self._keys.delete, key)

    def list(self, prefix: str) -> Entries:
        """See Keys."""
        require_prefix("list", prefix)
        found: Entries = self._ask("list", prefix, self._keys.list, prefix, take=_entries)
        return found

    def watch(self, key: str, *, prefix: bool = False) -> Iterator[Entries]:
        """See Keys. A backend that does not watch is asked every `POLL_S` seconds."""
        (require_prefix if prefix else require_key)("watch", key)
        if not self._pushes:
            while True:
                yield self._now(key, prefix=prefix)
                gevent.sleep(POLL_S * (1.0 - chance() / 5))

        def stream() -> Any:
            return self._boundary.call("watch", lambda: self._keys.watch(key, prefix=prefix), allowed=_ALLOWED)

        yield from self._follow("watch", stream, _entries)

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
        require_lock_name("acquire", name)
        granted: Grant | None = self._ask(
            "acquire", name, self._locks.acquire, name, holder, ttl_s, delay_s, take=_grant
        )
        return granted

    def keep(self, name: str) -> float:
        """See Locks."""
        require_lock_name("keep", name)
        seconds: float = self._ask("keep", name, self._locks.keep, name, take=_seconds)
        return seconds

    def release(self, name: str) -> None:
        """See Locks."""
        require_lock_name("release", name)
        self._ask("release", name, self._locks.release, name)

    def watch(self, name: str) -> Iterator[str | None]:
        """See Locks."""
        require_lock_name("watch", name)

        def stream() -> Any:
            return self._boundary.call("watch", self._locks.watch, name, allowed=_ALLOWED)

        yield from self._follow("watch", stream, _holder)


def _entry(found: Any) -> Entry | None:
    """An entry with the types that its class declares; None for anything else."""
    if not isinstance(found, Entry):
        return None
    key, value, version = tuple.__iter__(found)
    if not (isinstance(key, str) and type(value) is bytes and isinstance(version, str)):
        return None
    return Entry(plain(key), value, plain(version))


def _found(found: Any) -> Entry | None:
    entry = _entry(found)
    if found is None or entry is not None:
        return entry
    expected = "a corepilot.model.catalog.Entry of text, bytes and text, or None"
    raise WrongAnswerError(f"must return {expected}, and returned {shown(found)}")


def _entries(found: Any) -> Entries:
    """The entries, sorted by their keys."""
    some = isinstance(found, tuple | list) and not isinstance(found, Entry)
    entries = [_entry(one) for one in found] if some else [None]
    made = {one.key: one for one in entries if one is not None}
    if None in entries:
        raise WrongAnswerError(f"must give a tuple of corepilot.model.catalog.Entry, and gave {shown(found)}")
    if len(made) < len(entries):
        raise WrongAnswerError("must give each key once")
    return tuple([made[key] for key in sorted(made)])


def _outcome(found: Any) -> bool:
    if type(found) is bool:
        return found
    raise WrongAnswerError(f"must return True or False, and returned {shown(found)}")


def _grant(found: Any) -> Grant | None:
    if found is None:
        return None
    token, ttl_s = tuple.__iter__(found) if isinstance(found, Grant) else (-1, 0.0)
    if type(token) is not int or token < 0:
        expected = "a corepilot.model.catalog.Grant with a token of 0 or more, or None"
        raise WrongAnswerError(f"must return {expected}, and returned {shown(found)}")
    return Grant(token, _seconds(ttl_s))


def _seconds(found: Any) -> float:
    if type(found) in {int, float} and math.isfinite(found) and found > 0:
        return float(found)
    raise WrongAnswerError(f"must tell for how many seconds the lock is ours, and told {shown(found)}")


def _holder(found: Any) -> str | None:
    if found is None or isinstance(found, str):
        return None if found is None else plain(found)
    raise WrongAnswerError(f"must yield a text or None, and yielded {shown(found)}")
