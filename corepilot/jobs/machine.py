"""The life of one job as a pure function: (plan, state, stimulus, now) gives (state, actions).

No I/O, no gevent, no clock: `now` is any monotonic number of seconds. The runner turns the world into stimuli and the
actions into processes, timers, events and registrations. The rules are the ContainerPilot contract's section 4, with
its FIX lines carried out; what differs from ContainerPilot says so where it stands.

    idle ──start event──▶ running ──exit──▶ backoff ──restart due──▶ running
      │                     │ ▲                │
      │                     ▼ │ trigger        │
      │                   waiting              │
      ▼                     ▼                  ▼
    hooked (a job that hooks our `stopping` runs, bounded) ──▶ terminating (TERM, bounded, KILL) ──▶ complete

`running` also holds for a job without exec: it has been started and never exits.
"""

from dataclasses import replace

from corepilot.config.model import UNLIMITED
from corepilot.events import GLOBAL, Event
from corepilot.jobs import stopping
from corepilot.jobs.model import (
    Action,
    Advertise,
    ClearTimer,
    Due,
    Emptied,
    Exited,
    Happened,
    Health,
    Kill,
    Plan,
    Publish,
    Report,
    SetTimer,
    SiblingExited,
    Start,
    State,
    Step,
    Stimulus,
    Withdraw,
)

QUICK_RESTARTS = 3
BACKOFF_FIRST_S = 0.25
BACKOFF_MAX_S = 30.0
BACKOFF_RESET_S = 30.0
"""Restart delay (contract, section 4.2, FIX): the first three restarts are immediate, then 0.25 s, doubled up to 30 s.
A run of 30 s or more starts the count afresh. A run that succeeds is never delayed by more than `SUCCESS_PERIOD_S` from
its start, so that `restarts: "unlimited"` goes on working as a simple loop."""

SUCCESS_PERIOD_S = 0.1

PENDING_MAX = 1000
"""Triggers that wait while a run goes on; ContainerPilot's queue has the same length."""

PASSING_OUTPUT = "ok"
"""What a passing report says (contract, section 7.2)."""


def begin(plan: Plan) -> Step:
    """The state of a job before anything happened, and the actions to begin with (contract, section 4.1).

    Timers count from here, not from the first start.
    """
    job, when = plan.job, plan.job.when
    state = State(
        starts_left=1 if when.kind in {"once", "never"} else UNLIMITED,
        restarts_left=job.restarts,
        advertised=job.service is not None and job.service.initial_status is not None,
    )
    actions: list[Action] = []
    if job.service is not None and job.service.initial_status is not None:
        actions.append(Advertise(job.service.initial_status, ""))
    if job.health is not None:
        actions.append(SetTimer("check", job.health.interval_s, every=True))
    if when.kind == "interval" and when.interval_s is not None:
        actions.append(SetTimer("interval", when.interval_s, every=True))
    elif when.timeout_s is not None and when.timeout_s > 0:
        actions.append(SetTimer("when", when.timeout_s))
    return state, tuple(actions)


def step(plan: Plan, state: State, stimulus: Stimulus, now: float) -> Step:
    """What a job does about one stimulus. Total: every stimulus is allowed in every state."""
    if isinstance(stimulus, Exited):
        if stimulus.role == "check":
            return _checked(plan, state, stimulus)
        return _exited(plan, state, stimulus, now)
    if isinstance(stimulus, Due):
        return _due(plan, state, stimulus, now)
    if isinstance(stimulus, Happened):
        return _happened(plan, state, stimulus.event, now)
    if isinstance(stimulus, SiblingExited):
        return _sibling_exited(plan, state, now)
    if isinstance(stimulus, Emptied):
        state = replace(state, remains=False)
        return stopping.ended(plan, state) if state.phase == "terminating" else (state, ())
    return stopping.hurry(plan, state)


def _happened(plan: Plan, state: State, event: Event, now: float) -> Step:
    if plan.is_hook and event == Event("stopped", plan.job.when.source):
        state = replace(state, source_done=True)
    if plan.awaited_hook and event == Event("stopped", plan.awaited_hook):
        state = replace(state, hook_done=True)
        if state.phase == "hooked":
            return stopping.terminate(plan, state)
    if event.code == "stopped" and event.source in plan.stops_after:
        state = replace(state, gone=state.gone | {event.source})
        if state.lingers and plan.stops_after <= state.gone:
            return stopping.stop(plan, state)
    if state.ending or state.lingers:
        return state, ()
    started: Step = (state, ())
    if event == Event("shutdown", GLOBAL):
        return stopping.shutdown(plan, state)
    if event == Event("startup", GLOBAL) and plan.is_hook and not plan.startable:
        # It can never be started, and must not keep the container alive (section 4.6, FIX).
        return stopping.stop(plan, state)
    if event.source == GLOBAL and event.code in {"enterMaintenance", "exitMaintenance"}:
        started = _maintain(plan, state, entering=event.code == "enterMaintenance")
        state = started[0]
    if event == plan.start_event and (plan.job.when.kind != "once" or state.starts_left):
        state, actions = _trigger(plan, state, now)
        return state, started[1] + actions
    if state.source_done and state.phase in {"idle", "waiting"} and not state.pending:
        # A hook whose source has stopped can never be started again: without this it would keep everything alive.
        return stopping.stop(plan, state)
    return started


def _trigger(plan: Plan, state: State, now: float) -> Step:
    if state.starts_left > 0:
        state = replace(state, starts_left=state.starts_left - 1)
    limit: tuple[Action, ...] = ()
    if plan.job.exec is not None and (plan.hooks_stopping or state.shutdown):
        state, limit = stopping.bound(plan, state)
    state, actions = _run(plan, state, now)
    return state, (*actions, *limit)


def _run(plan: Plan, state: State, now: float) -> Step:
    """Start, or wait until the run that goes on has ended: one at a time (contract, section 4.2), bounded."""
    if state.phase == "backoff" or (state.phase == "running" and plan.job.exec is not None):
        return replace(state, pending=min(state.pending + 1, PENDING_MAX)), ()
    return _start(plan, state, now)


def _start(plan: Plan, state: State, now: float) -> Step:
    health: Health = "maintenance" if state.health == "maintenance" else "unknown"
    state = replace(state, phase="running", health=health, started_at=now, alive=plan.job.exec is not None)
    actions: list[Action] = [ClearTimer("when")] if plan.job.when.timeout_s is not None else []
    if plan.job.exec is not None:
        actions.append(Start("main"))
        if plan.job.timeout_s is not None:
            actions.append(SetTimer("timeout", plan.job.timeout_s))
    return state, tuple(actions)


def _exited(plan: Plan, state: State, exited: Exited, now: float) -> Step:
    name = plan.job.name
    succeeded = exited.status == 0
    state = replace(state, alive=False)
    actions: list[Action] = [Publish(Event("exitSuccess" if succeeded else "exitFailed", name))]
    if not succeeded:
        actions.append(Publish(Event("error", f"{name}: {exited.reason}")))
    if plan.job.timeout_s is not None:
        actions.append(ClearTimer("timeout"))
    if state.phase == "terminating":
        state, more = stopping.ended(plan, replace(state, remains=exited.remains))
    elif state.ending:
        state, more = replace(state, remains=exited.remains), ()
    else:
        state, more = _next(plan, state, exited, now)
    return state, (*actions, *more)


def _next(plan: Plan, state: State, exited: Exited, now: float) -> Step:
    """After a run: again, wait for a trigger, or complete."""
    if plan.periodic:
        state = replace(state, phase="waiting")
        return _start(plan, replace(state, pending=0), now) if state.pending else (state, ())
    if state.restarts_left:
        left = state.restarts_left - 1 if state.restarts_left > 0 else UNLIMITED
        quick = 0 if now - state.started_at >= BACKOFF_RESET_S else state.quick
        delay = restart_delay(quick, succeeded=exited.status == 0, ran_s=now - state.started_at)
        state = replace(state, restarts_left=left, quick=quick + 1)
        if delay <= 0:
            return _start(plan, state, now)
        return replace(state, phase="backoff"), (SetTimer("restart", delay),)
    if state.pending:
        return _start(plan, replace(state, pending=state.pending - 1), now)
    # A job stops once: what hooks its `stopping` has nothing more to wait for, and the job waits for it.
    if state.starts_left and not state.shutdown and not state.source_done and not plan.hooks_stopping:
        return replace(state, phase="waiting"), ()
    return stopping.stop(plan, replace(state, failed_for_good=exited.status or None, remains=exited.remains))


def _sibling_exited(plan: Plan, state: State, now: float) -> Step:
    """Jobs of one name react to each other's exits as to their own (contract, sections 3.6 and 4.1)."""
    if state.ending or state.lingers or plan.periodic:
        return state, ()
    if state.restarts_left:
        left = state.restarts_left - 1 if state.restarts_left > 0 else UNLIMITED
        return _run(plan, replace(state, restarts_left=left), now)
    return (state, ()) if state.starts_left else stopping.stop(plan, state)


def restart_delay(quick: int, *, succeeded: bool, ran_s: float) -> float:
    """Seconds from an exit to the next start, after `quick` restarts in a row of short runs. Not negative."""
    if quick < QUICK_RESTARTS:
        return 0.0
    if succeeded:
        return max(0.0, SUCCESS_PERIOD_S - ran_s)
    return min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2.0 ** min(quick - QUICK_RESTARTS, 30))


def _checked(plan: Plan, state: State, exited: Exited) -> Step:
    name = plan.job.name
    succeeded = exited.status == 0
    state = replace(state, checking=False)
    actions: list[Action] = [Publish(Event("exitSuccess" if succeeded else "exitFailed", f"check.{name}"))]
    if plan.job.health is not None and plan.job.health.timeout_s is not None:
        actions.append(ClearTimer("check-timeout"))
    if not succeeded:
        actions.append(Publish(Event("error", f"check.{name}: {exited.reason}")))
    if state.phase == "terminating":
        state, more = stopping.ended(plan, state)
        return state, (*actions, *more)
    if state.ending or state.health in {"maintenance", "idle"}:
        return state, tuple(actions)
    if succeeded:
        actions.append(Publish(Event("healthy", name)))
        state, more = _beat(plan, replace(state, health="healthy"))
        return state, (*actions, *more)
    actions.append(Publish(Event("unhealthy", name)))
    if plan.job.service is not None and state.advertised:
        actions.append(Report("critical", exited.output or exited.reason))
    return replace(state, health="unhealthy"), tuple(actions)


def _beat(plan: Plan, state: State) -> Step:
    """A passing result for the catalog: the first one registers, and each one is reported (contract, section 7.2)."""
    if plan.job.service is None:
        return state, ()
    if state.advertised:
        return state, (Report("passing", PASSING_OUTPUT),)
    return replace(state, advertised=True), (Advertise("passing", PASSING_OUTPUT),)


def _due(plan: Plan, state: State, due: Due, now: float) -> Step:
    name, timer = plan.job.name, due.timer
    if timer == "kill" and state.phase == "terminating":
        return stopping.late(plan, state)
    if timer == "hook" and state.phase == "hooked":
        return stopping.overdue(plan, state)
    if timer == "timeout" and state.alive:
        return state, (Kill("main", force=True, why=f"timeout after {plan.job.timeout_s:g} s"),)
    if timer == "check-timeout" and state.checking and plan.job.health is not None:
        return state, (Kill("check", force=True, why=f"timeout after {plan.job.health.timeout_s:g} s"),)
    if state.ending:
        return state, ()
    if timer == "hook":
        return stopping.overdue(plan, state)
    if timer == "check":
        return _check(plan, state)
    if timer == "restart" and state.phase == "backoff":
        return _start(plan, state, now)
    if timer == "when" and state.phase == "idle":
        expired = Publish(Event("timerExpired", name))
        if plan.is_hook and plan.job.exec is not None:
            return state, (expired,)  # contract, section 4.1: for a hook the quit is swallowed
        state, actions = stopping.stop(plan, state)
        return state, (expired, *actions)
    if timer == "interval":
        return _tick(plan, state, now)
    return state, ()


def _check(plan: Plan, state: State) -> Step:
    health = plan.job.health
    if health is None or state.health in {"idle", "maintenance"} or state.checking:
        return state, ()  # a check slower than its interval skips ticks
    if health.exec is None:
        return _beat(plan, state)
    actions: tuple[Action, ...] = (Start("check"),)
    if health.timeout_s is not None:
        actions += (SetTimer("check-timeout", health.timeout_s),)
    return replace(state, checking=True), actions


def _tick(plan: Plan, state: State, now: float) -> Step:
    if state.phase == "idle" or state.pending:
        return state, ()  # not started yet, or a tick waits already: ticks coalesce
    if not state.restarts_left:
        return stopping.stop(plan, state)
    left = state.restarts_left - 1 if state.restarts_left > 0 else UNLIMITED
    state = replace(state, restarts_left=left)
    return (replace(state, pending=1), ()) if state.alive else _start(plan, state, now)


def _maintain(plan: Plan, state: State, *, entering: bool) -> Step:
    service = plan.job.service
    if entering:
        return replace(state, health="maintenance", advertised=False), (Withdraw(),) if service else ()
    if state.health != "maintenance":
        return state, ()
    # ContainerPilot starts to check jobs that have not started yet, and never registers again (section 4.5, FIX).
    state = replace(state, health="idle" if state.phase == "idle" else "unknown")
    if service is not None and service.initial_status is not None:
        return replace(state, advertised=True), (Advertise(service.initial_status, ""),)
    return state, ()
