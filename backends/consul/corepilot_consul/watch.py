"""A standing interest in something that Consul holds: blocking queries in a row, as an iterator that others may close.

Not every answer is a change, and not every one can be believed. Consul's streaming backend, which answers blocking
queries for services, knows nothing of the header that says that an answer was filtered: when a token loses its
permission, it answers 200 and an empty list, with the index that was asked with, or with 1 (hashicorp/consul#20790;
seen with 1.16). So whatever looks as if something were gone is asked for once more without an index: such a question
goes to the servers, whose answers say what they are.
"""

from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any, Generic, NamedTuple, TypeVar
from weakref import WeakSet

from gevent import get_hub, getcurrent, sleep

from corepilot.http.message import Response
from corepilot_consul.blocking import Pace, next_index, wait_for

Found = TypeVar("Found")


class Answer(NamedTuple):
    """One answer of the agent, not parsed.

    Attributes:
        header: Its X-Consul-Index, "" if there is none.
        body: The body; b"" where nothing is under that name.
        streamed: Whether it comes from Consul's streaming backend.
    """

    header: str
    body: bytes
    streamed: bool = False


def answer_of(response: Response) -> Answer:
    """The answer in a response."""
    fields = response.headers
    streamed = fields.get("X-Consul-Query-Backend", "") == "streaming"
    body = b"" if response.status == 404 else response.body
    return Answer(fields.get("X-Consul-Index", "").strip(), body, streamed)


class Streams:
    """The watches of one client, so that they end with it."""

    def __init__(self) -> None:
        self._open: WeakSet[Watch[Any]] = WeakSet()  # one that is dropped without close() holds nothing

    def follow(
        self,
        interval_s: float,
        ask: Callable[[int, int], Answer],
        read: Callable[[bytes], Found],
        misses: Callable[[Found, Found], bool] = lambda _before, _after: False,
    ) -> "Watch[Found]":
        """Open one: see `Watch`. Nothing is sent before the first `next`."""
        watch = Watch(interval_s, ask, read, self._open.discard, misses)
        self._open.add(watch)
        return watch

    def close(self) -> None:
        """End all of them. Idempotent, does not wait."""
        for watch in tuple(self._open):
            watch.close()


class _ClosedError(BaseException):
    """Thrown into the greenlet that waits in a watch which another one closes. No Exception, so that none takes it."""


class Watch(Iterator[Found], Generic[Found]):
    """What there is: at once, and again after every change. One greenlet may iterate at a time.

    Args:
        interval_s: How old what is known may become where queries do not block, and how long they block.
        ask: Asks with an index, 0 for none, and a wait in seconds; raises a `BackendError`.
        read: Makes what is yielded of a body; raises a `BackendError` for nonsense.
        ended: Called once, when the watch is over for whatever reason.
        misses: Whether the second of two states lacks something that the first one has.
    """

    def __init__(
        self,
        interval_s: float,
        ask: Callable[[int, int], Answer],
        read: Callable[[bytes], Found],
        ended: Callable[["Watch[Any]"], None],
        misses: Callable[[Found, Found], bool],
    ) -> None:
        self._interval_s = interval_s
        self._ask = ask
        self._read = read
        self._ended = ended
        self._misses = misses
        self._index = 0
        self._length = 0
        self._last: tuple[Found] | None = None
        self._pause_s = 0.0
        self._pace = Pace(interval_s, monotonic())
        self._waiting: Any = None
        self._closed = False

    def __next__(self) -> Found:
        """Wait for the next change.

        Raises:
            BackendError: the stream is over.
            StopIteration: it has been closed, or is over.
        """
        if self._closed:
            raise StopIteration
        self._waiting = getcurrent()
        try:
            while True:
                found = self._next()
                if found is not None:
                    self._last = found
                    return found[0]
        except _ClosedError:
            raise StopIteration from None
        except BaseException:
            self._end()
            raise
        finally:
            self._waiting = None

    def close(self) -> None:
        """End it. Idempotent, does not wait, may be called from any greenlet, also while another one waits in it."""
        waiting = self._waiting
        self._end()
        if waiting is not None and waiting is not getcurrent():
            get_hub().loop.run_callback(self._interrupt, waiting)

    def _next(self) -> tuple[Found] | None:
        """Ask once; None if the answer is no news, or has to be asked for again."""
        if self._pause_s > 0:
            sleep(self._pause_s)
        asked, asked_at = self._index, monotonic()
        answer = self._ask(asked, wait_for(self._interval_s, self._length))
        self._index = next_index(asked, answer.header)
        self._pause_s = self._pace.pause_s(asked, asked_at, self._index, monotonic())
        if asked and answer.header == str(asked):
            if len(answer.body) != self._length:
                self._index = 0
            return None
        if asked and not self._index:
            return None
        found = self._read(answer.body)
        if asked and answer.streamed and self._last is not None and self._misses(self._last[0], found):
            self._index = 0
            return None
        self._length = len(answer.body)
        return (found,)

    def _interrupt(self, waiting: Any) -> None:
        # Runs in the hub, one turn after close: by then the greenlet may have left of its own accord.
        if self._waiting is waiting:
            waiting.throw(_ClosedError)

    def _end(self) -> None:
        if not self._closed:
            self._closed = True
            self._ended(self)
