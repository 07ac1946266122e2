"""Backends that break one rule of keys each, and the test that has to catch it, by what it says."""

import hashlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import gevent

from corepilot.discovery.backend import Backend
from corepilot.model.catalog import Entries, Entry
from corepilot.testing.memory import MemoryBackend
from corepilot.testing.memory_facets import MemoryKeys


def with_keys(kind: type[MemoryKeys]) -> type[Backend]:
    """A backend with other keys."""

    def make(self: Any, *arguments: Any) -> None:
        MemoryBackend.__init__(self, *arguments)
        self.keys = kind(self)

    return type(kind.__name__, (MemoryBackend,), {"__init__": make})


class PrefixByString(MemoryKeys):
    def list(self, prefix: str) -> Entries:
        entries = self._client.store.entries
        return tuple(sorted(entry for key, entry in entries.items() if key.startswith(prefix) and key != prefix))


class OneLevel(MemoryKeys):
    def list(self, prefix: str) -> Entries:
        depth = prefix.rstrip("/").count("/") + 1
        return tuple(entry for entry in super().list(prefix) if entry.key.count("/") == depth)


class ListsThePrefix(MemoryKeys):
    def list(self, prefix: str) -> Entries:
        found = self.get(prefix.rstrip("/"))
        return ((found,) if found else ()) + super().list(prefix)


class InTheOrderOfWriting(MemoryKeys):
    def list(self, prefix: str) -> Entries:
        return tuple(sorted(super().list(prefix), key=lambda entry: int(entry.version)))


class ListsOneLevelOfAll(MemoryKeys):
    def list(self, prefix: str) -> Entries:
        found = super().list(prefix)
        return found if prefix else tuple(entry for entry in found if entry.key.count("/") < 2)


class ListsAbsoluteKeysWithAll(MemoryKeys):
    def list(self, prefix: str) -> Entries:
        found = super().list(prefix)
        return (
            found
            if prefix
            else tuple(sorted(Entry(key, entry.value, entry.version) for entry in found for key in _both(entry)))
        )


def _both(entry: Entry) -> tuple[str, str]:
    return entry.key, f"/{entry.key}"


class EmptyStandsForNone(MemoryKeys):
    def compare_and_set(self, key: str, value: bytes, version: str | None) -> bool:
        return super().compare_and_set(key, value, version or None)


class IgnoresTheVersion(MemoryKeys):
    def compare_and_set(self, key: str, value: bytes, version: str | None) -> bool:
        found = self.get(key)
        if (found is None) != (version is None):
            return False
        return super().compare_and_set(key, value, None if found is None else found.version)


class LooksThenWrites(MemoryKeys):
    def compare_and_set(self, key: str, value: bytes, version: str | None) -> bool:
        found = self.get(key)
        gevent.sleep(0.002)
        if (None if found is None else found.version) != version:
            return False
        self.put(key, value)
        return True


class CreatesTwice(MemoryKeys):
    def compare_and_set(self, key: str, value: bytes, version: str | None) -> bool:
        if version is None:
            self.put(key, value)
            return True
        return super().compare_and_set(key, value, version)


class MakesWhatIsGone(MemoryKeys):
    def compare_and_set(self, key: str, value: bytes, version: str | None) -> bool:
        if self.get(key) is None:
            self.put(key, value)
            return True
        return super().compare_and_set(key, value, version)


class SaysThatItWrote(MemoryKeys):
    def compare_and_set(self, key: str, value: bytes, version: str | None) -> bool:
        super().compare_and_set(key, value, version)
        return True


class VersionOfTheContent(MemoryKeys):
    def _found(self, key: str) -> Entry | None:
        found = super()._found(key)
        return None if found is None else found.changed(version=hashlib.sha256(found.value).hexdigest())


class VersionsBeginAnew(MemoryKeys):
    def put(self, key: str, value: bytes) -> None:
        before = self._found(key)
        super().put(key, value)
        entries = self._client.store.entries
        entries[key] = entries[key].changed(version=str(int(before.version) + 1 if before else 1))


class DeletesWhatIsBelow(MemoryKeys):
    def delete(self, key: str) -> None:
        for entry in self.list(key):
            super().delete(entry.key)
        super().delete(key)


class DeletesOnce(MemoryKeys):
    def delete(self, key: str) -> None:
        del self._client.store.entries[key]
        self._client.store.delete(key)


class ValuesAreText(MemoryKeys):
    def put(self, key: str, value: bytes) -> None:
        super().put(key, value.decode(errors="replace").encode())


class EmptyIsAbsent(MemoryKeys):
    def get(self, key: str) -> Entry | None:
        found = super().get(key)
        return found if found and found.value else None


class LowersNames(MemoryKeys):
    def put(self, key: str, value: bytes) -> None:
        super().put(key.lower(), value)


class CutsLongValues(MemoryKeys):
    def put(self, key: str, value: bytes) -> None:
        super().put(key, value[: 64 * 1024])


class ReadsFromItsMemory(MemoryKeys):
    _read: dict[str, Entry]

    def get(self, key: str) -> Entry | None:
        known = self.__dict__.setdefault("_read", {})
        if key not in known and (found := super().get(key)):
            known[key] = found
        newest: Entry | None = known.get(key)
        return newest


class WatchMissesTheDelete(MemoryKeys):
    def delete(self, key: str) -> None:
        self._client.ask("delete", key)
        self._client.store.entries.pop(key, None)


class WatchWaitsForTheFirst(MemoryKeys):
    def watch(self, key: str, *, prefix: bool = False) -> Iterator[Entries]:
        return (seen for seen in super().watch(key, prefix=prefix) if seen)


class WatchOfAKeyIsOfAPrefix(MemoryKeys):
    def watch(self, key: str, *, prefix: bool = False) -> Iterator[Entries]:
        for seen in super().watch(key, prefix=prefix):
            yield seen if prefix else tuple(sorted({*seen, *self.list(key)}))


class WatchTellsTheChangeOnly(MemoryKeys):
    def watch(self, key: str, *, prefix: bool = False) -> Iterator[Entries]:
        before: Entries = ()
        for seen in super().watch(key, prefix=prefix):
            yield tuple(entry for entry in seen if entry not in before)
            before = seen


class WatchDropsWhatComesFast(MemoryKeys):
    def watch(self, key: str, *, prefix: bool = False) -> Iterator[Entries]:
        due_at, before = 0.0, None
        for seen in super().watch(key, prefix=prefix):
            if time.monotonic() >= due_at and seen != before:
                due_at, before = time.monotonic() + 1.0, seen
                yield seen


class WatchComparesValues(MemoryKeys):
    def watch(self, key: str, *, prefix: bool = False) -> Iterator[Entries]:
        before: Any = None
        for seen in super().watch(key, prefix=prefix):
            gevent.sleep(0.01)
            values = [(entry.key, entry.value) for entry in seen]
            if values and values != before:
                before = values
                yield seen
            elif before is None:
                yield seen


class Blocks(MemoryKeys):
    def get(self, key: str) -> Entry | None:
        time.sleep(0.15)
        return super().get(key)


class RaisesKeyError(MemoryKeys):
    def get(self, key: str) -> Entry | None:
        self._client.ask("get", key)
        return self._client.store.entries[key]


def _table(rows: dict[type[MemoryKeys], tuple[str, str]]) -> dict[type[Backend], tuple[str, str]]:
    make: Callable[[type[MemoryKeys]], type[Backend]] = with_keys
    return {make(kind): row for kind, row in rows.items()}


BROKEN = _table(
    {
        PrefixByString: ("a_prefix_is_segments", "must tell keys that begin with it and a slash only"),
        OneLevel: ("a_prefix_is_segments", "must tell every key below it"),
        ListsThePrefix: ("a_key_may_also_be_a_prefix", "must tell keys that begin with it and a slash only"),
        InTheOrderOfWriting: ("a_prefix_is_segments", "list must be sorted by key"),
        ListsOneLevelOfAll: ("no_prefix_is_every_key", 'list of "" must tell every key'),
        ListsAbsoluteKeysWithAll: ("no_prefix_is_every_key", 'list of "" must tell no absolute keys'),
        EmptyStandsForNone: ("an_empty_version_is_not_none", "is no version of a key that is not there"),
        IgnoresTheVersion: ("a_version_is_good_for_one_write", "because somebody else has written since"),
        LooksThenWrites: ("no_increment_is_lost", "compare_and_set must not lose a write"),
        CreatesTwice: ("one_of_many_creates", "of clients that create one key exactly one may succeed"),
        MakesWhatIsGone: ("a_version_does_not_outlive_its_key", "must return False for a key that is gone"),
        SaysThatItWrote: ("create_only", "version None stands for a key that is not there"),
        VersionOfTheContent: ("every_write_makes_another_version", "another text after every write"),
        VersionsBeginAnew: ("every_write_makes_another_version", "another text after every write"),
        DeletesWhatIsBelow: ("deleting_takes_away_one_key", "must tell every key below it"),
        DeletesOnce: ("an_absent_key_is_none", "errors must be those of the contract: keys.delete"),
        ValuesAreText: ("every_value_survives", "a value must come back as it was written"),
        EmptyIsAbsent: ("every_value_survives", "get must return the Entry of a key that is there"),
        LowersNames: ("names_stay_as_they_are", "a value must come back as it was written"),
        CutsLongValues: ("every_value_survives", "a value must come back as it was written"),
        ReadsFromItsMemory: ("what_is_written_is_read_by_everybody", "a value must come back as it was written"),
        WatchMissesTheDelete: ("the_watch_of_an_absent_key_is_empty_at_once", "must show exactly {}"),
        WatchWaitsForTheFirst: ("the_watch_of_an_absent_key_is_empty_at_once", "must show exactly {}"),
        WatchOfAKeyIsOfAPrefix: ("the_watch_of_a_key_is_of_that_key", "must show exactly"),
        WatchTellsTheChangeOnly: ("the_watch_of_a_prefix_is_its_list", "must show exactly"),
        WatchDropsWhatComesFast: ("a_watch_shows_the_last_state_after_a_burst", "must show exactly"),
        WatchComparesValues: ("a_watch_ends_up_with_a_key_that_comes_and_goes", "must show what get tells"),
        Blocks: ("no_call_blocks_the_hub", "the hub must never be blocked: keys.get"),
        RaisesKeyError: ("an_absent_key_is_none", "errors must be those of the contract: keys.get"),
    }
)
"""The backend; the test of the suites that has to fail, and what it has to say."""
