"""A service's instances: what the two paths of a service hold, kept up to date node by node.

After a change only the nodes that have changed are read, both places of each, so that one which moves between them is
never missed: the server answers in order, and tells of a change before it shows it. A node that has changed again by
the time its answer is there is read again before it counts.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from typing import Any

from corepilot.errors import BackendRefusedError
from corepilot.model.service import Instance, Query, Snapshot
from corepilot_zookeeper.errors import persistent
from corepilot_zookeeper.layout import Layout, instance_of, text_of
from corepilot_zookeeper.light_kazoo import exceptions
from corepilot_zookeeper.session import Session
from corepilot_zookeeper.sessions import ReplacedError, Sessions

AT_ONCE = 256
"""Nodes that are asked for before the first answer is waited for."""

ROUNDS = 8
"""A node that changes faster than it can be read counts as it was found the last time, after so many times."""

Places = tuple[str, ...]
_ABSENT = (exceptions.NoNodeError,)


Log = Callable[[str, str], None]


def watch(sessions: Sessions, layout: Layout, query: Query, log: Log) -> Iterator[Snapshot]:
    """See `Backend.watch`."""
    if query.datacenter:
        raise BackendRefusedError(
            f"cannot watch {query.service} in the datacenter {query.datacenter}: ZooKeeper has none; leave it out"
        )
    while True:
        view = _View(sessions.require(f"watch {query.service}"), layout, query, log)
        try:
            yield from view.follow()
        except ReplacedError:
            continue
        finally:
            view.close()


@persistent
def names(sessions: Sessions, layout: Layout) -> tuple[str, ...]:
    """See `Backend.service_names`. A service whose instances have gone leaves its node, which counts for nothing."""
    action = "list the services"
    session = sessions.require(action)
    client = session.client
    parents = layout.all_services
    found = session.wait(action, *[client.get_children_async(one) for one in parents], absent=_ABSENT)
    nodes = [(parent, name) for parent, below in zip(parents, found, strict=True) for name in below or ()]
    held: set[str] = set()
    for start in range(0, len(nodes), AT_ONCE):
        chunk = nodes[start : start + AT_ONCE]
        asked = [client.exists_async(f"{parent}/{name}") for parent, name in chunk]
        for (_, name), stat in zip(chunk, session.wait(action, *asked, absent=_ABSENT), strict=True):
            if stat is not None and stat.numChildren:
                held.add(text_of(name))
    return tuple(sorted(held))


class _View:
    """A service as one session sees it."""

    def __init__(self, session: Session, layout: Layout, query: Query, log: Log) -> None:
        self._session, self._query, self._log = session, query, log
        self._action = f"watch {query.service}"
        self._places: Places = (layout.services(query.service), layout.critical(query.service))
        if query.passing_only:
            self._places = self._places[:1]
        self._changes = session.watch_below(*self._places)
        self._known: dict[str, Instance] = {}
        self._ids: list[str] = []
        self._tries: dict[str, int] = {}
        self._named_nonsense = False

    def close(self) -> None:
        """Watch no longer."""
        self._session.client.unwatch(self._changes)

    def follow(self) -> Iterator[Snapshot]:
        """Yield the present state, and again after every change."""
        changed = self._list()
        while changed:  # what changes while it is read for the first time has no earlier state to stand for it
            self._read(changed)
            changed = self._taken()
        while True:
            yield self._snapshot()
            self._changes.event.wait()
            changed = self._taken()
            self._read(changed)

    def _taken(self) -> dict[str, Places]:
        """The nodes that have changed meanwhile, each with the places where it may be."""
        self._session.check(self._changes, self._action)
        paths = self._changes.take()
        if paths is None:
            return self._list()
        found: dict[str, Places] = {}
        for path in paths:
            parent, _, name = path.rpartition("/")
            if parent in self._places:
                found[name] = self._places
        return found

    def _list(self) -> dict[str, Places]:
        """Every node that is there, or was, each with the places where it is."""
        asked = [self._session.client.get_children_async(place) for place in self._places]
        found: dict[str, Places] = dict.fromkeys(self._known, self._places)
        for place, names in zip(self._places, self._wait(asked), strict=True):
            for name in names or ():
                found[name] = (*found.get(name, ()), place)
        return found

    def _read(self, changed: dict[str, Places]) -> None:
        names = list(changed)
        for start in range(0, len(names), AT_ONCE):
            chunk = [(name, place) for name in names[start : start + AT_ONCE] for place in changed[name]]
            answers = self._wait([self._session.client.get_async(f"{place}/{name}") for name, place in chunk])
            found: dict[str, Instance | None] = {}
            for (name, place), answer in zip(chunk, answers, strict=True):
                held = None if answer is None else self._instance(name, place, answer[0])
                found[name] = held or found.get(name)
            for name, instance in found.items():
                self._settle(name, instance)

    def _settle(self, name: str, instance: Instance | None) -> None:
        """Take over what was found, unless it is out of date already: then it will be read again."""
        pending = self._changes.pending
        tries = self._tries.get(name, 0) + 1
        if tries < ROUNDS and (pending is None or any(f"{place}/{name}" in pending for place in self._places)):
            self._tries[name] = tries
            return
        self._tries.pop(name, None)
        if instance is None:
            if self._known.pop(name, None) is not None:
                del self._ids[bisect_left(self._ids, text_of(name), key=text_of)]
        else:
            if name not in self._known:
                insort(self._ids, name, key=text_of)
            self._known[name] = instance

    def _instance(self, name: str, place: str, data: bytes) -> Instance | None:
        found = instance_of(self._query.service, name, data, critical=place != self._places[0])
        if found is None and not self._named_nonsense:
            self._named_nonsense = True
            self._log("warning", f"{place}/{name} is left out: it is not JSON with the host and port of an instance")
        return found

    def _snapshot(self) -> Snapshot:
        tag = self._query.tag
        known = self._known
        if not tag:
            return tuple([known[name] for name in self._ids])
        return tuple([known[name] for name in self._ids if tag in known[name].tags])

    def _wait(self, results: list[Any]) -> list[Any]:
        return self._session.wait(self._action, *results, absent=_ABSENT)
