"""Locks in Consul: a key that a session has acquired (developer.hashicorp.com/consul/docs/automate/session).

A session belongs to nobody but us: without checks of the node, on which one hangs by default, and which would end it
before its TTL. Its TTL is at least 10 s, and Consul ends it between once and twice that time after the last renewal, so
whoever counts on one TTL is on the safe side. When a session ends by itself, Consul grants the key to nobody for the
lock delay; after a release it is free at once.

The token is the key's ModifyIndex, read after each write that has put our session on it. LockIndex would not do: it
begins anew when somebody else writes the key. ModifyIndex is the place of a write in the servers' log, and only grows;
whoever has the lock later, has it by a later write.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from math import ceil
from typing import Any

from corepilot.discovery.locks import Locks
from corepilot.errors import BackendRefusedError, LockLostError
from corepilot.model.catalog import Grant
from corepilot_consul.keys import INTERVAL_S, Item, items
from corepilot_consul.light_consul import Consul
from corepilot_consul.transport import Transport
from corepilot_consul.watch import Answer, Streams, answer_of

FOLDER = "corepilot/locks"
"""The key of a lock is this, a slash and its name."""

SHORTEST_TTL_S, LONGEST_TTL_S = 10, 86400
"""What Consul takes as the TTL of a session; the light module says the same."""

LONGEST_DELAY_S = 60
"""What Consul takes as a lock delay; it cuts a longer one to this without a word."""


class _Session:
    """A session of ours for one lock.

    Attributes:
        id: Consul's name for it.
        holder: Who asked.
        ttl_s: Its TTL.
        token: Of the lock, while we know that the key is under this session; else 0. A session may outlive what it
            held: whoever deletes the key, or releases it for us, leaves it alone.
    """

    __slots__ = ("holder", "id", "token", "ttl_s")

    def __init__(self, identifier: str, holder: str, ttl_s: int) -> None:
        self.id, self.holder, self.ttl_s, self.token = identifier, holder, ttl_s, 0


class ConsulLocks(Locks):
    """The locks of one agent's datacenter. See `corepilot.discovery.locks.Locks`.

    Args:
        client: py-consul's.
        transport: Its transport.
        streams: Where watches are kept.
    """

    def __init__(self, client: Consul, transport: Transport, streams: Streams) -> None:
        self._kv, self._session = client.kv, client.session
        self._transport, self._streams = transport, streams
        self._sessions: dict[str, _Session] = {}
        self._turn: Any = None

    def acquire(self, name: str, holder: str, ttl_s: float, delay_s: float) -> Grant | None:
        """See Locks. A session is made only where the key is free, and kept for the next try in a lock delay."""
        if not SHORTEST_TTL_S <= ttl_s <= LONGEST_TTL_S:
            rule = f"a session lives for {SHORTEST_TTL_S} to {LONGEST_TTL_S} s in Consul"
            raise BackendRefusedError(f"cannot acquire {name} for {ttl_s:g} s: {rule}; set another `ttl` for the lock")
        with self._one_at_a_time():
            session = self._living(name)
            held = self._held(name)
            if session is not None and held.session == session.id:
                return self._granted(session, held, ttl_s)
            if session is not None:
                session.token = 0
                if held.session or session.ttl_s > ttl_s:
                    self._end(name, session)
                    session = None
            if held.session:
                return None
            session = session or self._begin(name, holder, int(ttl_s), delay_s)
            try:
                if not self._kv.put(_key(name), holder.encode(), acquire=session.id):
                    return None
            except LockLostError:
                del self._sessions[name]
                return None
            held = self._held(name)
            return self._granted(session, held, ttl_s) if held.session == session.id else None

    def keep(self, name: str) -> float:
        """See Locks. Renews the session, and looks whether the key is still under it."""
        session = self._sessions.get(name)
        if session is None or not session.token:
            raise LockLostError(f"cannot keep {name} at {self._transport.origin}: it was not acquired")
        try:
            self._session.renew(session.id)
        except LockLostError:
            session.token = 0
            raise
        if self._held(name).session != session.id:
            session.token = 0
            raise LockLostError(f"cannot keep {name} at {self._transport.origin}: {_key(name)} is not ours any more")
        return float(session.ttl_s)

    def release(self, name: str) -> None:
        """See Locks. The key is let go of before the session is ended, which would begin a lock delay."""
        with self._one_at_a_time():
            session = self._sessions.get(name)
            if session is not None:
                self._end(name, session)

    def watch(self, name: str) -> Iterator[str | None]:
        """See Locks. Blocking queries for the key; nothing is sent before the first `next`."""

        def ask(index: int, wait_s: int) -> Answer:
            return answer_of(self._kv.get(_key(name), index=index or None, wait=f"{wait_s}s"))

        def read(body: bytes) -> str | None:
            held = self._read(name, body)
            return held.value.decode("utf-8", "replace") if held.session else None

        return self._streams.follow(INTERVAL_S, ask, read)

    def _one_at_a_time(self) -> AbstractContextManager[Any]:
        """A release must not overtake the session that is being made."""
        if self._turn is None:
            from gevent.lock import BoundedSemaphore  # 0.4 MB, for those who have locks

            self._turn = BoundedSemaphore()
        turn: AbstractContextManager[Any] = self._turn
        return turn

    def _living(self, name: str) -> _Session | None:
        """Our session for a lock, renewed; None if there is none, or if it has ended."""
        session = self._sessions.get(name)
        if session is None:
            return None
        try:
            self._session.renew(session.id)
        except LockLostError:
            del self._sessions[name]
            return None
        return session

    def _begin(self, name: str, holder: str, ttl_s: int, delay_s: float) -> _Session:
        made = self._session.create(
            name=f"corepilot lock {name}",
            checks=[],
            lock_delay=min(ceil(delay_s), LONGEST_DELAY_S),
            ttl=ttl_s,
        )
        session = self._sessions[name] = _Session(str(made), holder, ttl_s)
        return session

    def _end(self, name: str, session: _Session) -> None:
        """End a session, whatever it holds.

        Raises:
            BackendError: it may or may not have ended; it is still known here, so that this can be tried again.
        """
        session.token = 0
        with suppress(LockLostError):
            self._kv.put(_key(name), session.holder.encode(), release=session.id)
        self._session.destroy(session.id)
        if self._sessions.get(name) is session:
            del self._sessions[name]

    def _held(self, name: str) -> Item:
        return self._read(name, answer_of(self._kv.get(_key(name), consistency="consistent")).body)

    def _read(self, name: str, body: bytes) -> Item:
        found = items(self._transport, _key(name), body)
        return found[0] if found else Item(_key(name), b"", 0, "")

    def _granted(self, session: _Session, held: Item, ttl_s: float) -> Grant:
        session.token = session.token or held.modified
        return Grant(session.token, min(float(session.ttl_s), ttl_s))


def _key(name: str) -> str:
    return f"{FOLDER}/{name}"
