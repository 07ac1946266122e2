"""The embedded catalog: a directory of files that their holders keep open and locked. No server, no daemon.

    <path>/<service>/<instance id>~<16 hex digits>

Every instance is one file (`record`), held by the supervisor that advertises it (`held`). Whoever watches (`stream`,
`view`) looks at the files of a service (`look`) when the kernel says that something happened (`inotify`). A holder's
end, by `kill -9` too, closes its file: that is an event, and a free lock. A holder that hangs keeps its lock; the stamp
in its file lapses (`clock`), and its instance counts as critical. docs/explanation/embedded-catalog.md tells more.

Of two holders of one id the one that registered later counts, as long as it lives. The earlier one is not told: when
the later one goes, it is seen again, with the status it reported last. The file's name ends in random digits and is
never used twice, so removing a dead one cannot hit its successor.

All file operations are made in the hub's thread. They are those of a local file system on small files: microseconds.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from corepilot.discovery.backend import Backend, BackendContext
from corepilot.discovery.embedded.clock import BootClock
from corepilot.discovery.embedded.directories import Directories, Place, default_path
from corepilot.discovery.embedded.held import HeldInstance
from corepilot.discovery.embedded.inotify import Inotify
from corepilot.discovery.embedded.record import LONGEST_S, Record
from corepilot.discovery.embedded.stream import POLL_S, DirectoryStream, DirectoryView
from corepilot.discovery.embedded.tidy import sweep
from corepilot.discovery.embedded.view import View
from corepilot.errors import BackendRefusedError, BackendUnavailableError, UnknownInstanceError
from corepilot.model.service import Query, Registration, Snapshot, Status
from corepilot.output.repeat import Repeat

_SWEEP_EVERY_S = 60.0
"""How often a registration looks for what the dead have left, where no watch does."""
_ATTEMPTS = 3
"""How often a file is made while somebody removes its directory."""

_Seen = TypeVar("_Seen")


class EmbeddedBackend(Backend):
    """One process's part in an embedded catalog: the instances it holds, and its watches.

    Costs one descriptor for each instance of its own, and one for all watches together.
    """

    def __init__(self, options: Any, context: BackendContext) -> None:
        super().__init__(options, context)
        root = options.path or default_path(context.environment)
        self._directories = Directories(os.path.normpath(root), shared=options.shared)
        self._clock = BootClock()
        self._repeats = Repeat(context.log)
        self._held: dict[str, HeldInstance] = {}
        self._streams: set[DirectoryStream[Any]] = set()
        self._swept_at: dict[str, float] = {}
        self._inotify: Inotify | None = None
        self._closed = False

    @property
    def address(self) -> str:
        """The catalog's directory."""
        return self._directories.root

    @property
    def mode(self) -> str:
        """How watches learn of changes: "push", or "poll" while one of them has to do without inotify."""
        return "poll" if any(stream.polling for stream in self._streams) else "push"

    def register(self, registration: Registration, status: Status, output: str) -> None:
        """See `Backend.register`. An instance that is held already is rewritten in place, unless it was removed.

        Raises:
            BackendRefusedError: we may not write there, it is no directory, or the registration is too long.
            BackendUnavailableError: the disk is full, descriptors are used up, or the catalog was closed.
        """
        action = f"register {registration.id}"
        self._require_open(action)
        record = Record.of(registration, status, output, now=self._clock(), boot=self._clock.boot, pid=os.getpid())
        held = self._held.get(registration.id)
        try:
            if held is not None and held.record.service == registration.service and held.in_place():
                held.rewrite(replace(record, sequence=held.record.sequence + 1))
                return
            self._held[registration.id] = self._create(record)
            if held is not None:
                held.remove()
        except OSError as error:
            raise self._directories.explain(action, error) from error
        except ValueError as error:
            raise BackendRefusedError(f"cannot {action}: {error}; give it fewer or shorter tags") from error

    def report(self, instance_id: str, status: Status, output: str, valid_for_s: float) -> None:
        """See `Backend.report`.

        Raises:
            UnknownInstanceError: it was not registered here, or its file was removed or replaced by somebody.
            BackendUnavailableError: the disk is full, or the catalog was closed.
        """
        action = f"report on {instance_id}"
        self._require_open(action)
        held = self._held.get(instance_id)
        if held is not None and not held.in_place():
            del self._held[instance_id]
            held.release()
            held = None
        if held is None:
            raise UnknownInstanceError(
                f"cannot {action}: the catalog {self._directories.root} does not hold it; register it again"
            )
        old = held.record
        valid_for_s = min(max(0.0, valid_for_s), LONGEST_S / 2)
        until = self._clock() + valid_for_s
        record = replace(
            old, status=status, output=output, until=until, valid_for_s=valid_for_s, sequence=old.sequence + 1
        )
        try:
            held.rewrite(record)
        except OSError as error:
            raise self._directories.explain(action, error) from error
        except ValueError as error:
            raise BackendRefusedError(f"cannot {action}: {error}; the check says too much") from error

    def deregister(self, instance_id: str) -> None:
        """See `Backend.deregister`. Takes out what was registered here; another holder's instance of that id stays.

        Raises:
            BackendError: the file could not be removed. It counts as dead all the same.
        """
        held = self._held.pop(instance_id, None)
        if held is not None:
            try:
                held.remove()
            except OSError as error:
                raise self._directories.explain(f"deregister {instance_id}", error) from error

    def watch(self, query: Query) -> Iterator[Snapshot]:
        """See `Backend.watch`. A directory that is missing is made, or awaited where we may not make it.

        Also when it is removed later: the stream goes on in the new one.

        Raises:
            BackendRefusedError: the query names a datacenter, or the catalog can be neither found nor made.
            BackendUnavailableError: there are no descriptors to begin with, or the catalog was closed.
        """
        if query.datacenter:
            raise BackendRefusedError(
                f"cannot watch {query.service} in the datacenter {query.datacenter}: an embedded catalog has none; "
                "leave dc out"
            )
        place = self._directories.of(query.service)

        def view(breathe: Callable[[], None]) -> View:
            return View(place.path, query, self._clock, self._ignored, breathe)

        nothing: Snapshot = ()
        yield from self._follow(f"watch {query.service}", place, view, nothing, query.interval_s)

    def close(self) -> None:
        """See `Backend.close`. What is still held counts as dead to everybody from now on."""
        self._closed = True
        for stream in self._streams:
            stream.close()
        while self._held:
            _, held = self._held.popitem()
            with suppress(OSError):
                held.release()
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None

    def _follow(
        self,
        action: str,
        place: Place,
        view: Callable[[Callable[[], None]], DirectoryView[_Seen]],
        absent: _Seen,
        interval_s: float,
    ) -> Iterator[_Seen]:
        self._require_open(action)
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

    def _ignored(self, path: str, reason: str) -> None:
        self._repeats.once(f"ignored {path}", f"ignoring {path}: {reason}")

    def _create(self, record: Record) -> HeldInstance:
        shared = self._directories.shared
        place = self._directories.of(record.service)
        for attempt in range(_ATTEMPTS):
            place.make()
            try:
                held = HeldInstance.create(place.path, record, readable_by_all=shared)
                break
            except FileNotFoundError:  # the directory, or the file before it had its name, was removed by somebody
                if attempt == _ATTEMPTS - 1:
                    raise
        directory = place.path
        if held.created_at - self._swept_at.get(directory, -_SWEEP_EVERY_S) >= _SWEEP_EVERY_S:
            self._swept_at[directory] = held.created_at
            with suppress(OSError):  # tidying up is not what was asked for
                sweep(directory, self._clock, held.created_at)
        return held

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

    def _require_open(self, action: str) -> None:
        if self._closed:
            raise BackendUnavailableError(f"cannot {action}: the catalog was closed")
