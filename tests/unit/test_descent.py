"""Jobs that start one another: such starts are delayed as restarts are, and no others are."""

from itertools import pairwise

import pytest
from building import job, when
from simulation import Behaviour, World

from corepilot.jobs.descent import JOBS_MAX, descending, descends
from corepilot.jobs.state import ProcessState, State, TriggerState
from corepilot.model.event import Event
from corepilot.model.job import JobKey, RestartPolicy

PING, PONG = (job(one, when=when("each", "exitSuccess", other)) for one, other in (("ping", "pong"), ("pong", "ping")))
QUICK = Behaviour(runs=((0.001, 0),))


def test_two_jobs_that_start_one_another_are_slowed_down() -> None:
    world = World([PING, PONG], {"ping": QUICK, "pong": QUICK})
    world.publish("exitSuccess", "pong")
    world.run(10)
    assert 50 < len(world.starts("ping")) <= 110
    starts = world.starts("ping")
    assert all(later - sooner > 0.09 for sooner, later in pairwise(starts[5:]))


def test_two_jobs_that_start_one_another_by_failing_wait_longer_each_time() -> None:
    jobs = [job("a", when=when("each", "exitFailed", "b")), job("b", when=when("each", "exitFailed", "a"))]
    failing = Behaviour(runs=((0.001, 1),))
    world = World(jobs, {"a": failing, "b": failing})
    world.publish("exitFailed", "b")
    assert len(world.run(300).starts("a")) <= 20  # 4 at once, 7 until the delay is 30 s, then 2 a minute


def test_a_policy_s_own_delay_holds_for_them_too() -> None:
    ping = PING.changed(restarts=RestartPolicy(0, delay_s=5.0, max_delay_s=5.0))
    world = World([ping, PONG], {"ping": QUICK, "pong": QUICK})
    world.publish("exitSuccess", "pong")
    assert world.run(16).starts("ping") == pytest.approx([0, 5, 10, 15], abs=0.1)


def test_jobs_without_a_program_that_start_one_another_rest() -> None:
    jobs = [job(one, exec=None, when=when("each", "started", other)) for one, other in (("a", "b"), ("b", "a"))]
    world = World(jobs)
    world.publish("started", "b")
    assert len(world.run(10).events("a", "b", starts=True)) == 5


def test_what_comes_from_outside_is_never_delayed() -> None:
    world = World([job(when=when("each", "changed", "watch.db"))], {"app": Behaviour(runs=((0.0, 1),))})
    for _ in range(20):
        world.publish("changed", "watch.db")
        world.run(0.01)
    assert len(world.starts("app")) == 20


def test_it_begins_at_once_while_a_delayed_start_waits_and_that_one_follows() -> None:
    both = job("ping", when=when("each", "exitSuccess", "pong"), restarts=RestartPolicy(0, delay_s=60.0))
    world = World([both, PONG], {"ping": Behaviour(runs=((1.0, 0),)), "pong": QUICK})
    world.publish("exitSuccess", "pong")
    assert world.run(5).actor("ping").state.phase == "backoff"
    world.publish("exitSuccess", "pong")  # without an origin: from outside
    assert world.starts("ping") == [0, 5]
    assert world.run(0.5).actor("ping").state.trigger.pending == 1
    causes = [one.origin for one in world.run(100).actor("ping").causes if one is not None]
    assert causes[:3] == [(), (), (("ping", 1), ("pong", 1))]


def test_news_cuts_the_wait_for_a_restart_short_and_uses_none_up() -> None:
    app = job(when=when("each", "changed", "watch.db"), restarts=RestartPolicy(2, delay_s=60.0))
    world = World([app], {"app": Behaviour(runs=((1.0, 1),))})
    world.publish("changed", "watch.db")
    world.run(5).publish("changed", "watch.db")
    assert world.starts("app") == [0, 5]
    assert len(world.run(1000).starts("app")) == 4


def test_a_person_is_never_delayed_and_the_delayed_start_follows() -> None:
    both = job("ping", when=when("each", "exitSuccess", "pong"), restarts=RestartPolicy(0, delay_s=60.0))
    world = World([both, PONG], {"ping": Behaviour(runs=((1.0, 0),)), "pong": QUICK})
    world.publish("exitSuccess", "pong")
    world.run(5).order("start", "ping")
    assert world.starts("ping") == [0, 5]
    assert world.run(0.5).actor("ping").state.trigger.pending == 1


def test_a_chain_that_does_not_come_back_is_not_delayed() -> None:
    jobs = [job("a", when=when("each", "changed", "watch.db")), job("b", when=when("each", "exitSuccess", "a"))]
    world = World(jobs, {"a": Behaviour(runs=((0.0, 0),)), "b": Behaviour(runs=((0.0, 0),))})
    for _ in range(20):
        world.publish("changed", "watch.db")
        world.run(0.01)
    assert len(world.starts("b")) == 20


def test_an_event_says_from_which_runs_it_descends() -> None:
    jobs = [job("a", restarts=1), job("b", when=when("each", "exitFailed", "a"))]
    world = World(jobs, {"a": Behaviour(runs=((1.0, 1),)), "b": Behaviour(runs=((0.1, 0),))}).run(5)
    assert [one.origin for one in world.actor("b").causes if one is not None] == [(("a", 1),), (("a", 2),)]


def test_an_origin_is_bounded() -> None:
    cause: Event | None = None
    for number in range(JOBS_MAX + 20):
        state = State(process=ProcessState(runs=7), trigger=TriggerState(cause=cause))
        cause = descending(Event("exitSuccess", "x"), JobKey(f"job{number}"), state)
    assert cause is not None
    assert len(cause.origin) == JOBS_MAX
    assert descends(cause, JobKey(f"job{JOBS_MAX + 19}"))
    assert not descends(cause, JobKey("job0"))
