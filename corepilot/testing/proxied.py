"""The suite for catalogs behind a TCP port: the fault proxy does the harm, and the server is never touched."""

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import gevent

from corepilot.discovery.backend import Backend
from corepilot.errors import BackendError, BackendUnavailableError
from corepilot.model.service import Query
from corepilot.testing.listener import at_most
from corepilot.testing.outages import HangSuite, OutageSuite
from corepilot.testing.process_state import require
from corepilot.testing.proxy import FaultProxy
from corepilot.testing.suite import instance_of

_Answer = TypeVar("_Answer")

CUTS = (0, 1, 60, 250, 700, 2000)
"""Bytes that come from the server before a connection breaks: nothing, a part of an answer, one answer of several."""

PATIENCE_S = 1.0
"""Seconds that a call gets while its connections break: a client may try again all that time."""


class FaultSuite(OutageSuite, HangSuite):
    """`OutageSuite` and `HangSuite` at once, and broken connections, for whoever tells where the server is.

    Attributes:
        server_address: Host and port of the server. `client()` connects to `self.proxy.host` and `self.proxy.port`.
    """

    server_address: tuple[str, int] = ("", 0)
    _proxy: FaultProxy | None = None

    @property
    def proxy(self) -> FaultProxy:
        """The way to the server. It begins when it is first asked for, and ends with the test."""
        if self._proxy is None:
            require(self.server_address[1], "FaultSuite needs server_address: see corepilot.testing.backends")
            self._proxy = FaultProxy(*self.server_address)
            self._proxy.__enter__()
        return self._proxy

    def stop(self) -> None:
        """Connections break, new ones are refused."""
        self.proxy.refuse()

    def start(self) -> None:
        """See `OutageSuite.start`."""
        self.proxy.heal()

    def pause(self) -> None:
        """Nothing passes, nothing is closed."""
        self.proxy.hold()

    def resume(self) -> None:
        """See `HangSuite.resume`."""
        self.proxy.heal()

    def teardown_method(self) -> None:
        """Called by pytest after each test."""
        try:
            super().teardown_method()
        finally:
            proxy, self._proxy = self._proxy, None
            if proxy is not None:
                proxy.__exit__(None, None, None)

    def test_a_connection_that_was_reset_is_replaced(self) -> None:
        """A server that closes what idles is an ordinary day: at the latest the second call works again."""
        client = self.open()
        registration = self.registration()
        self.register(client, registration)
        for _ in range(3):
            self.proxy.reset()
            with suppress(BackendUnavailableError):
                self.done(client.report, registration.id, "passing", "ok", 60.0)
            self._soon(lambda: client.report(registration.id, "warning", "ok", 60.0), "report")
        self.expect(self.listen(client), instance_of(registration, "warning"))
        self.use_facets(client)

    def test_half_an_answer_is_no_answer(self) -> None:
        """A connection that breaks within an answer is a BackendError, or is tried again; never half a list."""
        client = self.open()
        wanted = []
        for number in range(1, 21):
            registration = self.registration(number, tags=("a tag", "another one"))
            self.register(client, registration)
            wanted.append(instance_of(registration, "passing"))
        snapshot = tuple(sorted(wanted))
        for count in CUTS:
            self._breaking_after(count)
            with at_most(PATIENCE_S), suppress(BackendError):
                found = client.instances(Query(self.service))
                require(found == snapshot, f"half an answer is no answer, but instances told {len(found)} of 20")
            self.proxy.heal()
        self.expect(self.listen(client), *snapshot)

    def test_a_write_whose_answer_was_lost_is_not_lied_about(self) -> None:
        """`compare_and_set` raises where it does not know; what it returns is true."""
        if not self.has("keys"):
            return  # `Backend.keys` is not used then
        client = self.open()
        keys, key = self.keys(client), self.key("app")
        for count in CUTS:
            self.done(keys.put, key, b"old")
            entry = self.done(keys.get, key)
            require(entry is not None, "get must find a key that is there")
            done: bool | None = None
            self._breaking_after(count)
            with at_most(PATIENCE_S), suppress(BackendError):
                done = keys.compare_and_set(key, b"new", entry.version)  # type: ignore[union-attr]  # it was looked at
            self.proxy.heal()
            found = self._value(client, key)
            require(
                done is None or found == (b"new" if done else b"old"),
                f"compare_and_set must raise where it does not know, but returned {done} and the key holds {found!r}",
            )

    def test_a_grant_whose_answer_was_lost_is_found_again(self) -> None:
        """Whoever asks again has the lock, and nobody has it once it is released: nothing is left of the lost grant."""
        if not self.has("locks"):
            return  # `Backend.locks` is not used then
        client, other = self.open(), self.open()
        for count in CUTS:
            name = f"{self.service}-{count}"
            self._breaking_after(count)
            with at_most(PATIENCE_S), suppress(BackendError):
                self.acquire(client, name)
            self.proxy.heal()
            why = (
                "what may have been granted in a lost answer must be found again, or released before anything is asked"
            )
            self.acquired_in_time(client, name, self.deadline_s, why)
            require(self.acquire(other, name) is None, "a lock that was found again must be held")
            self.done(self.locks(client).release, name)
            why = "nothing may be left of a grant whose answer was lost"
            self.acquired_in_time(other, name, self.deadline_s, why)

    def _breaking_after(self, count: int) -> None:
        """Reset what is open, and let each new connection break once so many bytes have come from the server."""
        self.proxy.cut_after(count)
        self.proxy.reset()

    def _value(self, client: Backend, key: str) -> bytes | None:
        found = self._soon(lambda: self.keys(client).get(key), "get")
        return found.value if found is not None else None

    def _soon(self, call: Callable[[], _Answer], name: str) -> _Answer:
        with at_most(self.deadline_s):
            while True:
                try:
                    return call()
                except BackendUnavailableError:
                    gevent.sleep(0.05)
        raise AssertionError(f"{name} must work again after a connection broke, but did not for {self.deadline_s:g} s")
