"""What every backend with locks must do with holders that fall silent, and how it tells who holds one."""

import time

import gevent

from corepilot.discovery.backend import Backend
from corepilot.errors import BackendError
from corepilot.model.catalog import Grant
from corepilot.testing.facet_suite import HOLDER
from corepilot.testing.lock_rules import LockRules
from corepilot.testing.process_state import require

OVERTIME = 2.0
"""How many TTLs a lock may outlive its holder for: Consul ends a session within twice its TTL."""


class LockLossRules(LockRules):
    """Loss, TTL, watch, close."""

    def take_away(self, name: str) -> None:
        """Have the store end a grant whose holder lives on and stays connected: an operator deletes the key, say.

        A subclass can say how; else the TTL ends it, because the holder does not keep it.
        """

    def test_what_was_lost_comes_back_with_a_higher_token(self) -> None:
        """A client that loses a lock and stays connected is not granted its old token again.

        Neither when it asks for the first time after somebody else had the lock, nor when it has asked meanwhile.
        """
        for asks in (False, True):
            client, other = self.open(), self.open()
            name = self.lock("asks" if asks else "waits")
            tokens = [self.acquired(client, name, ttl_s=self.lock_ttl_s).token]
            self.take_away(name)
            why = "a lock that was taken away must be had by the next one who asks"
            limit_s = OVERTIME * self.lock_ttl_s + self.deadline_s
            tokens.append(self.acquired_in_time(other, name, limit_s, why).token)
            if asks:
                require(self.acquire(client, name) is None, "acquire must return None while somebody else holds it")
            self.done(self.locks(other).release, name)
            tokens.append(self.acquired_in_time(client, name, limit_s, why).token)
            self.keeps(client, name)
            require(
                tokens == sorted(set(tokens)),
                f"whoever holds a lock later must have a higher token, but one that was taken away, passed on and "
                f"regained had {tokens}",
            )

    def test_a_lock_is_lost_with_its_ttl(self) -> None:
        """Whoever does not keep a lock loses it, alive or closed, to a higher token; whoever keeps it does not.

        One test, because each TTL has to pass in real time.
        """
        silent, gone, faithful, next_one = (self.open() for _ in range(4))
        ttl_s = self.lock_ttl_s
        names = {"silent": self.lock("silent"), "gone": self.lock("gone"), "kept": self.lock("kept")}
        old = {
            "silent": self.acquired(silent, names["silent"], ttl_s=ttl_s),
            "gone": self.acquired(gone, names["gone"], ttl_s=ttl_s),
        }
        kept = self.acquired(faithful, names["kept"], ttl_s=ttl_s)
        gone.close()

        new: dict[str, Grant] = {}
        stop_s = OVERTIME * ttl_s + self.deadline_s
        why = f"a lock that nobody keeps must be free after its TTL of {ttl_s:g} s, or little later"
        error = AssertionError(f"{why}, but after {stop_s:g} s these were not: {', '.join(old)}")
        with gevent.Timeout(stop_s, error):
            until = time.monotonic() + 1.5 * ttl_s
            while len(new) < len(old) or time.monotonic() < until:
                self.keeps(faithful, names["kept"], ttl_s)
                for which in old:
                    if which not in new and (grant := self.acquire(next_one, names[which])) is not None:
                        new[which] = grant
                gevent.sleep(ttl_s / 20)
        for which, grant in new.items():
            require(
                grant.token > old[which].token,
                f"whoever holds a lock later must have a higher token, but after the loss of {old[which].token} "
                f"({which}) the next one got {grant.token}",
            )
        self.lost(silent, names["silent"], "that it has lost to somebody else")
        self.done(self.locks(silent).release, names["silent"])
        self.keeps(next_one, names["silent"])
        again = self.acquired(faithful, names["kept"], ttl_s=ttl_s)
        require(again.token == kept.token, "a lock that is kept in time must stay with its holder, token and all")

    def test_a_watch_tells_the_holder(self) -> None:
        """It yields None while the lock is free, the holder's text while it is not, and the next holder after that."""
        reader, client, other = self.open(), self.open(), self.open()
        name, text = self.lock(), 'Grüße von host-1 / job {web} "1"'
        follower = self.follow_lock(reader, name)
        follower.until(lambda seen: seen is None, "None for a lock that is free", self.deadline_s)
        self.acquired(client, name, text)
        follower.until(lambda seen: seen == text, f"the holder, {text}", self.deadline_s)
        self.done(self.locks(client).release, name)
        follower.until(lambda seen: seen is None, "None for a lock that was released", self.deadline_s)
        self.acquired(other, name, "host-2")
        follower.until(lambda seen: seen == "host-2", "the next holder, host-2", self.deadline_s)
        self.shows_at_once(other, name, "host-2")

    def test_a_watch_tells_the_last_holder_after_a_burst(self) -> None:
        """It may leave out who held the lock meanwhile, never who holds it now."""
        reader, client, other = self.open(), self.open(), self.open()
        name = self.lock()
        follower = self.follow_lock(reader, name)
        follower.until(lambda seen: seen is None, "None for a lock that is free", self.deadline_s)
        for _ in range(5):
            for one, holder in ((client, "host-1"), (other, "host-2")):
                self.acquired(one, name, holder)
                self.done(self.locks(one).release, name)
        self.acquired(client, name, "the last one")
        follower.until(lambda seen: seen == "the last one", "the last holder", self.deadline_s)

    def test_a_watch_does_not_compete(self) -> None:
        """Whoever watches neither gets the lock nor keeps others from it, before, after and while it is held."""
        reader, client, other = self.open(), self.open(), self.open()
        name = self.lock()
        self.follow_lock(reader, name).until(lambda seen: seen is None, "None for a lock that is free", self.deadline_s)
        for one in (client, other, client):
            self.acquired(one, name)
            self.done(self.locks(one).release, name)
        self.lost(reader, name, "that it only watches")

    def test_a_killed_watch_of_a_lock_ends(self) -> None:
        """Killing the greenlet that waits in it ends it; locks and other watches of the client go on."""
        client = self.open()
        name = self.lock()
        self.acquired(client, name, "host-1")
        killed, other = self.follow_lock(client, name), self.follow_lock(client, name)
        for follower in (killed, other):
            follower.until(lambda seen: seen == "host-1", "the holder", self.deadline_s)
        killed.kill(self.deadline_s)
        self.keeps(client, name)
        self.done(self.locks(client).release, name)
        other.until(lambda seen: seen is None, "None for a lock that was released", self.deadline_s)

    def test_a_watch_of_a_lock_that_is_closed_ends_its_thread(self) -> None:
        """Also while the lock stays as it is."""
        client = self.open()
        self.leaves_no_thread(lambda: self.locks(client).watch(self.lock()))

    def test_closing_the_client_ends_its_locks(self) -> None:
        """`close` ends the watch that waits, and no call answers after it."""
        client = self.open()
        name = self.lock()
        facet = self.locks(client)
        self.acquired(client, name)
        follower = self.follow_lock(client, name)
        follower.until(lambda seen: seen == HOLDER, "the holder", self.deadline_s)
        client.close()
        error = follower.until_ended(self.deadline_s)
        require(
            isinstance(error, (BackendError, StopIteration, gevent.GreenletExit)),
            f"a watch whose client is closed must raise a BackendError or end, but raised {error!r}",
        )
        for call in (lambda: facet.keep(name), lambda: facet.acquire(name, "nobody", self.ttl_s_of_locks, 0.0)):
            try:
                answer = call()
            except BackendError:
                continue
            raise AssertionError(
                f"a call on the locks of a client that was closed must raise a BackendError, but told {answer!r}"
            )

    def shows_at_once(self, client: Backend, name: str, holder: str) -> None:
        """Require that a new watch begins with who holds the lock."""
        follower = self.follow_lock(client, name)
        follower.until(lambda _: True, "the holder at once", self.deadline_s)
        first = follower.snapshots[0]
        require(first == holder, f"a watch must begin with who holds the lock, {holder}, but began with {first!r}")
