"""Suites for catalogs that can be hurt: inherit those whose ways to hurt you can supply."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import gevent

from corepilot.discovery.backend import Backend
from corepilot.errors import BackendError, LockLostError
from corepilot.model.service import Query, Snapshot
from corepilot.testing.facet_suite import FacetSuite
from corepilot.testing.process_state import require
from corepilot.testing.suite import Suite, instance_of

CALL_S = 0.1
"""Seconds after which a caller gives a call up that a server which hangs cannot answer. How many does not matter."""


class _HurtSuite(FacetSuite):
    """What a backend declares beside services is asked too."""

    def followed(self, client: Backend) -> list[Any]:
        """A listener for each kind of watch that is declared, each of which has begun."""
        found: list[Any] = [self.listen(client)]
        if self.has("keys"):
            found += [self.follow_key(client, self.key("app"), prefix=prefix) for prefix in (False, True)]
        if self.has("locks"):
            found.append(self.follow_lock(client, self.service))
        return found

    def begun(self, client: Backend) -> list[Any]:
        """`followed`, when each of them has shown something."""
        found = self.followed(client)
        for one in found:
            one.until(lambda _: True, "what is there, at once", self.deadline_s)
        return found

    def facet_calls(self, client: Backend) -> Iterator[tuple[str, Callable[[], object]]]:
        """Name and call, for the facets that are declared; the locks' last, acquire before keep."""
        if self.has("keys"):
            keys, key = self.keys(client), self.key("app")
            yield "keys.get", lambda: keys.get(key)
            yield "keys.list", lambda: keys.list(self.key())
            yield "keys.put", lambda: keys.put(key, b"value")
            yield "keys.compare_and_set", lambda: keys.compare_and_set(key, b"value", None)
            yield "keys.delete", lambda: keys.delete(key)
            if self.has("watch"):
                yield "keys.watch", lambda: next(keys.watch(key))
        if self.has("locks"):
            locks, name = self.locks(client), self.service
            yield "locks.keep", lambda: locks.keep(name)
            yield "locks.acquire", lambda: self.acquire(client, f"{name}-2")
            yield "locks.watch", lambda: next(locks.watch(name))

    def use_facets(self, client: Backend) -> None:
        """Require that keys and locks work, those that are declared."""
        if self.has("keys"):
            keys, key = self.keys(client), self.key("again")
            self.done(keys.put, key, b"again")
            found = self.done(keys.get, key)
            require(found is not None and found.value == b"again", f"what was put must be read, but get told {found!r}")
        if self.has("locks"):
            why = "a lock that nobody holds must be had"
            self.acquired_in_time(client, f"{self.service}-3", self.deadline_s, why)


class LossSuite(_HurtSuite):
    """For a catalog that can lose its data: an agent restarts, a directory is wiped, a lease expires."""

    def forget(self) -> None:
        """Make the catalog lose every instance, while its clients stay connected or may connect again.

        Of a backend with locks, also those: who holds one has lost it.
        """
        raise NotImplementedError("LossSuite needs forget(): see corepilot.testing.backends")

    def test_a_lost_instance_is_told_and_can_be_registered_again(self) -> None:
        """`report` finds the loss out (so the registrar need not register over and over), and `register` mends it."""
        client = self.open()
        registration = self.registration()
        self.register(client, registration)
        self.forget()
        self.unknown(client, registration, "that the catalog has lost")
        self.register(client, registration)
        self.report(client, registration, "warning", "back")
        self.expect(self.listen(client), instance_of(registration, "warning"))

    def test_a_lost_instance_can_be_deregistered(self) -> None:
        """`deregister` does not mind the loss."""
        client = self.open()
        registration = self.registration()
        self.register(client, registration)
        self.forget()
        self.deregister(client, registration)

    def test_a_watch_survives_or_says_so(self) -> None:
        """A watch on what was lost either shows that it is gone or raises; a new one shows what is registered again."""
        client = self.open()
        registration = self.registration()
        self.register(client, registration)
        listener = self.listen(client)
        self.expect(listener, instance_of(registration, "passing"))
        self.forget()
        with gevent.Timeout(self.deadline_s):
            while listener.error is None and listener.snapshots[-1]:
                gevent.sleep(0.01)
        require(
            listener.error is None or isinstance(listener.error, BackendError),
            f"a watch that loses its catalog must raise a BackendError, but raised {listener.error!r}",
        )
        self.register(client, registration)
        self.expect(self.listen(client), instance_of(registration, "passing"))

    def test_a_lost_lock_is_never_kept(self) -> None:
        """`keep` raises LockLostError, or at first that the catalog cannot be reached; then the lock can be had."""
        if not self.has("locks"):
            return  # `Backend.locks` is not used then
        client = self.open()
        self.acquired(client, self.service)
        self.forget()
        for _ in range(5):
            try:
                left_s = self.done(self.locks(client).keep, self.service)
            except LockLostError:
                break
            except BackendError:
                gevent.sleep(0.05)
            else:
                raise AssertionError(
                    f"keep must not answer for a lock that the catalog has lost, but told {left_s!r} s"
                )
        with suppress(BackendError):
            self.done(self.locks(client).release, self.service)
        why = "a lock that was lost must be had again by who asks for it"
        self.acquired_in_time(client, self.service, self.deadline_s, why)


class OutageSuite(_HurtSuite):
    """For a catalog that can be stopped and started again, with or without its data."""

    def stop(self) -> None:
        """Take the catalog away: connections break, new ones are refused."""
        raise NotImplementedError("OutageSuite needs stop() and start(): see corepilot.testing.backends")

    def start(self) -> None:
        """Bring it back at the same address, and wait until it is ready. May be called when it runs."""
        raise NotImplementedError("OutageSuite needs stop() and start(): see corepilot.testing.backends")

    def teardown_method(self) -> None:
        """Called by pytest after each test."""
        self.start()
        super().teardown_method()

    def test_every_call_fails_as_a_backend_error(self) -> None:
        """Nothing else comes out, whatever the library below raises; the watch raises instead of retrying."""
        client = self.open()
        registration = self.registration()
        self.register(client, registration)
        if self.has("locks"):
            self.acquired(client, self.service)
        watches = self.begun(client)
        self.stop()
        for watch in watches:
            error = watch.until_ended(self.deadline_s)
            require(
                isinstance(error, BackendError), f"a watch must raise a BackendError in an outage, but raised {error!r}"
            )
        self._fails(lambda: self.report(client, registration, "passing"), "report")
        self._fails(lambda: self.register(client, self.registration(2)), "register")
        # All at once: most of them wait for the same answer, that nobody answers.
        asked = [gevent.spawn(self._fails, call, name) for name, call in self.facet_calls(client)]
        watches = self.followed(client)
        for one in asked:
            one.get()
        for watch in watches:
            error = watch.until_ended(self.deadline_s)
            require(
                isinstance(error, BackendError),
                f"a new watch must raise a BackendError in an outage, but did {error!r}",
            )

    def test_the_same_client_works_again(self) -> None:
        """An outage leaves no client broken."""
        client = self.open()
        registration = self.registration()
        self.register(client, registration)
        self.stop()
        self._fails(lambda: self.register(client, registration), "register")
        self.start()
        self.register(client, registration, "warning")
        self.expect(self.listen(client), instance_of(registration, "warning"))
        self.use_facets(client)

    def test_a_client_may_be_made_in_an_outage(self) -> None:
        """Constructor, `address` and `close` need no server: a catalog that is down at boot is an ordinary day."""
        self.stop()
        unused, client = self.open(), self.open()
        require(unused.address, "address must be known without a connection")
        unused.close()
        registration = self.registration()
        self._fails(lambda: self.register(client, registration), "register")
        self.start()
        self.register(client, registration)
        self.expect(self.listen(client), instance_of(registration, "passing"))
        self.use_facets(client)

    def _fails(self, call: Callable[[], object], name: str) -> None:
        try:
            self.done(call)
        except BackendError:
            return
        raise AssertionError(f"{name} must raise a BackendError in an outage: nobody would try again")


class HangSuite(_HurtSuite):
    """For a catalog that can be paused: it takes connections and does not answer (SIGSTOP, a network hole)."""

    def pause(self) -> None:
        """Stop answering, without closing anything."""
        raise NotImplementedError("HangSuite needs pause() and resume(): see corepilot.testing.backends")

    def resume(self) -> None:
        """Answer again. May be called when it does."""
        raise NotImplementedError("HangSuite needs pause() and resume(): see corepilot.testing.backends")

    def teardown_method(self) -> None:
        """Called by pytest after each test."""
        self.resume()
        super().teardown_method()

    def test_a_deadline_ends_every_call(self) -> None:
        """The caller's `gevent.Timeout` passes through (or a BackendError comes first), and the client stays usable."""
        client = self.open()
        registration = self.registration()
        self.register(client, registration)
        if self.has("locks"):
            self.acquired(client, self.service)
        self.pause()
        self._ends("register", lambda: client.register(registration, "passing", ""))
        self._ends("report", lambda: client.report(registration.id, "passing", "", 60.0))
        self._ends("deregister", lambda: client.deregister(registration.id))
        self._ends("watch", lambda: next(self.stream(client, Query(self.service))))
        for name, call in self.facet_calls(client):
            self._ends(name, call)
        self.resume()
        self.register(client, registration, "warning")
        self.expect(self.listen(client), instance_of(registration, "warning"))
        self.use_facets(client)

    def test_close_does_not_wait(self) -> None:
        """`close` returns while the server hangs, and ends the watch that waits."""
        client = self.open()
        watches = self.begun(client)
        self.pause()
        with gevent.Timeout(self.deadline_s):
            client.close()
        for watch in watches:
            watch.until_ended(self.deadline_s)

    def _ends(self, name: str, call: Callable[[], object]) -> None:
        deadline = gevent.Timeout(CALL_S)
        try:
            with deadline:
                call()
        except gevent.Timeout as passed:
            if passed is not deadline:
                raise
        except BackendError:
            return
        else:
            raise AssertionError(f"{name} must not succeed while the catalog does not answer")


class ExpirySuite(Suite):
    """For a catalog that itself counts an instance as critical (or drops it) when nobody reports on it any more.

    Attributes:
        ttl_s: The shortest TTL, in whole seconds, that the store honours.
    """

    ttl_s: int = 2

    def test_a_silent_instance_stops_passing(self) -> None:
        """After its TTL an instance without reports is critical, or gone."""
        client = self.open()
        registration = self.registration().changed(ttl_s=self.ttl_s)
        self.register(client, registration)
        listener = self.listen(client)
        self.expect(listener, instance_of(registration, "passing"))
        listener.until(_none_passing, "no passing instance once the TTL is over", self.deadline_s + 2 * self.ttl_s)

    def test_an_instance_that_is_reported_on_stays(self) -> None:
        """Each report starts the TTL anew."""
        client = self.open()
        registration = self.registration().changed(ttl_s=self.ttl_s)
        self.register(client, registration)
        listener = self.listen(client)
        self.expect(listener, instance_of(registration, "passing"))
        for _ in range(12):
            with gevent.Timeout(self.deadline_s):
                client.report(registration.id, "passing", "ok", float(self.ttl_s))
            gevent.sleep(self.ttl_s / 10)
        lapses = [snapshot for snapshot in listener.snapshots[1:] if _none_passing(snapshot)]
        require(not lapses, f"an instance that is reported on in time must stay passing, but was seen as {lapses}")


def _none_passing(snapshot: Snapshot) -> bool:
    return all(instance.status != "passing" for instance in snapshot)
