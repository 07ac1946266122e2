"""A watch on the embedded catalog: inotify where it works, a look twice a second where it does not."""

import errno
import os
import time
from collections.abc import Callable, Iterator

import gevent

from corepilot.discovery.embedded.clock import BootClock
from corepilot.discovery.embedded.directories import Directories
from corepilot.discovery.embedded.inotify import IN_CLOSE_WRITE, Inotify, Subscription
from corepilot.discovery.embedded.view import View
from corepilot.errors import BackendUnavailableError
from corepilot.model.service import Query, Snapshot

POLL_S = 0.5
"""How often a directory is read without inotify."""

_SETTLE_S = 0.1
"""How long a first snapshot waits for holders who are writing just then."""
_ANNOUNCED_S = 0.05
"""How long a notification may trail the change that it announces. It is queued within the same system call."""
_LONGEST_REREAD_S = 30.0
_READ_ONLY = frozenset((errno.EROFS, errno.EACCES, errno.EPERM))


class InstanceStream:
    """One watch. Iterating over `snapshots()` runs it; `wake` and `close` reach it while it waits.

    Args:
        query: What is watched.
        directories: Where.
        clock: Of the stamps.
        inotify: Gives the process's inotify instance, or None when there is none to be had; called by the stream.
        tell: Logs a warning once: cause, message.
    """

    def __init__(
        self,
        query: Query,
        directories: Directories,
        clock: BootClock,
        inotify: Callable[[], Inotify | None],
        tell: Callable[[str, str], None],
    ) -> None:
        self.polling = False
        self._query = query
        self._directories = directories
        self._clock = clock
        self._get_inotify = inotify
        self._tell = tell
        self._path = directories.of(query.service)
        self._inode = (0, 0)
        self._subscription = Subscription()
        self._watch: tuple[Inotify, int] | None = None
        self._reread_at = 0.0

    def close(self) -> None:
        """End the stream: it raises BackendUnavailableError as soon as it runs."""
        self._subscription.closed = True
        self._subscription.news.set()

    def snapshots(self) -> Iterator[Snapshot]:
        """See `Backend.watch`.

        Raises:
            BackendError: the directory has gone, cannot be read, or the stream was closed.
        """
        try:
            yield from self._snapshots()
        except OSError as error:
            raise self._directories.explain(f"watch {self._query.service}", error) from error
        finally:
            self._unsubscribe()

    def _snapshots(self) -> Iterator[Snapshot]:
        if not self._enter():
            yield ()
            while not self._enter():
                self._wait(POLL_S)
        view = View(self._path, self._query, self._clock, self._ignored)
        view.read_all()
        self._settle(view)
        self._plan_reread()
        last: Snapshot | None = None
        while True:
            snapshot = view.snapshot()
            if snapshot != last:
                last = snapshot
                yield snapshot
                # What happened meanwhile is in the subscription.
            self._wait(self._pause_s(view))
            self._update(view)

    def _enter(self) -> bool:
        """Find the directory and subscribe to it; False when it is not there and we may not make it."""
        try:
            self._directories.make(self._query.service)
        except OSError as error:
            if error.errno not in _READ_ONLY:
                raise
            if not os.path.isdir(self._directories.root):
                raise  # not even the catalog is there: the operator has to do something
            if not os.path.isdir(self._path):
                self.polling = True
                return False
        self._subscribe()
        status = os.stat(self._path)
        self._inode = (status.st_dev, status.st_ino)
        return True

    def _subscribe(self) -> None:
        self.polling = True
        inotify = self._get_inotify()
        if inotify is None:
            return
        try:
            self._watch = (inotify, inotify.subscribe(self._path, self._subscription))
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.ENOMEM}:
                raise
            self._tell(
                "inotify watches",
                f"cannot watch {self._path} with inotify: {error.strerror} (fs.inotify.max_user_watches); "
                f"looking every {POLL_S:g} s instead; raise the limit with sysctl",
            )
        else:
            self.polling = False

    def _unsubscribe(self) -> None:
        if self._watch is not None:
            inotify, number = self._watch
            self._watch = None
            inotify.unsubscribe(number, self._subscription)

    def _wait(self, seconds: float) -> None:
        self._subscription.news.wait(seconds)
        if self._subscription.closed:
            raise BackendUnavailableError(f"cannot watch {self._query.service}: the catalog was closed")

    def _pause_s(self, view: View) -> float:
        pause = max(0.0, self._reread_at - time.monotonic())
        due = view.next_look_s()
        return pause if due is None else min(pause, due)

    def _settle(self, view: View) -> None:
        """Give holders who are writing just now the time to finish, so that the first snapshot lacks nobody."""
        deadline = time.monotonic() + _SETTLE_S
        while view.unclear and time.monotonic() < deadline:
            gevent.sleep(0.001)
            view.read_unclear()

    def _plan_reread(self) -> None:
        interval = POLL_S if self.polling else min(max(1.0, self._query.interval_s), _LONGEST_REREAD_S)
        self._reread_at = time.monotonic() + interval

    def _update(self, view: View) -> None:
        """Bring the view up to date: what was announced, what was unclear, and now and then everything."""
        news = self._subscription
        overflow, news.overflow = news.overflow, False
        view.read(news.take(), IN_CLOSE_WRITE)
        view.read_unclear()
        if news.lost or overflow or time.monotonic() >= self._reread_at:
            self._require_directory(lost=news.lost)
            changed = view.read_all()
            if changed and not overflow and not self.polling:
                self._verify(changed - view.unclear)
            self._plan_reread()

    def _verify(self, changed: set[str]) -> None:
        """Trust inotify no longer if it has said nothing about changes that a re-read has found.

        So it is where somebody writes to the upper directory of an overlay behind the back of the mount that we see.
        """
        gevent.sleep(_ANNOUNCED_S)
        news = self._subscription
        if changed - news.names.keys() and not (news.overflow or news.lost or news.closed):
            self._unsubscribe()
            self.polling = True
            self._tell(
                f"unseen {self._path}",
                f"changes in {self._path} are not announced (an overlay, or a network file system): "
                f"looking every {POLL_S:g} s instead",
            )

    def _require_directory(self, *, lost: bool) -> None:
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            status = None
        if lost or status is None or (status.st_dev, status.st_ino) != self._inode:
            raise BackendUnavailableError(
                f"cannot watch {self._query.service}: {self._path} was removed or replaced; it is made again"
            )

    def _ignored(self, path: str, reason: str) -> None:
        self._tell(f"ignored {path}", f"ignoring {path}: {reason}")
