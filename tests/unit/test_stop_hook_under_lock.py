"""The job that hooks the stop of one under a lock: it begins only in the lock's time, and knows the lock's token."""

from types import SimpleNamespace
from typing import Any

import pytest
from building import job, when

from corepilot.jobs import given, machine, starting
from corepilot.jobs.plan import Plan, plans
from corepilot.jobs.state import MAIN, Ended, Exited, Happened, Start
from corepilot.jobs.supervision import Ending
from corepilot.model.event import GLOBAL, Event
from corepilot.model.job import UNLIMITED
from corepilot.model.replicas import keyed

TOKEN = {"COREPILOT_LOCK_TOKEN": "7"}


def plan_of(**settings: Any) -> Plan:
    """The hook's, which may take 4 s."""
    hook = job("hook", when=when("each", "stopping", "app"), restarts=UNLIMITED, **settings)
    return plans(keyed((job(lock="primary", hook_timeout_s=4.0), hook)))[1]


def around(left_s: float | None) -> Any:
    """What jobs share, where `app` runs under a lock with so many seconds left; None: under no lock."""
    ending = None if left_s is None else Ending("primary", TOKEN, left_s)
    locks = SimpleNamespace(ending=lambda job, mark: {("app", "1-1"): ending}[job, mark])
    return SimpleNamespace(locks=locks, watched=None)


@pytest.mark.parametrize(
    ("left_s", "timeout_s", "told"),
    [
        (4.0, None, ""),
        (None, None, ""),
        (3.9, None, "ends in 3.9 s, and it may take 4 s"),
        (3.9, 1.0, ""),
        (0.9, 1.0, "ends in 0.9 s, and it may take 1 s"),
        (0.0, None, "is over"),
        (-2.0, 1.0, "is over"),
    ],
)
def test_it_begins_only_if_it_can_end_in_the_time_of_the_lock(
    left_s: float | None, timeout_s: float | None, told: str
) -> None:
    before = "not started before app is stopped: the time of the lock primary "
    assert given.barred(plan_of(timeout_s=timeout_s), MAIN, around(left_s), "1-1") == (before + told if told else "")


def test_it_finds_the_token_of_the_lock() -> None:
    plan = plan_of()
    state, _ = starting.begin(plan)
    assert given.variables(plan, state, MAIN, around(9.0), "1-1") == TOKEN
    assert given.variables(plan, state, MAIN, around(None), "1-1") == {}


def test_one_that_is_barred_ends_at_once_and_is_no_failure_that_is_tried_again() -> None:
    plan = plan_of()
    state, _ = starting.begin(plan)
    state, _ = machine.step(plan, state, Happened(Event("startup", GLOBAL)), 0.0)
    state, actions = machine.step(plan, state, Happened(Event("stopping", "app")), 1.0)
    assert Start(MAIN) in actions
    state, actions = machine.step(plan, state, Exited(MAIN, given.BARRED, "too late", barred=True), 1.0)
    assert (state.phase, state.stop.failed) == ("complete", None)
    assert actions[-1] == Ended("complete")
    assert Start(MAIN) not in actions
