"""One sink at work: the instance behind its boundary, its flushes, and the facts it is told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import gevent

from corepilot.model.fact import Fact
from corepilot.observers.facts import Facts, Feed
from corepilot.plugin.boundary import Boundary, PluginFaultError
from corepilot.system.leaving import Leaving
from corepilot.telemetry.sink import FLUSH_S, LAST_FLUSH_S, Sink

if TYPE_CHECKING:
    from corepilot.model.plugin import PluginReference

CLOSE_S = 1.0
_INTERVAL_MIN_S = 0.1


class Outlet:
    """A sink of the configuration.

    Args:
        reference: The entry of the configuration.
        sink: The instance.
        boundary: Its boundary.

    Attributes:
        address: Where it listens or sends to.
        failed: Flushes that came to nothing.
        last_error: Why the last flush failed; "" after one that did not.
    """

    def __init__(self, reference: PluginReference, sink: Sink, boundary: Boundary) -> None:
        self.reference, self.boundary = reference, boundary
        self._sink = sink
        self.address = ""
        self.flushed = self.failed = 0
        self.last_error = ""
        self._feed: Feed | None = None
        self._greenlet: gevent.Greenlet[[float], None] | None = None

    def start(self, facts: Facts) -> None:
        """Begin. Never waits for the network.

        Raises:
            OSError: the sink cannot have an address of its own.
            PluginFaultError: it failed.
        """
        call = self.boundary.call
        call("start", self._sink.start, allowed=(OSError,))
        self.address = self.boundary.masked(call("address", lambda: self._sink.address, judge=_no_address))
        interval_s = call("interval_s", lambda: self._sink.interval_s, judge=_no_interval)
        if type(self._sink).observe is not Sink.observe:
            self._feed = Feed(self)
            facts.attach(self._feed)
        if interval_s:
            self._greenlet = gevent.spawn(self._tell, max(float(interval_s), _INTERVAL_MIN_S))

    def observe(self, fact: Fact) -> None:
        """See `Sink.observe`. Never raises."""
        if not self.boundary.off:
            self.boundary.quietly("observe", self._sink.observe, fact)

    def dropped(self, count: int) -> None:
        """The sink is not told: `status` is."""

    def stop(self, facts: Facts) -> None:
        """Flush for a last time, and close. Takes `LAST_FLUSH_S` and `CLOSE_S` at most."""
        if self._feed is not None:
            facts.detach(self._feed)
            self._feed.close(LAST_FLUSH_S / 2)
        if self._greenlet is not None:
            self._greenlet.kill(Leaving(), block=False)
            if not self.boundary.off:
                self._flush(LAST_FLUSH_S / 2 if self._feed is not None else LAST_FLUSH_S)
        self.close()

    def close(self) -> None:
        """Close it; for one that was never started."""
        try:
            self.boundary.apart("close", self._sink.close, deadline_s=CLOSE_S)
        except PluginFaultError as error:
            if not self.boundary.off:
                self.boundary.report(error)

    def status(self) -> dict[str, Any]:
        """What `corepilot status` shows."""
        return {
            "name": self.reference.name,
            "address": self.address,
            "flushed": self.flushed,
            "failed": self.failed,
            "dropped": self._feed.lost if self._feed is not None else 0,
            "last_error": self.last_error,
            "faults": self.boundary.faults,
            "off": self.boundary.off,
        }

    def _tell(self, interval_s: float) -> None:
        due = time.monotonic()
        while not self.boundary.off:
            due = max(due + interval_s, time.monotonic())
            gevent.sleep(due - time.monotonic())
            self._flush(min(FLUSH_S, interval_s))

    def _flush(self, deadline_s: float) -> None:
        try:
            self.boundary.apart("flush", self._sink.flush, deadline_s=deadline_s, allowed=(OSError,))
        except OSError as error:
            self._fail(str(error) or type(error).__name__)
        except PluginFaultError as error:
            self._fail(str(error))
        else:
            self.flushed += 1
            if self.last_error:
                self.last_error = ""
                self.boundary.recovered("flush", f"telemetry reaches {self.address} again")

    def _fail(self, why: str) -> None:
        self.failed += 1
        self.last_error = why
        self.boundary.trouble("flush", f"cannot send telemetry to {self.address}: {why}; it is tried again")


def _no_address(found: object) -> str:
    return "" if isinstance(found, str) else f"must be a text, and is {found!r:.80}"


def _no_interval(found: object) -> str:
    if isinstance(found, int | float) and not isinstance(found, bool) and 0 <= found < 86_400:
        return ""
    return f"must be a number of seconds from 0 to 86400, and is {found!r:.80}"
