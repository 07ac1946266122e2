"""One instance: what the catalog should hold, what it holds as far as we know, and therefore what to do next.

Pure: it makes no calls, knows no clock and no greenlet. The registrar asks `next_step`, makes the call, and tells how
it went; wishes may come at any moment, also during a call. What counts is always the latest wish: there is no queue.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from corepilot.model.service import Registration, Status
from corepilot.system.backoff import Backoff

CALL_ROOM_S = 1.0
"""What is left of a TTL for the call itself, at least, when a heartbeat is put off."""
_GOLDEN = 0.6180339887498949


def phases(first: float) -> Iterator[float]:
    """Numbers in [0, 1) without end, each about as far from all before it as it can be: a golden section from the last.

    Args:
        first: What to begin with.
    """
    while True:
        yield first
        first = (first + _GOLDEN) % 1.0


class CatalogCall(NamedTuple):
    """A call to make.

    Attributes:
        kind: Which one.
        registration: Of whom.
        status: For register and report.
        output: For register and report.
        valid_for_s: For report: what is left of the TTL, at least a second.
    """

    kind: Literal["register", "report", "deregister"]
    registration: Registration
    status: Status
    output: str
    valid_for_s: float


class DesiredInstance:
    """The wishes and the knowledge about one instance. All moments are seconds of one clock that never goes back.

    Args:
        registration: What to register.
        backoff: The pauses after failures.
        lapses: Whether a TTL without a report has to be told to the catalog, which does not see it by itself.
        phase: By which part of the time between two reports those are put off that change nothing, so that a hundred
            instances whose checks run together do not report together: in [0, 1). A report is never put off so far
            that more than the TTL, less CALL_ROOM_S, would pass between two of them.
    """

    def __init__(
        self, registration: Registration, backoff: Backoff, *, lapses: bool = True, phase: float = 0.0
    ) -> None:
        self.registration = registration
        self.status: Status = "critical"
        self.last_error = ""
        self._output = ""
        self._backoff = backoff
        self._wanted = False
        self._news = False
        self._reported_at = 0.0
        self._phase = phase
        self._put_off_to: float | None = None
        self._lapses = lapses
        self._lapsed = False
        self._stored: Registration | None = None
        self._perhaps_stored = False
        self._retry_at = 0.0
        self._failing = False
        self._forgetful = False
        self._courtesy = False

    @property
    def wanted(self) -> bool:
        """Whether it should be in the catalog."""
        return self._wanted

    @property
    def done(self) -> bool:
        """Whether it should not be in the catalog, and is not."""
        return not self._wanted and not self._perhaps_stored

    @property
    def in_sync(self) -> bool:
        """Whether the catalog holds what it should, as far as we know."""
        if not self._wanted:
            return self.done
        has_news = self._news and self._put_off_to is None
        return self._stored == self.registration and not has_news and not self._failing

    def advertise(self, registration: Registration, status: Status, output: str, now: float) -> None:
        """Want it in the catalog, with this content. It is a report as well."""
        self.registration = registration
        self._wanted = True
        self._courtesy = False
        self._put_off_to = None
        self.report(status, output, now)

    def report(self, status: Status, output: str, now: float) -> None:
        """Want this status, from now on for the TTL. Always leads to a call: a report is a heartbeat."""
        if self._wanted:
            if status != self.status or not self.in_sync:
                self._put_off_to = None
            elif not self._news:
                gap_s = now - self._reported_at
                room_s = self.registration.ttl_s - CALL_ROOM_S - gap_s
                self._put_off_to = now + self._phase * min(gap_s, room_s) if room_s > 0 else None
            self.status = status
            self._output = output
            self._news = True
            self._reported_at = now
            self._lapsed = False
            self._retry_at = min(self._retry_at, now)

    def withdraw(self, now: float) -> None:
        """Want it out of the catalog."""
        if self._wanted:
            self._wanted = False
            self._news = False
            self._retry_at = now

    def withdraw_unseen(self, now: float) -> None:
        """Take it out although we have not put it in: somebody before us may have. One call, whatever comes of it."""
        self._perhaps_stored = self._courtesy = True
        self._retry_at = now

    def abandon(self) -> None:
        """Give up taking it out: it expires in the catalog."""
        self._perhaps_stored = self._wanted

    def next_step(self, now: float) -> CatalogCall | None:
        """The call to make now, or None. Until it has been told how the call went, do not ask again."""
        self._lapse(now)
        if now < self._retry_at:
            return None
        if not self._wanted:
            return self._step("deregister", now) if self._perhaps_stored else None
        if self._stored != self.registration:
            return self._step("register", now)
        if self._put_off_to is not None and now < self._put_off_to:
            return None
        return self._step("report", now) if self._news else None

    def pause_s(self, now: float) -> float | None:
        """Seconds until `next_step` should be asked again, unless something happens before; None for never."""
        moments = []
        if self._retry_at > now:
            moments.append(self._retry_at)
        if self._wanted and self._put_off_to is not None and self._put_off_to > now:
            moments.append(self._put_off_to)
        if self._wanted and self._lapses and not self._lapsed and self.status != "critical":
            moments.append(self._reported_at + self.registration.ttl_s)
        return max(0.0, min(moments) - now) if moments else None

    def begun(self, step: CatalogCall) -> None:
        """The call is being made: what is reported from now on needs another one."""
        self._news = False
        self._put_off_to = None
        if step.kind != "report":
            self._stored = None  # until the answer is there, nobody knows
            self._perhaps_stored = True

    def succeeded(self, step: CatalogCall) -> None:
        """The catalog did as it was told."""
        if step.kind == "register":
            self._stored = step.registration
        elif step.kind == "deregister":
            self._perhaps_stored = False
        self._failing = False
        self.last_error = ""
        if step.kind != "register":
            self._forgetful = False
        if not self._forgetful:  # a catalog that forgets what it has just been told must not make us spin
            self._backoff.reset()

    def unknown(self, step: CatalogCall, now: float, error: str) -> None:
        """The catalog does not hold what was reported on: register it again, at once the first time.

        Only the answer to a report says so. After another call it is a failure: the instance may be there.
        """
        at_once = not self._forgetful
        self.failed(step, now, error)
        if step.kind != "report":
            return
        self._forgetful = True
        self._stored = None
        self._perhaps_stored = False
        if at_once:
            self._retry_at = now

    def failed(self, step: CatalogCall, now: float, error: str) -> None:
        """The call failed, or was given up; whether the catalog has acted on it is not known."""
        self._failing = True
        self.last_error = error
        self._retry_at = now + self._backoff.next_s()
        if step.kind == "report":
            self._news = self._wanted
        if self._courtesy and not self._wanted:
            self.abandon()

    def retry_now(self, now: float) -> None:
        """Forget the pause after a failure."""
        self._retry_at = min(self._retry_at, now)

    def _lapse(self, now: float) -> None:
        """A TTL without a report is critical, whatever the store's own lease does: say so, once."""
        ttl_s = self.registration.ttl_s
        if not self._wanted or not self._lapses or self._lapsed or self.status == "critical":
            return
        if now >= self._reported_at + ttl_s:
            self._lapsed = True
            self.status = "critical"
            self._output = f"nothing was reported for {ttl_s} s"
            self._news = True
            self._put_off_to = None

    def _step(self, kind: Literal["register", "report", "deregister"], now: float) -> CatalogCall:
        left = self.registration.ttl_s - max(0.0, now - self._reported_at)
        valid_for_s = float(self.registration.ttl_s) if self._lapsed else max(1.0, left)
        return CatalogCall(kind, self.registration, self.status, self._output, valid_for_s)
