"""After which runs a job is started again, how often, how soon, and which exit statuses are a success."""

from typing import Any

import pytest
from building import job, when
from simulation import Behaviour, World

from corepilot.jobs.plan import Plan
from corepilot.jobs.process import blamed, restart_delay
from corepilot.jobs.state import MAIN, Exited, ProcessState
from corepilot.model.job import UNLIMITED, JobKey, RestartPolicy

FOREVER = Behaviour(runs=((None, 0),))


def starts(policy: RestartPolicy, *runs: tuple[float, int], within_s: float = 1000, **settings: object) -> list[float]:
    world = World([job(restarts=policy, **settings)], {"app": Behaviour(runs=runs)})  # type: ignore[arg-type]  # of any kind
    return world.run(within_s).starts("app")


def test_after_a_failure_only() -> None:
    policy = RestartPolicy(UNLIMITED, "failure", delay_s=1.0, max_delay_s=1.0)
    assert starts(policy, (1.0, 1), (1.0, 3), (1.0, 0)) == [0, 2, 4]


def test_never_whatever_the_limit() -> None:
    assert starts(RestartPolicy(5, "never"), (1.0, 1)) == [0]


def test_a_limit_is_for_the_life_of_a_job() -> None:
    assert starts(RestartPolicy(2, "failure"), (50.0, 1)) == [0, 50, 100]


def test_a_limit_within_a_time_is_for_any_stretch_of_it() -> None:
    policy = RestartPolicy(2, within_s=10.0, delay_s=1.0, max_delay_s=1.0)
    slow = starts(policy, (5.0, 1), within_s=100)
    assert slow == pytest.approx([0, 6, 12, 18, 24, 30, 36, 42, 48, 54, 60, 66, 72, 78, 84, 90, 96])
    assert starts(policy, (1.0, 1)) == [0, 2, 4]


def test_the_delay_doubles_up_to_its_greatest_and_begins_afresh_after_a_run_that_lasted() -> None:
    policy = RestartPolicy(UNLIMITED, delay_s=1.0, max_delay_s=5.0)
    runs = [(0.0, 1)] * 5 + [(40.0, 1), (0.0, 1), (1000.0, 1)]
    assert starts(policy, *runs, within_s=100) == pytest.approx([0, 1, 3, 7, 12, 17, 58, 60])


def test_a_run_that_succeeds_is_followed_by_the_first_delay() -> None:
    policy = RestartPolicy(UNLIMITED, delay_s=2.0)
    assert starts(policy, (0.0, 1), (0.0, 1), (0.0, 0), (0.0, 0), (0.0, 1), (9.0, 0), within_s=20) == pytest.approx(
        [0, 2, 6, 8, 10, 12]
    )


def test_the_greatest_delay_alone_bounds_the_usual_one() -> None:
    delays = [restart_delay(n, succeeded=False, ran_s=0, policy=RestartPolicy(max_delay_s=1.0)) for n in range(8)]
    assert delays == [0, 0, 0, 0.25, 0.5, 1.0, 1.0, 1.0]


def test_a_status_that_counts_as_a_success() -> None:
    jobs = [job(success_statuses=(0, 3)), job("next", when=when("once", "exitSuccess", "app"))]
    world = World(jobs, {"app": Behaviour(runs=((0.5, 3),))}).run(5)
    assert "event exitSuccess app" in world.events("app")
    assert not any("error" in text for _, text in world.log)
    assert (world.starts("next"), world.jobs.endings.failure) == ([0.5], None)


def test_a_status_that_is_not_named_fails_even_if_it_is_zero() -> None:
    world = World([job(success_statuses=(3,))], {"app": Behaviour(runs=((1.0, 0),))}).run(5)
    assert "event exitFailed app" in world.events("app")
    assert world.jobs.endings.failure == ("app", 1)


def test_it_is_started_again_until_a_status_that_counts_as_a_success() -> None:
    policy = RestartPolicy(UNLIMITED, "failure")
    assert starts(policy, (1.0, 1), (1.0, 0), (1.0, 75), success_statuses=(75,)) == [0, 1, 2]


def test_it_is_started_again_only_after_a_success() -> None:
    policy = RestartPolicy(UNLIMITED, "success", delay_s=0.5)
    assert starts(policy, (1.0, 0), (1.0, 0), (1.0, 3)) == [0, 1.5, 3.0]


def test_a_failure_ends_everything_where_only_a_success_is_followed_by_a_restart() -> None:
    jobs = [job("app", restarts=RestartPolicy(UNLIMITED, "success"), exit_on="failure"), job("web")]
    world = World(jobs, {"app": Behaviour(runs=((1.0, 0), (1.0, 4))), "web": Behaviour(runs=((None, 0),))}).run(9)
    assert (world.starts("app"), world.jobs.endings.ended_by, world.over) == ([0, 1], 4, True)


def test_exit_on_acts_after_the_last_restart() -> None:
    jobs = [job("app", restarts=RestartPolicy(1, "failure"), exit_on="failure"), job("web")]
    world = World(jobs, {"app": Behaviour(runs=((1.0, 4),)), "web": Behaviour(runs=((None, 0),))}).run(9)
    assert (world.starts("app"), world.jobs.endings.ended_by, world.over) == ([0, 1], 4, True)


def test_exit_on_end_after_a_success_is_zero() -> None:
    jobs = [job("app", success_statuses=(0, 4), exit_on="end"), job("web")]
    world = World(jobs, {"app": Behaviour(runs=((1.0, 4),)), "web": Behaviour(runs=((None, 0),))}).run(9)
    assert (world.jobs.endings.ended_by, world.over) == (0, True)


def test_jobs_of_one_name_restart_after_each_other_s_failures_only_where_they_restart_after_failures() -> None:
    def counts(status: int) -> int:
        jobs = [job("a", restarts=RestartPolicy(3, "failure")), job("a", exec=("x",))]
        world = World(jobs, {"a": Behaviour(runs=((1.0, status), (2.0, 0), (1.0, 0)))})
        return len(world.run(50).starts("a"))

    assert counts(0) == 2
    assert counts(1) > 2


def test_a_run_that_we_have_ended_because_it_failed_is_no_success_whatever_counts_as_one() -> None:
    plan = Plan(job(success_statuses=(0, 143)), JobKey("app"))
    for status in (0, 143):
        ended = blamed(plan, ProcessState("running", blame="not ready"), Exited(MAIN, status, "terminated"))
        assert (plan.job.succeeds(ended.status), ended.reason) == (False, "not ready")


# ------------------------------------------------------------------------------------------------- at a reload
def reloaded(world: World, **settings: Any) -> World:
    """After a reload that changes settings of its only job."""
    world.reload([world.actor("app").plan.job.changed(**settings)])
    return world


def test_a_tick_that_waits_for_an_endless_run_does_not_outlive_the_restarts() -> None:
    every_second = job(when=when("interval", every_s=1.0), restarts=UNLIMITED)
    world = reloaded(World([every_second], {"app": FOREVER}).run(3.5), restarts=RestartPolicy(0))
    assert world.actor("app").state.phase == "running"  # as a new job it goes on until the next tick, too
    world.run(0.6)
    assert (world.actor("app").state.phase, world.starts("app")) == ("complete", [0])


def test_a_tick_for_which_there_is_a_restart_left_is_not_lost_by_a_reload() -> None:
    every_second = job(when=when("interval", every_s=1.0), restarts=UNLIMITED)
    world = reloaded(World([every_second], {"app": Behaviour(((2.5, 0),))}).run(1.5), restarts=RestartPolicy(3))
    assert world.run(1.5).starts("app") == [0, 2.5]


def test_a_restart_that_is_waited_for_does_not_outlive_the_policy_that_granted_it() -> None:
    delayed = RestartPolicy(UNLIMITED, delay_s=60.0)
    world = reloaded(World([job(restarts=delayed)], {"app": Behaviour(((0.0, 7),))}).run(1), restarts=RestartPolicy(0))
    assert world.run(100).starts("app") == [0]
    assert (world.actor("app").state.phase, world.jobs.endings.failure) == ("complete", ("app", 7))


def test_a_restart_that_is_waited_for_comes_when_the_new_policy_says() -> None:
    world = World([job(restarts=RestartPolicy(3, delay_s=60.0))], {"app": Behaviour(((0.0, 7),))}).run(5)
    reloaded(world, restarts=RestartPolicy(3, delay_s=10.0))
    assert world.run(5).starts("app") == pytest.approx([0, 10])
    assert world.run(25).starts("app") == pytest.approx([0, 10, 30])


def test_a_status_that_counts_as_a_success_from_now_on_needs_no_restart() -> None:
    on_failure = RestartPolicy(UNLIMITED, "failure", delay_s=60.0)
    world = World([job(restarts=on_failure)], {"app": Behaviour(((0.0, 7),))}).run(1)
    assert reloaded(world, success_statuses=(0, 7)).run(100).starts("app") == [0]
    assert world.jobs.endings.failure is None
