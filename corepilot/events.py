"""The bus that events travel on: one order for everybody, nothing that blocks."""

import time
from collections import deque
from collections.abc import Callable, Iterator

from corepilot.model.event import Event

Subscriber = Callable[[Event], Iterator[None] | None]
"""Takes an event. One that has much to do about it returns an iterator, which does a part of it at each step."""

SLICE_S = 0.01
"""Seconds of delivery after which everything else has its turn (R1 of our fault table: 1,000 jobs start at once)."""

WAITING_MAX = 10_000
"""Events that `offer` lets wait at most."""


class EventBus:
    """Delivers each event to every subscriber, in the order of publication.

    Publishing never blocks and never re-enters a subscriber: an event that is published while another one is being
    delivered waits for its turn. One turn of the hub delivers for `SLICE_S` at most, so that neither many jobs nor two
    that keep answering each other can starve timers, I/O or a stop.

    Args:
        soon: Calls its argument on the next turn of the hub.
        broken: Told of a subscriber's exception, which stops neither the other subscribers nor the bus.
        clock: Seconds, for the length of a turn.
    """

    def __init__(
        self,
        soon: Callable[[Callable[[], None]], object],
        broken: Callable[[Event, Exception], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._soon = soon
        self._broken = broken
        self._clock = clock
        self._waiting: deque[Event | Callable[[], None]] = deque()
        self._subscribers: tuple[Subscriber, ...] = ()
        self._delivery: Iterator[None] | None = None
        self._scheduled = False

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Deliver all events from now on to `subscriber`, after those who came before it; returns its unsubscribe."""
        self._subscribers += (subscriber,)

        def unsubscribe() -> None:
            self._subscribers = tuple(one for one in self._subscribers if one is not subscriber)

        return unsubscribe

    def publish(self, event: Event) -> None:
        """Queue an event. What bounds the queue are the causes: processes, timers, watches."""
        self._queue(event)

    def after(self, action: Callable[[], None]) -> None:
        """Call `action` when everybody has heard all events that have been published so far. It must not raise."""
        self._queue(action)

    def offer(self, event: Event) -> bool:
        """Queue an event of which clients can make any number; False, and nothing is done, if too many wait."""
        if len(self._waiting) >= WAITING_MAX:
            return False
        self.publish(event)
        return True

    def _queue(self, item: Event | Callable[[], None]) -> None:
        self._waiting.append(item)
        if not self._scheduled:
            self._scheduled = True
            self._soon(self._deliver)

    def _deliver(self) -> None:
        until = self._clock() + SLICE_S
        while self._waiting or self._delivery is not None:
            if self._delivery is not None:
                if next(self._delivery, self) is self:
                    self._delivery = None
            else:
                first = self._waiting.popleft()
                if isinstance(first, Event):
                    self._begin(first)
                else:
                    first()
            if self._clock() >= until:
                break
        self._scheduled = bool(self._waiting) or self._delivery is not None
        if self._scheduled:
            self._soon(self._deliver)

    def _begin(self, event: Event) -> None:
        """Tell the subscribers of an event, as far as the first that has much to do about it."""
        for index, subscriber in enumerate(self._subscribers):
            try:
                parts = subscriber(event)
            except Exception as error:  # noqa: BLE001  - one broken subscriber must not silence the others
                self._broken(event, error)
                continue
            if parts is not None:
                self._delivery = self._rest(event, parts, self._subscribers[index + 1 :])
                return

    def _rest(self, event: Event, parts: Iterator[None], others: tuple[Subscriber, ...]) -> Iterator[None]:
        """One step for each part of what a subscriber does, and one for each subscriber after it."""
        for subscriber in (lambda _event: parts, *others):
            try:
                yield from subscriber(event) or ()
            except Exception as error:  # noqa: BLE001  - as above
                self._broken(event, error)
            yield
