"""Registers, reports and deregisters: ephemeral nodes, which are ours as long as their session is.

A node that another session has made under the same name, be it one of ours before a restart, is deleted and made again
in one transaction: so it is never missing, and never belongs to a session that will end before ours does.
"""

from collections.abc import Callable
from typing import Any

import gevent
from gevent import get_hub

from corepilot.errors import BackendError, BackendRefusedError, BackendUnavailableError, UnknownInstanceError
from corepilot.model.service import Registration, Status
from corepilot_zookeeper.errors import persistent
from corepilot_zookeeper.layout import Layout, instance_of, record_of
from corepilot_zookeeper.light_kazoo import exceptions
from corepilot_zookeeper.session import Session
from corepilot_zookeeper.sessions import Sessions

TRIES = 10
"""Transactions that others may come in between of, before it is given up."""

LAPSE_AGAIN_S = 1.0
"""After this long it is tried again to turn an instance critical that nobody reports on."""

_CONFLICTS = (exceptions.NoNodeError, exceptions.NodeExistsError, exceptions.BadVersionError, exceptions.NotEmptyError)


class _Held:
    """An instance that we have registered.

    Attributes:
        registration: As it was asked for last.
        session: Where its node is.
        status: What it says; None if that is not known.
        timer: Rings when its time without a report is over.
        lapsing: Turns it critical then.
    """

    def __init__(self, registration: Registration) -> None:
        self.registration = registration
        self.session: Session | None = None
        self.status: Status | None = None
        self.timer: Any = None
        self.lapsing: gevent.Greenlet[..., None] | None = None


class Registrations:
    """The instances of one backend. See `Backend` for what the methods promise.

    Args:
        sessions: Theirs.
        layout: Where they are.
        log: Takes a level and a message.
    """

    def __init__(self, sessions: Sessions, layout: Layout, log: Callable[[str, str], None]) -> None:
        self._sessions, self._layout, self._log = sessions, layout, log
        self._held: dict[str, _Held] = {}

    @persistent
    def register(self, registration: Registration, status: Status, output: str) -> None:
        """See `Backend.register`."""
        held = self._held.get(registration.id)
        if held is None:
            held = self._held[registration.id] = _Held(registration)
        elif held.registration.service != registration.service:
            self._remove(held)
        held.registration = registration
        self._lapse_after(held, registration.ttl_s)
        self._put(held, status, output)

    @persistent
    def report(self, instance_id: str, status: Status, output: str, valid_for_s: float) -> None:
        """See `Backend.report`. Nothing is written if the node says so already."""
        action = f"report on {instance_id}"
        held = self._held.get(instance_id)
        session = None if held is None else self._session_of(held, action)
        if held is None or session is None:
            raise UnknownInstanceError(f"cannot {action}: its session is over, or it was never registered")
        self._lapse_after(held, valid_for_s)
        places = self._layout.places(held.registration, status)
        stats = session.wait(action, *map(session.client.exists_async, places))
        owners = {stat.ephemeralOwner for stat in stats if stat is not None}
        if not owners:
            raise UnknownInstanceError(f"cannot {action}: {places[0]} is gone")
        if owners != {session.id}:
            raise self._taken(held, session, action)
        if status != held.status or stats[0] is None or not self._sessions.suits(session, held.registration.ttl_s):
            self._put(held, status, output)

    @persistent
    def deregister(self, instance_id: str) -> None:
        """See `Backend.deregister`. Takes out what was registered here; another client's instance of that id stays."""
        held = self._held.get(instance_id)
        if held is not None:
            self._stop_lapse(held)
            self._remove(held)
            self._held.pop(instance_id, None)
            self._sessions.sweep()

    def close(self) -> None:
        """Let nothing lapse any more. What is registered stays."""
        for held in self._held.values():
            self._stop_lapse(held)
        self._held.clear()

    def _session_of(self, held: _Held, action: str) -> Session | None:
        """The session that an instance was registered in, connected; None if it is over, and the instance with it."""
        session = held.session
        if session is None:
            return None
        try:
            session.require_connected(action)
        except BackendError:
            if session.over is None:
                raise
            return None
        return session

    def _taken(self, held: _Held, session: Session, action: str) -> BackendError:
        """What to say of an instance whose node is another session's."""
        places, service = self._layout.places(held.registration, "passing"), held.registration.service
        answers = session.wait(action, *map(session.client.get_async, places), absent=(exceptions.NoNodeError,))
        found = next((instance_of(service, "", answer[0], critical=False) for answer in answers if answer), None)
        rival = f", for {found.address}:{found.port}" if found else ""
        return BackendRefusedError(
            f"cannot {action}: another client has registered it since{rival}, and its node is left alone; "
            "give one of the two another `instance`"
        )

    def _put(self, held: _Held, status: Status, output: str) -> None:
        """Make the instance's node be there, in the present session, and its other one not."""
        registration = held.registration
        action = f"register {registration.id}"
        session = self._sessions.require(action, registration.ttl_s)
        former, held.session, held.status = held.session, session, None
        places = path, other = self._layout.places(registration, status)
        data = record_of(registration, status, output)
        session.holding.update(places)  # before it is so: an answer may be lost
        for _ in range(TRIES):
            here, there = session.wait(action, *map(session.client.exists_async, places))
            change = session.client.transaction()
            if there is not None:
                change.delete(other, there.version)
            if here is not None and here.ephemeralOwner == session.id:
                change.set_data(path, data, here.version)
            else:
                if here is not None:
                    change.delete(path, here.version)
                change.create(path, data, ephemeral=True)
            failed = session.commit(action, change, _CONFLICTS)
            if failed is None:
                held.status = status
                if former is not None and former is not session:
                    former.holding.difference_update(places)
                    self._sessions.sweep()
                return
            if here is None and isinstance(failed, exceptions.NoNodeError):
                session.make_path(action, path.rpartition("/")[0])
        raise BackendUnavailableError(f"cannot {action}: others write {path} all the time; is its id used twice?")

    def _remove(self, held: _Held) -> None:
        """Take the instance's nodes out, if they are ours."""
        action = f"deregister {held.registration.id}"
        session = self._session_of(held, action)
        if session is None:
            return
        places = self._layout.places(held.registration, "passing")
        stats = session.wait(action, *map(session.client.exists_async, places))
        ours = [
            session.client.delete_async(path, stat.version)
            for path, stat in zip(places, stats, strict=True)
            if stat is not None and stat.ephemeralOwner == session.id
        ]
        session.wait(action, *ours, absent=_CONFLICTS)
        session.holding.difference_update(places)
        held.session = None

    def _lapse_after(self, held: _Held, seconds: float) -> None:
        self._stop_lapse(held)
        held.timer = get_hub().loop.timer(seconds)
        held.timer.start(self._due, held, seconds)

    def _stop_lapse(self, held: _Held) -> None:
        timer, held.timer = held.timer, None
        if timer is not None:
            timer.stop()
            timer.close()
        lapsing, held.lapsing = held.lapsing, None
        if lapsing is not None:
            lapsing.kill(block=False)

    def _due(self, held: _Held, seconds: float) -> None:
        held.lapsing = gevent.spawn(self._lapse, held, seconds)

    def _lapse(self, held: _Held, seconds: float) -> None:
        """Nobody has reported in time. Where we are gone as well, the session's end does this."""
        while True:
            try:
                if self._session_of(held, "report") is not None and held.status != "critical":
                    self._put(held, "critical", f"no report for {seconds:g} s")
            except BackendError as error:
                self._log("debug", str(error))
                gevent.sleep(LAPSE_AGAIN_S)
            else:
                return
