"""When a run is ready, and what becomes of one that is not: the job machine in virtual time."""

from typing import Any

import pytest
from building import CHECK, SERVICE, job, when
from simulation import Behaviour, World

from corepilot.model.command import Command
from corepilot.model.job import UNLIMITED, Ready

FOREVER = Behaviour(runs=((None, 0),))
NOTIFY = Ready(notify=True)


def tell(world: World, **told: Any) -> None:
    world.notify("app", **told)


def ready_at(world: World) -> list[float]:
    return [at for at, text in world.log if text == "event ready app"]


def test_a_run_that_says_so_is_ready_once() -> None:
    world = World([job(ready=NOTIFY)], {"app": FOREVER}).run(2)
    tell(world, text="loading")
    assert world.actor("app").state.readiness.text == "loading"
    assert ready_at(world) == []
    tell(world, state="ready")
    tell(world, state="reloading")
    assert world.actor("app").state.readiness.stage == "reloading"
    tell(world, state="ready", text="at work")
    assert ready_at(world) == [2]
    assert world.actor("app").state.readiness.achieved


def test_each_run_gets_ready_anew() -> None:
    world = World([job(ready=NOTIFY, restarts=1)], {"app": Behaviour(((5.0, 1),))}).run(1)
    tell(world, state="ready")
    world.run(5)
    assert not world.actor("app").state.readiness.achieved
    tell(world, state="ready")
    assert ready_at(world) == [1, 6]
    world.run(10)
    assert world.over


def test_up_for_a_while() -> None:
    world = World([job(ready=Ready(after_s=3.0), restarts=1)], {"app": Behaviour(((2.0, 1), (None, 0)))}).run(10)
    assert ready_at(world) == [5]


def test_a_job_waits_for_ready() -> None:
    jobs = [job(ready=Ready(after_s=3.0)), job("then", when=when("once", "ready", "app"))]
    world = World(jobs, {"app": FOREVER}).run(10)
    assert world.starts("then") == [3]
    world.reload([*jobs, job("late", when=when("once", "ready", "app"))])
    assert len(world.run(1).starts("late")) == 1, "a state that holds"


# ------------------------------------------------------------------------------------------------------- too late
def late(**behaviour: Any) -> World:
    how = Behaviour(((None, 0),), **behaviour)
    app = job(ready=NOTIFY, ready_timeout_s=10.0, restarts=1, stop_timeout_s=5.0)
    return World([app, job("failed", when=when("each", "exitFailed", "app"))], {"app": how})


def test_a_run_that_is_not_ready_in_time_has_failed() -> None:
    """Also if it ends with 0 when it is told to."""
    world = late().run(10.5)
    assert world.actor("app").state.process.status == 143
    assert len(world.starts("failed")) == 1
    assert world.starts("app") == [0, 10]


def test_one_that_does_not_end_is_killed() -> None:
    assert late(term_s=None).run(17).starts("app") == [0, 15]


def test_one_that_is_ready_is_left_alone() -> None:
    world = late().run(9)
    tell(world, state="ready")
    assert world.run(60).starts("app") == [0]


def test_a_run_may_ask_for_more_time() -> None:
    world = late().run(9)
    tell(world, extend_s=20.0)
    assert world.run(19).starts("app") == [0]
    assert world.run(2).starts("app") == [0, 29]


def test_a_stop_while_it_is_ended_goes_on_by_the_time_of_the_stop() -> None:
    world = late(term_s=None, rest_s=None).run(12)
    world.publish("shutdown")
    assert not world.run(4.9).over
    assert world.run(0.2).over


# ------------------------------------------------------------------------------------------------------- watchdog
def test_a_missed_watchdog_is_a_failed_run() -> None:
    world = World([job(ready=NOTIFY.changed(watchdog_s=2.0), restarts=UNLIMITED)], {"app": FOREVER}).run(30)
    assert world.starts("app") == [0], "it counts from ready on"
    tell(world, state="ready")
    for _ in range(5):
        tell(world, watchdog="alive")
        world.run(1.5)
    assert world.starts("app") == [0]
    assert world.run(1).starts("app") == [0, pytest.approx(38)]
    assert world.actor("app").state.process.status == 143


def test_a_run_may_report_that_its_watchdog_has_fired() -> None:
    world = World([job(ready=NOTIFY, restarts=1)], {"app": FOREVER}).run(1)
    tell(world, watchdog="trigger")
    assert world.run(1).starts("app") == [0, 1]


def test_a_run_may_choose_its_own_interval() -> None:
    world = World([job(ready=NOTIFY.changed(watchdog_s=60.0), restarts=1)], {"app": FOREVER}).run(1)
    tell(world, state="ready", watchdog_s=3.0)
    assert world.run(4).starts("app") == [0, 4]


@pytest.mark.parametrize(("limit_s", "starts"), [(None, [0]), (20.0, [0, 20]), (3.0, [0, 5])])
def test_a_reload_may_give_a_run_more_time_or_less_to_get_ready(limit_s: float | None, starts: list[float]) -> None:
    app = job(ready=NOTIFY, ready_timeout_s=10.0, restarts=1)
    world = World([app], {"app": FOREVER}).run(5)
    world.reload([app.changed(ready_timeout_s=limit_s)])
    assert world.run(16).starts("app") == starts


# --------------------------------------------------------------------------------------------------------- checks
def test_passing_checks_make_it_ready() -> None:
    how = {"app": FOREVER, "check.app": Behaviour(((0.1, 1), (0.1, 0)))}
    world = World([job(ready=Ready(check=True), health=CHECK)], how).run(5)
    assert ready_at(world) == [pytest.approx(2.1)]


def test_checks_are_not_asked_before_a_run_is_ready() -> None:
    world = World([job(ready=NOTIFY, health=CHECK, service=SERVICE)], {"app": FOREVER}).run(10)
    assert not world.starts("check.app")
    tell(world, state="ready")
    assert len(world.run(3).starts("check.app")) == 3
    assert world.catalog[0][1:] == ("advertise", "passing")


def test_what_is_told_after_the_end_means_nothing() -> None:
    world = World([job(ready=NOTIFY)], {"app": Behaviour(((1.0, 0),))}).run(5)
    tell(world, state="ready", text="late")
    assert ready_at(world) == []
    assert world.over


def test_what_depends_on_it_waits_until_it_is_ready() -> None:
    world = World([job(ready=NOTIFY), job("then", needs={"app": "ready"})], {"app": FOREVER}).run(5)
    assert not world.starts("then")
    tell(world, state="ready")
    assert world.run(1).starts("then") == [5]


def test_without_anything_that_shows_it_a_run_is_ready_when_it_is_started() -> None:
    world = World([job(), job("then", when=when("once", "ready", "app"))], {"app": FOREVER}).run(1)
    assert world.starts("then") == [0]


# ------------------------------------------------------------------------------- what it reads has changed meanwhile
def reloading(**settings: Any) -> World:
    app = job(reload_on=("render.conf",), reload_signal=1, **settings)
    return World([app, job("told", when=when("each", "reload", "app"))], {"app": FOREVER}).run(1)


def reloads(world: World) -> list[float]:
    return [at for at, text in world.log if text == "signal 1 app"]


def test_a_change_reloads_the_job_and_is_told() -> None:
    world = reloading()
    world.publish("changed", "render.other")
    world.publish("healthy", "render.conf")
    assert reloads(world) == []
    world.publish("changed", "render.conf")
    assert (reloads(world), len(world.starts("told"))) == ([1], 1)
    assert world.actor("app").starts == 1


def test_before_it_is_ready_a_change_waits_and_several_are_one() -> None:
    """A signal would end it, as long as it has no handler."""
    world = reloading(ready=NOTIFY)
    for _ in range(3):
        world.publish("changed", "render.conf")
    assert reloads(world.run(1)) == []
    tell(world, state="ready")
    tell(world, state="ready")
    assert reloads(world) == [2]
    world.publish("changed", "render.conf")
    assert reloads(world) == [2, 2]


def test_the_next_run_has_read_what_has_changed() -> None:
    world = reloading(ready=NOTIFY, restarts=1)
    world.publish("changed", "render.conf")
    world.order("restart", "app")
    world.run(1)
    tell(world, state="ready")
    assert (reloads(world), world.actor("app").starts) == ([], 2)
    world.order("stop", "app")
    world.run(1).publish("changed", "render.conf")
    assert reloads(world) == []


def test_who_drains_still_reads_it() -> None:
    """Clients may be there until the end."""
    world = reloading(drain_s=5.0, service=SERVICE, health=CHECK)
    world.run(5).order("stop", "app")
    world.run(1).publish("changed", "render.conf")
    assert (world.actor("app").state.phase, reloads(world)) == ("draining", [7])


def test_a_change_starts_the_command_that_reloads() -> None:
    app = job(reload=Command(("reload",)), reload_on=("watch.db",))
    world = World([app], {"app": FOREVER}).run(1)
    world.publish("changed", "watch.db")
    assert world.starts("reload.app") == [1]
