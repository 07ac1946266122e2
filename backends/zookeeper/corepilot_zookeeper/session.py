"""One session with ZooKeeper: it connects, is suspended when its connection is lost, and is over when it expires.

The programmer's guide ("ZooKeeper Sessions") gives the rules: a session outlives its connections, and goes on when the
client reconnects in time; what it made as ephemeral is gone when it is over. A client without a connection is told that
only when it has another one, so a session that has had none for its whole timeout counts as over by our own clock.
"""

from collections.abc import Callable
from typing import Any

import gevent
from gevent import get_hub
from gevent.event import Event

from corepilot.errors import BackendError, BackendRefusedError, BackendUnavailableError
from corepilot.http.tls import TlsOptions
from corepilot_zookeeper.client import Client
from corepilot_zookeeper.errors import translated
from corepilot_zookeeper.handler import Handler
from corepilot_zookeeper.light_kazoo import KazooState, exceptions
from corepilot_zookeeper.watches import Changes

ROUNDS = 2
"""So often every server is tried in vain before a call on a session that had been connected fails."""

_OF_OTHERS = (exceptions.RolledBackError, exceptions.RuntimeInconsistency)  # in place of what would have been done

FAREWELL_S = 1.0
"""So long the server may take to end a session that holds nothing any more."""


class Server:
    """Where ZooKeeper is, and how to talk to it: what all sessions of a backend share.

    Args:
        hosts: As kazoo takes them: "host:port,host:port/chroot".
        tls: None for plain connections.
        auth: Scheme and credential, or None.
        acl: For the nodes that are made; None for open ones.
    """

    def __init__(
        self, hosts: str, tls: TlsOptions | None, auth: tuple[str, str] | None, acl: "list[Any] | None" = None
    ) -> None:
        self.hosts, self.tls, self.auth, self.acl = hosts, tls, auth, acl

    @property
    def address(self) -> str:
        """For people."""
        return f"zookeeper://{self.hosts}"


class Session:
    """One session; it connects when it is first asked for something, and never becomes another one.

    Args:
        server: Where.
        timeout_s: The session timeout to ask for.
        log: Takes a level and a message.

    Attributes:
        asked_s: The timeout that was asked for.
        holding: The ephemeral nodes that it has made. While there are any, closing does not end it at the server.
        over: Why it is over; None while it is not.
        was_connected: Whether it ever was.
    """

    def __init__(self, server: Server, timeout_s: float, log: Callable[[str, str], None]) -> None:
        self.asked_s = timeout_s
        self.holding: set[str] = set()
        self.over: BackendError | None = None
        self._server, self._log = server, log
        self._handler = Handler(server.tls)
        self.client = Client(server.hosts, timeout_s, self._handler, server.auth, server.acl)
        self.client.add_listener(self._heard)
        self.client.on_round = self._round
        self._news = Event()
        self._rounds = 0
        self.was_connected = False
        self._expiry: Any = None
        self.client.start_async()

    @property
    def timeout_s(self) -> float:
        """The session timeout that the server has granted, in seconds; before it has, the one that was asked for."""
        return self.client.negotiated_s or self.asked_s

    @property
    def id(self) -> int:
        """What the server calls it: the `ephemeralOwner` of its nodes. 0 before it is connected."""
        found = self.client.client_id
        return found[0] if found else 0

    def require_connected(self, action: str) -> None:
        """Wait until it is connected.

        Raises:
            BackendUnavailableError: No server answers, or it is over.
            BackendRefusedError: The credential is not accepted.
        """
        until = self._rounds + (ROUNDS if self.was_connected else 1)
        while not self.client.connected:
            if self.over is not None:
                raise self.over
            if self._rounds >= until:
                raise BackendUnavailableError(f"cannot {action} at {self._server.address}: {self._reason}")
            self._news.clear()
            self._news.wait()
        if self.over is not None:
            raise self.over

    def wait(self, action: str, *results: Any, absent: tuple[type[Exception], ...] = ()) -> list[Any]:
        """Wait for the answers to what was asked.

        Args:
            action: What is done, to follow "cannot".
            results: Of kazoo's `…_async` methods.
            absent: Exceptions that are an answer: None stands for it.

        Raises:
            BackendError: One of the others was raised.
        """
        answers = []
        for result in results:
            try:
                answers.append(result.get())
            except absent:
                answers.append(None)
            except exceptions.KazooException as error:
                raise translated(error, action, self._server.address) from None
        return answers

    def outcome(self, action: str, result: Any, *expected: type[Exception]) -> Any:
        """Wait for one answer; one of the expected exceptions is an answer too, and returned.

        Raises:
            BackendError: Another exception was raised.
        """
        try:
            return result.get()
        except expected as answer:
            return answer
        except exceptions.KazooException as error:
            raise translated(error, action, self._server.address) from None

    def commit(self, action: str, transaction: Any, conflicts: tuple[type[Exception], ...]) -> Exception | None:
        """Carry out a transaction, as a whole or not at all.

        Returns:
            None, or one of `conflicts`: the one that stopped it.

        Raises:
            BackendError: Something else did.
        """
        for outcome in self.wait(action, transaction.commit_async())[0]:
            if isinstance(outcome, conflicts):
                return outcome
            if isinstance(outcome, Exception) and not isinstance(outcome, _OF_OTHERS):
                raise translated(outcome, action, self._server.address)
        return None

    def make_path(self, action: str, path: str) -> None:
        """Make a node, and those above it, that are to stay. The path at the end of `hosts` is not made.

        Raises:
            BackendError: They may or may not be there.
        """
        # kazoo makes a missing chroot of one segment: with a typing error in it, everybody would have a catalog alone.
        lost = bool(self.client.chroot) and self.wait(action, self.client.exists_async("/")) == [None]
        ensured = (
            () if lost else self.wait(action, self.client.ensure_path_async(path), absent=(exceptions.NoNodeError,))
        )
        if lost or ensured == [None]:
            raise BackendRefusedError(
                f"cannot {action} at {self._server.address}: the path at the end of hosts does not exist; create it"
            )

    def watch_below(self, *paths: str) -> Changes:
        """See `Client.watch_below`. It fails when the connection is lost."""
        changes = Changes()
        for path in paths:
            self.client.watch_below(path, changes)
        return changes

    def check(self, changes: Changes, action: str) -> None:
        """Raise why a watch is over, if it is.

        Raises:
            BackendError: it is.
            ReplacedError: it is, because there is another session now.
        """
        failure = changes.failure
        if isinstance(failure, exceptions.KazooException):
            raise translated(failure, action, self._server.address)
        if failure is not None:
            raise failure

    def close(self, *, end: bool) -> None:
        """Release everything. Does not wait. Idempotent.

        Args:
            end: Whether the server is told that the session is over, if it can be reached; else it finds out.
        """
        connected = self.client.connected
        self._finish(BackendUnavailableError(f"cannot ask {self._server.address}: the client is closed"))
        if end and connected:
            gevent.spawn(self._farewell)
        else:
            self._handler.abandon()

    def _farewell(self) -> None:
        try:
            with gevent.Timeout(FAREWELL_S, False):  # type: ignore[arg-type]  # noqa: FBT003  - gevent takes it
                self.client.stop()
        except (exceptions.KazooException, OSError):
            pass  # it finds out by itself
        finally:
            self._handler.abandon()

    @property
    def _reason(self) -> str:
        return self.client.failure or "the connection was lost"

    def _heard(self, state: str) -> None:
        """Called by kazoo in the greenlet of its connection."""
        if self.over is not None:
            return
        if state == KazooState.CONNECTED:
            self.client.sync_async("/")  # whichever server it is: what is asked next is answered with the present state
            self._stop_timer()
            if not self.was_connected:
                self.was_connected = True
                self._log("info", f"connected to {self._server.address}, session timeout {self.timeout_s:g} s")
        elif state == KazooState.SUSPENDED:
            self._expiry = get_hub().loop.timer(self.timeout_s)
            self._expiry.start(self._expire)
            lost = f"cannot watch {self._server.address}: {self._reason}"
            self.client.break_watches(BackendUnavailableError(lost))
        else:
            self._expire()
            return
        self._news.set()

    def _expire(self) -> None:
        if self.client.client_state == "AUTH_FAILED":
            error: BackendError = BackendRefusedError(
                f"cannot connect to {self._server.address}: the server does not accept auth.credential"
            )
        else:
            error = BackendUnavailableError(f"cannot ask {self._server.address}: the session is over: {self._reason}")
        self._finish(error)
        self._handler.abandon()

    def _round(self) -> None:
        self._rounds += 1
        if not self.was_connected and self.over is None:
            # Nobody is served by knocking on: whoever wants something next tries again.
            self._finish(BackendUnavailableError(f"cannot connect to {self._server.address}: {self._reason}"))
            self._handler.abandon()
        self._news.set()

    def _finish(self, error: BackendError) -> None:
        self._stop_timer()
        if self.over is None:
            self.over = error
            self.client.break_watches(error)
            self._news.set()

    def _stop_timer(self) -> None:
        timer, self._expiry = self._expiry, None
        if timer is not None:
            timer.stop()
            timer.close()
