"""One sink at work: the instance behind its boundary, its flushes, and the facts it is told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import gevent
from gevent.event import Event as Flag

from corepilot.model.fact import Fact
from corepilot.observers.facts import Facts, Feed
from corepilot.plugin.boundary import MAKING_S, Boundary, PluginFaultError, WrongAnswerError
from corepilot.plugin.foreign import plain, shown
from corepilot.system.leaving import Leaving
from corepilot.telemetry.sink import FLUSH_S, LAST_FLUSH_S, Sink
from corepilot.wording.escaping import escaped

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from corepilot.model.plugin import PluginReference
    from corepilot.telemetry.metrics import Family

CLOSE_S = 1.0
_INTERVAL_MIN_S = 0.1
_ADDRESS_MAX = 500
_COUNT_MAX = 2**63 - 1
_GRACE_S = 0.2  # for the exception that ends a flush to come through


class Outlet:
    """A sink of the configuration.

    Args:
        reference: The entry of the configuration.
        sink: The instance.
        boundary: Its boundary.
        listeners: The sockets that the sink was given: those it has left alone are closed with it.
        flushes: Counts flushes, by the sink's name and their result.

    Attributes:
        address: Where it listens or sends to.
        pulls: Whether it is pulled from, at the telemetry section's addresses.
        flushed: Flushes that were good.
        failed: Flushes that came to nothing.
        last_error: Why the last flush failed; "" after one that did not.
    """

    def __init__(
        self,
        reference: PluginReference,
        sink: Sink,
        boundary: Boundary,
        listeners: Sequence[socket.socket] = (),
        flushes: Family | None = None,
    ) -> None:
        self.reference, self.boundary = reference, boundary
        self._sink, self._listeners, self._flushes = sink, listeners, flushes
        self.address = ""
        self.pulls = bool(listeners)
        self.flushed = self.failed = 0
        self.last_error = ""
        self._dropped = 0
        self._feed: Feed | None = None
        self._greenlet: gevent.Greenlet[[float], None] | None = None
        self._stopping = Flag()
        self._until = 0.0
        self._under_way: Any = None  # the greenlet of a flush

    @property
    def lost(self) -> int:
        """What the sink has thrown away, and what did not fit into its queue of facts."""
        return self._dropped + (self._feed.lost if self._feed is not None else 0)

    def start(self, facts: Facts) -> None:
        """Begin. Never waits for the network.

        Raises:
            OSError: the sink cannot have an address of its own.
            PluginFaultError: it failed.
        """
        apart = self.boundary.apart
        apart("start", self._sink.start, deadline_s=MAKING_S, allowed=(OSError,))
        address = apart("address", lambda: self._sink.address, deadline_s=MAKING_S, take=_address)
        self.address = escaped(self.boundary.masked(address)[:_ADDRESS_MAX])
        interval_s = apart("interval_s", lambda: self._sink.interval_s, deadline_s=MAKING_S, take=_interval)
        if type(self._sink).observe is not Sink.observe:
            self._feed = Feed(self)
            facts.attach(self._feed)
        if interval_s:
            self._greenlet = gevent.spawn(self._tell, max(interval_s, _INTERVAL_MIN_S))

    def observe(self, fact: Fact) -> None:
        """See `Sink.observe`. Never raises."""
        if not self.boundary.off:
            self.boundary.quietly("observe", self._sink.observe, fact)

    def dropped(self, count: int) -> None:
        """The sink is not told: `status` is."""

    def strayed(self, error: BaseException) -> None:
        """See `corepilot.observers.facts.Consumer`."""
        self.boundary.strayed("what observe left behind", error)

    def stop(self, facts: Facts) -> None:
        """Flush for a last time, and close. Takes `LAST_FLUSH_S` and `CLOSE_S` at most, and a moment."""
        self._until = time.monotonic() + LAST_FLUSH_S
        if self._feed is not None:
            facts.detach(self._feed)
            self._feed.close(0 if self.boundary.off else LAST_FLUSH_S / 4)
        if self._greenlet is not None:
            self._stopping.set()
            under_way = self._under_way
            if under_way is not None:
                self._greenlet.join(LAST_FLUSH_S / 4)
                if under_way is self._under_way:
                    under_way.kill(TimeoutError("it was to end meanwhile"), block=False)
            self._greenlet.join(max(self._until - time.monotonic(), 0.0) + 2 * _GRACE_S)
            self._greenlet.kill(Leaving(), block=False)
        self.close()

    def close(self) -> None:
        """Close it; for one that was never started."""
        try:
            self.boundary.apart("close", self._sink.close, deadline_s=CLOSE_S)
        except PluginFaultError as error:
            if not self.boundary.off:
                self.boundary.report(error)
        for one in self._listeners:
            one.close()

    def status(self) -> dict[str, Any]:
        """What `corepilot status` shows."""
        return {
            "name": self.reference.name,
            "address": self.address,
            "flushed": self.flushed,
            "failed": self.failed,
            "dropped": self.lost,
            "last_error": self.last_error,
            "faults": self.boundary.faults,
            "off": self.boundary.off,
        }

    def _tell(self, interval_s: float) -> None:
        due = time.monotonic() + interval_s
        while not self.boundary.off and not self._stopping.wait(max(due - time.monotonic(), 0)):
            due = max(due + interval_s, time.monotonic())
            self._flush(min(FLUSH_S, interval_s))
        if not self.boundary.off:
            self._flush(max(self._until - time.monotonic(), _GRACE_S))

    def _flush(self, deadline_s: float) -> None:
        apart = self.boundary.apart
        try:
            apart("flush", self._bounded, deadline_s, deadline_s=deadline_s + _GRACE_S, allowed=(OSError,))
            self._dropped = apart("dropped", lambda: self._sink.dropped, deadline_s=MAKING_S, take=_count)
        except OSError as error:
            self._fail(str(error) or type(error).__name__)
        except PluginFaultError as error:
            self._fail(str(error))
        else:
            self.flushed += 1
            self._count("sent")
            if self.last_error:
                self.last_error = ""
                self.boundary.recovered("flush", f"telemetry reaches {self.address} again")

    def _bounded(self, deadline_s: float) -> None:
        """One flush, in the greenlet that the boundary makes for it. A slow server is no fault of the sink's."""
        self._under_way = gevent.getcurrent()
        try:
            with gevent.Timeout(deadline_s, TimeoutError(f"no end within {deadline_s:g} s")):
                self._sink.flush()
        finally:
            self._under_way = None

    def _fail(self, why: str) -> None:
        self.failed += 1
        self._count("failed")
        self.last_error = why
        self.boundary.trouble("flush", f"cannot send telemetry to {self.address}: {why}; it is tried again")

    def _count(self, result: str) -> None:
        if self._flushes is not None:
            self._flushes.record(1, (self.reference.name, result))


def _count(found: object) -> int:
    if type(found) is int and 0 <= found <= _COUNT_MAX:
        return found
    raise WrongAnswerError(f"must be a number of things, and is {shown(found)}")


def _address(found: object) -> str:
    if isinstance(found, str):
        return plain(found)
    raise WrongAnswerError(f"must be a text, and is {shown(found)}")


def _interval(found: object) -> float:
    plain_number = found if type(found) is int or type(found) is float else -1.0
    if 0 <= plain_number < 86_400:
        return float(plain_number)
    raise WrongAnswerError(f"must be a number of seconds from 0 to 86400, and is {shown(found)}")
