"""The runs of a job, as one of its machines: start, end, the rest of the process group, restarts. Pure.

A run ends when its process group is empty. Its exit event comes when the main process ends; what that leaves in the
group is told to end once (contract, section 4.2), and killed when it has not after the job's stop timeout. The next
run begins after that, so that it finds ports and files free.
"""

from __future__ import annotations

from corepilot.jobs.plan import Plan
from corepilot.jobs.state import (
    MAIN,
    Action,
    ClearTimer,
    Exited,
    Kill,
    ProcessState,
    Publish,
    SetTimer,
    Start,
    Timer,
)
from corepilot.model.event import Event, exit_event
from corepilot.model.job import UNLIMITED, RestartPolicy

QUICK_RESTARTS = 3
BACKOFF_FIRST_S = 0.25
BACKOFF_MAX_S = 30.0
BACKOFF_RESET_S = 30.0
"""Restart delay (contract, section 4.2, FIX): the first three restarts are immediate, then 0.25 s, doubled up to 30 s.
A run of 30 s or more starts the count afresh. A run that succeeds is never delayed by more than `SUCCESS_PERIOD_S` from
its start, so that `restarts: "unlimited"` goes on working as a simple loop."""

SUCCESS_PERIOD_S = 0.1

SHORTAGE_S = 1.0
"""Seconds until a start is tried again that failed for want of descriptors, processes or memory."""

RESTART = Timer("restart")
TIMEOUT = Timer("timeout")
KILL = Timer("kill")

_DEFAULT = RestartPolicy()

Result = tuple[ProcessState, tuple[Action, ...]]


def alive(plan: Plan, process: ProcessState) -> bool:
    """Whether the main process runs."""
    return process.stage == "running" and plan.job.command is not None


def busy(plan: Plan, process: ProcessState) -> bool:
    """Whether any process of the run is left."""
    return process.stage == "emptying" or alive(plan, process)


def run(plan: Plan, process: ProcessState, now: float) -> Result:
    """Start. The stage before was "none" or "backoff"."""
    lasting = plan.job.command is None
    actions: list[Action] = [ClearTimer(RESTART)]
    if lasting and not process.up:
        actions += began(plan)
    process = process.changed(stage="running", up=lasting, runs=process.runs + 1, started_at=now)
    if not lasting:
        actions.append(Start(MAIN))
        if plan.job.timeout_s is not None:
            actions.append(SetTimer(TIMEOUT, plan.job.timeout_s))
    return process, tuple(actions)


def began(plan: Plan) -> tuple[Action, ...]:
    """It has been started: that is all there is to wait for, unless something else shows that it is ready."""
    started = Publish(Event("started", plan.job.name))
    return (started,) if plan.job.ready is not None else (started, Publish(Event("ready", plan.job.name)))


def unstarted(plan: Plan, process: ProcessState, *, again: bool) -> Result:
    """Descriptors, processes or memory have run out: the start is not counted, and tried again if it still counts."""
    actions: list[Action] = [SetTimer(RESTART, SHORTAGE_S)] if again else []
    if plan.job.timeout_s is not None:
        actions.append(ClearTimer(TIMEOUT))
    if process.blame:
        actions.append(ClearTimer(KILL))
    stage = "backoff" if again else "none"
    return process.changed(stage=stage, delayed="any", runs=process.runs - 1, blame=""), tuple(actions)


def exited(plan: Plan, process: ProcessState, exit_: Exited, now: float, *, alone: bool) -> Result:
    """The main process has ended, or could not be started.

    Args:
        plan: The job's.
        process: The state so far.
        exit_: How it ended.
        now: When.
        alone: Whether a person or a reload stops this job: it has neither succeeded nor failed then, and only
            `stopping` and `stopped` are published (our decision).
    """
    name, failed = plan.job.name, not plan.job.succeeds(exit_.status)
    actions: list[Action] = [] if alone else [Publish(exit_event(name, exit_.status, failed=failed))]
    if plan.job.timeout_s is not None:
        actions.append(ClearTimer(TIMEOUT))
    if failed and not alone:
        actions.append(Publish(Event("error", name, exit_.reason)))
    if process.blame:
        actions.append(ClearTimer(KILL))
    stage = "emptying" if exit_.remains else "none"
    return process.changed(stage=stage, up=False, ended_at=now, status=exit_.status, blame=""), tuple(actions)


def await_group(plan: Plan) -> tuple[Action, ...]:
    """Bound the wait for the rest of the group, which has been told to end."""
    return (SetTimer(KILL, max(plan.job.stop.timeout_s, 0.0)),)


def emptied(process: ProcessState) -> Result:
    """Nothing is left of the process group."""
    return process.changed(stage="none"), (ClearTimer(KILL),)


def fail(plan: Plan, process: ProcessState, why: str) -> Result:
    """End the run, as one that has failed: TERM, and KILL when it has had its time."""
    if process.blame:
        return process, ()
    actions = (Kill(MAIN, force=False, why=why), *await_group(plan))
    return process.changed(blame=why), actions


def blamed(plan: Plan, process: ProcessState, exited: Exited) -> Exited:
    """How a run has ended that we have ended: a clean exit after our signal is no success, whatever counts as one."""
    if not process.blame:
        return exited
    statuses = (exited.status, _TERMINATED, *range(1, 256))
    failures = [one for one in statuses if one and not plan.job.succeeds(one)]
    return exited.changed(status=failures[0] if failures else _TERMINATED, reason=process.blame)


_TERMINATED = 143
"""128 + SIGTERM."""


def overdue(plan: Plan) -> tuple[Action, ...]:
    """The stop timeout has passed since the group was told to end."""
    return (Kill(MAIN, force=True, why=late(plan)),)


def late(plan: Plan) -> str:
    """Why what has been told to end is killed."""
    timeout_s = plan.job.stop.timeout_s
    if timeout_s <= 0:
        return "its killTimeout, or stopTimeout, gives it no time to stop"
    return f"still running {timeout_s:g} s after its stop signal; raise stopTimeout, or its killTimeout"


def timed_out(plan: Plan) -> tuple[Action, ...]:
    """The run has taken longer than it may."""
    return (Kill(MAIN, force=True, why=f"timeout after {plan.job.timeout_s:g} s"),)


def restarts_left(plan: Plan, process: ProcessState, now: float) -> int:
    """How often it may be started again, whatever its last run was; UNLIMITED for ever."""
    policy = plan.job.restarts
    if policy.limit == UNLIMITED or policy.on == "never":
        return 0 if policy.on == "never" else UNLIMITED
    if policy.within_s is None:
        return max(policy.limit - process.restarts, 0)
    return max(policy.limit - sum([now - at < policy.within_s for at in process.restarted_at]), 0)


def may_restart(plan: Plan, process: ProcessState, now: float, *, failed: bool) -> bool:
    """Whether it is started again after a run."""
    wanted = plan.job.restarts.on in {"always", "failure" if failed else "success"}
    return wanted and restarts_left(plan, process, now) != 0


def failed(plan: Plan, process: ProcessState) -> bool:
    """Whether the last run failed."""
    return process.status is not None and not plan.job.succeeds(process.status)


def restarted(plan: Plan, process: ProcessState, now: float) -> ProcessState:
    """One restart is used up."""
    policy = plan.job.restarts
    times = process.restarted_at
    if policy.within_s is not None:
        times = (*[at for at in times if now - at < policy.within_s], now)
    return process.changed(restarts=process.restarts + 1, restarted_at=times)


def restart(plan: Plan, process: ProcessState, now: float) -> tuple[ProcessState, float]:
    """Use up one restart; the seconds until it is due."""
    process, delay_s = delayed(plan, process, now)
    delay_s = max(delay_s, throttled_s(plan, process, now))
    return restarted(plan, process.changed(delayed="restart"), now), delay_s


def throttled_s(plan: Plan, process: ProcessState, now: float) -> float:
    """The seconds until it may be started again so often as `when.throttle` allows."""
    throttle_s = plan.job.when.throttle_s
    return process.started_at + throttle_s - now if throttle_s is not None and process.runs else 0.0


def unused(process: ProcessState) -> ProcessState:
    """The restart that was waited for does not take place: something else starts the job at once."""
    return process.changed(restarts=process.restarts - 1, restarted_at=process.restarted_at[:-1])


def delayed(plan: Plan, process: ProcessState, now: float) -> tuple[ProcessState, float]:
    """The seconds until the job may be started again by itself, counted from the end of the main process."""
    ran_s = process.ended_at - process.started_at
    quick = 0 if ran_s >= BACKOFF_RESET_S else process.quick
    succeeded = not failed(plan, process)
    delay_s = restart_delay(quick, succeeded=succeeded, ran_s=ran_s, policy=plan.job.restarts)
    # With a delay of its own a run that succeeds is the end of a row; without one it is what a loop is made of.
    quick = 0 if succeeded and plan.job.restarts.delay_s is not None else quick + 1
    return process.changed(quick=quick), max(0.0, process.ended_at + delay_s - now)


def restart_delay(quick: int, *, succeeded: bool, ran_s: float, policy: RestartPolicy = _DEFAULT) -> float:
    """Seconds from an exit to the next start, after `quick` restarts in a row of short runs. Not negative."""
    first_s, most_s = policy.delay_s, policy.max_delay_s or max(BACKOFF_MAX_S, policy.delay_s or 0.0)
    if first_s is not None:
        return min(most_s, first_s * 2.0 ** min(0 if succeeded else quick, 30))
    if quick < QUICK_RESTARTS:
        return 0.0
    if succeeded:
        return max(0.0, SUCCESS_PERIOD_S - ran_s)
    return min(most_s, BACKOFF_FIRST_S * 2.0 ** min(quick - QUICK_RESTARTS, 30))
