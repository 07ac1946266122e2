"""How native threads tell the hub's thread that something is there."""

from _thread import allocate_lock
from collections import deque
from collections.abc import Callable
from typing import Any

import gevent

OFFERS_MAX = 256
"""What waits for the hub beyond which nothing is added that can be left out."""


class Wakeup:
    """Runs functions in the hub's thread, for native threads. Costs one descriptor of libev's for all of them.

    Made and closed in the hub's thread; the hub begins to listen with the first `open`.
    """

    def __init__(self) -> None:
        self._lock = allocate_lock()  # held for microseconds
        self._posted: deque[Callable[[], object]] = (
            deque()
        )  # one of each call and stream that are under way, and offers
        self._watcher: Any = None
        self._closed = False

    def open(self) -> None:
        """Listen from now on. Idempotent."""
        if self._watcher is None and not self._closed:
            self._watcher = gevent.get_hub().loop.async_()
            self._watcher.start(self._run)

    def post(self, function: Callable[[], object]) -> None:
        """Let the hub run a function, which must not switch; from any thread. Nothing happens once it is closed."""
        with self._lock:
            if self._watcher is not None:
                self._posted.append(function)
                self._watcher.send()

    def offer(self, function: Callable[[], object]) -> None:
        """As `post`, unless the hub has much to do: for lines of a log."""
        if len(self._posted) < OFFERS_MAX:
            self.post(function)

    def close(self) -> None:
        """Listen no more; what was posted is forgotten. Idempotent."""
        with self._lock:
            watcher, self._watcher = self._watcher, None
            self._closed = True
            self._posted.clear()
        if watcher is not None:
            watcher.stop()
            watcher.close()

    def _run(self) -> None:
        while self._posted:
            self._posted.popleft()()
