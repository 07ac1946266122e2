"""What one watch knows of a service's directory: the records of its living instances, and when to look again.

Everything is kept up to date file by file, so that one report costs the same however many instances there are, and only
a change that shows makes a new snapshot.
"""

import os
from bisect import bisect_left, insort
from collections.abc import Callable, Mapping

from corepilot.discovery.embedded.alarms import Alarms
from corepilot.discovery.embedded.clock import BootClock
from corepilot.discovery.embedded.inspection import FileVersion, Inspection, RecordState, inspect, version_of
from corepilot.discovery.embedded.record import Record
from corepilot.discovery.embedded.tidy import remove
from corepilot.model.service import Instance, Query, Snapshot

_AGAIN_S = (0.002, 0.008, 0.032, 0.128, 0.512, 2.0)
"""When to look again at what was not clear: seconds after the look before."""


class _Entry:
    """A living instance's file, as seen last."""

    __slots__ = ("lapses_at", "record", "shows_lapsed", "version")

    def __init__(self, record: Record, lapses_at: float, version: FileVersion | None, *, shows_lapsed: bool) -> None:
        self.record, self.lapses_at, self.version, self.shows_lapsed = record, lapses_at, version, shows_lapsed


class View:
    """The living instances of one directory, as of the last look at each file.

    Args:
        directory: The service's directory.
        query: Which instances to show.
        clock: Now, and the boot's id.
        ignore: Told of each file that is ignored: its path, and why.
        breathe: Called between two files; may let others run.

    Attributes:
        files: How many there were when all were looked at.
    """

    def __init__(
        self,
        directory: str,
        query: Query,
        clock: BootClock,
        ignore: Callable[[str, str], None],
        breathe: Callable[[], None] = lambda: None,
    ) -> None:
        self.files = 0
        self._directory = directory
        self._prefix = f"{directory}/"
        self._query = query
        self._clock = clock
        self._ignore = ignore
        self._breathe = breathe
        self._complete = False
        self._entries: dict[str, _Entry] = {}
        self._others: dict[str, FileVersion | None] = {}
        self._lapses = Alarms()
        self._again = Alarms()
        self._attempts: dict[str, int] = {}
        self._names: dict[str, tuple[str, ...]] = {}
        self._ids: list[str] = []
        self._shown: dict[str, Instance] = {}
        self._snapshot: Snapshot | None = None

    @property
    def unclear(self) -> frozenset[str]:
        """The names that have to be looked at again, because their holder was writing, or dying, just then."""
        return frozenset(self._attempts)

    def read_all(self, *, locks: bool = True) -> set[str]:
        """Look at every file, and forget those that have gone; returns the names that were not as we knew them.

        Args:
            locks: Whether to look at the locks too. Without, a file that has not changed is not opened: enough where
                the kernel tells of the death of holders.

        Raises:
            OSError: the directory cannot be read; or, the first time, one of the files.
        """
        names = [name for name in os.listdir(self._directory) if not name.startswith(".")]
        self.files = len(names)
        changed = set()
        for name in {*names, *self._entries, *self._others}:
            self._breathe()
            if (locks or not self._is_known(name)) and self._inspect(name):
                changed.add(name)
        self._complete = True
        return changed

    def read(self, names: Mapping[str, int], closed: int) -> None:
        """Look at the files that something happened to.

        Args:
            names: Names, and what happened to them.
            closed: The bit that says: somebody who could write it has closed it.
        """
        for name, events in names.items():
            self._breathe()
            self._inspect(name)
            if events & closed and name in self._entries and name not in self._attempts:
                # The kernel tells of the close just before it releases the lock: look again when it has.
                self._inspect_later(name, 0)

    def read_unclear(self) -> None:
        """Look again at what was not clear, and at what the dead have left, as far as it is due."""
        now = self._clock()
        for name in self._again.due(now):
            self._breathe()
            attempt = self._attempts.pop(name) + 1
            known = self._entries.get(name)
            self._inspect(name, attempt)
            if name not in self._attempts and known is not None and known is self._entries.get(name):
                self._inspect_later(name, attempt)
        for name in self._lapses.due(now):
            self._breathe()
            entry = self._entries.get(name)
            if entry is None:
                self._inspect(name)
            else:
                self._watch_lapse(name, entry, now)

    def snapshot(self) -> Snapshot:
        """The instances that the query asks for, by their present status. Of two with one id, the later registered.

        The same object as before, as long as nothing has changed that shows.
        """
        now = self._clock()
        due_at = self._lapses.next()
        if due_at is not None and due_at <= now:
            self.read_unclear()
        if self._snapshot is None:
            shown = self._shown
            self._snapshot = tuple([shown[one] for one in self._ids])
        return self._snapshot

    def next_inspection_s(self) -> float | None:
        """Seconds until something lapses, or has to be looked at again, unless there is news before; None for never."""
        moments = [at for at in (self._again.next(), self._lapses.next()) if at is not None]
        return max(0.0, min(moments) - self._clock()) if moments else None

    def _is_known(self, name: str) -> bool:
        """Whether a file is of the version that we know, by its status alone."""
        entry = self._entries.get(name)
        version = self._others.get(name) if entry is None else entry.version
        if version is None:
            return False
        try:
            return version_of(os.stat(self._prefix + name, follow_symlinks=False)) == version
        except OSError:
            return False  # a closer look tells why

    def _inspect(self, name: str, attempt: int = 0) -> bool:
        """Look at a file and remember; returns whether it was not as we knew it."""
        path = self._prefix + name
        entry = self._entries.get(name)
        try:
            found = inspect(path, None if entry is None else entry.version)
        except OSError as error:
            if not self._complete:
                raise
            return self._keep(name, attempt, error.strerror or str(error))
        if found.state is RecordState.TORN:
            if attempt < len(_AGAIN_S):
                self._inspect_later(name, attempt)
                return False
            self._ignore(path, found.reason)  # it is not being written: it is broken
        elif found.state is RecordState.FOREIGN:
            if entry is not None and found.reason.startswith("it cannot be read"):
                return self._keep(name, attempt, found.reason)
            self._ignore(path, found.reason)
        self._attempts.pop(name, None)
        self._again.discard(name)
        if found.state is RecordState.ALIVE:
            return self._found(name, found)
        self._note_other(name, found)
        remove(path, found, self._clock)
        return self._forget(name)

    def _found(self, name: str, found: Inspection) -> bool:
        """Remember the file of a living holder."""
        entry, record = self._entries.get(name), found.record
        if entry is not None and (record is None or record == entry.record):
            entry.version = found.version
            return False
        assert record is not None  # noqa: S101  - it is left out only where the version is ours
        now = self._clock()
        by_us = now + record.valid_for_s
        # Another boot's stamp means nothing here: ours counts, from when we saw the record.
        lapses_at = min(record.until, by_us) if record.boot == self._clock.boot else by_us
        new = _Entry(record, lapses_at, found.version, shows_lapsed=now >= lapses_at)
        self._entries[name] = new
        self._others.pop(name, None)
        if now < lapses_at:
            self._lapses.set_by(name, lapses_at)
        if entry is None or entry.record.id != record.id:
            if entry is not None:
                self._leave(name, entry.record.id)
            self._names[record.id] = (*self._names.get(record.id, ()), name)
        self._refresh(record.id)
        return True

    def _note_other(self, name: str, found: Inspection) -> None:
        """What is dead is looked at once more: when its stamp has lapsed, and it may be removed."""
        self._lapses.discard(name)
        if found.state is RecordState.GONE:
            self._others.pop(name, None)
            return
        self._others[name] = found.version
        record = found.record
        if record is not None and record.boot == self._clock.boot and record.until > self._clock():
            self._lapses.set(name, record.until)

    def _forget(self, name: str) -> bool:
        entry = self._entries.pop(name, None)
        if entry is None:
            return False
        self._leave(name, entry.record.id)
        return True

    def _leave(self, name: str, instance_id: str) -> None:
        left = tuple([one for one in self._names[instance_id] if one != name])
        if left:
            self._names[instance_id] = left
        else:
            del self._names[instance_id]
        self._refresh(instance_id)

    def _keep(self, name: str, attempt: int, reason: str) -> bool:
        """Only what is not there is gone: what cannot be read now stays as it is, until it lapses."""
        self._ignore(self._prefix + name, f"{reason}; keeping what is known of it")
        self._inspect_later(name, min(attempt, len(_AGAIN_S) - 1))
        return False

    def _watch_lapse(self, name: str, entry: _Entry, now: float) -> None:
        if now < entry.lapses_at:
            self._lapses.set(name, entry.lapses_at)
        elif not entry.shows_lapsed:
            entry.shows_lapsed = True
            self._refresh(entry.record.id)

    def _refresh(self, instance_id: str) -> None:
        """Bring what is shown of one id up to date."""
        best = max(
            [
                (entry.record.since, name, entry)
                for name in self._names.get(instance_id, ())
                if (entry := self._entries[name]).record.service == self._query.service
            ],
            key=lambda one: one[:2],
            default=None,
        )
        tag, instance = self._query.tag, None
        if best is not None and (not tag or tag in best[2].record.tags):
            instance = best[2].record.instance(lapsed=best[2].shows_lapsed)
        shown = self._shown.get(instance_id)
        if instance == shown:
            return
        self._snapshot = None
        if instance is None:
            del self._shown[instance_id], self._ids[bisect_left(self._ids, instance_id)]
            return
        if shown is None:
            insort(self._ids, instance_id)
        self._shown[instance_id] = instance

    def _inspect_later(self, name: str, attempt: int) -> None:
        if attempt < len(_AGAIN_S):
            self._attempts[name] = attempt
            self._again.set(name, self._clock() + _AGAIN_S[attempt])
        else:
            self._attempts.pop(name, None)
            self._again.discard(name)
