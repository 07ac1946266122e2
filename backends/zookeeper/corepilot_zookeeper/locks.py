"""The facet `locks`: a queue of ephemeral, sequential nodes, of which the first holds the lock.

This is the recipe of ZooKeeper's documentation ("Recipes and Solutions", Locks), with the names of kazoo's Lock, so
that those who use kazoo's compete for the same lock. The token is the czxid of the holder's node: who comes later in
the queue has a higher one.

A session is kept alive by kazoo as long as the process turns. So that who does not ask loses the lock all the same, its
node is deleted when nobody has asked for its TTL. So is a node that we do not know of, because the answer was lost.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any

import gevent
from gevent import get_hub

from corepilot.discovery.locks import Locks
from corepilot.errors import BackendError, BackendRefusedError, BackendUnavailableError, LockLostError
from corepilot.model.catalog import Grant
from corepilot_zookeeper.errors import LostOnTheWayError, persistent
from corepilot_zookeeper.layout import Layout
from corepilot_zookeeper.light_kazoo import exceptions
from corepilot_zookeeper.session import Session
from corepilot_zookeeper.sessions import ReplacedError, Sessions

TRIES = 5
"""Times that the queue's own node may vanish before a lock is given up."""

LAPSE_AGAIN_S = 1.0
"""After this long it is tried again to delete a node that nobody has asked for in time."""

_DIGITS = 10
_ABSENT = (exceptions.NoNodeError,)


class _Place:
    """Our place in a queue.

    Attributes:
        path: Our node.
        session: What it belongs to.
        ttl_s: Seconds for which it is ours after each call.
        granted: Whether we have told that it is the first.
        timer: Rings when nobody has asked for it in time.
    """

    def __init__(self, path: str, session: Session) -> None:
        self.path, self.session = path, session
        self.ttl_s = 0.0
        self.granted = False
        self.timer: Any = None


class ZooKeeperLocks(Locks):
    """See `Locks`.

    Args:
        sessions: Those of the backend.
        layout: Where the queues are.
        log: Takes a level and a message.
    """

    def __init__(self, sessions: Sessions, layout: Layout, log: Callable[[str, str], None]) -> None:
        self._sessions, self._layout, self._log = sessions, layout, log
        self._me = os.urandom(16).hex()
        self._places: dict[str, _Place] = {}
        self._unsure: set[str] = set()
        self._lapsing: set[gevent.Greenlet[..., None]] = set()
        self._strays: dict[str, gevent.Greenlet[..., None]] = {}  # they delete what may be in a queue, after the TTL

    @persistent
    def acquire(self, name: str, holder: str, ttl_s: float, delay_s: float) -> Grant | None:  # noqa: ARG002
        """See `Locks.acquire`. A session's end needs no delay: it comes after its whole timeout."""
        action = f"acquire the lock {name}"
        place = self._place(name, action)
        session = self._sessions.require(action, ttl_s) if place is None else place.session
        if session.timeout_s > ttl_s:
            raise BackendRefusedError(
                f"cannot {action}: its TTL is {ttl_s:g} s, and the servers grant no session of less than "
                f"{session.timeout_s:g} s (twice their tickTime)"
            )
        queue = self._queue(session, action, name)
        lasts_s = min(ttl_s, session.timeout_s)
        if place is None or place.path not in queue:
            self._expect_strays(name, session, lasts_s)
            place = self._places[name] = self._join(session, name, holder, queue)
            self._lapse_later(name, place, lasts_s)
            self._expect_none(name)
            queue = self._queue(session, action, name)
        self._lapse_later(name, place, lasts_s)
        if not queue or queue[0] != place.path:
            return None
        stat = session.wait(action, session.client.exists_async(place.path))[0]
        if stat is None:
            raise BackendUnavailableError(f"cannot {action}: {place.path} is gone; ask again")
        if not place.granted:
            place.granted = True
            self._sessions.poke(self._layout.lock(name))
        return Grant(stat.czxid, place.ttl_s)

    def keep(self, name: str) -> float:
        """See `Locks.keep`. The answer comes through the leader, which knows whether the session is alive."""
        action = f"keep the lock {name}"
        place = self._place(name, action)
        if place is None or not place.granted:
            raise LockLostError(f"cannot {action}: it is not held")
        client = place.session.client
        try:
            _, stat = place.session.wait(action, client.sync_async(place.path), client.exists_async(place.path))
        except LostOnTheWayError:
            if place.session.over is None:
                raise
            stat = None
        if stat is None:
            self._leave(name)
            raise LockLostError(f"cannot {action}: {place.path} is gone")
        self._lapse_later(name, place, place.ttl_s)
        return place.ttl_s

    @persistent
    def release(self, name: str) -> None:
        """See `Locks.release`."""
        action = f"release the lock {name}"
        place = self._place(name, action)
        if place is None and name not in self._unsure:
            return
        session = self._sessions.require(action) if place is None else place.session
        ours = [path for path in self._queue(session, action, name) if self._is_ours(path)]
        session.wait(action, *map(session.client.delete_async, ours), absent=_ABSENT)
        self._expect_none(name)
        self._leave(name)
        session.holding.discard(self._layout.lock(name))
        self._sessions.sweep()

    def watch(self, name: str) -> Iterator[str | None]:
        """See `Locks.watch`. If the first place is ours and we have not been told so, the lock is free: for us."""
        action = f"watch the lock {name}"
        queue = self._layout.lock(name)
        while True:
            session = self._sessions.require(action)
            changes = session.watch_below(queue)
            try:
                while True:
                    session.check(changes, action)
                    changes.take()
                    yield self._holder(session, action, name)
                    changes.event.wait()
            except ReplacedError:
                continue
            finally:
                session.client.unwatch(changes)

    def close(self) -> None:
        """Let nothing lapse any more. What is held is free when its TTL is over."""
        for name in tuple(self._places):
            _stop(self._places.pop(name))
        for greenlet in (*self._lapsing, *self._strays.values()):
            greenlet.kill(block=False)

    def _place(self, name: str, action: str) -> _Place | None:
        """Our place, on a session that is connected; None if we have none, or its session is over."""
        place = self._places.get(name)
        if place is None:
            return None
        try:
            place.session.require_connected(action)
        except BackendError:
            if place.session.over is None:
                raise
            self._leave(name)
            self._unsure.add(name)  # over for us: the servers may take a little longer
            return None
        return place

    def _join(self, session: Session, name: str, holder: str, queue: list[str]) -> _Place:
        """Line up. What an answer that was lost has left in the queue goes first."""
        action = f"acquire the lock {name}"
        self._leave(name)
        strays = [session.client.delete_async(path) for path in queue if self._is_ours(path)]
        session.wait(action, *strays, absent=_ABSENT)
        above = self._layout.lock(name)
        for _ in range(TRIES):
            session.holding.add(above)
            made = session.client.create_async(
                f"{above}/{self._me}__lock__", holder.encode(), ephemeral=True, sequence=True
            )
            path = session.outcome(action, made, exceptions.NoNodeError)
            if not isinstance(path, Exception):
                return _Place(path, session)
            session.make_path(action, above)
        raise BackendUnavailableError(f"cannot {action}: somebody removes {above} all the time")

    def _leave(self, name: str) -> None:
        """Forget our place."""
        place = self._places.pop(name, None)
        if place is not None:
            _stop(place)
            place.session.holding.discard(self._layout.lock(name))

    def _queue(self, session: Session, action: str, name: str) -> list[str]:
        """The nodes of those who compete, the first one first."""
        above = self._layout.lock(name)
        names = session.wait(action, session.client.get_children_async(above), absent=_ABSENT)[0] or ()
        numbered = [one for one in names if one[-_DIGITS:].isdecimal() and one[-_DIGITS:].isascii()]
        return [f"{above}/{one}" for one in sorted(numbered, key=lambda one: one[-_DIGITS:])]

    def _is_ours(self, path: str) -> bool:
        return path.rpartition("/")[2].startswith(self._me)

    def _holder(self, session: Session, action: str, name: str) -> str | None:
        """Who holds it."""
        while queue := self._queue(session, action, name):
            place = self._places.get(name)
            if self._is_ours(queue[0]) and (place is None or not place.granted):
                return None
            found = session.wait(action, session.client.get_async(queue[0]), absent=_ABSENT)[0]
            if found is not None:
                data: bytes = found[0] or b""
                return data.decode(errors="replace")
        return None

    def _expect_strays(self, name: str, session: Session, ttl_s: float) -> None:
        """We line up: what becomes of it is not known until there is an answer, and nobody may ask again."""
        self._expect_none(name)
        self._unsure.add(name)
        self._strays[name] = gevent.spawn_later(ttl_s, self._delete_strays, name, session)

    def _expect_none(self, name: str) -> None:
        """Nothing of ours is in the queue but our place."""
        self._unsure.discard(name)
        greenlet = self._strays.pop(name, None)
        if greenlet is not None:
            greenlet.kill(block=False)

    def _delete_strays(self, name: str, session: Session) -> None:
        """Delete all that is ours in a queue in which we have no place; until the session is over, which does it."""
        action = f"release the lock {name}"
        while session.over is None:
            try:
                session.require_connected(action)
                ours = [path for path in self._queue(session, action, name) if self._is_ours(path)]
                session.wait(action, *map(session.client.delete_async, ours), absent=_ABSENT)
            except BackendError as error:
                self._log("debug", str(error))
                gevent.sleep(LAPSE_AGAIN_S)
            else:
                session.holding.discard(self._layout.lock(name))
                break
        del self._strays[name]  # whoever has it replaced has ended us

    def _lapse_later(self, name: str, place: _Place, ttl_s: float) -> None:
        _stop(place)
        place.ttl_s = ttl_s
        place.timer = get_hub().loop.timer(place.ttl_s)
        place.timer.start(self._due, name, place)

    def _due(self, name: str, place: _Place) -> None:
        self._leave(name)
        self._unsure.add(name)
        greenlet = gevent.spawn(self._lapse, name, place)
        self._lapsing.add(greenlet)
        greenlet.rawlink(self._lapsing.discard)

    def _lapse(self, name: str, place: _Place) -> None:
        """Delete our node; until its session is over, for nobody else has it deleted before."""
        action, session = f"release the lock {name}", place.session
        while session.over is None:
            try:
                session.require_connected(action)
                session.wait(action, session.client.delete_async(place.path), absent=_ABSENT)
            except BackendError as error:
                self._log("debug", str(error))
                gevent.sleep(LAPSE_AGAIN_S)
            else:
                return


def _stop(place: _Place) -> None:
    timer, place.timer = place.timer, None
    if timer is not None:
        timer.stop()
        timer.close()
