"""What `corepilot logs` and `corepilot events` read, and who follows it.

What is kept needs its modules with the first line that is read: they are not on the way to the first job.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from corepilot.errors import ControlError
from corepilot.events import EventBus
from corepilot.model.event import Event
from corepilot.output.records import Output, Records, Subscription
from corepilot.output.stamps import nano_stamp

if TYPE_CHECKING:
    from corepilot.output.ring import Kept, Ring
    from corepilot.supervisor.tail import Tail

FOLLOWERS_MAX = 8
"""Clients that may follow at the same time, lines and events together."""

_ANSWERS_MAX = 4096
"""Names of jobs and checks of which a client that follows remembers whether it wants their lines."""

EVENTS_KEPT = 500
_EVENT_BYTES = 512
_Seen = tuple[int, Event]
"""When an event was on the bus, in nanoseconds of Unix time, and the event."""


class Tails:
    """The last lines and events, and the clients that follow them.

    Args:
        output: What jobs write.
        bus: Where events are.
        keep_bytes: Of the lines, at most; 0 for none.
    """

    def __init__(self, output: Output, bus: EventBus, keep_bytes: int) -> None:
        self._output = output
        self._keep_bytes = keep_bytes
        self._made: Ring | None = None
        self._subscription: Subscription | None = None
        self._events: deque[_Seen] = deque(maxlen=EVENTS_KEPT)
        self._following: dict[Tail[Any], Subscription | None] = {}
        bus.subscribe(self._hear)
        self.resize(keep_bytes)

    def resize(self, keep_bytes: int) -> None:
        """Keep this much of the lines from now on. What is not kept costs nothing."""
        self._keep_bytes = keep_bytes
        if self._made is not None:
            self._made.resize(keep_bytes)
        if keep_bytes and self._subscription is None:
            self._subscription = self._output.subscribe("the memory of `corepilot logs`", self._keep)
        elif not keep_bytes and self._subscription is not None:
            self._subscription.close()
            self._subscription = None

    def lines(
        self,
        jobs: Sequence[str],
        *,
        since_s: float,
        last: int | None,
        follow: bool,
        also: Callable[[str], bool] = lambda _name: False,
    ) -> "Tail[Kept]":
        """The last lines of some jobs and their checks, or of all for no names; to be closed.

        Args:
            jobs: As the log calls them.
            since_s: The Unix time that they are newer than.
            last: How many at most; None for all that are kept.
            follow: Whether what comes is wanted as well.
            also: Whether lines of another name are wanted then: a reload brings jobs. Asked once for each name.

        Raises:
            ControlError: Too many clients follow already.
        """
        from corepilot.output.ring import ENTRY_BYTES, Kept, names_of
        from corepilot.supervisor.tail import Tail

        wanted = names_of(jobs)
        self._require_room(follow=follow)
        known = self._ring.read(wanted, since_ns=int(since_s * 1e9), last=last)
        tail = Tail(known, _lines, self._left, follow=follow)
        answers: dict[str, bool] = {}

        def is_wanted(name: str) -> bool:
            if name not in answers:
                if len(answers) >= _ANSWERS_MAX:
                    answers.clear()
                answers[name] = wanted(name) or also(name)
            return answers[name]

        def take(records: Records) -> None:
            if not is_wanted(str(records.fields[0][1]) if records.fields else ""):
                return
            if tail.follower.full:
                tail.follower.lose(len(records.lines))  # who stands still costs no more than this
            else:
                text = b"\n".join(records.shown)
                kept = Kept(0, records.wall_ns, records.fields, records.stream, text)
                tail.follower.put(kept, len(text) + ENTRY_BYTES, len(records.lines))

        if follow:
            self._following[tail] = self._output.subscribe("a client of `corepilot logs`", take)
        return tail

    def events(self, *, since_s: float, last: int | None, follow: bool) -> "Tail[Any]":
        """The last events; to be closed.

        Raises:
            ControlError: Too many clients follow already.
        """
        from corepilot.supervisor.tail import Tail

        self._require_room(follow=follow)
        known = [seen for seen in self._events if seen[0] >= since_s * 1e9]
        if last is not None:
            known = known[max(len(known) - last, 0) :]
        tail = Tail(known, _event, self._left, follow=follow)
        if follow:
            self._following[tail] = None
        return tail

    def close(self) -> None:
        """Nothing follows any more: clients read what waits for them, and then the end."""
        for tail in self._following:
            tail.end()

    @property
    def _ring(self) -> "Ring":
        if self._made is None:
            from corepilot.output.ring import Ring

            self._made = Ring(self._keep_bytes)
        return self._made

    def _keep(self, records: Records) -> None:
        self._ring.take(records)
        if self._subscription is not None:
            self._subscription.take = self._ring.take  # without us from now on

    def _hear(self, event: Event) -> None:
        seen = time.time_ns(), event
        self._events.append(seen)
        for tail, subscription in self._following.items():
            if subscription is None:
                tail.follower.put(seen, _EVENT_BYTES + len(event.detail), 1)

    def _require_room(self, *, follow: bool) -> None:
        if follow and len(self._following) >= FOLLOWERS_MAX:
            raise ControlError(
                f"cannot follow: {FOLLOWERS_MAX} clients follow already; end one of them, or ask without following"
            )

    def _left(self, tail: "Tail[Any]") -> None:
        subscription = self._following.pop(tail, None)
        if subscription is not None:
            subscription.close()


def _lines(kept: "Kept") -> dict[str, object]:
    stream = {"stream": kept.stream} if kept.stream else {}
    lines = [line.decode("utf-8", "backslashreplace") for line in kept.lines]
    return {"time": nano_stamp(kept.wall_ns), **dict(kept.fields), **stream, "lines": lines}


def _event(seen: _Seen) -> dict[str, object]:
    wall_ns, event = seen
    return {
        "time": nano_stamp(wall_ns),
        "code": event.code,
        "source": event.subject,
        "detail": event.detail,
        "status": event.status,
        "origin": [list(run) for run in event.origin],
    }
