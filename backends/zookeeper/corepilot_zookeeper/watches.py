"""ZooKeeper's persistent, recursive watches: the two requests that kazoo lacks, and what a reader is told."""

from typing import NamedTuple

from gevent.event import Event

from corepilot_zookeeper.light_kazoo import int_struct, write_string

RECURSIVE = 1
"""ZooDefs.AddWatchModes.persistentRecursive."""

ANY_KIND = 3
"""Watcher.WatcherType.Any."""

_MANY = 50_000


class AddWatch(NamedTuple):
    """Begin to watch a path."""

    path: str
    mode: int

    @property
    def type(self) -> int:
        """ZooDefs.OpCode.addWatch."""
        return 106

    def serialize(self) -> bytes:
        """As it is sent."""
        return bytes(write_string(self.path) + int_struct.pack(self.mode))

    def deserialize(self, _data: bytes, _offset: int) -> bool:
        """The answer says nothing but that it is done."""
        return True


class RemoveWatches(NamedTuple):
    """End to watch a path."""

    path: str
    kind: int

    @property
    def type(self) -> int:
        """ZooDefs.OpCode.removeWatches."""
        return 18

    def serialize(self) -> bytes:
        """As it is sent."""
        return bytes(write_string(self.path) + int_struct.pack(self.kind))

    def deserialize(self, _data: bytes, _offset: int) -> bool:
        """The answer says nothing but that it is done."""
        return True


class Changes:
    """What has changed below some paths since it was last asked. One reader.

    Attributes:
        paths: What is watched.
        pending: The paths that have changed. None: too many to name, everything has to be read again.
        failure: Why there will be no more; None while there may.
        event: Set when there is something new.
    """

    __slots__ = ("event", "failure", "paths", "pending")

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.pending: set[str] | None = set()
        self.failure: Exception | None = None
        self.event = Event()

    def add(self, path: str) -> None:
        """One has."""
        if self.pending is not None:
            self.pending.add(path)
            if len(self.pending) > _MANY:
                self.pending = None
        self.event.set()

    def fail(self, failure: Exception) -> None:
        """There will be no more, and some may have been missed."""
        self.failure = self.failure or failure
        self.event.set()

    def take(self) -> set[str] | None:
        """What has changed; empty if nothing has. See `pending`."""
        taken, self.pending = self.pending, set()
        self.event.clear()
        return taken
