"""One observer at work: the instance behind its boundary, and its queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from corepilot.model.fact import Fact
from corepilot.observers.facts import Facts, Feed
from corepilot.observers.observer import Observer
from corepilot.plugin.boundary import Boundary, PluginFaultError

if TYPE_CHECKING:
    from corepilot.model.plugin import PluginReference

CLOSE_S = 1.0
"""Seconds for what waits in the queue at the end, and as many for `close`."""


class AttachedObserver:
    """An observer of the configuration.

    Args:
        reference: The entry of the configuration.
        observer: The instance.
        boundary: Its boundary.
    """

    def __init__(self, reference: PluginReference, observer: Observer, boundary: Boundary) -> None:
        self.reference, self.boundary = reference, boundary
        self._observer = observer
        self._feed: Feed | None = None

    @property
    def lost(self) -> int:
        """How many facts did not fit into its queue."""
        return self._feed.lost if self._feed is not None else 0

    def start(self, facts: Facts) -> None:
        """Be told from now on."""
        self._feed = Feed(self)
        facts.attach(self._feed)

    def observe(self, fact: Fact) -> None:
        """See `Observer.observe`. Never raises."""
        if not self.boundary.off:
            self.boundary.quietly("observe", self._observer.observe, fact)

    def dropped(self, count: int) -> None:
        """See `Observer.dropped`. Never raises."""
        if not self.boundary.off:
            self.boundary.quietly("dropped", self._observer.dropped, count)

    def strayed(self, error: BaseException) -> None:
        """See `corepilot.observers.facts.Consumer`."""
        self.boundary.strayed("what observe left behind", error)

    def stop(self, facts: Facts) -> None:
        """Tell it what is left, and close it. Takes 2 s at most."""
        if self._feed is not None:
            facts.detach(self._feed)
            self._feed.close(0 if self.boundary.off else CLOSE_S)
        self.close()

    def close(self) -> None:
        """Close it; for one that was never started."""
        try:
            self.boundary.apart("close", self._observer.close, deadline_s=CLOSE_S)
        except PluginFaultError as error:
            if not self.boundary.off:
                self.boundary.report(error)

    def status(self) -> dict[str, Any]:
        """What `corepilot status` shows."""
        return {
            "name": self.reference.name,
            "waiting": self._feed.waiting if self._feed is not None else 0,
            "dropped": self.lost,
            "faults": self.boundary.faults,
            "off": self.boundary.off,
        }
