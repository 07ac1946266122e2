"""kazoo's client with what it lacks: persistent watches, the negotiated timeout, and look-ups that do not block.

ZooKeeper 3.6 added watches that stay and see everything below a path (programmer's guide, "Persistent, Recursive
Watches"; opcodes 106 and 18 in ZooDefs.java). kazoo 2.11 knows only those that fire once, which would be one for each
instance, and one more question for each change. The four methods of kazoo that are replaced here are not public: the
requirement names the one release series they were read in, and a test compares their signatures.

The order of things on a connection is the server's: a watch's event comes before the answer to any later request. It
is kept here, because events are noted in the greenlet that reads the connection, before it reads on.
"""

import random
from collections.abc import Callable
from typing import Any

from corepilot.http.resolve import resolve
from corepilot_zookeeper.handler import Handler
from corepilot_zookeeper.light_kazoo import (
    Connect,
    ConnectionHandler,
    KazooClient,
    KazooRetry,
    Watch,
    exceptions,
)
from corepilot_zookeeper.watches import ANY_KIND, RECURSIVE, AddWatch, Changes, RemoveWatches

RECONNECT_DELAY_S = 0.05
RECONNECT_DELAY_MAX_S = 1.0
"""Between two rounds through the servers, while the session may still be alive there."""

ANSWER_MAX = 8 * 1024 * 1024
"""Bytes of an answer, at most: the names of a hundred thousand nodes. Servers refuse requests of more than 1 MiB."""


class _Connection(ConnectionHandler):  # type: ignore[misc]  # kazoo has no types
    """kazoo's connection. The methods are called by its own ones."""

    def _expand_client_hosts(self) -> list[tuple[str, str, int]]:
        found = []
        for host, port in self.client.hosts:
            try:
                found += [(host, address.name[0], address.name[1]) for address in resolve(host, port)]
            except OSError as error:
                self.client.failed(f"{host}: {error.strerror or error}")
        random.shuffle(found)
        return found

    def _connect_loop(self, retry: Any) -> Any:
        before = self.client.connections
        try:
            return super()._connect_loop(retry)
        finally:
            if self.client.connections == before:
                # A server that has seen less than we have closes the connection, and so does one whose data are lost:
                # for ever (kazoo's issue 42). Without this one that knows the session takes it, another says it is
                # over. That nothing older is seen, `sync` makes sure.
                self.client.last_zxid = 0
                self.client.on_round()

    def _read(self, length: int, timeout: float) -> bytes:
        if not 0 <= length <= ANSWER_MAX:
            raise exceptions.ConnectionDropped(f"an answer of {length} bytes, which ZooKeeper does not send")
        try:
            answer: bytes = self._socket.take(length, timeout)
        except OSError as error:
            raise _dropped(error) from None
        return answer

    def _write(self, msg: bytes, timeout: float) -> None:
        try:
            self._socket.send(msg, timeout)
        except OSError as error:
            raise _dropped(error) from None

    def _invoke(self, timeout: float, request: Any, xid: int | None = None) -> Any:
        answer = super()._invoke(timeout, request, xid)
        if isinstance(request, Connect):
            self.client.connections += 1
            if answer[0].time_out > 0:  # else the session is over
                self.client.negotiated_s = answer[0].time_out / 1000
        return answer

    def _read_watch_event(self, buffer: bytes, offset: int) -> None:
        self.client.changed(Watch.deserialize(buffer, offset)[0].path)


def _dropped(error: OSError) -> Exception:
    dropped: Exception = exceptions.ConnectionDropped(f"socket connection error: {error.strerror or error}")
    return dropped


class _Log:
    """What kazoo logs: only why a connection failed is of use. Requests, credentials in them, are not looked at."""

    def __init__(self, failed: Callable[[str], None]) -> None:
        self._failed = failed

    def warning(self, message: str, *arguments: object) -> None:
        if message.startswith(("Connection dropped", "Connection time-out", "AUTH_FAILED")):
            self._failed(message % arguments)

    def exception(self, message: str, *_arguments: object) -> None:
        self._failed(message)

    def log(self, _level: int, _message: str, *_arguments: object) -> None:
        pass

    debug = info = warn = error = lambda *_: None


class Client(KazooClient):  # type: ignore[misc]  # kazoo has no types
    """One client of kazoo, which is one session at most.

    Args:
        hosts: As in the options.
        timeout_s: The session timeout to ask for.
        handler: See `Handler`. Not shared.
        auth: Scheme and credential, or None.
        acl: For the nodes that are made; None for open ones.

    Attributes:
        negotiated_s: The session timeout that the server has granted; 0 before the first connection.
        failure: Why the last try to connect failed; "" if none did.
        connections: How many there have been.
        on_round: Called when every server has been tried in vain.
    """

    def __init__(
        self,
        hosts: str,
        timeout_s: float,
        handler: Handler,
        auth: tuple[str, str] | None,
        acl: list[Any] | None,
    ) -> None:
        self.negotiated_s = 0.0
        self.failure = ""
        self.connections = 0
        self.on_round: Callable[[], None] = lambda: None
        self._watched: dict[str, set[Changes]] = {}
        retry = KazooRetry(
            max_tries=-1, delay=RECONNECT_DELAY_S, max_delay=RECONNECT_DELAY_MAX_S, sleep_func=handler.sleep_func
        )
        super().__init__(
            hosts=hosts,
            timeout=timeout_s,
            handler=handler,
            default_acl=acl,
            auth_data={auth} if auth is not None else None,
            connection_retry=retry,
            command_retry=KazooRetry(max_tries=1, sleep_func=handler.sleep_func),
            logger=_Log(self.failed),
            use_ssl=handler.uses_tls,
        )
        self._connection = _Connection(self, self._conn_retry.copy(), logger=self.logger)

    def failed(self, reason: str) -> None:
        """A try to connect came to nothing, for this reason."""
        self.failure = reason

    def changed(self, path: str) -> None:
        """The server tells that a node has changed: note it for all who watch it or something above."""
        if not self._watched:
            return
        shown = self.unchroot(path)
        above = shown
        while True:
            for one in self._watched.get(above, ()):
                one.add(shown)
            if above in {"", "/"}:
                return
            above = above.rpartition("/")[0] or "/"

    def watch_below(self, path: str, changes: Changes) -> None:
        """Begin to note the changes of a path and everything below it: all that what is asked for later does not show.

        Returns at once. `changes` fails if the server refuses.
        """
        changes.paths.append(path)
        held = self._watched.setdefault(path, set())
        if not held:
            self._send(AddWatch(self.rooted(path), RECURSIVE)).rawlink(lambda result: self._added(path, result))
        held.add(changes)

    def unwatch(self, changes: Changes) -> None:
        """Note them no longer. Idempotent, does not wait."""
        for path in changes.paths:
            held = self._watched.get(path, set())
            held.discard(changes)
            if not held and self._watched.pop(path, None) is not None and self.connected:
                self._send(RemoveWatches(self.rooted(path), ANY_KIND))

    def break_watches(self, failure: Exception) -> None:
        """Changes may have been missed: every watch is over."""
        watched, self._watched = self._watched, {}
        for held in watched.values():
            for changes in held:
                changes.fail(failure)

    def _added(self, path: str, result: Any) -> None:
        if result.exception is not None:
            for changes in self._watched.pop(path, ()):
                changes.fail(result.exception)

    def rooted(self, path: str) -> str:
        """A path as the server names it, below the chroot."""
        return f"{self.chroot}{path}" if path != "/" else self.chroot or "/"

    def _send(self, request: Any) -> Any:
        result = self.handler.async_result()
        self._call(request, result)
        return result
