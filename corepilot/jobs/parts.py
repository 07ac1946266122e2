"""The states of the small machines that a job's is composed of: see `corepilot.jobs.state`."""

from __future__ import annotations

from typing import Literal

from corepilot.model.event import Event
from corepilot.model.value import Value

Outcome = Literal["complete", "stopped", "again", "removed"]
"""What a stop is for: the job's end, a stop by hand, another run, or that it is configured no more."""


class TriggerState(Value):
    """What may start a job.

    Attributes:
        starts_left: How many more start events count; UNLIMITED for each, interval and signal.
        waiting: Starts that wait for the end of the run: the event of each; None for a clock's or a person's.
        seen: Events that came before, for a trigger that needs several.
        cause: The event that has started the present run, or the first of those that are its restarts; None for a
            clock or a person.
    """

    starts_left: int = 1
    waiting: tuple[Event | None, ...] = ()
    seen: frozenset[tuple[str, str]] = frozenset()
    cause: Event | None = None

    @property
    def pending(self) -> int:
        """How many starts wait for the end of the run."""
        return len(self.waiting)


class ProcessState(Value):
    """The runs of a job.

    Attributes:
        stage: "running": its main process runs, or it has no command and has been started. "emptying": the main process
            has ended, and others of its process group have not. "backoff": it waits for its restart. "standby": it
            is to run, and waits for what it depends on, or for its lock.
        delayed: What "backoff" delays: a "restart"; the start by an "event" that descends from an earlier run, or that
            comes sooner than `when.throttle` allows; "any" start, for want of something that others hold.
        up: Its main process has been started and has not ended, or it has no command and has been started.
        runs: How often it was started.
        started_at: When the present or last run began.
        ended_at: When its main process ended.
        status: How the last run ended: its exit status, 128+n for a signal; None before the first end.
        restarts: How often it was started again, of those that the policy allows.
        quick: Restarts since the last run that lasted.
        restarted_at: When each restart was, as far back as the policy counts within a stretch of time.
        blame: Why we end the run that goes on, as one that has failed; "" if we do not.
    """

    stage: Literal["none", "standby", "running", "emptying", "backoff"] = "none"
    delayed: Literal["restart", "event", "any"] = "restart"
    up: bool = False
    runs: int = 0
    started_at: float = 0.0
    ended_at: float = 0.0
    status: int | None = None
    restarts: int = 0
    quick: int = 0
    restarted_at: tuple[float, ...] = ()
    blame: str = ""


class ReadyState(Value):
    """Whether the present run is ready.

    Attributes:
        stage: "none": there is no run, or nothing shows it. "waiting": it is not ready yet. "reloading" and "stopping":
            it was, and says that it does so.
        text: What it says of itself.
        watchdog_s: Within so many seconds it wants to say that it is alive; 0: as configured.
        reload_due: What its configuration is made of has changed before it was ready.
    """

    stage: Literal["none", "waiting", "ready", "reloading", "stopping"] = "none"
    text: str = ""
    watchdog_s: float = 0.0
    reload_due: bool = False

    @property
    def achieved(self) -> bool:
        """Whether the run is ready, or was and says what it does now."""
        return self.stage not in {"none", "waiting"}


class CheckState(Value):
    """One check.

    Attributes:
        stage: "running": its command runs. "emptying": it has ended, and others of its process group have not.
            "outdated": a command runs that a reload has killed, and whose result does not count.
        missed_at: When a tick came that found it busy; None if none has since it began.
        passed: What its results say, by as many in a row as it takes; None as long as they say nothing.
        unstarted: How often in a row it could not be started for want of something that others hold.
        passes: Passing results in a row, as far as they are counted.
        failures: Failing results in a row, the same.
        result_at: When its last result came.
        output: What it said with its last failing result.
    """

    stage: Literal["none", "running", "emptying", "outdated"] = "none"
    missed_at: float | None = None
    passed: bool | None = None
    unstarted: int = 0
    passes: int = 0
    failures: int = 0
    result_at: float = 0.0
    output: str = ""


class StopState(Value):
    """How far a stop has come, and what it waits for.

    Attributes:
        outcome: What it is for; None while the job is not being stopped.
        stage: "lingering": the job goes on until those have stopped that it stops after. "hooked": a job that hooks its
            `stopping` runs. "draining": it leaves the catalog, and goes on for a while. "terminating": its processes
            have been told to end. "done": nothing of it is left.
        shutdown: Whether it stops together with others, and is not started again before all of it is over.
        failed: Exit status (128+n for a signal) of the run after which it ended by itself, or None.
        hook_done: Whether the hook that is waited for has stopped.
        source_done: Whether the job that this hook waits for has stopped.
        bounded: Whether the time that it may take as a hook is being counted.
        armed: What it hooks has begun again before its run for the last stop was over: then it waits for the next one.
        gone: Those of the jobs it stops after that have stopped.
        left: Whether its service has been seen to be out of the catalog, or has had its time for that.
        hurried: Whether nothing is waited for any more.
        sweeping: Whether the runner ends everything that the job has started, and has not yet said that it is gone.
    """

    outcome: Outcome | None = None
    stage: Literal["none", "lingering", "hooked", "draining", "terminating", "done"] = "none"
    shutdown: bool = False
    failed: int | None = None
    hook_done: bool = False
    source_done: bool = False
    bounded: bool = False
    armed: bool = False
    gone: frozenset[str] = frozenset()
    left: bool = False
    hurried: bool = False
    sweeping: bool = False
