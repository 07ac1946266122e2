"""What the life of a job is told in: its state, what can happen to it, and what it can ask for.

`corepilot.jobs.machine` is the function between them, composed of the small machines beside it.
"""

from __future__ import annotations

from typing import Literal

from corepilot.jobs.parts import CheckState as CheckState  # noqa: PLC0414
from corepilot.jobs.parts import Outcome as Outcome  # noqa: PLC0414  - they are spoken of together
from corepilot.jobs.parts import ProcessState as ProcessState  # noqa: PLC0414
from corepilot.jobs.parts import ReadyState as ReadyState  # noqa: PLC0414
from corepilot.jobs.parts import StopState as StopState  # noqa: PLC0414
from corepilot.jobs.parts import TriggerState as TriggerState  # noqa: PLC0414
from corepilot.model.event import Event
from corepilot.model.job import Dependency
from corepilot.model.service import Registration, Status
from corepilot.model.value import Value

Phase = Literal[
    "idle", "standby", "running", "waiting", "backoff", "hooked", "draining", "terminating", "complete", "stopped"
]  # fmt: skip
"""See the diagram of `corepilot.jobs.machine`. "standby": it is to run as soon as what it depends on holds
and it has its lock."""

Health = Literal["idle", "unknown", "healthy", "unhealthy", "maintenance"]
TimerName = Literal[
    "check",
    "check-timeout",
    "check-group",
    "interval",
    "when",
    "restart",
    "timeout",
    "hook",
    "drain",
    "kill",
    "ready-after",
    "ready-timeout",
    "watchdog",
]

MAIN = -1
"""The role of a job's main process; checks have their index."""


class Timer(Value):
    """A timer of a job. `check` is the index of a check, for those that each check has."""

    name: TimerName
    check: int = MAIN


_AFTER_STOP: dict[Outcome, Phase] = {"stopped": "stopped", "again": "terminating"}


class State(Value):
    """Where a job is. Immutable; made by `begin`, `replan` and `step` only.

    Attributes:
        health: What checks and maintenance say. "idle" before the first start, and after the end.
        advertised: The status that the catalog was last asked to hold the service with; None: it was not asked to.
        locked: Whether its lock is ours; it has heard so.
        met: What holds of that which it depends on; it has heard so.
        trigger: See `TriggerState`, and so on.
        readiness: See `ReadyState`.
    """

    health: Health = "idle"
    advertised: Status | None = None
    locked: bool = False
    met: frozenset[Dependency] = frozenset()
    trigger: TriggerState = TriggerState()
    process: ProcessState = ProcessState()
    checks: tuple[CheckState, ...] = ()
    stop: StopState = StopState()
    readiness: ReadyState = ReadyState()

    @property
    def phase(self) -> Phase:
        """The whole in one word: what `status` shows."""
        stage = self.stop.stage
        if stage == "done":
            return _AFTER_STOP.get(self.stop.outcome or "complete", "complete")
        if stage in {"hooked", "draining", "terminating"}:
            return stage
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
        return self.stop.stage in {"hooked", "draining", "terminating", "done"}

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
        barred: It was not started, and must not be before the next event that starts it.
    """

    role: int
    status: int
    reason: str
    output: str = ""
    remains: bool = False
    barred: bool = False


class Spawned(Value):
    """The main process has been started."""


class Notified(Value):
    """The main process has told something of itself (sd_notify(3)), or something was seen of it.

    Attributes:
        state: What it is now; None if it does not say.
        text: STATUS=, in words for people.
        watchdog: "alive": it is well. "trigger": it is not.
        watchdog_s: Within so many seconds it is going to say the next time that it is alive.
        extend_s: It needs so many seconds more until it is ready.
    """

    state: Literal["ready", "reloading", "stopping"] | None = None
    text: str | None = None
    watchdog: Literal["", "alive", "trigger"] = ""
    watchdog_s: float | None = None
    extend_s: float | None = None


class Unstarted(Value):
    """A process could not be started for want of something that others hold; it is tried again."""

    role: int


class Emptied(Value):
    """Nothing is left of the process group of a role."""

    role: int


class Swept(Value):
    """Nothing is left that the job has started, as far as can be known: the answer to `Sweep`."""


class Left(Value):
    """The job's service is out of the catalog, or has had its time for that: the answer to `AwaitGone`."""


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
    """What this job depends on holds from now on, or does not.

    Attributes:
        lost: Who is bound to it cannot go on; not if only a job has joined those that have to meet it.
    """

    dependency: Dependency
    holds: bool
    lost: bool = False


class KillNow(Value):
    """The stop has been asked for again: wait for nothing."""


Stimulus = (
    Happened
    | Exited
    | Spawned
    | Notified
    | Unstarted
    | Emptied
    | Swept
    | Left
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


class Signal(Value):
    """Signal the main process alone, if it runs: no end of the run is meant."""

    number: int


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


class AwaitGone(Value):
    """See to it that the instance is seen to have left the catalog. The runner answers with `Left` in every case."""

    registration: Registration


class Ended(Value):
    """A stop is over, `stopped` published: the runner does what it was for."""

    outcome: Outcome


Action = (
    Start | Kill | Signal | Sweep | SetTimer | ClearTimer | Publish | Advertise | Report | Withdraw | AwaitGone | Ended
)
Step = tuple[State, tuple[Action, ...]]
