"""What a key, or a prefix, holds: read once, and kept up to date node by node."""

from collections.abc import Iterable, Iterator
from typing import Any

from corepilot.model.catalog import Entries, Entry
from corepilot_zookeeper.key_paths import KeyPaths, entry_of
from corepilot_zookeeper.light_kazoo import exceptions
from corepilot_zookeeper.session import Session

AT_ONCE = 256
"""Nodes that are asked for before the first answer is waited for."""

_ABSENT = (exceptions.NoNodeError,)


def listed(session: Session, action: str, paths: KeyPaths, prefix: str) -> Entries:
    """Every key below a prefix, sorted.

    Raises:
        BackendError: Nothing is known.
    """
    prefix = _stripped(prefix)
    return tuple(sorted(_below(session, action, paths, prefix).values()))


class KeyView:
    """A key or a prefix as one session sees it.

    Args:
        session: Connected.
        action: What is done, to follow "cannot".
        paths: Where keys are.
        key: The key or prefix.
        prefix: Which of the two it is.
    """

    def __init__(self, session: Session, action: str, paths: KeyPaths, key: str, *, prefix: bool) -> None:
        self._session, self._action, self._paths = session, action, paths
        self._key, self._prefix = _stripped(key) if prefix else key, prefix
        self._path = paths.path_of(self._key)
        self._changes = session.watch_below(self._path)
        self._known: dict[str, Entry] = {}

    def close(self) -> None:
        """Watch no longer."""
        self._session.client.unwatch(self._changes)

    def follow(self) -> Iterator[Entries]:
        """Yield the present state, and again after every change."""
        self._read_all()
        while True:
            self._session.check(self._changes, self._action)
            yield tuple(sorted(self._known.values()))
            self._changes.event.wait()
            self._session.check(self._changes, self._action)
            changed = self._changes.take()
            if changed is None:
                self._read_all()
            else:
                self._read(self._concerned(changed))

    def _read_all(self) -> None:
        if self._prefix:
            self._known = _below(self._session, self._action, self._paths, self._key)
        else:
            self._known = {}
            self._read([self._path])

    def _concerned(self, changed: Iterable[str]) -> list[str]:
        """What has to be read: also the nodes above, which may be keys or not because of what is below them."""
        found = set()
        for path in changed:
            found |= {path, path.rpartition("/")[0]}
        if not self._prefix:
            return [self._path] if self._path in found else []
        return [path for path in found if path.startswith(f"{self._path}/")]

    def _read(self, paths: list[str]) -> None:
        for path, found in _read(self._session, self._action, paths):
            key = self._key if not self._prefix else self._paths.key_of(path, self._key)
            entry = None if key is None else entry_of(key, found)
            if entry is None:
                self._known.pop(path, None)
            else:
                self._known[path] = entry


def _stripped(prefix: str) -> str:
    """A slash at the end of a prefix means nothing."""
    return prefix[:-1] if len(prefix) > 1 and prefix.endswith("/") else prefix


def _below(session: Session, action: str, paths: KeyPaths, prefix: str) -> dict[str, Entry]:
    """Every key below a prefix, by its path."""
    entries: dict[str, Entry] = {}
    above = [paths.path_of(prefix)]
    while above:
        here: list[str] = []
        for start in range(0, len(above), AT_ONCE):
            chunk = above[start : start + AT_ONCE]
            asked = map(session.client.get_children_async, chunk)
            for parent, names in zip(chunk, session.wait(action, *asked, absent=_ABSENT), strict=True):
                here += [f"{parent}/{name}" for name in names or ()]
        above = []
        for path, found in _read(session, action, here):
            if found is not None and found[1].numChildren:
                above.append(path)
            key = paths.key_of(path, prefix)
            entry = None if key is None else entry_of(key, found)
            if entry is not None:
                entries[path] = entry
    return entries


def _read(session: Session, action: str, paths: list[str]) -> Iterator[tuple[str, Any]]:
    """Each node with its data and stat; None for one that is not there."""
    for start in range(0, len(paths), AT_ONCE):
        chunk = paths[start : start + AT_ONCE]
        asked = map(session.client.get_async, chunk)
        yield from zip(chunk, session.wait(action, *asked, absent=_ABSENT), strict=True)
