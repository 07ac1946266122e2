"""What services, keys and locks of one process share: the directory, the clock, an inotify instance, the streams."""

import os
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from corepilot.discovery.backend import BackendContext
from corepilot.discovery.embedded.clock import BootClock
from corepilot.discovery.embedded.directories import Directories, Place, default_path
from corepilot.discovery.embedded.inotify import Inotify
from corepilot.discovery.embedded.stream import POLL_S, DirectoryStream, DirectoryView
from corepilot.errors import BackendError, BackendUnavailableError
from corepilot.output.repeat import Repeat

_MOST_NAMED = 20
"""How many ignored files of one directory are named; of the rest it is only said that there are more."""

ATTEMPTS = 3
"""How often something is tried while somebody removes the directory."""

_Seen = TypeVar("_Seen")


class Client:
    """One process's access to an embedded catalog. Its constructor does no I/O on the catalog.

    Args:
        options: `plugin.Options`.
        context: What corepilot tells its backends.

    Attributes:
        directories: Of the catalog.
        clock: Of the stamps.
    """

    def __init__(self, options: Any, context: BackendContext) -> None:
        root = options.path or default_path(context.environment)
        self.directories = Directories(os.path.normpath(root), shared=options.shared, chosen=not options.path)
        self.clock = BootClock()
        self._repeats = Repeat(context.log)
        self._log = context.log
        self._ignored: dict[str, set[str]] = {}
        self._streams: set[DirectoryStream[Any]] = set()
        self._inotify: Inotify | None = None
        self._closed = False

    @property
    def polling(self) -> bool:
        """Whether a watch has to do without inotify."""
        return any(stream.polling for stream in self._streams)

    def require_open(self, action: str) -> None:
        """Refuse to do anything after `close`.

        Raises:
            BackendUnavailableError: it was closed.
        """
        if self._closed:
            raise BackendUnavailableError(f"cannot {action}: the catalog was closed")

    def explain(self, action: str, error: OSError) -> BackendError:
        """See `Directories.explain`."""
        return self.directories.explain(action, error)

    def ignored(self, path: str, reason: str) -> None:
        """Say once that a file is ignored, and why; of more than 20 in one directory, once that there are more."""
        directory = os.path.dirname(path)
        named = self._ignored.setdefault(directory, set())
        if path in named or len(named) > _MOST_NAMED:
            return
        named.add(path)
        if len(named) <= _MOST_NAMED:
            self._log("warning", f"ignoring {path}: {reason}")
        else:
            self._log("warning", f"ignoring more than {_MOST_NAMED} files in {directory}; no more of them are named")

    def follow(
        self,
        action: str,
        place: Place,
        view: Callable[[Callable[[], None]], DirectoryView[_Seen]],
        absent: _Seen,
        interval_s: float,
    ) -> Iterator[_Seen]:
        """Watch a directory. See `DirectoryStream`.

        Raises:
            BackendError: the stream is over.
        """
        self.require_open(action)
        stream = DirectoryStream(
            action,
            place,
            view,
            absent=absent,
            interval_s=interval_s,
            inotify=self._shared_inotify,
            warn=self._repeats.once,
        )
        self._streams.add(stream)
        try:
            yield from stream.snapshots()
        finally:
            self._streams.discard(stream)

    def close(self) -> None:
        """End all streams. Idempotent."""
        self._closed = True
        for stream in self._streams:
            stream.close()
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None

    def _shared_inotify(self) -> Inotify | None:
        if self._inotify is None:
            try:
                self._inotify = Inotify()
            except OSError as error:
                self._repeats.once(
                    "inotify",
                    f"cannot use inotify: {error.strerror} (fs.inotify.max_user_instances); looking every {POLL_S:g} s "
                    "instead; raise the limit with sysctl, or end what uses it up",
                )
                return None
            self._repeats.recovered("inotify", "inotify works again")
        return self._inotify
