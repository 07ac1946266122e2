"""The embedded catalog: a directory of files that their holders keep open and locked. No server, no daemon.

    <path>/<service>/<instance id>~<16 hex digits>
    <path>/.keys/<key>                                  see `key_store`
    <path>/.locks/<lock>~<token>                        see `lock_store`

Every instance is one file (`record`), held by the supervisor that advertises it (`held`). Whoever watches (`stream`,
`view`) looks at the files of a service (`inspection`) when the kernel says that something happened (`inotify`). A
holder's end, by `kill -9` too, closes its file: that is an event, and a free lock. A holder that hangs keeps its lock;
the stamp in its file lapses (`clock`), and its instance counts as critical. docs/explanation/embedded-catalog.md tells
more.

Of two holders of one id the one that registered later counts, as long as it lives. The earlier one is not told: when
the later one goes, it is seen again, with the status it reported last. The file's name ends in random digits and is
never used twice, so removing a dead one cannot hit its successor.

All file operations but fsync(2) are made in the hub's thread. They are those of a local file system on small files:
microseconds.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gevent

from corepilot.discovery.backend import Backend, BackendContext, facet
from corepilot.discovery.embedded.client import ATTEMPTS, Client
from corepilot.discovery.embedded.held import HeldInstance
from corepilot.discovery.embedded.inspection import service_in
from corepilot.discovery.embedded.pace import Pace
from corepilot.discovery.embedded.record import LONGEST_S, Record
from corepilot.discovery.embedded.tidy import sweep
from corepilot.discovery.embedded.view import View
from corepilot.errors import BackendRefusedError, UnknownInstanceError
from corepilot.model.service import Query, Registration, Snapshot, Status

if TYPE_CHECKING:
    from corepilot.discovery.embedded.key_store import EmbeddedKeys
    from corepilot.discovery.embedded.lock_store import EmbeddedLocks

_SWEEP_EVERY_S = 60.0
"""How often a registration looks for what the dead have left, where no watch does."""


class EmbeddedBackend(Backend):
    """One process's part in an embedded catalog: the instances it holds, and its watches.

    Costs one descriptor for each instance and lock of its own, and one for all watches together.
    """

    def __init__(self, options: Any, context: BackendContext) -> None:
        super().__init__(options, context)
        self._client = Client(options, context)
        self._directories, self._clock = self._client.directories, self._client.clock
        self._held: dict[str, HeldInstance] = {}
        self._swept_at: dict[str, float] = {}
        self._to_sweep: dict[str, float] = {}
        self._sweeper: gevent.Greenlet[[], None] | None = None

    @facet
    def keys(self) -> "EmbeddedKeys":
        """The facet."""
        from corepilot.discovery.embedded.key_store import EmbeddedKeys

        return EmbeddedKeys(self._client)

    @facet
    def locks(self) -> "EmbeddedLocks":
        """The facet."""
        from corepilot.discovery.embedded.lock_store import EmbeddedLocks

        return EmbeddedLocks(self._client)

    @property
    def address(self) -> str:
        """The catalog's directory."""
        return self._directories.root

    @property
    def mode(self) -> str:
        """How watches learn of changes: "push", or "poll" while one of them has to do without inotify."""
        return "poll" if self._client.polling else "push"

    def register(self, registration: Registration, status: Status, output: str) -> None:
        """See `Backend.register`. An instance that is held already is rewritten in place, unless it was removed.

        Raises:
            BackendRefusedError: we may not write there, it is no directory, or the registration is too long.
            BackendUnavailableError: the disk is full, descriptors are used up, or the catalog was closed.
        """
        action = f"register {registration.id}"
        self._client.require_open(action)
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
        self._client.require_open(action)
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

    def service_names(self) -> tuple[str, ...]:
        """See `Backend.service_names`. Looks into a file of each service: its directory's name may be shortened.

        Raises:
            BackendError: the catalog cannot be read.
        """
        try:
            found = {service_in(directory) for directory in self._directories.services()}
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise self._directories.explain("list the services", error) from error
        return tuple(sorted(name for name in found if name))

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
            return View(place.path, query, self._clock, self._client.ignored, breathe)

        nothing: Snapshot = ()
        yield from self._client.follow(f"watch {query.service}", place, view, nothing, query.interval_s)

    def close(self) -> None:
        """See `Backend.close`. What is still held counts as dead to everybody from now on."""
        self._client.close()
        if "locks" in vars(self):
            self.locks.close()
        if self._sweeper is not None:
            self._sweeper.kill(block=False)
        while self._held:
            _, held = self._held.popitem()
            with suppress(OSError):
                held.release()

    def _create(self, record: Record) -> HeldInstance:
        shared = self._directories.shared
        place = self._directories.of(record.service)
        for attempt in range(ATTEMPTS):
            place.make()
            try:
                held = HeldInstance.create(place.path, record, readable_by_all=shared)
                break
            except FileNotFoundError:  # the directory, or the file before it had its name, was removed by somebody
                if attempt == ATTEMPTS - 1:
                    raise
        self._tidy(place.path, held.created_at)
        return held

    def _tidy(self, directory: str, now: float) -> None:
        """Have what the dead have left removed, by the way, and not too often."""
        if now - self._swept_at.get(directory, -_SWEEP_EVERY_S) >= _SWEEP_EVERY_S:
            self._swept_at[directory] = now
            self._to_sweep[directory] = now
            if not self._sweeper:
                self._sweeper = gevent.spawn(self._sweep)

    def _sweep(self) -> None:
        """A greenlet: it lets others run, between thousands of files too."""
        pace = Pace()
        pace.begin()
        while self._to_sweep:
            directory, now = self._to_sweep.popitem()
            with suppress(OSError):  # nobody has asked for it
                sweep(directory, self._clock, now, pace.breathe)
