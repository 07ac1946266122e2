"""A watch on one service: blocking queries in a row, as an iterator that can be closed from another greenlet."""

from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

from gevent import get_hub, getcurrent, sleep

from corepilot.model.service import Query, Snapshot
from corepilot_consul.blocking import Pace, next_index, wait_for

Ask = Callable[[Query, int, int], tuple[str, Any]]
"""Asks for a service with an index and a wait in seconds; gives the answer's X-Consul-Index and the parsed body."""


class _ClosedError(BaseException):
    """Thrown into the greenlet that waits in a watch which another one closes. No Exception, so that none takes it."""


class Watch(Iterator[Snapshot]):
    """All instances of a service: at once, and again after every answer of the agent.

    An answer is not always a change: queries also end when their wait is over. One greenlet may iterate at a time.

    Args:
        query: What to watch.
        ask: See `Ask`.
        read: Makes the snapshot of a parsed body; raises a `BackendError` for nonsense.
        ended: Called once, when the watch is over for whatever reason.
    """

    def __init__(
        self, query: Query, ask: Ask, read: Callable[[Query, Any], Snapshot], ended: Callable[["Watch"], None]
    ) -> None:
        self._query = query
        self._ask = ask
        self._read = read
        self._ended = ended
        self._index = 0
        self._wait_s = wait_for(query.interval_s)
        self._pause_s = 0.0
        self._pace = Pace(query.interval_s, monotonic())
        self._waiting: Any = None
        self._closed = False

    def __next__(self) -> Snapshot:
        """Wait for the next answer.

        Raises:
            BackendError: the stream is over.
            StopIteration: it has been closed, or is over.
        """
        if self._closed:
            raise StopIteration
        self._waiting = getcurrent()
        try:
            return self._next()
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

    def _next(self) -> Snapshot:
        if self._pause_s > 0:
            sleep(self._pause_s)
        asked, asked_at = self._index, monotonic()
        header, body = self._ask(self._query, asked, self._wait_s)
        self._index = next_index(asked, header)
        self._pause_s = self._pace.pause_s(asked, asked_at, self._index, monotonic())
        return self._read(self._query, body)

    def _interrupt(self, waiting: Any) -> None:
        # Runs in the hub, one turn after close: by then the greenlet may have left of its own accord.
        if self._waiting is waiting:
            waiting.throw(_ClosedError)

    def _end(self) -> None:
        if not self._closed:
            self._closed = True
            self._ended(self)
