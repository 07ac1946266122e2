"""The kernel's notifications about directories, for gevent: one descriptor for all watches of a process.

The standard library has no binding of inotify(7). Subscriptions remember names, not events: a name that changed a
hundred times while nobody looked is looked at once, so nothing here grows without bound.
"""

import os
from contextlib import suppress
from struct import Struct
from typing import Any

from gevent import get_hub
from gevent.event import Event

from corepilot.system.libc import call

IN_CLOSE_WRITE = 0x00000008  # also: the holder has died
_IN_MODIFY = 0x00000002
_IN_MOVED_FROM = 0x00000040
_IN_MOVED_TO = 0x00000080
_IN_DELETE = 0x00000200
_IN_DELETE_SELF = 0x00000400
_IN_MOVE_SELF = 0x00000800
_IN_UNMOUNT = 0x00002000
_IN_Q_OVERFLOW = 0x00004000
_IN_IGNORED = 0x00008000
_IN_ONLYDIR = 0x01000000

_INTERESTING = _IN_MODIFY | IN_CLOSE_WRITE | _IN_MOVED_FROM | _IN_MOVED_TO | _IN_DELETE
_LOST = _IN_DELETE_SELF | _IN_MOVE_SELF | _IN_UNMOUNT | _IN_IGNORED
_HEADER = Struct("iIII")  # struct inotify_event: descriptor of the watch, mask, cookie, length of the name
_BUFFER_BYTES = 64 * 1024
_MOST_NAMES = 4096
_READ = 1  # libev's EV_READ


class Subscription:
    """What has happened in one directory since it was asked last.

    Attributes:
        news: Set when something has.
        names: Files that something happened to, and the events' masks, joined.
        overflow: Whether the names are not all: the whole directory has to be read.
        lost: Whether the directory has gone from its place.
        closed: Whether the owner of the watch gives up.
    """

    def __init__(self) -> None:
        self.news = Event()
        self.names: dict[str, int] = {}
        self.overflow = False
        self.lost = False
        self.closed = False

    def take(self) -> dict[str, int]:
        """The names so far; they are forgotten here."""
        self.news.clear()
        names, self.names = self.names, {}
        return names

    def add(self, name: str, mask: int) -> None:
        """Note an event."""
        if mask & _LOST:
            self.lost = True
        elif mask & _IN_Q_OVERFLOW or len(self.names) >= _MOST_NAMES:
            self.overflow = True
            self.names.clear()
        elif name and not name.startswith("."):
            self.names[name] = self.names.get(name, 0) | mask
        else:
            return  # a file that has not got its name yet
        self.news.set()


class Inotify:
    """One inotify instance, read by the hub.

    Raises:
        OSError: there are no more (EMFILE: 128 per user by default), or it is not allowed.
    """

    def __init__(self) -> None:
        self._descriptor = call("inotify_init1", os.O_NONBLOCK | os.O_CLOEXEC)
        self._watched: dict[int, list[Subscription]] = {}
        self._reader: Any = get_hub().loop.io(self._descriptor, _READ)
        self._reader.start(self._readable)

    def subscribe(self, directory: str, subscription: Subscription) -> int:
        """Tell the subscription of everything that happens in a directory from now on; returns the watch's number.

        Raises:
            OSError: the directory is not there, or there are no more watches (ENOSPC).
        """
        mask = _INTERESTING | _IN_DELETE_SELF | _IN_MOVE_SELF | _IN_ONLYDIR
        watch = call("inotify_add_watch", self._descriptor, os.fsencode(directory), mask)
        self._watched.setdefault(watch, []).append(subscription)  # the same directory has the same number
        return watch

    def unsubscribe(self, watch: int, subscription: Subscription) -> None:
        """Forget a subscription, and the watch with the last one. Idempotent."""
        subscriptions = self._watched.get(watch, [])
        if subscription in subscriptions:
            subscriptions.remove(subscription)
            if not subscriptions:
                del self._watched[watch]
                if self._descriptor >= 0:
                    with suppress(OSError):  # the directory is gone
                        call("inotify_rm_watch", self._descriptor, watch)

    def close(self) -> None:
        """Stop reading and close. Idempotent."""
        if self._descriptor >= 0:
            self._reader.stop()
            self._reader.close()
            os.close(self._descriptor)
            self._descriptor = -1

    def _readable(self) -> None:
        """Called by the loop: reads what there is, and must neither block nor raise."""
        try:
            data = os.read(self._descriptor, _BUFFER_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        offset = 0
        while offset < len(data):
            watch, mask, _cookie, length = _HEADER.unpack_from(data, offset)
            offset += _HEADER.size
            name = os.fsdecode(data[offset : offset + length].rstrip(b"\0"))
            offset += length
            if watch < 0:
                for subscriptions in self._watched.values():
                    for subscription in subscriptions:
                        subscription.add("", mask)
            else:
                for subscription in self._watched.get(watch, ()):
                    subscription.add(name, mask)
