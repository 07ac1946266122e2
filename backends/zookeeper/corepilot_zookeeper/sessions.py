"""Which session to use: one, with the smallest timeout that was asked for; made on demand, and made anew when over.

A timeout is fixed when a session begins. When a smaller one is asked for, another session takes over: what is held in
the old one is made anew in it at its next report, and the old one ends when it holds nothing any more.
"""

from collections.abc import Callable

from corepilot.errors import BackendError, BackendUnavailableError
from corepilot_zookeeper.session import Server, Session

LONGEST_S = 10.0
"""The timeout of a session for which nobody has asked for a smaller one, in seconds."""


class ReplacedError(Exception):
    """The session of a watch was replaced by one with a smaller timeout: open it again there."""


class Sessions:
    """The sessions of one backend.

    Args:
        server: Where.
        log: Takes a level and a message.
    """

    def __init__(self, server: Server, log: Callable[[str, str], None]) -> None:
        self._server, self._log = server, log
        self._timeout_s = LONGEST_S
        self._current: Session | None = None
        self._retired: list[Session] = []
        self._closed = False

    def require(self, action: str, ttl_s: float = LONGEST_S) -> Session:
        """The session to use, connected.

        Args:
            action: What it is for, to follow "cannot".
            ttl_s: What is made in it is to be gone this long after we are, at the latest.

        Raises:
            BackendError: There is none.
        """
        self._timeout_s = min(self._timeout_s, ttl_s)
        self._shorten(ttl_s)
        session = self._present()
        try:
            session.require_connected(action)
        except BackendError:
            if session.over is None or not session.was_connected:
                raise
            # It was over, which only a new connection could tell: the next one may do.
            session = self._present()
            session.require_connected(action)
        return session if session is self._current else self.require(action, ttl_s)

    def suits(self, session: Session, ttl_s: float) -> bool:
        """Whether it is the one to use for what has this TTL."""
        return session is self._current and not self._too_long(session, ttl_s)

    def poke(self, path: str) -> None:
        """Let those who watch a path look again, for something that the servers do not know."""
        for session in (self._current, *self._retired):
            if session is not None:
                session.client.changed(session.client.rooted(path))

    def sweep(self) -> None:
        """End the sessions that were replaced and hold nothing any more."""
        for session in [one for one in self._retired if one.over is not None or not one.holding]:
            self._retired.remove(session)
            session.close(end=True)

    def close(self) -> None:
        """Release everything. What is held stays until its session's timeout is over. Does not wait."""
        self._closed = True
        sessions, self._retired = self._retired, []
        if self._current is not None:
            sessions.append(self._current)
        for session in sessions:
            session.close(end=not session.holding)

    def _present(self) -> Session:
        if self._closed:
            raise BackendUnavailableError(f"cannot ask {self._server.address}: the client is closed")
        if self._current is None or self._current.over is not None:
            self._current = Session(self._server, self._timeout_s, self._log)
        return self._current

    def _shorten(self, ttl_s: float) -> None:
        session = self._current
        if session is not None and session.over is None and self._too_long(session, ttl_s):
            self._current = None
            self._retired.append(session)
            session.client.break_watches(ReplacedError())
            self.sweep()

    def _too_long(self, session: Session, ttl_s: float) -> bool:
        """Whether there is a point in asking for less: what the server has granted for less may still be more."""
        return ttl_s < session.asked_s and ttl_s < session.timeout_s
