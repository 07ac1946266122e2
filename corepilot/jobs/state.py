"""What the life of a job is told in: its state, what can happen to it, and what it can ask for.

`corepilot.jobs.machine` is the function between them, composed of the small machines beside it.
"""

from __future__ import annotations

from typing import Literal

from corepilot.model.event import Event
from corepilot.model.job import Dependency
from corepilot.model.service import Registration, Status
from corepilot.model.value import Value

Phase = Literal["idle", "standby", "running", "waiting", "backoff", "hooked", "terminating", "complete", "stopped"]
"""See the diagram of `corepilot.jobs.machine`. "standby": it is to run as soon as what it depends on holds
and it has its lock."""

Health = Literal["idle", "unknown", "healthy", "unhealthy", "maintenance"]
TimerName = Literal["check", "check-timeout", "check-group", "interval", "when", "restart", "timeout", "hook", "kill"]

MAIN = -1
"""The role of a job's main process; checks have their index."""


class Timer(Value):
    """A timer of a job. `check` is the index of a check, for those that each check has."""

    name: TimerName
    check: int = MAIN


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
        delayed: What "backoff" delays: a "restart"; the start by an "event" that descends from an earlier run; "any"
            start, for want of something that others hold.
        up: Its main process has been started and has not ended, or it has no command and has been started.
        runs: How often it was started.
        started_at: When the present or last run began.
        ended_at: When its main process ended.
        status: How the last run ended: its exit status, 128+n for a signal; None before the first end.
        restarts: How often it was started again, of those that the policy allows.
        quick: Restarts since the last run that lasted.
        restarted_at: When each restart was, as far back as the policy counts within a stretch of time.
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
            `stopping` runs. "terminating": its processes have been told to end. "done": nothing of it is left.
        shutdown: Whether it stops together with others, and is not started again before all of it is over.
        failed: Exit status (128+n for a signal) of the run after which it ended by itself, or None.
        hook_done: Whether the hook that is waited for has stopped.
        source_done: Whether the job that this hook waits for has stopped.
        bounded: Whether the time that it may take as a hook is being counted.
        gone: Those of the jobs it stops after that have stopped.
        sweeping: Whether the runner ends everything that the job has started, and has not yet said that it is gone.
    """

    outcome: Outcome | None = None
    stage: Literal["none", "lingering", "hooked", "terminating", "done"] = "none"
    shutdown: bool = False
    failed: int | None = None
    hook_done: bool = False
    source_done: bool = False
    bounded: bool = False
    gone: frozenset[str] = frozenset()
    sweeping: bool = False


_AFTER_STOP: dict[Outcome, Phase] = {"stopped": "stopped", "again": "terminating"}


class State(Value):
    """Where a job is. Immutable; made by `begin`, `replan` and `step` only.

    Attributes:
        health: What checks and maintenance say. "idle" before the first start, and after the end.
        advertised: The status that the catalog was last asked to hold the service with; None: it was not asked to.
        locked: Whether its lock is ours; it has heard so.
        met: What holds of that which it depends on; it has heard so.
        trigger: See `TriggerState`, and so on.
    """

    health: Health = "idle"
    advertised: Status | None = None
    locked: bool = False
    met: frozenset[Dependency] = frozenset()
    trigger: TriggerState = TriggerState()
    process: ProcessState = ProcessState()
    checks: tuple[CheckState, ...] = ()
    stop: StopState = StopState()

    @property
    def phase(self) -> Phase:
        """The whole in one word: what `status` shows."""
        stage = self.stop.stage
        if stage == "done":
            return _AFTER_STOP.get(self.stop.outcome or "complete", "complete")
        if stage in {"hooked", "terminating"}:
            return "hooked" if stage == "hooked" else "terminating"
        match self.process.stage:
            case "running":
                return "running"
            case "emptying":
                return "terminating"
            case "backoff":
                return "backoff"
            case "standby":
                return "standby"
        return "waiting" if self.process.runs else "idle"

    @property
    def ended(self) -> bool:
        """Whether nothing of it is left, and nothing will start it but a person or a reload."""
        return self.stop.stage == "done"

    @property
    def stopping(self) -> bool:
        """Whether it has begun to stop, or has stopped."""
        return self.stop.stage in {"hooked", "terminating", "done"}

    @property
    def alone(self) -> bool:
        """Whether a person or a reload stops this job, and not its own end or that of everything."""
        return self.stop.outcome in {"stopped", "again", "removed"}

    @property
    def lingering(self) -> bool:
        """Whether it goes on only until others have stopped."""
        return self.stop.stage == "lingering"


# ------------------------------------------------------------------------------------------------------------ stimuli
class Happened(Value):
    """An event on the bus."""

    event: Event


class Exited(Value):
    """A process of the job has ended, or could not be started.

    Attributes:
        role: MAIN, or the index of a check.
        status: The exit status, 128+n for a signal, 126 or 127 for a program that could not be started.
        reason: The same in words.
        output: The end of what it wrote, for a check.
        remains: Others of its process group go on, and have been told to end.
    """

    role: int
    status: int
    reason: str
    output: str = ""
    remains: bool = False


class Spawned(Value):
    """The main process has been started."""


class Unstarted(Value):
    """A process could not be started for want of something that others hold; it is tried again."""

    role: int


class Emptied(Value):
    """Nothing is left of the process group of a role."""

    role: int


class Swept(Value):
    """Nothing is left that the job has started, as far as can be known: the answer to `Sweep`."""


class SiblingExited(Value):
    """The main process of another job of the same name has ended.

    Attributes:
        failed: Whether that run failed.
    """

    failed: bool


class Due(Value):
    """A timer has run out."""

    timer: Timer


class Order(Value):
    """What a person or a reload wants.

    Attributes:
        wanted: "start": run now. "stop": stop, and stay so. "restart": stop, then begin anew. "replace": stop in order
            with the others that stop now, then begin anew. "remove": the same, for good.
    """

    wanted: Literal["start", "stop", "restart", "replace", "remove"]


class Began(Value):
    """Another job that had stopped, or a hook that had run, is there again."""

    name: str


class Over(Value):
    """Another job has ended, or never began: its `stopped` is not to be waited for."""

    name: str


class Holds(Value):
    """What this job depends on holds from now on, or does not."""

    dependency: Dependency
    holds: bool


class KillNow(Value):
    """The stop has been asked for again: wait for nothing."""


Stimulus = (
    Happened
    | Exited
    | Spawned
    | Unstarted
    | Emptied
    | Swept
    | SiblingExited
    | Due
    | Order
    | Began
    | Over
    | Holds
    | KillNow
)


# ------------------------------------------------------------------------------------------------------------ actions
class Start(Value):
    """Start a process. The runner answers with `Exited` or `Unstarted` in every case.

    Of a main process that has been started it says `Spawned` before that.
    """

    role: int


class Kill(Value):
    """Signal the process group of a role, also what is left of it: TERM (and CONT) or KILL.

    Attributes:
        role: MAIN, or the index of a check.
        force: KILL.
        why: For the log; "" where it is ordinary.
    """

    role: int
    force: bool
    why: str = ""


class Sweep(Value):
    """Tell everything to end that the job has started: its group, and what has left it, as far as that can be found.

    The runner answers with `Swept` in every case, when nothing is left.

    Attributes:
        force: KILL, what comes to light later too. Only after a first one without.
        why: For the log; "" where it is ordinary.
    """

    force: bool = False
    why: str = ""


class SetTimer(Value):
    """(Re)start a timer. `every`: it repeats, late ticks coalesce."""

    timer: Timer
    after_s: float
    every: bool = False


class ClearTimer(Value):
    """Stop a timer, if it runs."""

    timer: Timer


class Publish(Value):
    """Put an event on the bus."""

    event: Event


class Advertise(Value):
    """Make the catalog hold the instance with this status; `output` is what the check said."""

    registration: Registration
    status: Status
    output: str


class Report(Value):
    """Tell the catalog the instance's status."""

    instance: str
    status: Status
    output: str


class Withdraw(Value):
    """Take the instance out of the catalog."""

    registration: Registration


class Ended(Value):
    """A stop is over, `stopped` published: the runner does what it was for."""

    outcome: Outcome


Action = Start | Kill | Sweep | SetTimer | ClearTimer | Publish | Advertise | Report | Withdraw | Ended
Step = tuple[State, tuple[Action, ...]]
