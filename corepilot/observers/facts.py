"""Facts on their way to observers: a queue and a greenlet for each, so that none of them keeps anybody waiting."""

import time
from collections import deque
from typing import Protocol

import gevent
from gevent.event import Event as Flag

from corepilot.model.event import Event
from corepilot.model.fact import QUEUE_MAX, EventSeen, Fact
from corepilot.system.leaving import Leaving


def stamp() -> float:
    """The time of a fact, in seconds since 1970: for people, and never to measure with."""
    return time.time()


class Consumer(Protocol):
    """Who consumes facts, such as an observer behind its boundary. No method raises."""

    def observe(self, fact: Fact) -> None:
        """Take one."""

    def dropped(self, count: int) -> None:
        """So many were dropped here."""

    def strayed(self, error: BaseException) -> None:
        """Between two facts something was raised in the queue's greenlet: a timeout that was started and left, say."""


class Feed:
    """The queue of one observer.

    Args:
        consumer: Who consumes the facts.
        maximum: How many may wait.

    Attributes:
        lost: How many facts have been dropped.
    """

    def __init__(self, consumer: Consumer, maximum: int = QUEUE_MAX) -> None:
        self._consumer, self._maximum = consumer, maximum
        self._waiting: deque[Fact | int] = deque()
        self.lost = 0
        self._news = Flag()
        self._idle = Flag()
        self._idle.set()
        self._closed = False
        self._greenlet = gevent.spawn(self._work)

    @property
    def waiting(self) -> int:
        """How many facts wait."""
        return len(self._waiting)

    def put(self, fact: Fact) -> None:
        """Queue a fact, or drop it where the queue is full. Never waits."""
        if len(self._waiting) >= self._maximum:
            self.lost += 1
            last = self._waiting[-1]
            if isinstance(last, int):
                self._waiting[-1] = last + 1
            else:
                self._waiting.append(1)
        else:
            self._waiting.append(fact)
        self._idle.clear()
        self._news.set()

    def close(self, deadline_s: float) -> bool:
        """Give the observer so many seconds for what waits, then end. Whether it has taken everything."""
        done = self._idle.wait(deadline_s)
        self._closed = True
        self._greenlet.kill(Leaving(), block=False)
        return bool(done)

    def _work(self) -> None:
        while not self._closed:
            try:
                self._pass_on()
                self._news.wait()
            except BaseException as error:  # noqa: BLE001  - what a plugin leaves behind must not end its queue
                if not self._closed:
                    self._consumer.strayed(error)

    def _pass_on(self) -> None:
        while self._waiting:
            first = self._waiting.popleft()
            if isinstance(first, int):
                self._consumer.dropped(first)
            else:
                self._consumer.observe(first)
            gevent.sleep(0)  # an observer that never waits must not keep the others from their turn
        self._idle.set()
        self._news.clear()


class Facts:
    """Where facts are told, and who is told of them.

    What happens before the first observers are there is kept for them, `QUEUE_MAX` facts of it. Where nobody is named,
    nothing is kept and nothing is made.

    Args:
        wanted: Whether there are going to be observers.
    """

    def __init__(self, *, wanted: bool) -> None:
        self._feeds: tuple[Feed, ...] = ()
        self._before: deque[Fact] | None = deque(maxlen=QUEUE_MAX) if wanted else None
        self.wanted = wanted

    def hear(self, event: Event) -> None:
        """Take an event of the bus."""
        if self.wanted:
            self.tell(EventSeen(stamp(), event))

    def tell(self, fact: Fact) -> None:
        """Take a fact. Callers look at `wanted` first where making one costs something."""
        if self._before is not None:
            self._before.append(fact)
        for feed in self._feeds:
            feed.put(fact)

    def attach(self, feed: Feed) -> None:
        """Tell an observer of everything from now on, and of what has been kept."""
        for fact in self._before or ():
            feed.put(fact)
        self._feeds += (feed,)
        self.wanted = True

    def detach(self, feed: Feed) -> None:
        """Tell it no more."""
        self._feeds = tuple([one for one in self._feeds if one is not feed])
        self.wanted = bool(self._feeds) or self._before is not None

    def begin(self) -> None:
        """The observers of the first configuration are there: nothing is kept any more."""
        self._before = None
        self.wanted = bool(self._feeds)
