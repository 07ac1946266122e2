"""A job that drains: it leaves the catalog, is seen to have left, goes on for a while, and is signalled then."""

from building import CHECK, SERVICE, job, when
from simulation import Behaviour, World

from corepilot.model.job import LEAVE_S

SLOW = Behaviour(runs=((None, 0),), term_s=1.0)
DRAINS = job("app", service=SERVICE, health=CHECK, drain_s=3.0)


def world_of(leaves_s: float | None = 0.5, *more: object) -> World:
    world = World([DRAINS, *more], {"app": SLOW})  # type: ignore[list-item]  # jobs
    world.leaves_s = leaves_s
    return world.run(5)


def stopped_at(world: World) -> float:
    return next(at for at, text in world.log if text == "event stopped app")


def test_it_leaves_is_seen_to_have_left_drains_and_is_signalled_then() -> None:
    world = world_of()
    world.publish("shutdown")
    assert (world.actor("app").state.phase, world.catalog[-1]) == ("draining", (5, "withdraw", ""))
    assert world.run(20).over
    assert stopped_at(world) == 5 + 0.5 + 3 + 1
    assert [what for _, what, _ in world.catalog].count("withdraw") == 1


def test_a_catalog_that_does_not_answer_is_waited_for_no_longer_than_so() -> None:
    world = world_of(None)
    world.order("stop", "app")
    world.run(30)
    assert stopped_at(world) == 5 + LEAVE_S + 3 + 1


def test_hooks_come_before_it() -> None:
    hook = job("pre", when=when("once", "stopping", "app"))
    world = World([DRAINS, hook], {"app": SLOW, "pre": Behaviour(runs=((2.0, 0),))}).run(5)
    world.publish("shutdown")
    assert world.actor("app").state.phase == "hooked"
    assert world.run(2).actor("app").state.phase == "draining"
    assert world.run(30).over


def test_a_process_that_ends_meanwhile_ends_the_wait() -> None:
    world = World([DRAINS], {"app": Behaviour(runs=((7.0, 0),))}).run(5)
    world.publish("shutdown")
    assert world.run(2.1).over
    assert stopped_at(world) == 7.0
    assert "event exitSuccess app" in world.events("app")


def test_a_second_request_hurries_it() -> None:
    world = world_of()
    world.publish("shutdown")
    world.run(1).kill_now()
    assert world.run(0.1).over


def test_what_was_hurried_before_it_began_does_not_drain() -> None:
    world = world_of()
    world.kill_now()
    assert world.run(0.1).over


def test_what_is_not_in_the_catalog_has_nothing_to_leave() -> None:
    world = World([DRAINS], {"app": SLOW, "check.app": Behaviour(runs=((0.0, 1),))}).run(5)
    world.publish("shutdown")
    assert world.run(2).over


def test_its_own_end_drains_nothing() -> None:
    world = World([DRAINS], {"app": Behaviour(runs=((7.0, 0),))}).run(8)
    assert stopped_at(world) == 7.0


def test_maintenance_that_ends_meanwhile_does_not_bring_it_back() -> None:
    world = world_of()
    world.publish("shutdown")
    world.publish("enterMaintenance")
    world.publish("exitMaintenance")
    assert world.run(20).over
    assert world.registered == {"app-host": None}


def test_that_an_earlier_run_has_left_says_nothing_of_the_next_one() -> None:
    """It ended by itself while it was waited for, and was registered again."""
    world = World([DRAINS], {"app": Behaviour(runs=((6.0, 0), (None, 0)), term_s=1.0)})
    world.leaves_s = 4.0
    world.run(5).order("restart", "app")
    world.run(2.5).order("stop", "app")
    world.run(20)
    stopped = [at for at, text in world.log if text == "event stopped app"]
    assert stopped == [6.0, 7.5 + 4.0 + 3.0 + 1.0]


def test_a_reload_may_take_the_rest_of_its_time_away() -> None:
    world = world_of()
    world.order("stop", "app")
    world.reload([DRAINS.changed(stop=DRAINS.stop.changed(drain_s=None))])
    assert world.run(0.5 + 1).actor("app").state.phase == "stopped", "0.5 s until it is out, and 1 s of its own"


def test_a_reload_that_changes_its_command_drains_it_too() -> None:
    world = world_of()
    world.reload([job("app", exec=("other",), service=SERVICE, health=CHECK, drain_s=3.0)])
    assert world.actor("app").state.phase == "draining"
    assert world.run(30).starts("app") == [0, 5 + 0.5 + 3 + 1]
