"""What a probe is told of a job, in virtual time."""

import pytest
from building import CHECK, job, when
from simulation import Behaviour, World

from corepilot.jobs.soundness import Trouble, not_live, not_ready
from corepilot.jobs.state import Notified, Order
from corepilot.model.command import Command
from corepilot.model.job import UNLIMITED, Check, Ready

FOREVER = Behaviour(runs=((None, 0),))


def live(world: World, name: str = "app", *, named: bool = True) -> str:
    actor = world.actor(name)
    trouble = not_live(actor.plan, actor.state, named=named)
    return "" if trouble is None else trouble.what


def ready(world: World, name: str = "app", *, named: bool = False) -> str:
    actor = world.actor(name)
    trouble = not_ready(actor.plan, actor.state, named=named)
    return "" if trouble is None else trouble.what


def test_a_job_without_a_check_is_ready_as_soon_as_it_runs() -> None:
    world = World([job()], {"app": FOREVER}).run(0.5)
    assert (live(world), ready(world), ready(world, named=True)) == ("", "", "")


def test_a_job_with_a_check_is_ready_once_it_has_passed_and_as_long_as_it_passes() -> None:
    check = Behaviour(runs=((0.0, 0), (0.0, 1), (0.0, 0)))
    world = World([job(health=CHECK)], {"app": FOREVER, "check.app": check}).run(0.5)
    said = [ready(world), *[ready(world.run(1)) for _ in range(3)]]
    assert said == ["has not passed its check yet", "", "is unhealthy", ""]
    assert live(world) == ""


def test_the_checks_that_fail_are_named_and_quoted() -> None:
    checks = tuple(
        Check(interval_s=1, ttl_s=5, command=Command(("check",)), timeout_s=1.0, name=name)
        for name in ("port", "query")
    )
    bad = Behaviour(runs=((0.0, 1),))
    world = World([job(health=checks)], {"app": FOREVER, "check.app.query": bad}).run(1.5)
    actor = world.actor("app")
    said = actor.state.checks[1].output
    assert said
    assert not_ready(actor.plan, actor.state) == Trouble("is unhealthy (query)", said)


def test_a_heartbeat_asks_nothing_and_is_waited_for_by_nobody() -> None:
    world = World([job(health=Check(interval_s=1, ttl_s=5))], {"app": FOREVER}).run(0.5)
    assert ready(world) == ""


def test_readiness_counts_where_it_is_configured() -> None:
    world = World([job(ready=Ready(notify=True))], {"app": FOREVER}).run(0.5)
    assert (live(world), ready(world)) == ("", "is not ready yet")
    world.actor("app").handle(Notified(state="ready"))
    assert ready(world) == ""


def test_back_off_after_a_failure_is_neither_live_nor_ready() -> None:
    world = World([job(restarts=UNLIMITED)], {"app": Behaviour(runs=((0.0, 3),))}).run(5)
    text = "has failed (exit status 3) and waits for its restart"
    assert (live(world), ready(world)) == (text, text)


def test_a_loop_of_runs_that_succeed_is_ready_between_two_of_them_too() -> None:
    world = World([job(restarts=UNLIMITED)], {"app": Behaviour(runs=((0.0, 0),))}).run(5)
    assert world.actor("app").state.phase == "backoff"
    assert (live(world), ready(world)) == ("", "")


def test_what_is_left_of_a_run_that_failed_is_waited_for() -> None:
    world = World([job(restarts=UNLIMITED)], {"app": Behaviour(runs=((1.0, 3),), rest_s=2.0)}).run(1.5)
    assert world.actor("app").state.process.stage == "emptying"
    assert ready(world) == "has failed (exit status 3) and waits for its restart"


@pytest.mark.parametrize(("status", "text"), [(0, ""), (4, "has failed (exit status 4)")])
def test_a_job_that_has_ended_is_as_it_ended(status: int, text: str) -> None:
    world = World([job(), job("other")], {"app": Behaviour(runs=((0.1, status),)), "other": FOREVER}).run(1)
    assert world.actor("app").state.phase == "complete"
    assert (live(world), ready(world)) == (text, text)


def test_a_job_at_an_interval_is_not_judged_by_its_last_run() -> None:
    world = World([job(when=when("interval", every_s=10))], {"app": Behaviour(runs=((0.0, 1),))}).run(5)
    assert (live(world), ready(world, named=True)) == ("", "")


def test_a_job_that_waits_for_its_event_counts_only_by_its_name() -> None:
    world = World([job(when=when("once", "changed", "watch.db"), health=CHECK)], {"app": FOREVER}).run(1)
    assert ready(world) == ""
    assert (live(world), ready(world, named=True)) == ("has not been started", "has not been started")
    world.publish("changed", "watch.db")
    assert ready(world) == "has not passed its check yet"


def test_a_job_that_waits_for_another_one_says_for_what() -> None:
    world = World([job("db", health=CHECK), job(needs={"db": "healthy"})], {"db": FOREVER, "check.db": FOREVER}).run(3)
    assert ready(world) == ""
    assert ready(world, named=True) == "waits for db to be healthy"


def test_a_job_that_was_stopped_by_hand_is_missed() -> None:
    world = World([job(), job("other")], {"app": FOREVER, "other": FOREVER}).run(1)
    world.actor("app").handle(Order("stop"))
    assert ready(world) in {"is stopping", "was stopped by hand"}
    assert ready(world.run(10)) == "was stopped by hand"


def test_a_job_that_does_not_start_by_itself_is_not_missed() -> None:
    world = World([job(autostart=False), job("other")], {"other": FOREVER}).run(1)
    assert ready(world) == ""
    assert ready(world, named=True) == "has not been started"


def test_a_job_that_takes_its_time_to_stop_is_stopping() -> None:
    world = World([job(), job("other")], {"app": Behaviour(((None, 0),), term_s=3.0), "other": FOREVER}).run(1)
    world.actor("app").handle(Order("stop"))
    assert (live(world.run(1)), ready(world)) == ("is stopping", "is stopping")


def test_maintenance_is_not_ready() -> None:
    world = World([job(health=CHECK)], {"app": FOREVER}).run(1.5)
    assert ready(world) == ""
    world.publish("enterMaintenance", "global")
    assert (live(world), ready(world)) == ("", "is in maintenance")
