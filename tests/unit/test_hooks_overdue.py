"""A hook that takes longer than it may: it runs once for each stop, and is there for the next one. In virtual time."""

import pytest
from building import job, when
from simulation import Behaviour, World


def hooked(kind: str = "each", restarts: int = 0) -> World:
    """A hook that has 4 s, hangs, and takes 2 s to end when it is told to."""
    jobs = [job(hook_timeout_s=4.0), job("hook", when=when(kind, "stopping", "app"), restarts=restarts)]
    return World(jobs, {"app": Behaviour(((None, 0),)), "hook": Behaviour(((None, 0),), term_s=2.0)}).run(1)


@pytest.mark.parametrize("kind", ["once", "each"])
@pytest.mark.parametrize("restarts", [0, 3])
def test_each_stop_starts_it_once(kind: str, restarts: int) -> None:
    world = hooked(kind, restarts)
    for stop in range(1, 4):
        world.order("restart", "app")
        world.run(20)
        assert (len(world.starts("hook")), len(world.starts("app"))) == (stop, stop + 1)
        assert (world.actor("app").state.phase, world.actor("hook").state.phase) == ("running", "idle")
    world.publish("shutdown")
    assert len(world.run(30).starts("hook")) == 4
    assert world.over


def test_the_next_run_begins_when_it_has_ended() -> None:
    world = hooked()
    world.order("restart", "app")
    assert world.run(5.5).events("app") == ["event stopping app", "event stopped app"]
    assert world.starts("app") == [0.0]
    world.run(5)
    assert world.starts("app") == pytest.approx([0.0, 7.0])


@pytest.mark.parametrize("after_s", [4.5, 5.5])
@pytest.mark.parametrize("kind", ["once", "each"])
def test_a_start_by_hand_while_it_still_ends_arms_it_again_and_does_not_start_it(kind: str, after_s: float) -> None:
    world = hooked(kind)
    world.order("stop", "app")
    world.run(after_s).order("start", "app")
    world.run(20)
    assert (len(world.starts("hook")), world.actor("hook").state.phase) == (1, "idle")
    world.order("stop", "app")
    assert len(world.run(20).starts("hook")) == 2


def test_a_run_that_outlasts_its_stop_ends_and_is_there_for_the_next_one() -> None:
    jobs = [job(), job("hook", when=when("each", "stopping", "app"), hook_timeout_s=8.0)]
    jobs += [job("last", when=when("each", "stopping", "app"), hook_timeout_s=8.0)]
    world = World(
        jobs, {"app": Behaviour(((None, 0),)), "hook": Behaviour(((3.0, 0),)), "last": Behaviour(((1.0, 0),))}
    )
    world.run(1)
    for stop in range(1, 4):
        world.order("restart", "app")
        world.run(10)
        assert [len(world.starts(name)) for name in ("hook", "last", "app")] == [stop, stop, stop + 1]
        assert world.starts("app")[-1] == pytest.approx(world.starts("hook")[-1] + 3.0)
    assert world.actor("hook").state.phase == "idle"


def test_a_stop_by_hand_of_a_hook_lasts() -> None:
    world = hooked()
    world.order("stop", "app")
    world.run(1).order("stop", "hook")
    world.run(0.5).order("start", "app")
    world.run(20)
    assert world.actor("hook").state.phase == "stopped"
    world.order("restart", "app")
    assert len(world.run(20).starts("app")) == 3
    assert len(world.starts("hook")) == 1
