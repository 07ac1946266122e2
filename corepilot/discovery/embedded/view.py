"""What one watch knows of a service's directory: the records of its living instances, and when to look again."""

import os
from collections.abc import Callable, Mapping
from typing import NamedTuple

from corepilot.discovery.embedded.clock import BootClock
from corepilot.discovery.embedded.inspection import RecordState, inspect
from corepilot.discovery.embedded.record import Record
from corepilot.discovery.embedded.tidy import remove
from corepilot.model.service import Instance, Query, Snapshot

_AGAIN_S = (0.002, 0.008, 0.032, 0.128, 0.512, 2.0)
"""When to look again at what was not clear: seconds after the look before."""


class _Entry(NamedTuple):
    record: Record
    seen_at: float
    instance: Instance


class View:
    """The living instances of one directory, as of the last look at each file.

    Args:
        directory: The service's directory.
        query: Which instances to show.
        clock: Now, and the boot's id.
        ignore: Told of each file that is ignored: its path, and why.
    """

    def __init__(self, directory: str, query: Query, clock: BootClock, ignore: Callable[[str, str], None]) -> None:
        self._directory = directory
        self._query = query
        self._clock = clock
        self._ignore = ignore
        self._entries: dict[str, _Entry] = {}
        self._again: dict[str, tuple[float, int]] = {}

    @property
    def unclear(self) -> frozenset[str]:
        """The names that have to be looked at again, because their holder was writing, or dying, just then."""
        return frozenset(self._again)

    def read_all(self) -> set[str]:
        """Look at every file, and forget those that have gone; returns the names that were not as we knew them.

        Raises:
            OSError: the directory, or a file, cannot be looked at for lack of something.
        """
        with os.scandir(self._directory) as found:
            names = {entry.name for entry in found if not entry.name.startswith(".")}
        names |= self._entries.keys()
        return {name for name in names if self._look(name)}

    def read(self, names: Mapping[str, int], closed: int) -> None:
        """Look at the files that something happened to.

        Args:
            names: Names, and what happened to them.
            closed: The bit that says: somebody who could write it has closed it.
        """
        for name, events in names.items():
            self._look(name)
            if events & closed and name in self._entries and name not in self._again:
                # The kernel tells of the close just before it releases the lock: look again when it has.
                self._again[name] = (self._clock() + _AGAIN_S[0], 0)

    def read_unclear(self) -> None:
        """Look again at what was not clear, as far as it is due."""
        now = self._clock()
        for name, (due_at, attempt) in list(self._again.items()):
            if due_at <= now:
                known = self._entries.get(name)
                self._look(name, attempt + 1)
                if name not in self._again and known is not None and known is self._entries.get(name):
                    self._look_later(name, attempt + 1)

    def snapshot(self) -> Snapshot:
        """The instances that the query asks for, by their present status. Of two with one id, the later registered."""
        now = self._clock()
        latest: dict[str, tuple[float, str, _Entry]] = {}
        for name, entry in self._entries.items():
            record = entry.record
            if record.service == self._query.service:
                known = latest.get(record.id)
                if known is None or known[:2] < (record.since, name):
                    latest[record.id] = (record.since, name, entry)
        tag = self._query.tag
        return tuple(
            [
                entry.instance if now < self._lapses_at(entry) else entry.record.instance(lapsed=True)
                for _, (_, _, entry) in sorted(latest.items(), key=_id)
                if not tag or tag in entry.record.tags
            ]
        )

    def next_look_s(self) -> float | None:
        """Seconds until something lapses, or has to be looked at again, unless there is news before; None for never."""
        now = self._clock()
        moments = [due_at for due_at, _ in self._again.values()]
        moments += [moment for moment in map(self._lapses_at, self._entries.values()) if moment > now]
        return max(0.0, min(moments) - now) if moments else None

    def _lapses_at(self, entry: _Entry) -> float:
        """When an entry lapses: by its stamp or, where that is of another boot, by our clock from when we saw it."""
        record = entry.record
        by_us = entry.seen_at + record.valid_for_s
        return min(record.until, by_us) if record.boot == self._clock.boot else by_us

    def _look(self, name: str, attempt: int = 0) -> bool:
        """Look at a file and remember; returns whether it was not as we knew it."""
        path = os.path.join(self._directory, name)
        found = inspect(path)
        before = self._entries.get(name)
        if found.state is RecordState.TORN:
            if attempt < len(_AGAIN_S):
                self._look_later(name, attempt)
                return False
            self._ignore(path, found.reason)  # it is not being written: it is broken
        self._again.pop(name, None)
        if found.state is RecordState.ALIVE and found.record is not None:
            if before is None or before.record != found.record:
                self._entries[name] = _Entry(found.record, self._clock(), found.record.instance(lapsed=False))
                return True
            return False
        if found.state is RecordState.FOREIGN:
            self._ignore(path, found.reason)
        remove(path, found, self._clock)
        return self._entries.pop(name, None) is not None

    def _look_later(self, name: str, attempt: int) -> None:
        if attempt < len(_AGAIN_S):
            self._again[name] = (self._clock() + _AGAIN_S[attempt], attempt)
        else:
            self._again.pop(name, None)


def _id(item: tuple[str, object]) -> str:
    return item[0]
