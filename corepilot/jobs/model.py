"""What the life of a job is told in: its plan, its state, what can happen to it, and what it can ask for.

Knows nobody but the configuration's model and the events' names. `corepilot.jobs.machine` is the function between them,
with `corepilot.jobs.stopping` for the end.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from corepilot.config.model import JobConfig
from corepilot.events import GLOBAL, Event
from corepilot.value import Value

Phase = Literal["idle", "running", "waiting", "backoff", "hooked", "terminating", "complete"]
Health = Literal["idle", "unknown", "healthy", "unhealthy", "maintenance"]
Role = Literal["main", "check"]
Timer = Literal["check", "interval", "when", "restart", "timeout", "check-timeout", "hook", "kill"]


HOOK_TIMEOUT_S = 30.0
"""Seconds a stop hook may take where `stopTimeout` does not say (our decision; contract, section 4.7)."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Plan(Value):
    """What of a configuration one job's life depends on.

    Attributes:
        job: The job.
        stop_timeout_s: Seconds from the stop signal to SIGKILL; 0 or less: at once.
        awaited_hook: Name of the job whose `stopped` this job waits for before it is signalled, or "".
        startable: False for a hook on a job that does not exist, or on hooks that wait for each other.
        hook_timeout_s: Seconds that this job may take as a hook.
        stops_after: Names of the jobs whose `stopped` it waits for at a stop, while it goes on running.
    """

    job: JobConfig
    stop_timeout_s: float = 5.0
    awaited_hook: str = ""
    startable: bool = True
    hook_timeout_s: float = HOOK_TIMEOUT_S
    stops_after: frozenset[str] = frozenset()

    @property
    def is_hook(self) -> bool:
        """Whether it runs because another job stops (contract, section 4.6)."""
        return self.job.when.code in {"stopping", "stopped"} and self.job.when.kind in {"once", "each"}

    @property
    def hooks_stopping(self) -> bool:
        """Whether it runs before another job is signalled."""
        return self.is_hook and self.job.when.code == "stopping"

    @property
    def periodic(self) -> bool:
        """Whether it is started by a ticker."""
        return self.job.when.kind == "interval"

    @property
    def start_event(self) -> Event | None:
        """The event that starts it, or None for a job that none starts."""
        when = self.job.when
        if when.source == self.job.name and when.code in {"exitSuccess", "exitFailed"}:
            return None  # an exit under its own name is its own (contract, section 4.1)
        if when.kind in {"once", "each"}:
            return Event(when.code, when.source)
        if when.kind == "interval":
            return Event("startup", GLOBAL)
        return Event("signal", when.source) if when.kind == "signal" else None

    def interests(self) -> frozenset[Event]:
        """The events `step` has to be told of, besides those of the source "global", which every job hears."""
        interests = {Event("stopped", name) for name in self.stops_after}
        if self.start_event:
            interests.add(self.start_event)
        if self.awaited_hook:
            interests.add(Event("stopped", self.awaited_hook))
        if self.is_hook:
            interests.add(Event("stopped", self.job.when.source))
        return frozenset(interests)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class State(Value):
    """Where a job is. Immutable; made by `begin` and `step` only.

    Attributes:
        phase: See the diagram of the module.
        health: What checks and maintenance say. "idle" before the first start.
        alive: Whether the main process runs.
        checking: Whether a check runs.
        starts_left: How many more start events count; UNLIMITED for each, interval and signal.
        restarts_left: How many more restarts.
        pending: Starts that wait for the end of the run.
        quick: Restarts since the last run that lasted.
        started_at: When the present or last run began.
        advertised: Whether the catalog has been asked to hold the service.
        hook_done: Whether the awaited hook has stopped.
        source_done: Whether the job that this hook waits for has stopped.
        shutdown: Whether everything is to stop.
        failed_for_good: Exit status (128+n for a signal) of the run after which it completed by itself, or None.
        remains: Whether processes of the run after which it stops are left in its process group.
        bounded: Whether the time that it may take as a hook is being counted.
        gone: Those of the jobs it stops after that have stopped.
        lingers: Whether it waits for the others of them, at a stop.
    """

    phase: Phase = "idle"
    health: Health = "idle"
    alive: bool = False
    checking: bool = False
    starts_left: int = 1
    restarts_left: int = 0
    pending: int = 0
    quick: int = 0
    started_at: float = 0.0
    advertised: bool = False
    hook_done: bool = False
    source_done: bool = False
    shutdown: bool = False
    failed_for_good: int | None = None
    remains: bool = False
    bounded: bool = False
    gone: frozenset[str] = frozenset()
    lingers: bool = False

    @property
    def ending(self) -> bool:
        """Whether it has begun to stop, or has stopped."""
        return self.phase in {"hooked", "terminating", "complete"}


# ------------------------------------------------------------------------------------------------------------ stimuli
class Happened(NamedTuple):
    """An event on the bus."""

    event: Event


class Exited(NamedTuple):
    """A process of the job has ended, or could not be started (`reason` then tells why).

    `status` is the exit status, 128+n for a signal, 126 or 127 for a program that could not be started. `remains`:
    others of its process group go on, and have been told to end.
    """

    role: Role
    status: int
    reason: str
    output: str = ""
    remains: bool = False


class Emptied(NamedTuple):
    """Nothing is left of the process group of the run after which the job stops."""


class SiblingExited(NamedTuple):
    """The main process of another job of the same name has ended."""


class Due(NamedTuple):
    """A timer has run out."""

    timer: Timer


class Hurry(NamedTuple):
    """The stop has been asked for again: wait for nothing."""


Stimulus = Happened | Exited | Emptied | SiblingExited | Due | Hurry


# ------------------------------------------------------------------------------------------------------------ actions
class Start(NamedTuple):
    """Start a process. The runner answers with `Exited` in every case."""

    role: Role


class Kill(NamedTuple):
    """Signal the process group of a role, also what is left of it: TERM (and CONT) or KILL.

    `why` is for the log; "" where it is ordinary.
    """

    role: Role
    force: bool
    why: str = ""


class SetTimer(NamedTuple):
    """(Re)start a timer. `every`: it repeats, late ticks coalesce."""

    timer: Timer
    after_s: float
    every: bool = False


class ClearTimer(NamedTuple):
    """Stop a timer, if it runs."""

    timer: Timer


class Publish(NamedTuple):
    """Put an event on the bus."""

    event: Event


class Advertise(NamedTuple):
    """Make the catalog hold the service with this status; `output` is what the check said."""

    status: Literal["passing", "warning", "critical"]
    output: str


class Report(NamedTuple):
    """Tell the catalog the service's status."""

    status: Literal["passing", "warning", "critical"]
    output: str


class Withdraw(NamedTuple):
    """Take the service out of the catalog."""


class Complete(NamedTuple):
    """The job has ended for good."""


Action = Start | Kill | SetTimer | ClearTimer | Publish | Advertise | Report | Withdraw | Complete
Step = tuple[State, tuple[Action, ...]]
