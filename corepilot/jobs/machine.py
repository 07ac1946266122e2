"""The life of one job as a pure function: (plan, state, stimulus, now) gives (state, actions).

No I/O, no gevent, no clock: `now` is any monotonic number of seconds. The runner turns the world into stimuli and the
actions into processes, timers, events and registrations. The rules are the ContainerPilot contract's section 4, with
its FIX lines carried out; what differs from ContainerPilot says so where it stands.

A job is a composition of small machines: what starts it (`trigger`), its runs (`process`), its checks (`check`), what
the catalog is told (`registration`), and how it ends (`stopping`). Here is what one does about another, in a fixed
order and without a queue.

    idle ──start event──▶ running ──exit──▶ terminating (the rest of its group) ──▶ backoff ──▶ running
      │                     │ ▲                                                   └▶ waiting
      │                     ▼ │ trigger
      ▼                     ▼
    hooked (a job that hooks our `stopping` runs, bounded) ──▶ terminating (TERM, bounded, KILL) ──▶ complete, stopped

`running` also holds for a job without exec: it has been started and never exits. `stopped`: by hand. `standby`: instead
of a run that begins, until what the job depends on holds and it has its lock; one that loses its lock stops, and is in
`standby` again.
"""

from __future__ import annotations

from corepilot.jobs import (
    check,
    checking,
    following,
    orders,
    process,
    readiness,
    registration,
    reloading,
    starting,
    stopping,
    trigger,
)
from corepilot.jobs.plan import Plan
from corepilot.jobs.state import (
    MAIN,
    Action,
    Began,
    Due,
    Emptied,
    Exited,
    Happened,
    Holds,
    KillNow,
    Left,
    Notified,
    Order,
    Over,
    Publish,
    SiblingExited,
    Spawned,
    State,
    Step,
    Stimulus,
    Swept,
    Timer,
    Unstarted,
)
from corepilot.model.event import GLOBAL, Event
from corepilot.model.job import Dependency

_LEFT = frozenset(("draining", "terminating", "done"))
_MAINTENANCE = {"enterMaintenance": True, "exitMaintenance": False}


def step(plan: Plan, state: State, stimulus: Stimulus, now: float) -> Step:
    """What a job does about one stimulus. Total: every stimulus is allowed in every state."""
    match stimulus:
        case Happened(event):
            return _happened(plan, state, event, now)
        case Exited():
            return (
                _exited(plan, state, stimulus, now)
                if stimulus.role == MAIN
                else checking.ended(plan, state, stimulus, now)
            )
        case Due(timer):
            return _due(plan, state, timer, now)
        case Emptied(role):
            return _emptied(plan, state, role, now)
        case Swept():
            # Its main process is reaped by now, and nothing is left of its group.
            gone = state.process.changed(stage="none")
            return stopping.ended(plan, state.changed(process=gone, stop=state.stop.changed(sweeping=False)))
        case Left():
            return stopping.left(plan, state)
        case Spawned():
            return _spawned(plan, state)
        case Notified():
            return _notified(plan, state, stimulus)
        case Unstarted(role):
            return _unstarted(plan, state, role, now)
        case SiblingExited(failed):
            return _sibling_exited(plan, state, now, failed=failed)
        case Order():
            return orders.ordered(plan, state, stimulus, now)
        case Began(name):
            return orders.other_began(plan, state, name)
        case Over(name):
            return orders.other_is_over(plan, state, name)
        case Holds(dependency, holds, lost):
            met = state.met | {dependency} if holds else state.met - {dependency}
            state = state.changed(met=met)
            if lost:
                return _lost(plan, state, dependency)
            return starting.stand_by(plan, state, now) if holds else (state, ())
        case KillNow():
            return stopping.kill_now(plan, state)


# ------------------------------------------------------------------------------------------------------------- events
def _happened(plan: Plan, state: State, event: Event, now: float) -> Step:
    state = stopping.heard(plan, state, event)
    further = stopping.go_on(plan, state)
    if further is not None:
        return further
    if event == Event("shutdown", GLOBAL):
        return _shutdown(plan, state)
    if plan.job.lock and event.subject == f"lock.{plan.job.lock}":
        return _lock(plan, state, event.code, now)
    started: Step = reloading.hear(plan, state, event) if plan.job.reload_on else (state, ())
    state = started[0]
    if event.subject == GLOBAL and event.code in _MAINTENANCE and state.stop.stage not in _LEFT:
        started = _maintain(plan, state, entering=_MAINTENANCE[event.code])
        state = started[0]
    if state.stopping or state.lingering:
        return started
    if event == Event("startup", GLOBAL) and plan.is_hook and not plan.startable:
        # It can never be started, and must not keep the container alive (section 4.6, FIX).
        return stopping.stop(plan, state, "complete")
    trigger_, fired = trigger.hear(plan, state.trigger, event)
    state = state.changed(trigger=trigger_)
    if fired:
        state, actions = _fire(plan, state, event, now)
        return state, started[1] + actions
    if state.stop.source_done and state.process.stage == "none" and not state.trigger.pending:
        # A hook whose source has stopped can never be started again: without this it would keep everything alive.
        return stopping.stop(plan, state, state.stop.outcome or "complete")
    return state, started[1]


def _lock(plan: Plan, state: State, code: str, now: float) -> Step:
    """Its lock is ours, or not any more: then all of it has to end, and it begins anew with the next grant."""
    if code == "acquired":
        state = state.changed(locked=True)
        return starting.start(plan, state, now) if state.process.stage == "standby" else (state, ())
    if code != "lost" or not state.locked:
        return state, ()
    state = state.changed(locked=False)
    if state.stopping or state.process.stage in {"none", "standby"}:
        return state, ()
    return stopping.stop(plan, state, "complete" if state.stop.shutdown else "again")


def _lost(plan: Plan, state: State, dependency: Dependency) -> Step:
    """What it depends on holds no more: that stops it only if it is bound to it, and it begins anew when it holds."""
    runs = state.process.stage == "running" and not (state.stopping or state.lingering or state.stop.shutdown)
    if not runs or dependency.job not in plan.job.binds_to:
        return state, ()
    return stopping.stop(plan, state, "again", f"{dependency.job} is no longer {dependency.condition}")


def _shutdown(plan: Plan, state: State) -> Step:
    if state.ended and state.stop.outcome in {"stopped", "again"}:  # it ends as all others do, and nobody waits for it
        return stopping.ended(plan, state.changed(stop=state.stop.changed(outcome="complete")))
    if state.ended:
        return state, ()
    if state.stopping or state.lingering:
        return state.changed(stop=state.stop.changed(outcome="complete", shutdown=True)), ()
    return stopping.shutdown(plan, state)


def _fire(plan: Plan, state: State, event: Event, now: float) -> Step:
    """An event starts the job."""
    limit: tuple[Action, ...] = ()
    if plan.job.command is not None and (plan.hooks_stopping or state.stop.shutdown):
        if state.stop.armed:  # the time of its run for the stop before counts no more
            state = state.changed(stop=state.stop.changed(armed=False, bounded=False))
        state, limit = stopping.bound(plan, state)
    state, actions = starting.answer(plan, state, now, event)
    return state, (*actions, *limit)


# --------------------------------------------------------------------------------------------------------------- runs
def _spawned(plan: Plan, state: State) -> Step:
    if not process.alive(plan, state.process):
        return state, ()
    return state.changed(process=state.process.changed(up=True)), process.began(plan)


def _exited(plan: Plan, state: State, exited: Exited, now: float) -> Step:
    exited = process.blamed(plan, state.process, exited)
    process_, actions = process.exited(plan, state.process, exited, now, alone=state.alone)
    readiness_, waits = readiness.end(state.readiness)
    state, actions = state.changed(process=process_, readiness=readiness_), (*actions, *waits)
    if state.stopping:
        state, more = stopping.main_ended(plan, state)
    elif exited.barred:
        state, more = stopping.stop(plan, state, state.stop.outcome or "complete")
    elif following.is_last(plan, state, now):
        state = state.changed(stop=state.stop.changed(failed=following.failure(plan, state)))
        state, more = stopping.stop(plan, state, state.stop.outcome or "complete")
    elif exited.remains:
        more = process.await_group(plan)
    else:
        state, more = following.next_run(plan, state, now)
    return state, (*actions, *more)


def _emptied(plan: Plan, state: State, role: int, now: float) -> Step:
    if role >= len(state.checks):
        return state, ()
    if role != MAIN:
        return checking.emptied(plan, state, role, now)
    process_, actions = process.emptied(state.process)
    state = state.changed(process=process_)
    if state.stop.stage == "terminating":
        # What has left the group, and checks, may be waited for: they are killed at the same deadline.
        return stopping.ended(plan, state)
    if state.stopping:
        return state, actions
    state, more = following.next_run(plan, state, now)
    return state, (*actions, *more)


def _unstarted(plan: Plan, state: State, role: int, now: float) -> Step:
    if role == MAIN:
        process_, actions = process.unstarted(plan, state.process, again=not state.stopping)
        readiness_, waits = readiness.end(state.readiness)
        state = state.changed(process=process_, readiness=readiness_)
        state, more = stopping.main_ended(plan, state) if state.stopping else (state, ())
        return state, (*actions, *waits, *more)
    return checking.unstarted(plan, state, role, now)


def _sibling_exited(plan: Plan, state: State, now: float, *, failed: bool) -> Step:
    """Jobs of one name react to each other's exits as to their own (contract, sections 3.6 and 4.1)."""
    if state.stopping or state.lingering or plan.periodic:
        return state, ()
    if not state.stop.shutdown and process.may_restart(plan, state.process, now, failed=failed):
        used = process.restarted(plan, state.process, now)
        return starting.run(plan, state.changed(process=used), now, state.trigger.cause)
    return (state, ()) if state.trigger.starts_left else stopping.stop(plan, state, "complete")


# ------------------------------------------------------------------------------------------------------------- timers
def _due(plan: Plan, state: State, timer: Timer, now: float) -> Step:
    name, index = timer
    if index >= len(plan.job.checks):
        return state, ()
    if name == "kill" and state.stop.stage == "terminating":
        return stopping.late(plan, state)
    if name == "kill" and (state.process.stage == "emptying" or state.process.blame):
        return state, process.overdue(plan)
    if name == "drain":
        return stopping.drained(plan, state)
    if name == "hook" and state.stop.stage == "hooked":
        return stopping.overdue(plan, state)
    if name == "timeout" and process.alive(plan, state.process):
        return state, process.timed_out(plan)
    if name == "check-timeout" and state.checks[index].stage == "running":
        return state, check.timed_out(plan, index)
    if name == "check-group" and state.checks[index].stage == "emptying":
        return state, check.overdue(plan, index)
    if state.stopping:
        return state, ()
    if name in {"ready-after", "ready-timeout", "watchdog"}:
        return _due_of_run(plan, state, name)
    if name == "hook":
        return stopping.overdue(plan, state)
    if name == "check":
        return checking.tick(plan, state, index, now)
    if name == "restart" and state.process.stage == "backoff":
        return starting.start(plan, state, now)
    if name == "when" and not state.process.runs:
        expired = Publish(Event("timerExpired", plan.job.name))
        if plan.is_hook and plan.job.command is not None:
            return state, (expired,)  # contract, section 4.1: for a hook the quit is swallowed
        state, actions = stopping.stop(plan, state, "complete")
        return state, (expired, *actions)
    return _tick(plan, state, now) if name == "interval" else (state, ())


def _due_of_run(plan: Plan, state: State, name: str) -> Step:
    if state.readiness.stage == "none":
        return state, ()
    if name == "ready-after":
        readiness_, actions = readiness.achieved(plan, state.readiness)
        return state.changed(readiness=readiness_), actions
    if name == "watchdog":
        return _fail(plan, state, readiness.unwatched(plan, state.readiness))
    return _fail(plan, state, readiness.late(plan)) if state.readiness.stage == "waiting" else (state, ())


def _notified(plan: Plan, state: State, told: Notified) -> Step:
    if state.stopping or not process.alive(plan, state.process):
        return state, ()
    readiness_, actions, why = readiness.notified(plan, state.readiness, told)
    state = state.changed(readiness=readiness_)
    if not why:
        return state, actions
    state, more = _fail(plan, state, why)
    return state, (*actions, *more)


def _fail(plan: Plan, state: State, why: str) -> Step:
    """End the run that goes on, as one that has failed."""
    if not process.alive(plan, state.process):
        return state, ()
    process_, actions = process.fail(plan, state.process, why)
    return state.changed(process=process_), actions


def _tick(plan: Plan, state: State, now: float) -> Step:
    if not state.process.runs or state.trigger.pending or state.process.stage == "standby":
        return state, ()  # not started yet, or the run of a tick waits already: ticks coalesce
    if not process.restarts_left(plan, state.process, now):
        return stopping.stop(plan, state, "complete")
    state = state.changed(process=process.restarted(plan, state.process, now))
    return starting.run(plan, state, now)


def _maintain(plan: Plan, state: State, *, entering: bool) -> Step:
    service = plan.job.service
    if entering:
        advertised, actions = registration.withdraw(service)
        return state.changed(health="maintenance", advertised=advertised), actions
    if state.health != "maintenance":
        return state, ()
    # ContainerPilot starts to check jobs that have not started yet, and never registers again (section 4.5, FIX).
    advertised, actions = registration.begin(service)
    checks = tuple([check.forgotten(one) for one in state.checks])
    health = "unknown" if state.process.runs else "idle"
    return state.changed(health=health, advertised=advertised, checks=checks), actions
