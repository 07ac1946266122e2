"""A job that needs a lock: it stands by, runs while it has it, and ends when it is lost."""

from types import SimpleNamespace
from typing import Any

import pytest
from building import job, when

from corepilot.jobs import given, machine, starting
from corepilot.jobs.plan import Plan, plans
from corepilot.jobs.state import (
    Action,
    Began,
    Due,
    Ended,
    Exited,
    Happened,
    Order,
    Over,
    Publish,
    Start,
    State,
    Sweep,
    Swept,
    Timer,
    Unstarted,
)
from corepilot.model.command import Command
from corepilot.model.event import GLOBAL, Event
from corepilot.model.job import UNLIMITED, Job, JobKey, RestartPolicy
from corepilot.model.replicas import keyed

STARTUP = Happened(Event("startup", GLOBAL))
ACQUIRED, LOST = (Happened(Event(code, "lock.primary")) for code in ("acquired", "lost"))
PLAN = Plan(Job("app", Command(("app",)), lock="primary", restarts=RestartPolicy(1)), JobKey("app"))


def after(*stimuli: object, plan: Plan = PLAN) -> tuple[State, list[Action]]:
    state, _ = starting.begin(plan)
    done: tuple[Action, ...] = ()
    for now, stimulus in enumerate(stimuli):
        state, done = machine.step(plan, state, stimulus, float(now))  # type: ignore[arg-type]  # stimuli, mixed
    return state, list(done)


def starts(actions: list[Action]) -> int:
    return sum(isinstance(one, Start) for one in actions)


def test_it_stands_by_until_the_lock_is_ours() -> None:
    state, actions = after(STARTUP)
    assert (state.phase, starts(actions), state.health) == ("standby", 0, "idle")
    state, actions = after(STARTUP, ACQUIRED)
    assert (state.phase, starts(actions)) == ("running", 1)


def test_a_lock_that_was_there_before_the_trigger_starts_it_at_once() -> None:
    state, actions = after(ACQUIRED, STARTUP)
    assert (state.phase, starts(actions)) == ("running", 1)


def test_the_loss_ends_all_of_it_and_uses_up_no_restart() -> None:
    state, actions = after(STARTUP, ACQUIRED, LOST)
    assert (state.phase, state.process.restarts) == ("terminating", 0)
    assert any(isinstance(one, Sweep) for one in actions)
    state, actions = after(STARTUP, ACQUIRED, LOST, Exited(-1, 143, "killed"), Swept())
    assert actions[-2:] == [Publish(Event("stopped", "app")), Ended("again")]
    assert not any(isinstance(one, Publish) and one.event.code.startswith("exit") for one in actions)


def test_a_renewal_changes_nothing() -> None:
    state, actions = after(STARTUP, ACQUIRED, ACQUIRED)
    assert (state.phase, actions) == ("running", [])


def test_a_job_that_is_lost_while_it_stands_by_goes_on_standing_by() -> None:
    assert after(STARTUP, LOST)[0].phase == "standby"


def test_a_restart_needs_the_lock_too() -> None:
    state, actions = after(STARTUP, ACQUIRED, Exited(-1, 1, "no"))
    assert (state.phase, starts(actions)) == ("running", 1)


def test_a_start_by_hand_waits_for_the_lock() -> None:
    assert after(Order("start"))[0].phase == "standby"


def test_a_stop_while_it_stands_by_is_at_once() -> None:
    state, actions = after(STARTUP, Order("stop"))
    assert state.phase == "stopped"
    assert Ended("stopped") in actions
    state, _ = after(STARTUP, Happened(Event("shutdown", GLOBAL)))
    assert state.phase == "complete"


def test_a_start_after_the_end_knows_that_the_lock_is_ours() -> None:
    """Another job has kept it meanwhile: nothing is told anew."""
    ended = (STARTUP, ACQUIRED, Order("stop"), Exited(-1, 143, "killed"), Swept())
    assert after(*ended)[0].phase == "stopped"
    state, actions = after(*ended, Order("start"))
    assert (state.phase, starts(actions)) == ("running", 1)
    state, actions = after(*ended, LOST, Order("start"))
    assert (state.phase, starts(actions)) == ("standby", 0)


def test_a_hook_that_is_there_again_knows_that_the_lock_is_ours() -> None:
    plan = plans(keyed((job("other"), job("app", when=when("once", "stopped", "other"), lock="primary"))))[1]
    gone = (STARTUP, ACQUIRED, Over("other"))
    assert after(*gone, plan=plan)[0].phase == "complete"
    state, actions = after(*gone, Began("other"), Happened(Event("stopped", "other")), plan=plan)
    assert (state.phase, starts(actions)) == ("running", 1)
    state, actions = after(*gone, LOST, Began("other"), Happened(Event("stopped", "other")), plan=plan)
    assert (state.phase, starts(actions)) == ("standby", 0)


def test_a_run_that_is_too_late_for_the_lock_is_tried_again_and_the_loss_ends_the_trying() -> None:
    """Nobody has said yet that the lock is lost: the runner sees it by the clock."""
    state, _ = after(STARTUP, ACQUIRED, Unstarted(-1))
    assert (state.phase, state.process.runs) == ("backoff", 0)
    state, actions = after(STARTUP, ACQUIRED, Unstarted(-1), LOST)
    assert (state.phase, actions[-1]) == ("terminating", Ended("again"))
    state, actions = after(STARTUP, ACQUIRED, Unstarted(-1), Due(Timer("restart")))
    assert (state.phase, starts(actions)) == ("running", 1)


@pytest.mark.parametrize(("usable", "why"), [(True, ""), (False, "not started: the time of the lock primary is over")])
def test_what_is_too_late_by_the_clock_is_not_started(*, usable: bool, why: str) -> None:
    around: Any = SimpleNamespace(locks=SimpleNamespace(usable={"primary": usable}.__getitem__))
    assert given.untimely(PLAN, around) == why
    assert given.untimely(Plan(Job("app", Command(("app",))), JobKey("app")), around) == ""


def test_ticks_coalesce_while_a_run_stands_by() -> None:
    plan = Plan(job("app", when=when("interval", every_s=1.0), restarts=UNLIMITED, lock="primary"), JobKey("app"))
    tick = Due(Timer("interval"))
    ended = (Exited(-1, 0, "exit status 0"), LOST)
    state, _ = after(STARTUP, ACQUIRED, *ended, tick, tick, tick, plan=plan)
    assert (state.phase, state.trigger.pending) == ("standby", 0)
