"""Competes for one lock while somebody wants it, keeps it, and says in time when it is lost.

What is promised: whatever runs under the lock is gone by the time the last answered renewal plus the TTL has passed.
So `lost` is told before that, by what the end of it takes (`stop_s`) and a second. The lock is renewed every third of
its TTL, and one missed renewal does no harm, because a configuration gives at most a third of the TTL to the stop.

    nobody wants it ──want──▶ waiting (somebody holds it, or what ran under it has not ended) ──▶ held ──▶ lost
"""

import time
from collections.abc import Callable
from typing import Literal

import gevent
from gevent.event import Event as Flag

from corepilot.discovery.connection import Connection
from corepilot.discovery.follower import Follower
from corepilot.discovery.locks import Locks
from corepilot.errors import BackendError, BackendRefusedError, BackendUnavailableError, LockLostError
from corepilot.model.catalog import Grant
from corepilot.model.configuration import Lock
from corepilot.output.repeat import Repeat
from corepilot.plugin.boundary import PluginFaultError
from corepilot.system.backoff import chance
from corepilot.system.clock import suspended_s
from corepilot.system.leaving import Leaving

MARGIN_S = 1.0
"""Seconds beside the stop itself for what comes before it: the hub's turn, the bus, the kernel."""

_NOTICED_SLEEP_S = 0.1
"""Two readings of two clocks differ by less."""

RELEASE_S = 2.0
"""The most that is waited for a lock to be given back at a stop: it is free when its TTL is over."""

Told = Callable[[Literal["acquired", "renewed", "lost"]], None]


class LockKeeper:
    """One lock. It is told with `use` who needs it: nothing is asked of the catalog before somebody does.

    Args:
        lock: What the configuration says of it.
        locks: Where it is.
        holder: Who we are, for people.
        tell: Told when it is ours, when that ends at another moment, and when it is not any more. Must not switch.
        connection: What is known of the catalog.
        log: Takes a level and a message. What went wrong is in the attributes by then.
        clock: Seconds of a clock that never goes back.
        suspended: Seconds that the machine was suspended for, since any moment. `clock` stood still then, and the
            catalog's went on.

    Attributes:
        facet: Where it is.
        grant: Held with this token, or None.
        until: When the promise ends, by the clock; the last one counts, also after a loss.
        holder: Who holds it, as far as is known; None: nobody.
        last_error: Why it cannot be had or kept; "".
        asked: Whether the catalog has answered whether it can be had.
        refused: The catalog's last answer, if it was that the lock cannot be had at all; else None.
        acquisitions: How often it was acquired.
        losses: How often it was lost; giving it back is no loss.
    """

    def __init__(
        self,
        lock: Lock,
        locks: Locks,
        *,
        holder: str,
        tell: Told,
        connection: Connection,
        log: Callable[[str, str], None],
        clock: Callable[[], float] = time.monotonic,
        suspended: Callable[[], float] = suspended_s,
    ) -> None:
        self.lock = lock
        self.grant: Grant | None = None
        self.until = 0.0
        self.holder: str | None = None
        self.last_error = ""
        self.facet = locks
        self._me, self._tell, self._log, self._clock = holder, tell, log, clock
        self._repeats = Repeat(log)
        self._wanted = self._busy = False
        self._outlived = False  # lost by our clock, and perhaps still ours in the catalog: with the token of before
        self._stop_s = 0.0
        self._competing = False
        self.asked = False
        self.refused: BackendRefusedError | None = None
        self.acquisitions = self.losses = 0
        self._suspended, self._slept_s = suspended, suspended()
        self._kept_at = 0.0
        self._try_at = self._asked_pause_s = 0.0
        self._wake = Flag()
        self._greenlet: gevent.Greenlet[[], None] | None = None
        self._follower = Follower(
            f"lock.{lock.name}", lock.name, lambda: locks.watch(lock.name), self._heard, connection=connection, log=log
        )

    def use(self, *, wanted: bool, busy: bool, stop_s: float) -> None:
        """Say who needs it now. Returns at once.

        Args:
            wanted: Somebody runs under it, or waits for it.
            busy: Something of what runs under it, or ran, is there.
            stop_s: Seconds that the end of all of it takes at most.
        """
        if (wanted, busy, stop_s) != (self._wanted, self._busy, self._stop_s):
            self._wanted, self._busy, self._stop_s = wanted, busy, stop_s
            self._wake.set()
        if wanted and self._greenlet is None:
            self._greenlet = gevent.spawn(self._run)

    def give_back(self) -> None:
        """Release it if it is ours, within RELEASE_S. Nothing is told."""
        self._follower.close()
        if self._greenlet is not None:
            self._greenlet.kill(Leaving(), block=False)
        if self._competing:
            try:
                with gevent.Timeout(RELEASE_S):
                    while self._release() is not None and 0 < self._asked_pause_s < RELEASE_S:
                        gevent.sleep(self._asked_pause_s)
            except gevent.Timeout:
                self._log("warning", f"left without giving the lock {self.lock.name} back: it is free after its TTL")

    @property
    def usable(self) -> bool:
        """Whether it is ours by the clock, and for longer than the end of what runs under it takes."""
        return self.grant is not None and self._time_left() > 0

    def status(self) -> dict[str, object]:
        """What `corepilot status` shows.

        Returns:
            `name`, `held`, `holder` (as far as is known, or null), `token` (null if not held), `expires_in_s` (null if
            not held) and `last_error`.
        """
        grant = self.grant
        return {
            "name": self.lock.name,
            "held": grant is not None,
            "holder": self._me if grant else self.holder,
            "token": grant.token if grant else None,
            "expires_in_s": round(max(self.until - self._clock(), 0.0), 3) if grant else None,
            "last_error": self.last_error,
        }

    def _heard(self, holder: str | None) -> None:
        self.holder = holder
        if holder is None:
            self._try_at = 0.0
        self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.clear()
            pause_s = self._step()
            self._wake.wait(pause_s)

    def _step(self) -> float | None:
        """Do what is due; returns the seconds until something is due again, None if only news can change anything."""
        self._allow_for_sleep()
        now = self._clock()
        if self.grant is not None:
            return self._keep(now)
        if not self._wanted:
            return self._release() if self._competing and not self._busy else None
        if self._busy:
            return None  # what ran under it has to be gone first
        if now < self._try_at:
            return self._try_at - now
        if self._outlived and (pause_s := self._release()) is not None:
            return pause_s
        return self._acquire(now)

    def _allow_for_sleep(self) -> None:
        """What the machine has slept is gone from the promise: it ends sooner by the clock that stood still."""
        slept_s = self._suspended() - self._slept_s
        if slept_s > _NOTICED_SLEEP_S:
            self._slept_s += slept_s
            self.until = max(self.until - slept_s, 0.0)
            self._kept_at -= slept_s
            self._tell("renewed")

    def _acquire(self, now: float) -> float:
        """Ask for it: at once when it becomes free, and now and then, because any watch may fall silent."""
        self._try_at = now + self.lock.ttl_s / 3 * (1.0 - chance() / 2)
        self._competing = True
        try:
            grant = self.facet.acquire(self.lock.name, self._me, self.lock.ttl_s, self._stop_s + MARGIN_S)
        except (BackendError, PluginFaultError) as error:
            self.refused = error if isinstance(error, BackendRefusedError) else None
            self._failed(f"cannot acquire the lock {self.lock.name}: {error}")
            pause_s = self._pause_s()
            self._try_at = self._clock() + pause_s
            return pause_s
        self._answered()
        self.asked = True
        if grant is None:
            self._follower.start()  # before somebody else has it, there is nothing to hear
            return max(self._try_at - self._clock(), 0.0)
        self._kept_at, self.until = now, now + grant.ttl_s
        if self._time_left() <= 0:
            self._log("warning", f"the lock {self.lock.name} came too late to be used: it is given back")
            self._release()
            return self.lock.ttl_s / 3
        self.grant = grant
        self.acquisitions += 1
        self._tell("acquired")
        return 0.0

    def _keep(self, now: float) -> float | None:
        if not self._wanted and not self._busy:
            self.grant = None
            pause_s = self._release()
            self._tell("lost")
            return pause_s
        if self._time_left() <= 0:
            self._outlived = True
            self._lose("it could not be renewed in time")
            return 0.0
        grant = self.grant
        assert grant is not None  # noqa: S101  - asked above
        every_s = grant.ttl_s / 3
        due_in_s = self._kept_at + every_s - now
        if due_in_s > 0:
            return min(due_in_s, self._time_left())
        try:
            with gevent.Timeout(max(self._time_left(), 0.001)) as over:
                seconds = self.facet.keep(self.lock.name)
        except gevent.Timeout as timeout:
            if timeout is not over:
                raise
            return 0.0  # the time is up: it is lost in the next step
        except LockLostError as error:
            self._lose(str(error))
            return 0.0
        except (BackendError, PluginFaultError) as error:
            self._failed(f"cannot renew the lock {self.lock.name}: {error}")
            self._kept_at = self._clock() - every_s * 0.75  # again soon: after a twelfth of the TTL
            return min(every_s / 4, max(self._time_left(), 0.0))
        self._answered()
        self._kept_at, self.until = now, now + seconds
        self.grant = grant.changed(ttl_s=min(seconds, grant.ttl_s))
        self._tell("renewed")
        return 0.0

    def _time_left(self) -> float:
        slept_s = max(self._suspended() - self._slept_s, 0.0)
        return self.until - slept_s - self._stop_s - MARGIN_S - self._clock()

    def _lose(self, why: str) -> None:
        self.grant = None
        self.losses += 1
        self.last_error = why
        self._try_at = self._clock() + MARGIN_S
        self._log("warning", f"the lock {self.lock.name} is lost: {why}; what runs under it is ended")
        self._tell("lost")

    def _release(self) -> float | None:
        """Give it back, and compete no longer; returns the seconds until that is to be tried again, None if it is done.

        What was asked for and never answered may hold a place in a queue, so that nobody else gets the lock.
        """
        try:
            self.facet.release(self.lock.name)
        except (BackendError, PluginFaultError) as error:
            self._asked_pause_s = error.retry_after_s if isinstance(error, BackendUnavailableError) else 0.0
            what = f"cannot give the lock {self.lock.name} back: {error}"
            self._repeats.failed("release", f"{what}; it is free after its TTL, trying again")
            return self._pause_s()
        self._outlived = False
        self._competing = False  # not where this was cut short by the end: then it is given back again
        self._repeats.recovered("release", f"the lock {self.lock.name} was given back")
        return None

    def _pause_s(self) -> float:
        """After a failure."""
        return min(self.lock.ttl_s / 3, 5.0) * (1.0 - chance() / 2)

    def _failed(self, message: str) -> None:
        self.last_error = message
        self._repeats.failed("lock", f"{message}; trying again")

    def _answered(self) -> None:
        self.last_error = ""
        self.refused = None
        self._repeats.recovered("lock", f"the lock {self.lock.name}: the catalog answers again")
