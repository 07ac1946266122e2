"""A job with `when.throttle`: how often events start it, and what becomes of those that come sooner."""

import pytest
from building import job, when
from simulation import Behaviour, World

from corepilot.model.event import Event
from corepilot.model.job import RestartPolicy

EACH_S = when("each", "changed", "watch.db", throttle_s=1.0)


def app(*, runs_s: float = 0.1, status: int = 0, restarts: int | RestartPolicy = 0) -> World:
    behaviour = Behaviour(((runs_s, status),))
    return World(
        [job(when=EACH_S, restarts=restarts), job("other")], {"app": behaviour, "other": Behaviour(((None, 0),))}
    )


def change(world: World, *at_s: float) -> None:
    """The watch changes at these times."""
    for moment in at_s:
        world.run(moment - world.now)
        world.publish("changed", "watch.db")


def test_the_first_event_starts_it_at_once_and_those_that_follow_are_one_start_when_its_time_has_come() -> None:
    world = app()
    change(world, 5.0, 5.2, 5.3, 5.9)
    assert world.actor("app").state.phase == "backoff"
    world.run(30)
    assert world.starts("app") == [5.0, 6.0]
    assert world.actor("app").state.phase == "waiting"


def test_an_event_that_comes_later_starts_it_at_once() -> None:
    world = app()
    change(world, 5.0, 6.5)
    world.run(30)
    assert world.starts("app") == [5.0, 6.5]


def test_any_number_of_events_during_a_run_is_one_more_run() -> None:
    world = app(runs_s=3.0)
    change(world, 5.0, *(6.0 + n / 1000 for n in range(100)))
    world.run(30)
    assert world.starts("app") == [5.0, 8.0]


def test_the_run_is_told_of_the_last_of_them() -> None:
    world = World([job(when=when("each", "exitFailed", "first", throttle_s=1.0))], {})
    for status in (1, 2, 3):
        world.publish("exitFailed", "first", status=status)
    world.run(10)
    assert [cause.status for cause in world.actor("app").causes if cause is not None] == [1, 3]


def test_a_failed_run_is_started_again_no_sooner() -> None:
    world = app(status=1, restarts=RestartPolicy(2, "failure"))
    change(world, 5.0)
    world.run(30)
    assert world.starts("app") == [5.0, 6.0, 7.0]


def test_an_event_takes_the_place_of_a_restart_that_is_far_off_and_keeps_the_distance() -> None:
    world = app(status=1, restarts=RestartPolicy(5, "failure", None, 10.0, 10.0))
    change(world, 5.0, 5.5)
    world.run(5)
    assert world.starts("app") == [5.0, 6.0]
    change(world, 12.0)
    assert world.starts("app") == [5.0, 6.0, 12.0]


def test_an_event_during_a_run_that_fails_takes_the_place_of_its_restart() -> None:
    world = app(runs_s=2.0, status=1, restarts=RestartPolicy(1, "failure", None, 10.0, 10.0))
    change(world, 5.0, 6.0)
    world.run(5)
    assert world.starts("app") == [5.0, 7.0]
    assert world.actor("app").state.process.restarts == 1  # of the second run, which waits for it


def test_a_person_does_not_wait_and_what_events_asked_for_comes_after() -> None:
    world = app()
    change(world, 5.0, 5.2)
    world.order("start", "app")
    world.run(30)
    assert [cause and cause.code for cause in world.actor("app").causes] == ["changed", None, "changed"]
    first, by_hand, last = world.starts("app")
    assert (first, by_hand) == (5.0, 5.2)
    assert last == pytest.approx(6.2)


def test_a_stop_does_not_wait_for_it() -> None:
    world = app()
    change(world, 5.0, 5.2)
    world.publish("shutdown")
    world.run(1)
    assert world.starts("app") == [5.0]
    assert Event("changed", "watch.db") == world.actor("app").causes[0]
