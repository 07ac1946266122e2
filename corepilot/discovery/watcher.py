"""Turns one service's stream of snapshots into events: changed, then healthy or unhealthy.

What counts as a change is ContainerPilot's rule (contract, section 7.4): the passing instances, sorted by id, differ in
number, or pairwise in address or port. Ids, tags and the others' statuses do not count. At first there are none, so a
service that is absent at the start causes no event. When the catalog cannot be read, what was known stays.

The first look is after one interval, as ContainerPilot's: jobs that react to changes find those started that they tell
(`atStart` looks at once). From then on it is ours: changes are pushed, not polled for; and each watch has a memory of
its own, so two watches on one name with different tags do not disturb each other.
"""

import time
from collections.abc import Callable, Generator
from contextlib import closing
from typing import cast

import gevent

from corepilot.discovery.backend import Backend
from corepilot.discovery.backoff import Backoff, chance
from corepilot.errors import BackendError
from corepilot.model.configuration import Watch
from corepilot.model.event import Event
from corepilot.model.service import Query, Snapshot
from corepilot.output.repeat import Repeat
from corepilot.plugin.boundary import PluginFaultError
from corepilot.system.leaving import Leaving
from corepilot.wording.failures import one_line_traceback

FIRST_S = 15.0
"""How long a stream may take to its first snapshot."""
REOPEN_S = 300.0
"""How long a stream is trusted, ±20 %: every store's own history has watches that fell silent (our decision)."""
STEADY_S = 30.0
"""A stream that lasted so long was a good one: the next failure is a new one."""


class Watcher:
    """One watch, and its greenlet between `start` and `close`.

    Args:
        backend: The catalog. It is not closed here.
        watch: What to watch.
        publish: Takes the events. Must not block.
        log: Takes a level and a message.
        first_s: The most that a stream's first snapshot may take, in seconds.
        reopen_s: How long a stream is used, about, in seconds.
        backoff: The pauses after failures.

    Attributes:
        watch: What is watched.
        instances: The last snapshot, empty before the first one. Passing instances, and others where the backend tells.
        last_error: Why there is no stream; "" while there is one.
    """

    def __init__(
        self,
        backend: Backend,
        watch: Watch,
        publish: Callable[[Event], None],
        log: Callable[[str, str], None],
        *,
        first_s: float = FIRST_S,
        reopen_s: float = REOPEN_S,
        backoff: Backoff | None = None,
    ) -> None:
        self.watch = watch
        self.instances: Snapshot = ()
        self.last_error = ""
        self._backend = backend
        self._source = f"watch.{watch.name}"
        self._publish = publish
        self._repeats = Repeat(log)
        self._first_s = first_s
        self._reopen_s = reopen_s
        self._backoff = backoff or Backoff()
        self._passing: list[tuple[str, int]] = []
        self._connected = False
        self._lost_at: float | None = None
        self._closed = False
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def start(self) -> None:
        """Begin to watch. Returns at once. Idempotent."""
        if self._greenlet is None:
            self._greenlet = gevent.spawn(self._run)

    def close(self) -> None:
        """End the watch; no event comes after this. Returns at once. Idempotent."""
        self._closed = True
        if self._greenlet is not None:
            self._greenlet.kill(Leaving(), block=False)

    @property
    def has_instances(self) -> bool:
        """Whether passing instances are known."""
        return bool(self._passing)

    @property
    def lag_s(self) -> float:
        """How long there has been no stream that answers: how old `instances` may be. 0 while there is one."""
        return 0.0 if self._lost_at is None else time.monotonic() - self._lost_at

    def status(self) -> dict[str, object]:
        """What `corepilot status` shows.

        Returns:
            `name`, `tag`, `dc`, `instances` (how many it was told of), `passing` (how many), `connected` (whether there
            is a stream that has answered) and `last_error`.
        """
        return {
            "name": self.watch.name,
            "tag": self.watch.tag,
            "dc": self.watch.datacenter,
            "instances": len(self.instances),
            "passing": len(self._passing),
            "connected": self._connected,
            "last_error": self.last_error,
        }

    def _run(self) -> None:
        """The greenlet: one stream after the other, with a pause after each that failed."""
        watch = self.watch
        query = Query(watch.name, watch.tag, watch.datacenter, watch.interval_s, passing_only=True)
        if not watch.at_start:
            gevent.sleep(watch.interval_s)
        self._lost_at = time.monotonic()
        while True:
            opened_at = time.monotonic()
            error = self._follow(query)
            if error is None:
                continue
            self._connected = False
            self._lost_at = self._lost_at or time.monotonic()
            self.last_error = str(error)
            self._repeats.failed("stream", f"{self._source}: {error}; trying again, what is known stays")
            if time.monotonic() - opened_at > STEADY_S:
                self._backoff.reset()
            gevent.sleep(self._backoff.next_s())

    def _follow(self, query: Query) -> Exception | None:
        """Use one stream until it is over; None if it is only time for another one."""
        first = gevent.Timeout(self._first_s)
        reopen = gevent.Timeout(self._reopen_s * (0.8 + 0.4 * chance()))
        try:
            with reopen, closing(cast("Generator[Snapshot]", self._backend.watch(query))) as stream:
                with first:
                    self._take(next(stream))
                for snapshot in stream:
                    self._take(snapshot)
        except gevent.Timeout as over:
            if over is reopen:
                return None
            return TimeoutError(f"cannot watch {query.service}: no answer from the catalog within {self._first_s:g} s")
        except (BackendError, PluginFaultError) as error:
            return error
        except Exception as error:  # noqa: BLE001  - a bug in a plugin must not end the watch
            return RuntimeError(f"cannot watch {query.service}: a bug in the backend: {one_line_traceback(error)}")
        finally:
            # One that was raised holds this frame by its traceback: they would wait for the garbage collector together,
            # and with them all that the stream has.
            del first, reopen
        return RuntimeError(f"cannot watch {query.service}: a bug in the backend: its stream just ended")

    def _take(self, snapshot: Snapshot) -> None:
        if self._closed:
            return  # the greenlet is to be killed, at the hub's next turn
        if not self._connected:
            self._connected = True
            self._lost_at = None
            self.last_error = ""
            self._repeats.recovered("stream", f"{self._source}: the catalog answers again")
        self.instances = snapshot
        passing = [(one.address, one.port) for one in sorted(snapshot) if one.status == "passing"]
        if passing != self._passing:
            self._passing = passing
            self._publish(Event("changed", self._source))
            self._publish(Event("healthy" if passing else "unhealthy", self._source))
