"""Turns what catalogs say about one thing into events: changed, then healthy or unhealthy.

At first there is nothing, so what is absent at the start causes no event. When a catalog cannot be read, what was
known stays. `corepilot.discovery.content` says what is a change.

The first look is after one interval, as ContainerPilot's: jobs that react to changes find those started that they tell
(`atStart` looks at once). From then on it is ours: changes are pushed, not polled for; and each watch has a memory of
its own, so two watches on one service with different tags do not disturb each other.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import gevent

from corepilot.discovery.backend import Backend
from corepilot.discovery.connection import Connection
from corepilot.discovery.content import alike, combined
from corepilot.discovery.debounce import Debounce
from corepilot.discovery.follower import FIRST_S, REOPEN_S, Follower
from corepilot.errors import BackendRefusedError
from corepilot.model.catalog import Entries
from corepilot.model.configuration import Watch
from corepilot.model.event import Event
from corepilot.model.service import Query, Snapshot
from corepilot.system.backoff import Backoff
from corepilot.system.leaving import Leaving


class CatalogView(NamedTuple):
    """One catalog, as a watcher sees it.

    Attributes:
        name: What the configuration calls it.
        backend: Its client. It is not closed here.
        connection: What is known of it: shared by all that is asked there.
        log: Takes a level and a message.
    """

    name: str
    backend: Backend
    connection: Connection
    log: Callable[[str, str], None]


class _Look:
    """A look in one catalog.

    Attributes:
        view: The catalog.
        found: Its last list of a service; None before the first one.
        fresh: Whether the watch looks there since a later configuration than its first one.
        follower: What follows it there.
    """

    __slots__ = ("follower", "found", "fresh", "view")
    follower: Follower

    def __init__(self, view: CatalogView, found: Snapshot | None, *, fresh: bool) -> None:
        self.view, self.found, self.fresh = view, found, fresh


class Watcher:
    """One watch, and its greenlets between `start` and `close`.

    Args:
        watch: What to watch.
        catalogs: Where: one, or for services several.
        publish: Takes the events. Must not block.
        answered: Called once, when something is known, be it that there is nothing. Must not switch.
        first_s: The most that a stream's first answer may take, in seconds.
        reopen_s: How long a stream is used, about, in seconds.
        backoff: The pauses after failures.
        told: What jobs were told of another thing that was watched under this name until a reload: `told` of that
            watcher. They are told of what differs, and the first look is at once. None: of nothing.

    Attributes:
        watch: What is watched.
        instances: The last list of a service, empty before the first one. Passing instances, and others where the
            backend tells.
        entries: The last content of keys.
    """

    def __init__(
        self,
        watch: Watch,
        catalogs: Iterable[CatalogView],
        publish: Callable[[Event], None],
        *,
        answered: Callable[[], None] = lambda: None,
        first_s: float = FIRST_S,
        reopen_s: float = REOPEN_S,
        backoff: Backoff | None = None,
        told: tuple[object, ...] | None = None,
    ) -> None:
        self.watch = watch
        self.instances: Snapshot = ()
        self.entries: Entries = ()
        self._source = f"watch.{watch.name}"
        self._publish = publish
        self._tell_answered = answered
        self._was_known = self._has_entries = False
        self._past: list[Snapshot] = []  # the last lists of catalogs that are not looked in any more
        self._content: tuple[object, ...] | None = None  # before the first list
        self._told: tuple[object, ...] = told or ()
        self._debounce = Debounce(watch.debounce_s)
        self._telling: gevent.Greenlet[[], None] | None = None
        self._closed = False
        self._first_s, self._reopen_s, self._backoff = first_s, reopen_s, backoff
        self._started = False
        self._looks_at_once = watch.at_start or told is not None
        self._looks: list[_Look] = []
        self.look_in(catalogs)

    def change(self, watch: Watch) -> None:
        """Go on with other settings: a watch of the same thing. What is known and what was told stay.

        Returns at once. With another interval it looks anew, because a catalog may be asked at this interval.
        """
        before, self.watch = self.watch, watch
        if watch.debounce_s != before.debounce_s:
            self._debounce.quiet_s = watch.debounce_s
            if self._telling is not None:  # it waits for the quiet of before
                self._telling.kill(Leaving(), block=False)
                self._telling = gevent.spawn(self._tell_when_quiet)
        if (watch.interval_s, watch.at_start) != (before.interval_s, before.at_start):
            for look in self._looks:
                look.follower.close()
                look.follower = self._follower(look)
            if self._started:
                self.start()

    def look_in(self, catalogs: Iterable[CatalogView]) -> None:
        """Look in these from now on.

        A client that stays keeps its stream, whatever its catalog is called. What is known of a catalog is kept if it
        gets another client, and if it goes, until those that are new have answered.
        """
        views, before = list(catalogs), self._looks
        stays = {id(view.backend) for view in views}
        gone = {one.view.name: one for one in before if id(one.view.backend) not in stays}
        self._looks = []
        for view in views:
            look = next((one for one in before if one.view.backend is view.backend), None)
            if look is None:
                replaced = gone.get(view.name)
                look = _Look(view, replaced.found if replaced is not None else None, fresh=bool(before))
                look.follower = self._follower(look)
            look.view = view
            self._looks.append(look)  # in the order of the configuration: of equals the first counts
        for look in gone.values():
            look.follower.close()
        names = {view.name for view in views}
        self._past += [one.found for name, one in gone.items() if one.found and name not in names]
        if gone and self.watch.kind == "service":
            self._take_lists()
        if self._started:
            self.start()

    def start(self) -> None:
        """Begin to watch. Returns at once. Idempotent."""
        self._started = True
        for look in self._looks:
            look.follower.start()

    def close(self) -> None:
        """End the watch; no event comes after this. Returns at once. Idempotent."""
        self._closed = True
        for look in self._looks:
            look.follower.close()
        if self._telling is not None:
            self._telling.kill(Leaving(), block=False)

    @property
    def catalogs(self) -> tuple[str, ...]:
        """The names of the catalogs it looks in."""
        return tuple([one.view.name for one in self._looks])

    @property
    def known(self) -> bool:
        """Whether it can be told what there is: each catalog has answered, or one that there is something."""
        if self._content:
            return True
        return self._has_entries if self.watch.kind != "service" else all(one.found is not None for one in self._looks)

    @property
    def passing_instances(self) -> Snapshot:
        """The passing ones of the last list, sorted by id."""
        return tuple([one for one in self.instances if one.status == "passing"])

    @property
    def told(self) -> tuple[object, ...]:
        """What there was when it was last told."""
        return self._told

    @property
    def is_healthy(self) -> bool:
        """Whether there is something, as was told: a passing instance, or a key."""
        return bool(self._told)

    @property
    def lag_s(self) -> float:
        """How old what is known may be: the longest time that one of the catalogs has not answered."""
        return max((one.follower.lag_s for one in self._looks), default=0.0)

    @property
    def last_error(self) -> str:
        """Why one of the catalogs does not answer; "" when all do."""
        return next((one.follower.last_error for one in self._looks if one.follower.last_error), "")

    @property
    def passing(self) -> int:
        """How many passing instances, or keys, are known."""
        return len(self._content or ())

    def status(self) -> dict[str, object]:
        """What `corepilot status` shows.

        Returns:
            `name`, `kind`, `service`, `key` or `prefix`, `tag`, `dc`, `instances` (how many it was told of; of keys,
            how many there are), `passing` (how many), `connected` (whether each catalog has a stream that has
            answered), `catalogs` and `last_error`.
        """
        watch = self.watch
        return {
            "name": watch.name,
            "kind": watch.kind,
            watch.kind: watch.target,
            "tag": watch.tag,
            "dc": watch.datacenter,
            "instances": len(self.instances) if watch.kind == "service" else len(self.entries),
            "passing": self.passing,
            "connected": all(one.follower.connected for one in self._looks),
            "catalogs": list(self.catalogs),
            "last_error": self.last_error,
        }

    def _follower(self, look: _Look) -> Follower:
        watch, view = self.watch, look.view

        def take(answer: Any) -> None:
            if watch.kind == "service":
                look.found = answer
                self._take_lists()
            else:
                self._has_entries = True
                self._take_entries(answer)
            if not self._was_known and self.known:
                self._was_known = True
                self._tell_answered()

        return Follower(
            self._source,
            watch.target,
            lambda: _stream(watch, view.backend),
            take,
            connection=view.connection,
            log=view.log,
            wait_s=0.0 if self._looks_at_once or self._started else watch.interval_s,
            first_s=self._first_s,
            reopen_s=self._reopen_s,
            backoff=self._backoff,
        )

    def _take_lists(self) -> None:
        if not any(one.fresh and one.found is None for one in self._looks):
            self._past.clear()
        self.instances = combined([*[one.found for one in self._looks if one.found is not None], *self._past])
        passing = self.passing_instances
        if passing or self._content or all(one.found is not None for one in self._looks):
            self._changed_to(passing)

    def _take_entries(self, entries: Entries) -> None:
        self.entries = entries
        self._changed_to(tuple([(one.key, one.value) for one in entries]))

    def _changed_to(self, content: tuple[object, ...]) -> None:
        if self._content is not None and alike(content, self._content):
            return
        self._content = content
        if alike(content, self._told):
            self._debounce.told()  # it is as it was: there is nothing to tell
            return
        self._debounce.changed(time.monotonic())
        if not self.watch.debounce_s:
            self._tell()
        elif self._telling is None:
            self._telling = gevent.spawn(self._tell_when_quiet)

    def _tell_when_quiet(self) -> None:
        while pause_s := self._debounce.due_s(time.monotonic()):
            gevent.sleep(pause_s)
        self._telling = None
        if self._debounce.pending:
            self._tell()

    def _tell(self) -> None:
        self._debounce.told()
        if self._closed:
            return
        self._told = self._content or ()
        self._publish(Event("changed", self._source))
        self._publish(Event("healthy" if self._told else "unhealthy", self._source))


def _stream(watch: Watch, backend: Backend) -> Iterator[Any]:
    if watch.kind == "service":
        query = Query(watch.target, watch.tag, watch.datacenter, watch.interval_s, passing_only=True)
        return backend.watch(query)
    if backend.keys is None:
        raise BackendRefusedError(f"cannot watch {watch.target}: the catalog {backend.address} keeps no keys")
    return backend.keys.watch(watch.target, prefix=watch.kind == "prefix")
