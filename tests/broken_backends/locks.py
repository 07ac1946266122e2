"""Backends that break one rule of locks each, and the test that has to catch it, by what it says."""

import math
from collections.abc import Iterator
from typing import Any

import gevent

from corepilot.discovery.backend import Backend
from corepilot.errors import LockLostError
from corepilot.model.catalog import Grant
from corepilot.testing.memory import MemoryBackend
from corepilot.testing.memory_facets import MemoryLocks


def with_locks(kind: type[MemoryLocks]) -> type[Backend]:
    """A backend with other locks."""

    def make(self: Any, *arguments: Any) -> None:
        MemoryBackend.__init__(self, *arguments)
        self.locks = kind(self)

    return type(kind.__name__, (MemoryBackend,), {"__init__": make})


class TokenRepeats(MemoryLocks):
    def acquire(self, name: str, holder: str, ttl_s: float, delay_s: float) -> Grant | None:
        found = super().acquire(name, holder, ttl_s, delay_s)
        return found and found.changed(token=7)


class TokenFalls(MemoryLocks):
    def acquire(self, name: str, holder: str, ttl_s: float, delay_s: float) -> Grant | None:
        found = super().acquire(name, holder, ttl_s, delay_s)
        return found and found.changed(token=10_000 - found.token)


class NewTokenEachTime(MemoryLocks):
    def acquire(self, name: str, holder: str, ttl_s: float, delay_s: float) -> Grant | None:
        held = self._client.store.held(name)
        if held is not None and held.owner is self:
            self.release(name)
        return super().acquire(name, holder, ttl_s, delay_s)


class TokenOfTheLastHolder(MemoryLocks):
    def acquire(self, name: str, holder: str, ttl_s: float, delay_s: float) -> Grant | None:
        before = self._client.store.locks.get(name)
        found = super().acquire(name, holder, ttl_s, delay_s)
        return found.changed(token=before.token) if found and before else found


class TokenRemembered(MemoryLocks):
    """Whoever has not released a lock gets the token that it had, also after somebody else had the lock."""

    def acquire(self, name: str, holder: str, ttl_s: float, delay_s: float) -> Grant | None:
        tokens = self.__dict__.setdefault("tokens", {})
        found = super().acquire(name, holder, ttl_s, delay_s)
        return found and found.changed(token=tokens.setdefault(name, found.token))

    def release(self, name: str) -> None:
        self.__dict__.setdefault("tokens", {}).pop(name, None)
        super().release(name)


class TwoHolders(MemoryLocks):
    def acquire(self, name: str, holder: str, ttl_s: float, delay_s: float) -> Grant | None:
        return super().acquire(name, holder, ttl_s, delay_s) or Grant(self._client.store.writes + 1, ttl_s)


class LooksThenTakes(MemoryLocks):
    def acquire(self, name: str, holder: str, ttl_s: float, delay_s: float) -> Grant | None:
        held = self._client.store.held(name)
        gevent.sleep(0.002)
        if held is None:
            return Grant(self._client.store.hold(name, self, holder, ttl_s).token, ttl_s)
        return super().acquire(name, holder, ttl_s, delay_s)


class ReleasesByPrefix(MemoryLocks):
    def release(self, name: str) -> None:
        for one in [one for one in self._client.store.locks if one.startswith(name)]:
            super().release(one)


class KeepAlwaysSucceeds(MemoryLocks):
    def keep(self, name: str) -> float:
        try:
            return super().keep(name)
        except LockLostError:
            return 1.0


class KeepTellsZero(MemoryLocks):
    def keep(self, name: str) -> float:
        return super().keep(name) * 0


class KeepBelieves(MemoryLocks):
    def keep(self, name: str) -> float:
        mine = self.__dict__.setdefault("mine", set())
        if name in mine:
            return 1.0
        return super().keep(name)

    def acquire(self, name: str, holder: str, ttl_s: float, delay_s: float) -> Grant | None:
        found = super().acquire(name, holder, ttl_s, delay_s)
        if found is not None:
            self.__dict__.setdefault("mine", set()).add(name)
        return found

    def release(self, name: str) -> None:
        self.__dict__.setdefault("mine", set()).discard(name)
        super().release(name)


class KeepDoesNotRenew(MemoryLocks):
    def keep(self, name: str) -> float:
        before = self._client.store.locks.get(name)
        left_s = super().keep(name)
        if before is not None:
            self._client.store.locks[name] = before
        return left_s


class GrantsMore(MemoryLocks):
    def acquire(self, name: str, holder: str, ttl_s: float, delay_s: float) -> Grant | None:
        return super().acquire(name, holder, max(ttl_s, 90.0), delay_s)


class KeptByItself(MemoryLocks):
    def acquire(self, name: str, holder: str, ttl_s: float, delay_s: float) -> Grant | None:
        found = super().acquire(name, holder, ttl_s, delay_s)
        if found is not None:
            locks = self._client.store.locks
            locks[name] = locks[name]._replace(expires_at=math.inf)
        return found


class AnybodyReleases(MemoryLocks):
    def release(self, name: str) -> None:
        self._client.ask("release", name)
        self._client.store.let_go(name)


class ReleaseIsAnError(MemoryLocks):
    def release(self, name: str) -> None:
        self.keep(name)
        super().release(name)


class ReleasesLate(MemoryLocks):
    def release(self, name: str) -> None:
        held = self._client.store.held(name)
        if held is not None and held.owner is self:
            self._client.store.locks[name] = held._replace(owner=object())


class StaysInTheQueue(MemoryLocks):
    """Whoever has asked first comes next, also after it has given up."""

    def acquire(self, name: str, holder: str, ttl_s: float, delay_s: float) -> Grant | None:
        queue = self._client.store.__dict__.setdefault("queues", {}).setdefault(name, [])
        if self not in queue:
            queue.append(self)
        return super().acquire(name, holder, ttl_s, delay_s) if queue[0] is self else None

    def release(self, name: str) -> None:
        queue = self._client.store.__dict__.setdefault("queues", {}).setdefault(name, [])
        if queue and queue[0] is self:
            queue.remove(self)
        super().release(name)


class WatchMissesTheRelease(MemoryLocks):
    def release(self, name: str) -> None:
        held = self._client.store.held(name)
        if held is not None and held.owner is self:
            del self._client.store.locks[name]


class WatchTellsThatItIsHeld(MemoryLocks):
    def watch(self, name: str) -> Iterator[str | None]:
        return (seen and "held" for seen in super().watch(name))


class WatchCompetes(MemoryLocks):
    def watch(self, name: str) -> Iterator[str | None]:
        self.acquire(name, "a watch", 60.0, 0.0)
        return super().watch(name)


class WatchEndsWithTheHolder(MemoryLocks):
    def watch(self, name: str) -> Iterator[str | None]:
        held = False
        for seen in super().watch(name):
            yield seen
            if held and seen is None:
                return
            held = seen is not None


class AnswersWhenClosed(MemoryLocks):
    def keep(self, name: str) -> float:
        held = self._client.store.held(name)
        return held.ttl_s if held is not None and held.owner is self else super().keep(name)


BROKEN: dict[type[Backend], tuple[str, str]] = {
    with_locks(kind): row
    for kind, row in {
        TokenRepeats: ("the_token_grows_with_every_holder", "must have a higher token"),
        TokenFalls: ("the_token_grows_with_every_holder", "must have a higher token"),
        NewTokenEachTime: ("acquire_is_idempotent", "the holder must get its token again"),
        TokenOfTheLastHolder: ("a_lock_is_lost_with_its_ttl", "must have a higher token"),
        TokenRemembered: ("what_was_lost_comes_back_with_a_higher_token", "must have a higher token"),
        TwoHolders: ("only_one_of_several_clients_holds_a_lock", "a lock has one holder at a time"),
        LooksThenTakes: ("only_one_of_several_clients_holds_a_lock", "a lock has one holder at a time"),
        ReleasesByPrefix: ("locks_do_not_mix", "must not release"),
        KeepAlwaysSucceeds: ("keeping_what_is_not_ours_is_a_loss", "keep must raise LockLostError"),
        KeepTellsZero: ("keep_tells_for_how_long", "keep must tell more than 0"),
        KeepBelieves: ("a_lost_lock_is_never_kept", "keep must not answer for a lock that the catalog has lost"),
        KeepDoesNotRenew: ("a_lock_is_lost_with_its_ttl", "keep must renew a lock that is ours"),
        GrantsMore: ("acquire_is_idempotent", "a grant is never for more than was asked for"),
        KeptByItself: ("a_lock_is_lost_with_its_ttl", "a lock that nobody keeps must be free after its TTL"),
        AnybodyReleases: ("releasing_what_is_not_ours_changes_nothing", "must renew a lock that is ours"),
        ReleaseIsAnError: ("release_is_idempotent", "cannot keep the lock"),
        ReleasesLate: ("release_is_idempotent", "acquire must grant a lock that is free"),
        StaysInTheQueue: ("who_released_competes_no_longer", "release must end competing"),
        WatchMissesTheRelease: ("a_watch_tells_the_holder", "None for a lock that was released"),
        WatchTellsThatItIsHeld: ("a_watch_tells_the_holder", "must show the holder"),
        WatchCompetes: ("a_watch_does_not_compete", "None for a lock that is free"),
        WatchEndsWithTheHolder: ("a_watch_tells_the_holder", "the next holder"),
        AnswersWhenClosed: ("closing_the_client_ends_its_locks", "a call on the locks of a client that was closed"),
    }.items()
}
"""The backend; the test of the suites that has to fail, and what it has to say."""
