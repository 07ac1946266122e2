"""What every backend with locks must do with them: its conformance suite."""

from itertools import pairwise

import gevent
from gevent.pool import Group

from corepilot.discovery.backend import Backend
from corepilot.errors import BackendRefusedError, LockLostError
from corepilot.testing.facet_suite import HOLDER, FacetSuite
from corepilot.testing.process_state import require


class LockRules(FacetSuite):
    """Acquire, keep, release."""

    def test_only_one_of_several_clients_holds_a_lock(self) -> None:
        """While somebody holds it, `acquire` returns None to all others, however often they ask."""
        clients = [self.open() for _ in range(4)]
        name = self.lock()
        group = Group()
        asked = [group.spawn(self.acquire, client, name, f"client {n}") for n, client in enumerate(clients)]
        group.join(timeout=self.deadline_s, raise_error=True)
        holders = [client for client, one in zip(clients, asked, strict=True) if one.value is not None]
        require(len(holders) <= 1, f"a lock has one holder at a time, but {len(holders)} clients got a grant")
        # A store with a queue may have nobody in front only now.
        grant = self._one_of(clients, name)
        holder = next(client for client, token in grant.items() if token)
        for _ in range(3):
            for client in clients:
                found = self.acquire(client, name)
                if client is not holder:
                    require(found is None, "acquire must return None while somebody else holds the lock")
        self.keeps(holder, name)

    def test_acquire_is_idempotent(self) -> None:
        """Whoever holds a lock and asks again gets the same token, also after it was kept and others have asked."""
        client, other = self.open(), self.open()
        name = self.lock()
        token = self.acquired(client, name).token
        for _ in range(3):
            self.acquire(other, name)
            self.keeps(client, name)
            again = self.acquired(client, name).token
            require(again == token, f"the holder must get its token again, {token}, but got {again}")

    def test_the_token_grows_with_every_holder(self) -> None:
        """Whoever holds the lock later has a higher token: another client, and the same one after it let go."""
        clients = [self.open(), self.open()]
        name = self.lock()
        tokens = []
        for number in range(8):
            client = clients[number % 3 % 2]
            tokens.append(self.acquired(client, name).token)
            self.done(self.locks(client).release, name)
        require(
            all(one < following for one, following in pairwise(tokens)),
            f"whoever holds a lock later must have a higher token, but eight holders had {tokens}",
        )

    def test_a_lock_passes_from_one_to_the_next(self) -> None:
        """Clients that compete for a lock get it one after the other; never two at once, tokens in order."""
        clients = [self.open() for _ in range(3)]
        name, inside, tokens = self.lock(), set[int](), list[int]()

        def work(number: int) -> None:
            for _ in range(4):
                while (grant := self.acquire(clients[number], name)) is None:
                    gevent.sleep(0.01)
                require(not inside, "a lock has one holder at a time, but two clients had a grant at once")
                inside.add(number)
                tokens.append(grant.token)
                gevent.sleep(0.01)
                inside.discard(number)
                self.locks(clients[number]).release(name)

        group = Group()
        for number in range(3):
            group.spawn(work, number)
        group.join(timeout=2 * self.deadline_s, raise_error=True)
        require(not group, "a lock that is released must be had by the next one who asks, but somebody never got it")
        require(tokens == sorted(set(tokens)), f"whoever holds a lock later must have a higher token, but had {tokens}")

    def test_locks_do_not_mix(self) -> None:
        """Locks whose names differ are different locks, also in case or where one begins with another."""
        client, other = self.open(), self.open()
        names = [self.lock(more) for more in ("", "x", "-x", ".x", "_x", "X")]
        for name in names:
            self.acquired(client, name)
        self.done(self.locks(client).release, names[0])
        self.acquired(other, names[0])
        for name in names[1:]:
            require(self.acquire(other, name) is None, f"releasing {names[0]} must not release {name}")
            self.keeps(client, name)

    def test_keep_tells_for_how_long(self) -> None:
        """`keep` returns more than 0 and no more than the TTL, again and again."""
        client = self.open()
        name, ttl_s = self.lock(), max(5.0, self.lock_ttl_s)
        self.acquired(client, name, ttl_s=ttl_s)
        for _ in range(5):
            self.keeps(client, name, ttl_s)

    def test_keeping_what_is_not_ours_is_a_loss(self) -> None:
        """`keep` raises LockLostError for a lock that we never had, that somebody else has, or that we released."""
        client, other = self.open(), self.open()
        name = self.lock()
        self.lost(client, name, "that it never had")
        self.acquired(other, name)
        self.lost(client, name, "that somebody else holds")
        self.acquire(client, name)
        self.lost(client, name, "that it competes for, and somebody else holds")
        self.done(self.locks(other).release, name)
        self.lost(other, name, "that it has released")
        self.acquired_in_time(
            client, name, self.deadline_s, "a lock that was released must be had by who competes for it"
        )
        self.keeps(client, name)

    def test_release_is_idempotent(self) -> None:
        """Twice, of a lock that nobody holds, and of one that never was; it is free then, also with a delay."""
        client, other = self.open(), self.open()
        name = self.lock()
        self.done(self.locks(client).release, name)
        require(self.acquire(client, name, delay_s=5.0) is not None, "acquire must grant a lock that is free")
        for _ in range(3):
            self.done(self.locks(client).release, name)
        self.acquired(other, name)

    def test_releasing_what_is_not_ours_changes_nothing(self) -> None:
        """A lock that somebody else holds stays with its holder, and keeps its token."""
        client, other = self.open(), self.open()
        name = self.lock()
        token = self.acquired(client, name).token
        for competes in (False, True):
            if competes:
                self.acquire(other, name)
            self.done(self.locks(other).release, name)
            self.keeps(client, name)
            require(self.acquire(other, name) is None, "release of a lock that is not ours must change nothing")
        again = self.acquired(client, name).token
        require(again == token, f"release of a lock that is not ours must change nothing, but the token is {again}")

    def test_who_released_competes_no_longer(self) -> None:
        """A client that has released while it waited does not get the lock, and stands in nobody's way."""
        holder, waiting, last = self.open(), self.open(), self.open()
        name = self.lock()
        self.acquired(holder, name)
        self.acquire(waiting, name)
        self.done(self.locks(waiting).release, name)
        self.acquire(last, name)
        self.done(self.locks(holder).release, name)
        why = "release must end competing: who asked after it must get the lock"
        self.acquired_in_time(last, name, self.deadline_s, why)

    def test_a_ttl_is_kept_or_refused(self) -> None:
        """A store that cannot keep so short a TTL raises BackendRefusedError, and does not grant a longer one."""
        client, other = self.open(), self.open()
        name = self.lock()
        try:
            found = self.acquire(client, name, ttl_s=self.lock_ttl_s / 8)
        except BackendRefusedError:
            self.acquired(other, name)
            return
        require(found is not None, "acquire must grant a lock that is free, or raise BackendRefusedError")

    def lock(self, more: str = "") -> str:
        """The name of a lock of this test's own."""
        return f"{self.service}{more}"

    def keeps(self, client: Backend, name: str, ttl_s: float = 0.0) -> None:
        """Require that a lock that is ours can be kept."""
        ttl_s = ttl_s or self.ttl_s_of_locks
        try:
            left_s = self.done(self.locks(client).keep, name)
        except LockLostError as error:
            raise AssertionError(f"keep must renew a lock that is ours, but raised {error!r}") from error
        require(
            0 < left_s <= ttl_s, f"keep must tell more than 0 and at most the TTL of {ttl_s:g} s, but told {left_s!r}"
        )

    def lost(self, client: Backend, name: str, which: str) -> None:
        """Require that `keep` says of a lock that it is not ours."""
        try:
            left_s = self.done(self.locks(client).keep, name)
        except LockLostError:
            return
        raise AssertionError(f"keep must raise LockLostError for a lock {which}, but told {left_s!r} s")

    def _one_of(self, clients: list[Backend], name: str) -> dict[Backend, int]:
        """The tokens of those that have a grant, once somebody has."""
        found: dict[Backend, int] = {}
        with gevent.Timeout(self.deadline_s, AssertionError("one of those who ask for a free lock must get it")):
            while not found:
                found = {client: grant.token for client in clients if (grant := self.acquire(client, name, HOLDER))}
                gevent.sleep(0.01)
        require(len(found) == 1, f"a lock has one holder at a time, but {len(found)} clients got a grant")
        return found
