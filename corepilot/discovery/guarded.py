"""A backend behind its boundary: what the registrar and the watchers talk to.

Every call goes through `corepilot.plugin.boundary`, and what comes back is judged: a backend that answers nonsense is
named with what was expected, and neither the registrar nor `status` ever sees it.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import gevent

from corepilot.discovery.backend import Backend
from corepilot.discovery.backoff import chance
from corepilot.discovery.guarded_calls import asking, result_of, within
from corepilot.discovery.guarded_facets import GuardedKeys, GuardedLocks
from corepilot.discovery.keys import Keys
from corepilot.discovery.locks import Locks
from corepilot.errors import BackendError
from corepilot.model.service import Instance, Query, Registration, Snapshot, Status
from corepilot.plugin.boundary import Boundary, PluginFaultError

CLOSE_S = 1.0
POLL_JITTER = 0.2
"""The part of an interval by which a poll may come earlier, at most."""
ADDRESS_MAX = 500

_STATUSES = ("passing", "warning", "critical")
_ALLOWED: tuple[type[BaseException], ...] = (BackendError,)


class GuardedBackend(Backend):
    """A backend that raises only what the contract allows, and `PluginFaultError`.

    Args:
        make: Makes the plugin's instance.
        boundary: Its boundary.
        asked: Told of each call's name and result: ok, unknown, unavailable, timeout, refused, fault or error. Of a
            watch, of each answer.

        capabilities: What the plugin declares.

    Raises:
        PluginFaultError: the instance cannot be made, or has not what it declares.
    """

    def __init__(  # its own state: there are no options
        self,
        make: Callable[[], Backend],
        boundary: Boundary,
        asked: Callable[[str, str], None] = lambda _operation, _result: None,
        capabilities: frozenset[str] = frozenset({"services", "register", "watch"}),
    ) -> None:
        self.boundary, self._asked, self.capabilities = boundary, asked, capabilities
        self._backend: Backend = boundary.call("__init__", make)
        self._address = boundary.masked(boundary.call("address", lambda: self._backend.address, judge=_wrong_address))
        if "keys" in capabilities:
            found = boundary.call("keys", lambda: self._backend.keys, judge=_is_a(Keys))
            self.keys = GuardedKeys(found, boundary, asked, self._address, pushes="watch" in capabilities)
        if "locks" in capabilities:
            found = boundary.call("locks", lambda: self._backend.locks, judge=_is_a(Locks))
            self.locks = GuardedLocks(found, boundary, asked, self._address)

    @property
    def address(self) -> str:
        """Where the catalog is. Asked once, when the backend is made."""
        return self._address

    @property
    def mode(self) -> str:
        """How a backend that has two ways, as the embedded one, learns of changes; "" for others. For people."""
        try:
            found = self.boundary.call("mode", lambda: getattr(self._backend, "mode", ""))
        except PluginFaultError as error:
            self.boundary.report(error)
            return ""
        return found if isinstance(found, str) else ""

    def register(self, registration: Registration, status: Status, output: str) -> None:
        """See Backend."""
        self._ask("register", self._backend.register, registration, status, output)

    def report(self, instance_id: str, status: Status, output: str, valid_for_s: float) -> None:
        """See Backend."""
        self._ask("report", self._backend.report, instance_id, status, output, valid_for_s)

    def deregister(self, instance_id: str) -> None:
        """See Backend."""
        self._ask("deregister", self._backend.deregister, instance_id)

    def instances(self, query: Query) -> Snapshot:
        """See Backend. Bounded by `CALL_S`."""
        found = within(
            self._address,
            "instances",
            lambda: asking(
                self.boundary, self._asked, "instances", self._backend.instances, query, judge=_wrong_snapshot
            ),
        )
        return tuple(sorted(found, key=lambda one: one.id))

    def service_names(self) -> tuple[str, ...]:
        """See Backend. Bounded by `CALL_S`.

        Raises:
            NotImplementedError: the backend does not tell them.
        """
        backend = self._backend
        if not backend.lists_services:
            raise NotImplementedError

        def call() -> Any:
            return asking(self.boundary, self._asked, "service_names", backend.service_names, judge=_wrong_names)

        return tuple(sorted(within(self._address, "list the services", call)))

    def watch(self, query: Query) -> Iterator[Snapshot]:
        """See Backend. A list is taken for a tuple; the instances are sorted by id.

        A backend that cannot watch is asked every `query.interval_s` seconds, a random part less, so that many do not
        ask in step.
        """
        if "watch" not in self.capabilities:
            while True:
                yield self.instances(query)
                gevent.sleep(query.interval_s * (1.0 - POLL_JITTER * chance()))
        call = self.boundary.call
        try:
            stream: Iterator[Any] = call("watch", self._backend.watch, query, allowed=_ALLOWED, judge=_no_stream)
            for found in self.boundary.follow("watch", stream, allowed=_ALLOWED, judge=_SnapshotJudge()):
                self._asked("watch", "ok")
                yield tuple(sorted(found, key=lambda one: one.id))
        except (BackendError, PluginFaultError) as error:
            self._asked("watch", result_of(error))
            raise

    def close(self) -> None:
        """See Backend. A plugin that waits here is given up after `CLOSE_S` seconds."""
        self.boundary.quietly("close", self._backend.close, deadline_s=CLOSE_S)

    def _ask(self, operation: str, function: Callable[..., Any], *arguments: Any) -> None:
        asking(self.boundary, self._asked, operation, function, *arguments)


def _wrong_names(found: Any) -> str:
    if isinstance(found, tuple | list) and all(isinstance(one, str) for one in found):
        return ""
    return f"must return a tuple of texts, and returned {found!r:.80}"


def _is_a(contract: type) -> Callable[[Any], str]:
    """Judges a facet that is declared."""
    return lambda found: "" if isinstance(found, contract) else f"is declared, and is {found!r:.80}"


def _wrong_address(found: object) -> str:
    if isinstance(found, str) and len(found) <= ADDRESS_MAX and found.isprintable():
        return ""
    return f"must be one line of text, and is {found!r:.80}"


def _no_stream(found: object) -> str:
    if hasattr(found, "__next__"):
        return ""
    return f"must return a generator of snapshots, and returned {found!r:.80}"


class _SnapshotJudge:
    """Judges the snapshots of one stream. Instances that were in the one before are known, and cost next to nothing."""

    def __init__(self) -> None:
        self._last: tuple[Any, ...] = ()
        self._known: frozenset[int] = frozenset()

    def __call__(self, found: Any) -> str:
        wrong = _wrong_snapshot(found, self._known)
        if not wrong:
            self._last = tuple(found)  # as long as they are kept, their identities are theirs alone
            self._known = frozenset(map(id, self._last))
        return wrong


def _wrong_snapshot(found: Any, known: frozenset[int] = frozenset()) -> str:
    expected = "must yield tuples of corepilot.model.service.Instance"
    if not isinstance(found, tuple | list) or isinstance(found, Instance):
        return f"{expected}, and yielded {found!r:.80}"
    for one in found:
        if id(one) in known:
            continue
        if not isinstance(one, Instance):
            return f"{expected}, and yielded one with {one!r:.80}"
        wrong = _wrong_instance(one)
        if wrong:
            return f"must yield instances whose {wrong}, and yielded {one!r:.200}"
    ids = {one.id for one in found}
    if len(ids) < len(found):
        twice = next(one.id for one in found if one.id not in ids or ids.remove(one.id))  # type: ignore[func-returns-value]
        return f"must yield each id once, and yielded {twice!r} twice"
    return ""


def _wrong_instance(fields: Iterable[Any]) -> str:
    """What is wrong with the fields of an instance: a value does not look at their types."""
    identity, service, address, port, status, tags = fields
    if not all(isinstance(text, str) for text in (identity, service, address)):
        return "id, service and address are texts"
    if type(port) is not int or not 0 <= port < 65536:
        return "port is a number from 0 to 65535"
    if status not in _STATUSES:
        return f"status is one of {', '.join(_STATUSES)}"
    if not isinstance(tags, tuple) or not all(isinstance(tag, str) for tag in tags):
        return "tags are a tuple of texts"
    return ""
