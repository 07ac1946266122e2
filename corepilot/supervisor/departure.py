"""An instance that leaves the catalogs, and is seen to have left: what a job that drains waits for before its end."""

from collections.abc import Callable, Sequence
from typing import Any

import gevent

from corepilot.discovery.follower import Follower
from corepilot.discovery.watcher import CatalogView
from corepilot.model.job import LEAVE_S
from corepilot.model.service import Query, Registration


class Departure:
    """Looks at the service as anybody does who uses it, from `begin` until the instance is gone everywhere.

    Args:
        registration: The instance.
        views: The catalogs that it was in.
        left: Called once, and never within `begin`: it is gone, or LEAVE_S have passed.

    Attributes:
        over: Called when nothing is left to be closed.
    """

    def __init__(self, registration: Registration, views: Sequence[CatalogView], left: Callable[[], None]) -> None:
        self._registration, self._left = registration, left
        self.over: Callable[[], None] = lambda: None
        self._loop: Any = gevent.get_hub().loop
        self._bound = self._loop.timer(LEAVE_S)
        self._ended = False
        self._followers = [self._follower(view) for view in views]

    def begin(self) -> None:
        """Begin to look. Returns at once."""
        self._bound.start(self._end)
        for follower in tuple(self._followers):
            follower.start()
        if not self._followers:
            self._loop.run_callback(self._end)

    def close(self) -> None:
        """Look no more, and call nobody. Idempotent."""
        self._ended = True
        self._bound.stop()
        self._bound.close()
        while self._followers:
            self._followers.pop().close()
        self.over()

    def _follower(self, view: CatalogView) -> Follower:
        query = Query(self._registration.service, interval_s=1)
        follower: Follower = Follower(
            f"service {self._registration.service}",
            self._registration.service,
            lambda: view.backend.watch(query),
            lambda found: self._take(follower, found),
            connection=view.connection,
            log=view.log,
            first_s=LEAVE_S,
        )
        return follower

    def _take(self, follower: Follower, found: Sequence[Any]) -> None:
        if any(one.id == self._registration.id for one in found):
            return
        follower.close()
        if follower in self._followers:
            self._followers.remove(follower)
        if not self._followers:
            self._loop.run_callback(self._end)

    def _end(self) -> None:
        if not self._ended:
            self.close()
            self._left()
