"""The stop of everything: who asked, how long it may take, what the guard is told, and what it waited for."""

import time
from collections.abc import Callable

import gevent
from gevent.event import Event as Flag

from corepilot.guard import Channel
from corepilot.jobs.jobset import JobSet
from corepilot.jobs.runner import Runner
from corepilot.jobs.state import Outcome
from corepilot.model.configuration import Configuration
from corepilot.output.log import Log
from corepilot.supervisor.discovery import DRAIN_S, Discovery
from corepilot.supervisor.orphans import end_orphans
from corepilot.supervisor.outcome import Account, Reasons, killed_orphans
from corepilot.system.process import Reaper

GUARD_SLACK_S = 3.0
"""What a stop may take beyond the waits that are announced: leaving the catalog, flushing, exiting."""

LOST_GUARD_S = 1.0
"""Seconds the jobs get when the guard has died: nobody but us can end them now."""

CLOSING_S = 2.0
"""Seconds that plugins have to flush and close, all together."""

WORTH_SENDING_S = 0.25
"""A deadline that is later by less is covered by GUARD_SLACK_S: a thousand jobs need not announce theirs one by one."""

NAMED_MAX = 20
"""How many killed processes are named in the log."""


class Shutdown:
    """From the first request to stop to the last job's end.

    Args:
        configuration: The configuration of this moment.
        log: The log.
        channel: The line to the guard.
        jobs: The jobs.
        discovery: The catalog.
        reaper: Knows our children.

    Attributes:
        finished: Set when every job has ended.
        reason: Why everything stops; "" as long as it does not.
        reasons: What the exit status is made of.
        begins: Called when the stop begins.
    """

    def __init__(
        self,
        configuration: Callable[[], Configuration],
        log: Log,
        channel: Channel,
        *,
        jobs: JobSet,
        discovery: Discovery,
        reaper: Reaper,
    ) -> None:
        self._configuration, self._log, self._channel = configuration, log, channel
        self._jobs, self._discovery, self._reaper = jobs, discovery, reaper
        self.finished = Flag()
        self.reason = ""
        self.reasons = Reasons()
        self.begins: Callable[[], None] = lambda: None
        self._asked = False
        self._kill_now = False
        self._deadline = 0.0
        self._begun_at = 0.0
        self._jobs_deadline = 0.0
        self._parts: dict[str, float] = {}
        self._killed: list[str] = []
        self._orphans_killed = 0
        self._orphans_ended = Flag()
        self._orphans_ended.set()

    @property
    def begun(self) -> bool:
        """Whether everything stops."""
        return bool(self.reason)

    @property
    def ending(self) -> str:
        """Why corepilot ends; "" as long as it does not."""
        return self.reason or ("every job has ended" if self.finished.is_set() else "")

    def stop(self, reason: str, *, asked: bool = True, impatient: bool = True) -> None:
        """Begin to stop; asked again, wait for nothing any more (contract, section 4.8; our decision).

        Args:
            reason: Why, for the log.
            asked: Whether somebody outside wants it, and not a job with whose end everything ends.
            impatient: Whether a second request means "now", as a second signal does.
        """
        if self.begun and not impatient:
            return
        again, self._asked = self._asked, self._asked or asked
        under_way = self.begun
        if not under_way:
            self.reason = reason
            self.reasons = self.reasons.changed(asked=reason)
            self._begun_at = time.monotonic()
            now = self._begun_at
            waits = [actor.waits_until - now for actor in self._all() if actor.waits_until > now]
            self.extend(max(waits, default=0.0))
        self.extend(self._timeout_s())
        if again:
            if not self._kill_now:
                self._log("warning", f"{reason} again: every process that is left is killed now")
            self._kill_now = True
            self.kill_now()
        elif not under_way:
            self._log("info", f"stopping: {reason}")
            self.begins()
            self._jobs.stop()

    def kill_now(self) -> None:
        """Wait for nothing any more: every process is killed, the catalog is left as it is."""
        self._jobs.kill_now()
        self._discovery.stop_waiting()

    def extend(self, seconds: float) -> None:
        """Tell the guard how long the stop may still take. What was promised before is never taken back."""
        now = time.monotonic()
        self._jobs_deadline = max(self._jobs_deadline, now + seconds)
        deadline = now + seconds + self._timeout_s() + DRAIN_S
        if self.begun and deadline > self._deadline + WORTH_SENDING_S:
            self._deadline = deadline
            self._channel.stopping(self._deadline - now + GUARD_SLACK_S, 0)

    def guard_lost(self) -> None:
        """The guard has died: nobody waits for us."""
        if not self.reasons.guard_lost:
            self.reasons = self.reasons.changed(guard_lost=True)
            self._log("error", f"the guard has died: every job is ended within {LOST_GUARD_S:g} s")
            self.stop("the guard has died")
            gevent.spawn_later(LOST_GUARD_S, self.kill_now)

    def quit(self, name: str) -> None:
        """Stop because of SIGQUIT."""
        self.reasons = self.reasons.changed(quit=True)
        self.stop(name)

    def refuse_start(self, status: int, message: str) -> None:
        """Stop because a start cannot go on."""
        self.reasons = self.reasons.changed(refused=status)
        self.stop(message)

    def job_ended(self, actor: Runner, outcome: Outcome) -> None:
        """Take note of what the stop waited for."""
        del outcome
        if self.begun:
            self.extend(0.0)  # many jobs on a slow machine: it goes on, so the guard has to wait
            self._parts[str(actor.key)] = time.monotonic() - self._begun_at
        self._killed += [name for name in actor.account.killed if name not in self._killed]

    def end_orphans(self) -> None:
        """End what the jobs left behind, within the deadline that the jobs had. Switches greenlets.

        Where a reload is at it already, it is waited for: what is signalled, and what is killed, is so once.
        """
        self._orphans_ended.wait()
        self._orphans_ended.clear()
        try:
            self._end_orphans()
        finally:
            self._orphans_ended.set()

    def _end_orphans(self) -> None:
        begun_at = time.monotonic()
        left_s = max(self._jobs_deadline - begun_at, 0.0)
        left_s = min(left_s, self._timeout_s()) if self.begun else self._timeout_s()
        killed = end_orphans(self._reaper, left_s, lambda: self.reasons.guard_lost or self._kill_now)
        self._parts["processes that jobs left behind"] = time.monotonic() - begun_at
        self._orphans_killed += len(killed)
        for name in killed[:NAMED_MAX]:
            self._log(
                "warning",
                f"killed {name}, which a job left behind: still running at the end of the stop timeout of "
                f"{self._timeout_s():g} s; raise stopTimeout to give it longer",
            )
        if len(killed) > NAMED_MAX:
            self._log("warning", f"killed {len(killed) - NAMED_MAX} more processes that jobs left behind")

    def leave_catalogs(self, give_back: Callable[[], None]) -> None:
        """Wait for the catalogs, a little: what is registered and what is locked there leaves at the same time.

        Args:
            give_back: Gives the locks back, in no more time than the registrations have.
        """
        begun_at = time.monotonic()
        locks = gevent.spawn(give_back)
        self._discovery.leave()
        locks.join()
        self._parts["leaving the catalog"] = time.monotonic() - begun_at

    def close_plugins(self, *closing: Callable[[], None]) -> None:
        """Let plugins flush and close, all at the same time, for at most `CLOSING_S`."""
        begun_at = time.monotonic()
        greenlets = [gevent.spawn(close) for close in closing]
        gevent.joinall(greenlets, timeout=CLOSING_S)
        if not all(one.dead for one in greenlets):
            self._log("warning", f"plugins did not close within {CLOSING_S:g} s, and were left so")
        self._parts["closing plugins"] = time.monotonic() - begun_at

    def account(self, up_s: float) -> Account:
        """What is told of the end."""
        killed = tuple(self._killed) + ((killed_orphans(self._orphans_killed),) if self._orphans_killed else ())
        stop_s = time.monotonic() - self._begun_at if self.begun else 0.0
        return Account(up_s, stop_s, tuple(self._parts.items()), killed)

    def announce_end(self, status: int) -> None:
        """Tell the guard that what is left takes no time."""
        self._channel.stopping(GUARD_SLACK_S, status)

    def _all(self) -> list[Runner]:
        return [actor for actor in self._jobs.all_actors if isinstance(actor, Runner)]

    def _timeout_s(self) -> float:
        return max(self._configuration().stop_timeout_s, 0.0)
