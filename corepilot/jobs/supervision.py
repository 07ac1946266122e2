"""What all jobs share: processes, registrations, events, time, and the checks that are plugins."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import Protocol

from corepilot.jobs.actor import Actor
from corepilot.jobs.plan import Plan
from corepilot.jobs.run import Spawner
from corepilot.jobs.state import Outcome, State
from corepilot.model.event import Event
from corepilot.model.job import Check, Job
from corepilot.model.service import Registration, Status
from corepilot.model.value import Value
from corepilot.observers.facts import Facts
from corepilot.output.repeat import Repeat
from corepilot.system.clock import Timers
from corepilot.system.groups import Orphans
from corepilot.system.out_of_memory import KILLS


class Registrations(Protocol):
    """What a job tells about its service. Nothing here blocks; see `corepilot.discovery.registrar`."""

    def advertise(self, registration: Registration, status: Status, output: str = "") -> None:
        """Make the catalog hold the instance."""

    def report(self, instance_id: str, status: Status, output: str = "") -> None:
        """Tell the status of an instance."""

    def withdraw(self, registration: Registration) -> None:
        """Take the instance out, also one that was never put in by us."""


class CheckCall(Protocol):
    """A call of a check that is a plugin; see `corepilot.checks.call`."""

    def cancel(self) -> None:
        """Give it up, without a result."""


class CheckResult(Protocol):
    """What such a check found."""

    @property
    def passed(self) -> bool:
        """Whether the job is healthy."""

    @property
    def text(self) -> str:
        """The output, or why the job is not healthy."""


class PluginChecks(Protocol):
    """Who calls them."""

    def ask(self, job: Job, check: Check, source: str, answered: Callable[[CheckResult], None]) -> CheckCall:
        """Call one, once. `answered` is called later, and never within this call. `source` is what the log calls it."""


class LockUser(Hashable, Protocol):
    """A job that needs a lock.

    Attributes:
        plan: What it does.
        state: Where it is.
        mark: What its processes carry in their environment (`corepilot.system.groups.MARK`).
    """

    plan: Plan
    state: State
    mark: str

    @property
    def groups(self) -> list[int]:
        """Its process groups that are not empty."""


class Ending(Value):
    """What holds of a lock for the job that hooks the stop of one that runs under it.

    Attributes:
        lock: Its name.
        environment: What the last run under it was given.
        left_s: Seconds until somebody else may hold it; 0 or less: somebody may by now.
    """

    lock: str
    environment: dict[str, str]
    left_s: float


class Locks(Protocol):
    """Who keeps the locks that jobs need."""

    def tell(self, job: LockUser) -> None:
        """A job that needs a lock has moved on."""

    def environment(self, name: str) -> dict[str, str]:
        """What a run under a lock finds in its environment."""

    def usable(self, name: str) -> bool:
        """Whether a run may begin under a lock now: it is ours, and for longer than the end of the run may take."""

    def ending(self, job: str, mark: str) -> Ending | None:
        """What holds of the lock that a job of this name has run under and stops under; None if it has not.

        Args:
            job: Its name.
            mark: What the processes of who asks carry in their environment: it runs under the lock as well.
        """


class Watched(Protocol):
    """Who knows what is behind watches."""

    def passing(self, source: str) -> int | None:
        """How many passing instances, or keys, there are; None if the source is no watch."""

    def content(self, source: str) -> bytes:
        """What there is, as one line of JSON."""


class Supervision(Spawner):
    """What all jobs share.

    Attributes:
        registrations: Where services are registered.
        publish: Puts an event on the bus.
        facts: Told of each run's start and end.
        checked: Told how long each check of a job took, in seconds.
        extend: Told of every stretch of waiting within a stop, in seconds: the stop may last at least that long.
        ended: Told of each job whose stop is over.
        orphans: Processes that have lost their parents.
        timers: Give the time of a pause again.
        plugin_checks: Calls the checks that are plugins.
        await_gone: Calls its second argument once when an instance is seen to have left the catalogs.
        locks: Keeps the locks that jobs need.
        watched: Knows what is behind watches.
        memory: Knows whether the kernel has killed a process because memory ran out.
        shortages: Says now and then that starts fail for want of descriptors, processes or memory.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        spawner: Spawner,
        registrations: Registrations,
        publish: Callable[[Event], None],
        extend: Callable[[float], None],
        *,
        facts: Facts | None = None,
        checked: Callable[[str, float], None] = lambda _job, _seconds: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(spawner.loop, spawner.reaper, spawner.log, spawner.environment)
        self.registrations, self.publish, self.extend, self.clock = registrations, publish, extend, clock
        self.facts, self.checked = facts or Facts(wanted=False), checked
        self.ended: Callable[[Actor, Outcome], None] = lambda _actor, _outcome: None
        self.orphans = Orphans(spawner.reaper.is_ours, spawner.loop.now)
        self.timers = Timers(spawner.loop)
        self.memory = KILLS
        self.shortages = Repeat(spawner.log)
        self.plugin_checks: PluginChecks | None = None
        self.await_gone: Callable[[Registration, Callable[[], None]], None] = lambda _, left: spawner.loop.run_callback(
            left
        )
        self.locks: Locks | None = None
        self.watched: Watched | None = None
        self.made = 0
