"""What is run: a job, its checks, and the rules of its restarts and of its end."""

from __future__ import annotations

from typing import ClassVar, Literal

from corepilot.model.command import Command
from corepilot.model.plugin import PluginReference
from corepilot.model.service import Service
from corepilot.model.trigger import Hook, When, hook_of
from corepilot.model.value import Value

UNLIMITED = -1
"""`RestartPolicy.limit` of a job that is restarted for ever."""

LEAVE_S = 5.0
"""Seconds that a job which drains waits at most to see itself gone from the catalog."""

HOOK_TIMEOUT_S = 30.0
"""Seconds a stop hook may take where `stopTimeout` does not say (our decision; contract, section 4.7)."""


class JobKey(Value):
    """Which job: what status, requests and reloads know it by.

    Attributes:
        name: As configured.
        number: Its place among the jobs of this name, from 1.
        replica: Which of a job's replicas, from 1; 0 for a job without any.
    """

    name: str
    number: int = 1
    replica: int = 0

    def __str__(self) -> str:
        """The name, and `name@2` for the second job of a name."""
        place = self.replica or (self.number if self.number > 1 else 0)
        return f"{self.name}@{place}" if place else self.name


class Check(Value):
    """A question about a job's health.

    Attributes:
        interval_s: Seconds between two checks, at least 1.
        ttl_s: Seconds a passing result is good for, at least 1.
        command: It passes when this exits with 0.
        timeout_s: Seconds until the command is killed, or the plugin's answer is given up; None for no limit.
        plugin: What answers in the place of a command. Without either the job is taken for healthy as long as it is
            started.
        name: Tells the checks of a job apart; "" for the only one.
        failures: So many failing results in a row make the job unhealthy, at least 1.
        successes: So many passing results in a row make it healthy, at least 1.
        start_period_s: Seconds from the start of a run in which a failing result does not count, as long as none has
            passed.
        level: What it asks about: whether the job works at all ("alive"), or whether others can use its service now
            ("ready"). Only the latter decides what the catalog is told.
        on_unhealthy: "restart": when it fails, the run is ended, and has failed.
        logged: Which results its command's output is logged of.
    """

    interval_s: int
    ttl_s: int
    command: Command | None = None
    timeout_s: float | None = None
    plugin: PluginReference | None = None
    name: str = ""
    failures: int = 1
    successes: int = 1
    start_period_s: float = 0.0
    level: Literal["alive", "ready"] = "ready"
    on_unhealthy: Literal["nothing", "restart"] = "nothing"
    logged: Literal["always", "failures"] = "always"

    @property
    def asks(self) -> bool:
        """Whether there is anything that answers."""
        return self.command is not None or self.plugin is not None


class Ready(Value):
    """What shows that a run is ready: one of these.

    Attributes:
        notify: A message of its own, as sd_notify(3) sends them.
        fd: A newline that it writes to this descriptor, as to s6; 0 for none.
        log: A line of its output in which this regular expression (RE2) is found.
        file: This file, made or written since the run began.
        check: Its checks, all passing.
        after_s: So many seconds without having ended.
        watchdog_s: With `notify`: it has to say so often that it is alive.
    """

    notify: bool = False
    fd: int = 0
    log: str = ""
    file: str = ""
    check: bool = False
    after_s: float | None = None
    watchdog_s: float | None = None


class RestartPolicy(Value):
    """Whether, how often and how soon a job is started again after a run.

    Attributes:
        limit: At most so many restarts; UNLIMITED for no limit.
        on: After which runs: "always", "failure" after one that failed, "success" after one that succeeded, "never".
        within_s: The limit holds for any stretch of so many seconds; None: for the life of the job.
        delay_s: Seconds from the end of a run to the first restart, doubled after each run that fails again; None for
            the default, see `corepilot.jobs.process.restart_delay`.
        max_delay_s: What the delay grows to; None for 30 s, or for `delay_s` if that is longer.
    """

    limit: int = 0
    on: Literal["always", "failure", "success", "never"] = "always"
    within_s: float | None = None
    delay_s: float | None = None
    max_delay_s: float | None = None


def never_ends(policy: RestartPolicy) -> bool:
    """Whether a job with this policy is started again after each run, however it ends."""
    return policy.limit == UNLIMITED and policy.on == "always"


Condition = Literal["started", "ready", "healthy", "completed", "ended"]


class Dependency(Value):
    """That a job is only started while another one has come so far. All jobs of that name have to.

    Attributes:
        job: The other job's name.
        condition: "started": it runs, or has ended for good with success. "ready": the same, and it says that it can
            be used. "healthy": its checks pass. "completed": it has ended for good, with success. "ended": it has run,
            and has ended for good, whatever its status.
    """

    job: str
    condition: Condition = "started"

    @property
    def awaited(self) -> str:
        """What is waited for, as the log and the status say it."""
        return f"{self.job} to have ended" if self.condition == "ended" else f"{self.job} to be {self.condition}"


class StopPolicy(Value):
    """How a job is stopped.

    Attributes:
        timeout_s: Seconds from the stop signal to SIGKILL; 0 or less: at once.
        hook_timeout_s: Seconds that a `stopping` hook of this job may take; None for HOOK_TIMEOUT_S.
        after: Names of jobs that have to be `stopped` before it is.
        signal: The number of the stop signal.
        mode: Who gets it: the "group" of processes, or the main "process" only, and the others when that has ended.
        drain_s: Seconds from when its service is seen to have left the catalog to the stop signal; None: the signal
            comes at once, while the service leaves.
    """

    timeout_s: float = 5.0
    hook_timeout_s: float | None = None
    after: tuple[str, ...] = ()
    signal: int = 15
    mode: Literal["group", "process"] = "group"
    drain_s: float | None = None


class Job(Value):
    """One of `jobs`.

    Attributes:
        name: Not unique: jobs with the same name receive each other's exit events.
        command: What it runs, or None for a job that only registers a service.
        when: What starts it.
        restarts: See `RestartPolicy`.
        timeout_s: Seconds a run may take, or None.
        stop: See `StopPolicy`.
        checks: May be empty.
        service: What it advertises, or None.
        exit_on: When it is complete, everything is stopped and the exit status is its own: "end" always, "failure" if
            it failed for good, "" never.
        success_statuses: Exit statuses, 128+n for a signal, of a run that has succeeded.
        depends_on: What has to hold whenever it is started.
        binds_to: Names of those jobs of `depends_on` with which it is stopped, too, when that holds no more.
        lock: Name of the lock that it has to hold to run, or "".
        stdin: What its command finds on its standard input: "null" nothing, "event" what is behind the watch that has
            started it, as JSON.
        autostart: Whether events start it before a person has; if not, it is as if it had been stopped by hand.
        replicas: How many of it run side by side, each as a job of its own; 0 for one that is the job itself.
        ready: What shows that a run is ready; None if nothing does.
        ready_timeout_s: Seconds until a run that is not ready is ended, and has failed; None for no limit.
        reload: What makes it read its own configuration again; a job of its own runs that.
        reload_signal: A signal that does; 0 for none.
        reload_on: Sources of the changes at which it does, as soon as it is ready.
        reloads: Name of the job whose `reload` this one is; "" for one that is configured as such.
        path: Where it is configured, such as `jobs[2]`. Not compared.
    """

    ignored: ClassVar[tuple[str, ...]] = ("path",)

    name: str
    command: Command | None = None
    when: When = When()
    restarts: RestartPolicy = RestartPolicy()
    timeout_s: float | None = None
    stop: StopPolicy = StopPolicy()
    checks: tuple[Check, ...] = ()
    service: Service | None = None
    exit_on: Literal["", "end", "failure"] = ""
    success_statuses: tuple[int, ...] = (0,)
    depends_on: tuple[Dependency, ...] = ()
    binds_to: tuple[str, ...] = ()
    lock: str = ""
    stdin: Literal["null", "event"] = "null"
    autostart: bool = True
    replicas: int = 0
    reload: Command | None = None
    reload_signal: int = 0
    reload_on: tuple[str, ...] = ()
    reloads: str = ""
    ready: Ready | None = None
    ready_timeout_s: float | None = None
    path: str = ""

    def check_source(self, index: int) -> str:
        """The source of the events of one of its checks, and its name in the log: `check.<job>[.<check>]`."""
        # A check that a reload has taken away may have left a process.
        name = self.checks[index].name if index < len(self.checks) else ""
        return f"check.{self.name}.{name}" if name else f"check.{self.name}"

    @property
    def hook(self) -> Hook | None:
        """Which stop it runs at, if any."""
        return hook_of(self.when)

    def succeeds(self, status: int) -> bool:
        """Whether a run that ends with this exit status has succeeded."""
        return status in self.success_statuses


def check_sources(job: Job) -> frozenset[str]:
    """The sources of the events of its checks, as far as they ask anything."""
    return frozenset([job.check_source(index) for index, check in enumerate(job.checks) if check.asks])


def stop_s(job: Job, *, hooked: bool) -> float:
    """Seconds that the whole stop of a job takes at most, the job that hooks it included.

    Args:
        job: The job.
        hooked: Whether another job runs before it is stopped.
    """
    hook_s = (job.stop.hook_timeout_s or HOOK_TIMEOUT_S) if hooked else 0.0
    return max(job.stop.timeout_s, 0.0) + hook_s + leaving_s(job)


def leaving_s(job: Job) -> float:
    """Seconds from the beginning of a stop to the stop signal at most, where the job drains; else 0."""
    return LEAVE_S + job.stop.drain_s if job.stop.drain_s and job.service is not None else 0.0
