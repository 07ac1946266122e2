"""Keeps one file as its template makes it: asks a process to make it, says what came of it, and tries again."""

import os
from collections.abc import Callable, Mapping, Sequence

import gevent
from gevent.event import AsyncResult
from gevent.event import Event as Flag

from corepilot.discovery.watcher import Watcher
from corepilot.model.configuration import Render, Watch
from corepilot.model.event import Event
from corepilot.output.repeat import Repeat
from corepilot.rendering.exchange import (
    ANSWER_MAX_BYTES,
    RenderAnswer,
    RenderRequest,
    Seen,
    decode_answer,
    encode_request,
)
from corepilot.supervisor.conversation import ConversationError, converse
from corepilot.system.backoff import Backoff, chance
from corepilot.system.leaving import Leaving
from corepilot.system.process import Reaper, describe_status
from corepilot.system.semaphore import BoundedSemaphore

DEADLINE_S = 15.0
"""Seconds until a process is killed that makes a file: a second for the template, the rest for a slow disk."""

PAUSE_S = 0.1
"""Seconds between two of them for one file: of changes that come faster several are taken together."""

RETRY_MOST_S = 60.0
"""Seconds between two tries at most, where a file could not be written."""


class FileMaker:
    """One of `render`, until `close`.

    Args:
        render: What to make.
        watched: The watches, each with what is at work for it.
        environment: The jobs' environment as it is now.
        publish: Puts an event on the bus.
        log: Takes a level and a message.
        reaper: Who waits for the processes.
        turns: Bounds how many of them there are, over all files.

    Attributes:
        render: The same.
        source: What its events come from.
        healthy: Whether the file was as its template makes it, when it was made last.
        waits_for: The watch that it waits for, of which nothing is known; "" if none.
        last_error: Why the file is not as it should be; "" if it is.
        writes: How often its content was another one, and it was written.
        failures: How often it could not be made.
    """

    def __init__(
        self,
        render: Render,
        watched: Callable[[], Sequence[tuple[Watch, Watcher | None]]],
        environment: Callable[[], Mapping[str, str]],
        *,
        publish: Callable[[Event], None],
        log: Callable[[str, str], None],
        reaper: Reaper,
        turns: BoundedSemaphore,
    ) -> None:
        self.render = render
        self.source = f"render.{render.name}"
        self.healthy = False
        self.waits_for = self.last_error = ""
        self.writes = self.failures = 0
        self._watched, self._environment = watched, environment
        self._publish, self._log, self._reaper, self._turns = publish, log, reaper, turns
        self._repeats = Repeat(log)
        self._backoff = Backoff(1.0, RETRY_MOST_S)
        # One name for all its processes, of which there is one at a time: what a killed one left is taken away.
        self._temporary = f"corepilot-{os.getpid()}-{int(chance() * 2**32):08x}"
        self._used: frozenset[str] | None = None
        self._asked = Flag()
        self._hanging: AsyncResult[int] | None = None
        self._working: gevent.Greenlet[[], None] | None = None
        self._closed = False

    def make(self) -> None:
        """Make the file, again if need be. Returns at once; several wishes at a time are one."""
        if self._closed:
            return
        self._asked.set()
        if self._working is None:
            self._working = gevent.spawn(self._work)

    def looks_at(self, watch: str) -> bool:
        """Whether its template has looked at a watch, or may do so."""
        return self._used is None or watch in self._used

    def close(self) -> None:
        """Make it no more. Returns at once. Idempotent."""
        self._closed = True
        if self._working is not None:
            self._working.kill(Leaving(), block=False)

    def status(self) -> dict[str, object]:
        """What `corepilot status` shows.

        Returns:
            `name`, `to`, `healthy`, `waits_for`, `last_error`, and `watches`: the names of those that its template has
            looked at.
        """
        return {
            "name": self.render.name,
            "to": self.render.to,
            "healthy": self.healthy,
            "waits_for": self.waits_for,
            "last_error": self.last_error,
            "watches": sorted(self._used or ()),
        }

    def _work(self) -> None:
        try:
            while self._asked.is_set():
                self._asked.clear()
                retry_s = self._take(self._make())
                if retry_s and not self._asked.wait(retry_s):
                    self._asked.set()
                gevent.sleep(PAUSE_S)
        finally:
            self._working = None

    def _make(self) -> RenderAnswer | str:
        """What a process has answered, or why there is no answer."""
        while True:
            with self._turns:
                answer = self._ask()
            if isinstance(answer, str) or answer.result != "waits" or self._used is None:
                return answer
            if answer.reason in self._used:
                return answer
            self._used |= {answer.reason}  # it has not been told of this one

    def _ask(self) -> RenderAnswer | str:
        if self._hanging is not None and not self._hanging.ready():
            # One at a time: where a file system does not answer, more of them would hang as well.
            return "the last process that was to make it still hangs; look at the file system it is on"
        render = self.render
        seen = tuple(
            [_seen(watch, watcher if self.looks_at(watch.name) else None) for watch, watcher in self._watched()]
        )
        request = RenderRequest(
            render.template, render.to, render.mode, self._temporary, dict(self._environment()), seen
        )
        try:
            answer = converse(
                "corepilot.rendering.child",
                encode_request(request),
                self._reaper,
                deadline_s=DEADLINE_S,
                most=ANSWER_MAX_BYTES,
            )
        except ConversationError as error:
            return f"the process that makes it: {error}"
        if answer.status is None:
            self._hanging = answer.ended
            return f"it was not made within {DEADLINE_S:g} s; look at the file system it is on"
        try:
            return decode_answer(answer.data)
        except ValueError:
            return f"the process that makes it ended with {describe_status(answer.status)}"

    def _take(self, answer: RenderAnswer | str) -> float:
        """Say what came of it; the seconds until it is tried again, or 0."""
        if isinstance(answer, str):
            return self._failed(answer)
        self._used = frozenset(answer.used)
        self.waits_for = answer.reason if answer.result == "waits" else ""
        if answer.result == "waits":
            return 0.0
        if answer.result == "file":
            return self._failed(answer.reason)
        if answer.result == "template":
            self._failed(answer.reason)
            return 0.0  # it would fail again until something changes
        self.last_error = ""
        self._backoff.reset()
        self._repeats.recovered("file", f"{self.render.to} is made again")
        if answer.result == "written":
            self.writes += 1
            self._log("debug", f"{self.source}: {self.render.to} has changed")
            self._publish(Event("changed", self.source))
        if not self.healthy:
            self.healthy = True
            self._publish(Event("healthy", self.source))
        return 0.0

    def _failed(self, why: str) -> float:
        self.failures += 1
        self.last_error = f"cannot make {self.render.to}: {why}"
        self._repeats.failed("file", f"{self.source}: {self.last_error} (what was there stays)")
        if self.healthy:
            self.healthy = False
            self._publish(Event("unhealthy", self.source))
        return self._backoff.next_s()


def _seen(watch: Watch, watcher: Watcher | None) -> Seen:
    """What a watch knows; nothing without a watcher."""
    content: tuple[tuple[object, ...], ...] | None = None
    if watcher is not None and watcher.known:
        if watch.kind == "service":
            content = tuple(
                [(one.id, one.service, one.address, one.port, one.tags) for one in watcher.passing_instances]
            )
        else:
            content = tuple([(one.key, one.value) for one in watcher.entries])
    return Seen(watch.name, watch.kind, watch.target, content)
