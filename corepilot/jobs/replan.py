"""A job goes on under another plan: a reload that changes what need not touch its process. Pure."""

from __future__ import annotations

from corepilot.jobs import following, process, readiness, registration, starting, stopping
from corepilot.jobs.plan import Plan
from corepilot.jobs.state import Action, CheckState, ClearTimer, Kill, SetTimer, State, Step, Timer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from corepilot.model.command import Command
    from corepilot.model.job import Check
    from corepilot.model.plugin import PluginReference


def replan(old: Plan, new: Plan, state: State, now: float) -> Step:
    """Go on under another plan, with the same process: what starts and runs it is the same in both.

    Args:
        old: The plan so far.
        new: The plan from now on.
        state: Made under the old one.
        now: Seconds.
    """
    if state.ended:
        return state, ()
    actions: tuple[Action, ...] = ()
    if not state.stopping and state.health != "maintenance":
        advertised, actions = registration.replan(old.job.service, new.job.service, state.advertised)
        state = state.changed(advertised=advertised)
    if old.job.checks != new.job.checks:
        state, more = _replan_checks(old, new, state, now)
        actions += more
    if old.job.timeout_s != new.job.timeout_s and process.alive(new, state.process):
        actions += (ClearTimer(process.TIMEOUT),)
        if new.job.timeout_s is not None:
            left_s = state.process.started_at + new.job.timeout_s - now
            actions += (SetTimer(process.TIMEOUT, max(left_s, 0.0)),)
    ready_until = state.process.started_at + (new.job.ready_timeout_s or 0.0)
    actions += readiness.replan(old, new, state.readiness, ready_until - now)
    if (old.job.restarts, old.job.success_statuses) != (new.job.restarts, new.job.success_statuses):
        state, more = following.decide_again(new, state, now)
        actions += more
    further = stopping.go_on(new, state)
    if further is None and new.is_hook and not new.startable and state.process.stage == "none" and not state.stopping:
        further = stopping.stop(new, state, "complete")
    if further is None:
        further = starting.stand_by(new, state, now)
    return further[0], (*actions, *further[1])


def _replan_checks(old: Plan, new: Plan, state: State, now: float) -> Step:
    """Checks that ask the same keep what they have said. One that is new is believed to pass where the job is healthy.

    Else the service would be silent in the catalog until its first result.
    """
    said = dict(zip(map(_question, old.job.checks), state.checks, strict=False))
    new_one = CheckState(passed=True, result_at=now) if state.health == "healthy" else CheckState()
    before, after = old.job.checks, new.job.checks
    actions: list[Action] = []
    checks: list[CheckState] = []
    for index in range(max(len(state.checks), len(after))):
        was = state.checks[index] if index < len(state.checks) else CheckState()
        if index < min(len(before), len(after)) and before[index] == after[index]:
            checks.append(was)
            continue
        if was.stage != "none":
            # Its timeout is not that of the check which takes its place.
            actions += [Kill(index, force=True), ClearTimer(Timer("check-timeout", index))]
        begun = said.get(_question(after[index]), new_one) if index < len(after) else new_one
        stage = "outdated" if was.stage == "running" else was.stage  # until its process is gone
        checks.append(begun.changed(stage=stage, missed_at=None, unstarted=0))
        if index >= len(after):
            actions.append(ClearTimer(Timer("check", index)))
        elif not state.stopping:
            actions.append(SetTimer(Timer("check", index), after[index].interval_s, every=True))
    while len(checks) > len(after) and checks[-1].stage == "none":
        checks.pop()
    health = state.health
    if not any(one.asks for one in after) and health in {"healthy", "unhealthy"}:
        health = "unknown"
    return state.changed(checks=tuple(checks), health=health), tuple(actions)


def _question(check: Check) -> tuple[str, Command | None, PluginReference | None]:
    """What a check asks, however often and whatever follows from the answers."""
    return check.name, check.command, check.plugin
