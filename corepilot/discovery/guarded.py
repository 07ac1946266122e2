"""A backend behind its boundary: what the registrar and the watchers talk to.

Every call goes through `corepilot.plugin.boundary`, and what comes back is judged and made plain: a backend that
answers nonsense is named with what was expected, and neither the registrar nor `status` ever sees it.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import gevent

from corepilot.discovery.backend import Backend, facet
from corepilot.discovery.guarded_calls import asking, result_of, within
from corepilot.discovery.guarded_snapshots import Snapshots, snapshot_of
from corepilot.discovery.making import stuck_in
from corepilot.errors import BackendError
from corepilot.model.service import Query, Registration, Snapshot, Status
from corepilot.plugin.boundary import MAKING_S, MODE, Boundary, PluginFaultError, WrongAnswerError
from corepilot.plugin.foreign import plain, shown
from corepilot.system.backoff import chance

if TYPE_CHECKING:
    from corepilot.discovery.keys import Keys
    from corepilot.discovery.locks import Locks

CLOSE_S = 1.0
POLL_JITTER = 0.2
"""The part of an interval by which a poll may come earlier, at most."""
ADDRESS_MAX = 500

_ALLOWED: tuple[type[BaseException], ...] = (BackendError, gevent.Timeout)  # whoever watches sets one


class GuardedBackend(Backend):
    """A backend that raises only what the contract allows, and `PluginFaultError`.

    A facet that the backend's class makes by a property is made, and looked at, when somebody wants it; any other one
    at once.

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
        self._backend: Backend = self._made("__init__", make)
        self._address = boundary.masked(self._made("address", lambda: self._backend.address, _address))
        for name in ("keys", "locks"):
            if not _is_property(type(self._backend), name):
                getattr(self, name)

    @facet
    def keys(self) -> "Keys | None":
        """The facet, if it is declared.

        Raises:
            PluginFaultError: it cannot be made, or is none.
        """
        if "keys" not in self.capabilities:
            return None
        from corepilot.discovery.guarded_facets import GuardedKeys
        from corepilot.discovery.keys import Keys

        found = self._made("keys", lambda: self._backend.keys, _is_a(Keys))
        return GuardedKeys(found, self.boundary, self._asked, self._address, pushes="watch" in self.capabilities)

    @facet
    def locks(self) -> "Locks | None":
        """As `keys`."""
        if "locks" not in self.capabilities:
            return None
        from corepilot.discovery.guarded_facets import GuardedLocks
        from corepilot.discovery.locks import Locks

        found = self._made("locks", lambda: self._backend.locks, _is_a(Locks))
        return GuardedLocks(found, self.boundary, self._asked, self._address)

    @property
    def address(self) -> str:
        """Where the catalog is. Asked once, when the backend is made."""
        return self._address

    @property
    def mode(self) -> str:
        """How a backend that has two ways, as the embedded one, learns of changes; "" for others. For people."""
        try:
            found: str = self.boundary.call(MODE, lambda: getattr(self._backend, "mode", ""), take=_mode)
        except PluginFaultError as error:
            self.boundary.report(error)
            return ""
        return found

    @property
    def stuck(self) -> int:
        """How many native threads of a blocking backend were given up and have not returned; also when it is off."""
        return stuck_in(self._backend)

    def register(self, registration: Registration, status: Status, output: str) -> None:
        """See Backend. Bounded by `CALL_S`."""
        self._ask("register", registration.id, self._backend.register, registration, status, output)

    def report(self, instance_id: str, status: Status, output: str, valid_for_s: float) -> None:
        """See Backend. Bounded by `CALL_S`."""
        self._ask("report", instance_id, self._backend.report, instance_id, status, output, valid_for_s)

    def deregister(self, instance_id: str) -> None:
        """See Backend. Bounded by `CALL_S`."""
        self._ask("deregister", instance_id, self._backend.deregister, instance_id)

    def instances(self, query: Query) -> Snapshot:
        """See Backend. Bounded by `CALL_S`."""
        found: Snapshot = within(
            self._address,
            "instances",
            lambda: asking(self.boundary, self._asked, "instances", self._backend.instances, query, take=snapshot_of),
        )
        return found

    def service_names(self) -> tuple[str, ...]:
        """See Backend. Bounded by `CALL_S`.

        Raises:
            NotImplementedError: the backend does not tell them.
        """
        backend = self._backend

        def call() -> Any:
            listed = self.boundary.call("lists_services", lambda: backend.lists_services, allowed=_ALLOWED, take=bool)
            if not listed:
                raise NotImplementedError
            return asking(self.boundary, self._asked, "service_names", backend.service_names, take=_names)

        found: tuple[str, ...] = within(self._address, "list the services", call)
        return found

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
            stream: Iterator[Any] = call("watch", self._backend.watch, query, allowed=_ALLOWED, take=_stream)
            for found in self.boundary.follow("watch", stream, allowed=_ALLOWED, take=Snapshots().take):
                self._asked("watch", "ok")
                yield found
        except (BackendError, PluginFaultError) as error:
            self._asked("watch", result_of(error))
            raise

    def close(self) -> None:
        """See Backend. A plugin that waits here is given up after `CLOSE_S` seconds."""
        self.boundary.quietly("close", self._backend.close, deadline_s=CLOSE_S)

    def _made(self, what: str, function: Callable[[], Any], take: Callable[[Any], Any] | None = None) -> Any:
        """What must not wait: it is not asked again."""
        return self.boundary.apart(what, function, deadline_s=MAKING_S, take=take)

    def _ask(self, operation: str, instance_id: str, function: Callable[..., Any], *arguments: Any) -> None:
        within(
            self._address,
            f"{operation} {instance_id}",
            lambda: asking(self.boundary, self._asked, operation, function, *arguments),
        )


def _is_property(kind: type, name: str) -> bool:
    """Whether an attribute is made when it is asked for. Nothing of the class is called."""
    found = next((vars(one)[name] for one in kind.__mro__ if name in vars(one)), None)
    return hasattr(type(found), "__get__")


def _names(found: Any) -> tuple[str, ...]:
    if isinstance(found, tuple | list) and all(isinstance(one, str) for one in found):
        return tuple(sorted([plain(one) for one in found]))
    raise WrongAnswerError(f"must return a tuple of texts, and returned {shown(found)}")


def _is_a(contract: type) -> Callable[[Any], Any]:
    """Takes a facet that is declared."""

    def take(found: Any) -> Any:
        if isinstance(found, contract):
            return found
        raise WrongAnswerError(f"is declared, and is {shown(found)}")

    return take


def _address(found: object) -> str:
    text = plain(found) if isinstance(found, str) else ""
    if isinstance(found, str) and len(text) <= ADDRESS_MAX and text.isprintable():
        return text
    raise WrongAnswerError(f"must be one line of text, and is {shown(found)}")


def _mode(found: object) -> str:
    return plain(found) if isinstance(found, str) else ""


def _stream(found: Any) -> Any:
    if hasattr(found, "__next__"):
        return found
    raise WrongAnswerError(f"must return a generator of snapshots, and returned {shown(found)}")
