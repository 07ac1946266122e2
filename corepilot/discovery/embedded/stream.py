"""A watch on a directory of the embedded catalog: inotify where it works, a look now and then where it does not.

What the files mean is the view's business: instances, keys and locks are watched alike.
"""

import errno
import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Generic, Protocol, TypeVar

import gevent

from corepilot.discovery.embedded.directories import Place
from corepilot.discovery.embedded.inotify import IN_CLOSE_WRITE, Inotify, Subscription
from corepilot.discovery.embedded.pace import A_MOMENT_S, Pace
from corepilot.errors import BackendUnavailableError

POLL_S = 0.5
"""How often a directory is read without inotify, at the most."""
_POLL_A_FILE_S = 0.0002
"""For each file in it that much time passes at least between two looks without inotify: 5 % of a core at the most."""
_REREAD_A_FILE_S = 0.05
_LONGEST_SPARED_S = 60.0
"""The same where inotify works, and a re-read is a precaution: for each file that much time, up to a minute."""
_SETTLE_S = 0.1
"""How long a first snapshot waits for holders who are writing just then."""
_ANNOUNCED_S = 0.05
"""How long a notification may trail the change that it announces. It is queued within the same system call."""
_LONGEST_REREAD_S = 30.0
_LONGEST_CHECK_S = 5.0
"""How often it is looked whether the path leads to the same directory: that one above it was moved is not announced."""
_SHORTEST_S = 0.001
"""Whatever is due, the hub has its turn before."""
_STEADY_S = 1.0
_MISSES = 5
"""How often in a row a directory that has been made may be gone at once."""
_READ_ONLY = frozenset((errno.EROFS, errno.EACCES, errno.EPERM))
_PASSING = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO))

_Seen = TypeVar("_Seen")
_Shown_co = TypeVar("_Shown_co", covariant=True)


class DirectoryView(Protocol[_Shown_co]):
    """What a stream knows of its directory. `View` tells what the methods do."""

    files: int

    @property
    def unclear(self) -> frozenset[str]:
        """Names that have to be looked at again soon."""

    def read_all(self, *, locks: bool = True) -> set[str]:
        """Look at every file."""

    def read(self, names: Mapping[str, int], closed: int) -> None:
        """Look at these."""

    def read_unclear(self) -> None:
        """Look at what is due."""

    def next_inspection_s(self) -> float | None:
        """When that will be."""

    def snapshot(self) -> _Shown_co:
        """What there is."""


class DirectoryStream(Generic[_Seen]):
    """One watch. Iterating over `snapshots()` runs it; `close` reaches it while it waits.

    Args:
        action: What it does, to follow "cannot": "watch web".
        place: The directory.
        view: Makes a view of it; given what to call between two files.
        absent: What is shown while the directory is not there.
        interval_s: How old what is shown may be if inotify should have missed something.
        inotify: Gives the process's inotify instance, or None when there is none to be had; called by the stream.
        warn: Logs a warning once: cause, message.

    Attributes:
        polling: Whether it does without inotify.
    """

    def __init__(
        self,
        action: str,
        place: Place,
        view: Callable[[Callable[[], None]], DirectoryView[_Seen]],
        *,
        absent: _Seen,
        interval_s: float,
        inotify: Callable[[], Inotify | None],
        warn: Callable[[str, str], None],
    ) -> None:
        self.polling = False
        self._action = action
        self._place = place
        self._make_view = view
        self._absent = absent
        self._interval_s = interval_s
        self._get_inotify = inotify
        self._warn = warn
        self._path = place.path
        self._inode = (0, 0)
        self._misses = 0
        self._subscription = Subscription()
        self._watch: tuple[Inotify, int] | None = None
        self._reread_at = 0.0
        self._check_at = 0.0
        self._pace = Pace(self._require_open)

    def close(self) -> None:
        """End the stream: it raises BackendUnavailableError as soon as it runs."""
        self._subscription.closed = True
        self._subscription.news.set()

    def snapshots(self) -> Iterator[_Seen]:
        """What the view shows: at once, and after every change. A directory that is removed is made again.

        Raises:
            BackendError: the directory cannot be made or read, or the stream was closed.
        """
        last: _Seen | None = None
        pause_s = A_MOMENT_S
        try:
            while True:
                entered_at = time.monotonic()
                for seen in self._snapshots():
                    if seen is not last and seen != last:
                        last = seen
                        yield seen
                        # What happened meanwhile is in the subscription.
                if time.monotonic() - entered_at > _STEADY_S:
                    pause_s = A_MOMENT_S
                gevent.sleep(pause_s)
                pause_s = min(2 * pause_s, POLL_S)
                self._unsubscribe()
                closed = self._subscription.closed
                self._subscription = Subscription()
                self._subscription.closed = closed
                self._require_open()
        except OSError as error:
            raise self._place.explain(self._action, error) from error
        finally:
            self._unsubscribe()

    def _snapshots(self) -> Iterator[_Seen]:
        """As long as the directory stays in its place."""
        if not self._enter():
            yield self._absent
            while not self._enter():
                self._wait(POLL_S)
        self._pace.begin()
        view = self._make_view(self._pace.breathe)
        try:
            view.read_all()
            self._settle(view)
        except (FileNotFoundError, NotADirectoryError):
            return
        self._plan_reread(view)
        while True:
            yield view.snapshot()
            self._wait(self._pause_s(view))
            self._pace.begin()
            if not self._update(view):
                return

    def _enter(self) -> bool:
        """Find the directory and subscribe to it; False when it is not there and we may not make it."""
        try:
            self._place.make()
        except FileNotFoundError:
            self._misses += 1
            if self._misses > _MISSES:
                raise
            self._subscription.lost = True  # removed by somebody while it was made
            return True
        except OSError as error:
            if error.errno not in _READ_ONLY:
                raise
            if not os.path.isdir(self._place.root):
                raise  # not even the catalog is there: the operator has to do something
            if not os.path.isdir(self._path):
                self.polling = True
                return False
        try:
            self._subscribe()
            status = os.stat(self._path)
        except (FileNotFoundError, NotADirectoryError):
            self._subscription.lost = True  # removed again at once
            return True
        self._inode = (status.st_dev, status.st_ino)
        self._misses = 0
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
            self._warn(
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
        self._subscription.news.wait(max(seconds, _SHORTEST_S))
        self._require_open()

    def _require_open(self) -> None:
        if self._subscription.closed:
            raise BackendUnavailableError(f"cannot {self._action}: the catalog was closed")

    def _pause_s(self, view: DirectoryView[_Seen]) -> float:
        pause = max(0.0, min(self._reread_at, self._check_at) - time.monotonic())
        due = view.next_inspection_s()
        return pause if due is None else min(pause, due)

    def _settle(self, view: DirectoryView[_Seen]) -> None:
        """Give holders who are writing just now the time to finish, so that the first snapshot lacks nobody."""
        deadline = time.monotonic() + _SETTLE_S
        while view.unclear and time.monotonic() < deadline:
            gevent.sleep(0.001)
            view.read_unclear()

    def _plan_reread(self, view: DirectoryView[_Seen]) -> None:
        if self.polling:
            interval = max(POLL_S, view.files * _POLL_A_FILE_S)
        else:
            interval = max(
                1.0, min(self._interval_s, _LONGEST_REREAD_S), min(view.files * _REREAD_A_FILE_S, _LONGEST_SPARED_S)
            )
        self._reread_at = time.monotonic() + interval
        self._plan_check()

    def _plan_check(self) -> None:
        self._check_at = time.monotonic() + max(2.0, min(self._interval_s, _LONGEST_CHECK_S))

    def _update(self, view: DirectoryView[_Seen]) -> bool:
        """Bring the view up to date: what was announced, what was unclear, and now and then everything.

        Returns:
            Whether the directory is still in its place.
        """
        news = self._subscription
        overflow, news.overflow = news.overflow, False
        view.read(news.take(), IN_CLOSE_WRITE)
        view.read_unclear()
        if news.lost:
            return False
        now = time.monotonic()
        if not overflow and now < self._reread_at and now < self._check_at:
            return True
        try:
            status = os.stat(self._path)
            if (status.st_dev, status.st_ino) != self._inode:
                return False
            self._plan_check()
            if overflow or now >= self._reread_at:
                self._read_all(view, overflow=overflow)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            if error.errno not in _PASSING:
                raise
            self._warn(f"reading {self._path}", f"cannot read {self._path}: {error.strerror}; looking again")
            self._plan_reread(view)
        return True

    def _read_all(self, view: DirectoryView[_Seen], *, overflow: bool) -> None:
        changed = view.read_all(locks=overflow or self.polling)
        if changed and not overflow and not self.polling:
            self._verify(changed - view.unclear)
        self._plan_reread(view)

    def _verify(self, changed: set[str]) -> None:
        """Trust inotify no longer if it has said nothing about changes that a re-read has found.

        So it is where somebody writes to the upper directory of an overlay behind the back of the mount that we see.
        """
        gevent.sleep(_ANNOUNCED_S)
        news = self._subscription
        if changed - news.names.keys() and not (news.overflow or news.lost or news.closed):
            self._unsubscribe()
            self.polling = True
            self._warn(
                f"unseen {self._path}",
                f"changes in {self._path} are not announced (an overlay, or a network file system): "
                f"looking every {POLL_S:g} s instead",
            )
