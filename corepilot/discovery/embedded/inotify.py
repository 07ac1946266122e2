"""The kernel's notifications about directories, for gevent: one descriptor for all watches of a process.

Subscriptions remember names, not events: a name that changed a
hundred times while nobody looked is looked at once, so nothing here grows without bound.
"""

import os
from contextlib import suppress
from struct import Struct

from gevent import get_hub
from gevent.event import Event

from corepilot.system.inotify import IN_DELETE_SELF, IN_MOVE_SELF, IN_ONLYDIR, Notifications

IN_CLOSE_WRITE = 0x00000008  # also: the holder has died
_IN_MODIFY = 0x00000002
_IN_MOVED_FROM = 0x00000040
_IN_MOVED_TO = 0x00000080
_IN_DELETE = 0x00000200
_IN_UNMOUNT = 0x00002000
_IN_Q_OVERFLOW = 0x00004000
_IN_IGNORED = 0x00008000

_INTERESTING = _IN_MODIFY | IN_CLOSE_WRITE | _IN_MOVED_FROM | _IN_MOVED_TO | _IN_DELETE
_LOST = IN_DELETE_SELF | IN_MOVE_SELF | _IN_UNMOUNT | _IN_IGNORED
_HEADER = Struct("iIII")  # struct inotify_event: descriptor of the watch, mask, cookie, length of the name
_BUFFER_BYTES = 64 * 1024
_MOST_NAMES = 4096


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
        self._watched: dict[int, list[Subscription]] = {}
        self._notifications = Notifications(get_hub().loop, self._readable)

    def subscribe(self, directory: str, subscription: Subscription) -> int:
        """Tell the subscription of everything that happens in a directory from now on; returns the watch's number.

        Raises:
            OSError: the directory is not there, or there are no more watches (ENOSPC).
        """
        watch = self._notifications.add(directory, _INTERESTING | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
        self._watched.setdefault(watch, []).append(subscription)  # the same directory has the same number
        return watch

    def unsubscribe(self, watch: int, subscription: Subscription) -> None:
        """Forget a subscription, and the watch with the last one. Idempotent."""
        subscriptions = self._watched.get(watch, [])
        if subscription in subscriptions:
            subscriptions.remove(subscription)
            if not subscriptions:
                del self._watched[watch]
                with suppress(OSError):  # the directory is gone
                    self._notifications.remove(watch)

    def close(self) -> None:
        """Stop reading and close. Idempotent."""
        self._notifications.close()

    def _readable(self) -> None:
        """Called by the loop: reads what there is, and must neither block nor raise."""
        try:
            data = self._notifications.read(_BUFFER_BYTES)
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
