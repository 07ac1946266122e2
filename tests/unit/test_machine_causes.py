"""Which event a run is told of: the one that has started it, also where it had to wait, and for its restarts."""

import pytest
from building import job, when
from simulation import Behaviour, World

from corepilot.jobs.environment import ChildEnvironment, variables_of
from corepilot.model.event import GLOBAL, Event
from corepilot.system.signal_names import Signalled

CHANGED = Event("changed", "watch.db")
EACH = when("each", "changed", "watch.db")


def test_each_run_is_told_of_the_event_that_has_started_it() -> None:
    world = World([job(when=EACH)], {"app": Behaviour(((10.0, 0),))}).run(1)
    for _ in range(2):
        world.publish("changed", "watch.db")
        world.run(20)
    assert world.actor("app").causes == [CHANGED, CHANGED]


def test_a_start_that_has_to_wait_keeps_its_event() -> None:
    jobs = [job("first"), job(when=when("each", "exitFailed", "first"))]
    world = World(jobs, {"first": Behaviour(((1.0, 3),)), "app": Behaviour(((50.0, 0),))}).run(2)
    world.publish("exitFailed", "first", status=137)
    world.publish("exitFailed", "first", status=4)
    world.run(200)
    assert [one.status for one in world.actor("app").causes if one is not None] == [3, 137, 4]


def test_restarts_are_told_of_the_same_event() -> None:
    once = when("once", "changed", "watch.db")
    world = World([job(when=once, restarts=2)], {"app": Behaviour(((1.0, 1),))}).run(1)
    world.publish("changed", "watch.db")
    world.run(100)
    assert world.actor("app").causes == [CHANGED] * 3
    assert world.over


def test_a_person_and_a_clock_are_no_event() -> None:
    jobs = [job(when=EACH), job("tick", when=when("interval", every_s=5))]
    world = World(jobs, {"app": Behaviour(((1.0, 0),)), "tick": Behaviour(((1.0, 0),))}).run(1)
    world.publish("changed", "watch.db")
    world.run(10)
    world.order("start", "app")
    world.run(10)
    assert world.actor("app").causes == [CHANGED, None]
    assert world.actor("tick").causes == [Event("startup", GLOBAL), *[None] * (len(world.starts("tick")) - 1)]


@pytest.mark.parametrize(
    ("event", "passing", "found"),
    [
        (None, None, {}),
        (CHANGED, 3, {"": "changed", "_SOURCE": "watch.db", "_PASSING": "3"}),
        (Event("startup", GLOBAL), None, {"": "startup", "_SOURCE": "global"}),
        (Event("signal", "SIGHUP"), None, {"": "signal", "_SOURCE": "SIGHUP"}),
        (Event("exitSuccess", "a", status=0), None, {"": "exitSuccess", "_SOURCE": "a", "_STATUS": "0"}),
        (Event("exitFailed", "a", status=7), None, {"": "exitFailed", "_SOURCE": "a", "_STATUS": "7"}),
        (Event("exitFailed", "a", status=255), None, {"": "exitFailed", "_SOURCE": "a", "_STATUS": "255"}),
        (Event("exitFailed", "a", status=Signalled(137)), None,
         {"": "exitFailed", "_SOURCE": "a", "_STATUS": "137", "_SIGNAL": "SIGKILL"}),
        (Event("exitFailed", "a", status=137), None, {"": "exitFailed", "_SOURCE": "a", "_STATUS": "137"}),
        (Event("exitFailed", "a", status=Signalled(165)), None,
         {"": "exitFailed", "_SOURCE": "a", "_STATUS": "165", "_SIGNAL": "SIGRTMIN+3"}),
        (Event("error", "a", "exit status 7"), None, {"": "error", "_SOURCE": "a: exit status 7"}),
    ],
)  # fmt: skip
def test_the_variables_of_an_event(event: Event | None, passing: int | None, found: dict[str, str]) -> None:
    assert variables_of(event, passing) == {f"COREPILOT_EVENT{name}": value for name, value in found.items()}


def test_an_outer_corepilot_s_event_is_not_handed_on() -> None:
    given = {"COREPILOT_EVENT": "changed", "COREPILOT_EVENT_STATUS": "1", "COREPILOT_INSTANCE": "a"}
    assert ChildEnvironment(given, 1).current() == {"COREPILOT_INSTANCE": "a", "CONTAINERPILOT_PID": "1"}
