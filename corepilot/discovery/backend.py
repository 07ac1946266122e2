"""The contract of a discovery backend: what stores services and instances, and perhaps keys and locks.

An author writes two modules. The light one (`Options`, `CAPABILITIES`, `API`, and a hook that returns the class) is
what the entry point names; see `corepilot.plugin`. The other holds a subclass of `Backend`. The suite that both must
pass is `corepilot.testing.backends`; nothing else is needed for a backend to be as good as the shipped ones.

What a backend can do stands in `CAPABILITIES`; corepilot uses nothing that is not declared there, and a configuration
that needs more is refused when it is loaded, with the names of the backends that have it:

- "services": it tells the instances of a service. With "register" it also takes registrations; without, it is read-only
  (such as DNS), and a job with a port is only warned about.
- "watch": its streams tell of a change when it happens. Without it corepilot asks `instances` again and again.
- "expiry": the store itself turns an instance critical when nobody reports on it in time.
- "datacenters": a query may name a datacenter.
- "keys": `Backend.keys` is there. "locks": `Backend.locks` is there. If the store takes no TTL outside certain limits,
  the light module says so as `LOCK_TTL_S = (10, 86400)`, in seconds, and a lock that has another one is refused when
  the configuration is loaded.

Who owns what. The registrar owns time and truth: it holds the desired registrations, decides when something is late,
retries with back-off, and puts a deadline on every call (a call that overruns it is ended by `gevent.Timeout`, which a
backend lets pass after closing what it opened). The watcher compares contents, retries and reopens. A backend only
translates, and keeps alive whatever lease or session its store needs.

All methods are called from greenlets of the hub's thread. They may switch to the hub (I/O through `corepilot.http` or
gevent's own sockets), and must never block it. Nothing is monkey-patched. A backend whose client library blocks says
so with `blocking = True`: then its methods are called in native threads, and may block; see `Backend.blocking`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from corepilot.model.service import Query, Registration, Snapshot, Status

if TYPE_CHECKING:
    from corepilot.discovery.keys import Keys
    from corepilot.discovery.locks import Locks


_Facet = TypeVar("_Facet")


def facet(make: Callable[[Any], _Facet]) -> _Facet:
    """Turn a method into a facet that it makes when it is first used.

        @facet
        def keys(self) -> "NotebookKeys":
            from corepilot_notebook.keys import NotebookKeys

            return NotebookKeys(self._open, self.options.look_s)

    Most configurations use neither keys nor locks, and then their modules take no memory. The method must not do I/O.
    If it raises, a configuration that uses the facet is refused.

    Args:
        make: A method called `keys` or `locks`.

    Returns:
        A descriptor: the attribute is made once for each backend.
    """
    return cast("_Facet", cached_property(make))


@dataclass(frozen=True, slots=True)
class BackendContext:
    """What corepilot tells a backend about the process it serves.

    Attributes:
        log: `log(level, message)`, level being one of debug, info, warning, error. Never blocks. The backend's name is
            added by the caller. No secrets.
        environment: The environment corepilot was given. Options that name a variable have been filled in already.
        version: corepilot's version, for a User-Agent and the like.
    """

    log: Callable[[str, str], None]
    environment: Mapping[str, str] = field(default_factory=dict)
    version: str = ""


class Backend(ABC):
    """One connection to a catalog.

    Made when a configuration first names the catalog with these options, kept over reloads as long as one does, and
    closed then. The services are the backend itself: most have nothing else. Keys and locks are facets on the same
    connection.

    Errors: every method raises only `BackendError`s (see `corepilot.errors` for which one means what), and lets
    `gevent.Timeout` and `GreenletExit` pass.

    Attributes:
        blocking: Whether the methods block the thread that calls them. All but the constructor and `address` are then
            called in native threads: the calls of one instance in a few at a time, so its client has to be thread-safe,
            and each stream in a thread of its own, where every `next` returns or raises within `STREAM_BLOCK_S`, with
            the same list again if nothing has changed: only between two of them can it be seen that nobody follows it
            any more. A native thread cannot be interrupted: a call that does not return within its deadline is given up
            with its thread, so the client needs shorter timeouts of its own, of a few seconds. While eight of those
            threads have not returned, calls are refused as the plugin's fault, and soon it is switched off. `gevent`
            must not be used in such methods; `BackendContext.log` may be.
        keys: The facet, or None: as declared. Set by the constructor, or made by a method under `facet`.
        locks: As `keys`.
    """

    blocking: ClassVar[bool] = False

    keys: "Keys | None" = None
    locks: "Locks | None" = None

    def __init__(self, options: Any, context: BackendContext) -> None:
        """Must not do I/O and must not fail: a catalog that is down at boot is an ordinary day.

        Args:
            options: An instance of the plugin's `Options`, validated.
            context: See `BackendContext`.
        """
        self.options = options
        self.context = context

    @property
    @abstractmethod
    def address(self) -> str:
        """Where the catalog is, for people: a URL or a path. No secrets.

        Two clients of one plugin with the same address share what they store: at a reload the old one leaves there what
        the new one has registered again. So it names the part of the store too, such as a prefix, where one is given.
        """

    def register(self, registration: Registration, status: Status, output: str) -> None:
        """Make the catalog hold the instance with this status. Idempotent: also replaces an older one of the same id.

        Args:
            registration: What to store.
            status: Its status from now on, for at most `registration.ttl_s` seconds unless reported on again.
            output: What the check said, at most 4 KiB. May be empty.

        Raises:
            BackendError: the instance may or may not be in the catalog; the registrar calls again.
        """
        raise NotImplementedError

    def report(self, instance_id: str, status: Status, output: str, valid_for_s: float) -> None:
        """Set the status of an instance that was registered.

        Args:
            instance_id: `Registration.id`.
            status: What it is now.
            output: What the check said, at most 4 KiB.
            valid_for_s: After this many seconds without another report the instance counts as critical. A store whose
                lease cannot be changed per report may ignore it: the registrar then reports critical itself.

        Raises:
            UnknownInstanceError: the catalog does not hold it (any more): the registrar registers it again.
        """
        raise NotImplementedError

    def deregister(self, instance_id: str) -> None:
        """Take the instance out of the catalog. Idempotent: an unknown id is no error."""
        raise NotImplementedError

    def instances(self, query: Query) -> Snapshot:
        """All instances of a service now, with their statuses: what `watch` yields first, which it is by default.

        Raises:
            BackendError: nothing is known.
        """
        with closing(cast("Generator[Snapshot]", self.watch(query))) as stream:
            return next(stream)

    def watch(self, query: Query) -> Iterator[Snapshot]:
        """Yield all instances of a service, with their statuses: at once, and again after every change.

        A generator. It may yield the same list twice (the watcher compares), and may leave out states that did not
        last, but never the last one. It raises on any loss of connection instead of retrying (the watcher retries, with
        back-off), and ends only by raising or by being closed. `close()` on the generator releases what it holds;
        while it waits, killing the greenlet that waits in it does (Python closes no generator that is running), and so
        does `Backend.close`.

        Raises:
            BackendError: the stream is over; the watcher opens another one.
        """
        raise NotImplementedError

    def service_names(self) -> tuple[str, ...]:
        """The names of all services that have an instance, sorted: for `corepilot catalog`. Need not be implemented.

        Raises:
            BackendError: nothing is known.
        """
        raise NotImplementedError

    @property
    def lists_services(self) -> bool:
        """Whether `service_names` is there."""
        return type(self).service_names is not Backend.service_names

    @classmethod
    def missing(cls, capabilities: frozenset[str]) -> str:
        """What the class has not of what its plugin declares, "" if nothing: asked when it is loaded.

        Facets are looked at when there is an instance, because its constructor makes them, or when they are used.
        """
        needed: dict[str, tuple[str, ...]] = {"register": ("register", "report", "deregister")}
        if {"services", "watch"} <= capabilities:
            needed["watch"] = ("watch",)
        for capability, methods in needed.items():
            for method in methods:
                if capability in capabilities and getattr(cls, method) is getattr(Backend, method):
                    return f'declares "{capability}" and has no method {method}'
        tells = cls.instances is not Backend.instances or cls.watch is not Backend.watch
        if "services" in capabilities and not tells:
            return 'declares "services" and has neither of the methods instances and watch'
        if not capabilities & {"services", "keys", "locks"}:
            return 'declares none of "services", "keys" and "locks" in CAPABILITIES, so nothing can be asked of it'
        return ""

    @abstractmethod
    def close(self) -> None:
        """Release every connection, file and greenlet. Does not deregister. Idempotent, never raises, does not wait.

        Whatever is called later, of keys and locks too, raises a `BackendError`.
        """


STREAM_BLOCK_S = 1.0
"""Seconds for which a stream of a `blocking` backend may wait until it yields again, changed or not."""
