"""The bus that events travel on: one order for everybody, nothing that blocks."""

from collections import deque
from collections.abc import Callable

from corepilot.model.event import Event


class EventBus:
    """Delivers each event to every subscriber, in the order of publication.

    Publishing never blocks and never re-enters a subscriber: an event that is published while another one is being
    delivered waits for its turn. One turn of the hub delivers at most `BATCH` events, so that two jobs which keep
    answering each other cannot starve timers, I/O or a stop.

    Args:
        soon: Calls its argument on the next turn of the hub.
        broken: Told of a subscriber's exception, which stops neither the other subscribers nor the bus.
    """

    BATCH = 256

    def __init__(
        self, soon: Callable[[Callable[[], None]], object], broken: Callable[[Event, Exception], None]
    ) -> None:
        self._soon = soon
        self._broken = broken
        self._waiting: deque[Event] = deque()
        self._subscribers: tuple[Callable[[Event], None], ...] = ()
        self._scheduled = False

    def subscribe(self, subscriber: Callable[[Event], None]) -> Callable[[], None]:
        """Deliver all events from now on to `subscriber`, after those who came before it; returns its unsubscribe."""
        self._subscribers += (subscriber,)

        def unsubscribe() -> None:
            self._subscribers = tuple(one for one in self._subscribers if one is not subscriber)

        return unsubscribe

    def publish(self, event: Event) -> None:
        """Queue an event. What bounds the queue are the causes, all outside: a process, a timer, a request, a watch."""
        self._waiting.append(event)
        if not self._scheduled:
            self._scheduled = True
            self._soon(self._deliver)

    def _deliver(self) -> None:
        for _ in range(self.BATCH):
            if not self._waiting:
                break
            event = self._waiting.popleft()
            for subscriber in self._subscribers:
                try:
                    subscriber(event)
                except Exception as error:  # noqa: BLE001  - one broken subscriber must not silence the others
                    self._broken(event, error)
        self._scheduled = bool(self._waiting)
        if self._scheduled:
            self._soon(self._deliver)
