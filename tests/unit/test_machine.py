"""The job machine against the tables of the ContainerPilot contract, section 4, in virtual time."""

from typing import Any

import pytest
from building import CHECK, SERVICE, job, when
from simulation import Behaviour, World

from corepilot.jobs.process import BACKOFF_MAX_S, restart_delay
from corepilot.model.command import Command
from corepilot.model.event import Event
from corepilot.model.job import HOOK_TIMEOUT_S, UNLIMITED, Check
from corepilot.model.service import Service

FOREVER = Behaviour(runs=((None, 0),))


def near(at: float) -> Any:
    """A time, give or take what floating point does to it."""
    return pytest.approx(at)


# ------------------------------------------------------------------------------------- 4.3: how often a job runs
@pytest.mark.parametrize(("restarts", "runs"), [(0, 1), (1, 2), (3, 4)])
def test_without_when_it_runs_once_and_its_restarts(restarts: int, runs: int) -> None:
    world = World([job(restarts=restarts)]).run(3600)
    assert len(world.starts("app")) == runs
    assert world.over


def test_unlimited_restarts_go_on() -> None:
    world = World([job(restarts=UNLIMITED)], {"app": Behaviour(((2.0, 0),))}).run(100)
    assert len(world.starts("app")) == 51
    assert not world.over


def test_once_waits_for_its_event_and_ignores_later_ones() -> None:
    world = World([job(when=when("once", "healthy", "watch.db"), restarts=1)]).run(10)
    assert world.starts("app") == []
    for _ in range(3):
        world.publish("healthy", "watch.db")
    world.run(10)
    assert len(world.starts("app")) == 2
    assert world.over


def test_each_runs_at_every_event_and_never_completes() -> None:
    world = World([job(when=when("each", "changed", "watch.db"), restarts=0)])
    for _ in range(3):
        world.publish("changed", "watch.db")
        world.run(1)
    assert len(world.starts("app")) == 3
    assert not world.over


def test_each_shares_its_restarts_among_all_triggers() -> None:
    world = World([job(when=when("each", "changed", "watch.db"), restarts=2)])
    counts = []
    for _ in range(3):
        world.publish("changed", "watch.db")
        counts.append(len(world.run(60).starts("app")))
    assert counts == [3, 4, 5]


def test_triggers_during_a_run_wait_their_turn_and_never_run_side_by_side() -> None:
    world = World([job(when=when("each", "changed", "watch.db"))], {"app": Behaviour(((1.0, 0),))})
    for _ in range(3):
        world.publish("changed", "watch.db")
    assert world.run(10).starts("app") == pytest.approx([0, 1, 2])


@pytest.mark.parametrize(("restarts", "runs"), [(UNLIMITED, 21), (5, 6), (0, 1)])
def test_interval_runs_at_startup_and_at_ticks(restarts: int, runs: int) -> None:
    world = World([job(when=when("interval", every_s=0.5), restarts=restarts)]).run(10)
    assert len(world.starts("app")) == runs
    assert world.over == (restarts != UNLIMITED)


def test_an_interval_job_completes_at_the_tick_after_its_last_restart() -> None:
    world = World([job(when=when("interval", every_s=1.0), restarts=2)]).run(2.9)
    assert not world.over
    assert world.run(0.2).over


def test_an_interval_job_without_restarts_left_has_its_run_ended() -> None:
    world = World([job(when=when("interval", every_s=1.0), restarts=0)], {"app": FOREVER}).run(1.1)
    assert world.over
    assert "event exitFailed app" in world.events("app")


def test_ticks_during_a_run_coalesce() -> None:
    world = World([job(when=when("interval", every_s=0.01), restarts=UNLIMITED)], {"app": Behaviour(((1.0, 0),))})
    assert len(world.run(59.5).starts("app")) == 60


def test_a_signal_job_runs_at_each_signal() -> None:
    world = World([job(when=when("signal", source="SIGHUP"))])
    for _ in range(2):
        world.publish("signal", "SIGHUP")
        world.publish("signal", "SIGUSR2")
        world.run(1)
    assert len(world.starts("app")) == 2


def test_an_empty_when_never_runs_and_completes_at_shutdown() -> None:
    world = World([job(when=when("never"))]).run(100)
    assert not world.starts("app")
    assert not world.over
    world.publish("shutdown")
    assert world.over


def test_shutdown_cannot_start_a_job() -> None:
    world = World([job(when=when("once", "shutdown"))])
    world.publish("shutdown")
    assert world.over
    assert not world.starts("app")


def test_a_job_without_exec_starts_and_stays() -> None:
    world = World([job(exec=None)]).run(100)
    assert not world.over
    assert world.actor("app").state.phase == "running"


# ------------------------------------------------------------------------------------------- 4.2: restart delay
def test_a_job_that_fails_at_once_is_restarted_ever_more_slowly() -> None:
    starts = World([job(restarts=UNLIMITED)], {"app": Behaviour(((0.0, 1),))}).run(600).starts("app")
    assert len([at for at in starts if at <= 60]) <= 12
    assert len([at for at in starts if 60 < at <= 120]) <= 2
    assert starts[:4] == [0, 0, 0, 0]


def test_a_run_that_lasted_makes_the_next_restart_immediate() -> None:
    failing = Behaviour(((0.0, 1),) * 8 + ((40.0, 1), (0.0, 1)))
    starts = World([job(restarts=UNLIMITED)], {"app": failing}).run(300).starts("app")
    assert starts[9] == pytest.approx(starts[8] + 40)


def test_a_successful_loop_is_held_to_ten_starts_a_second() -> None:
    starts = World([job(restarts=UNLIMITED)], {"app": Behaviour(((0.0, 0),))}).run(6).starts("app")
    assert 60 <= len(starts) <= 65
    starts = World([job(restarts=UNLIMITED)], {"app": Behaviour(((0.1, 0),))}).run(6).starts("app")
    assert starts == pytest.approx([number / 10 for number in range(len(starts))])


def test_jobs_of_one_name_react_to_each_others_exits() -> None:
    world = World([job(restarts=2), job("other"), job()], {"app": Behaviour(((1.0, 0),))})
    # The second `app` has no restarts: the first exit of either ends it. The first one is started again for each.
    world.run(10)
    assert world.over
    assert world.starts("app") == pytest.approx([0, 0, 1, 2])


def test_a_service_without_exec_ends_with_the_job_of_its_name() -> None:
    beat = job(exec=None, health=Check(1, 5), service=SERVICE)
    world = World([job(), beat], {"app": Behaviour(((1.5, 0),))}).run(2)
    assert world.over
    assert world.catalog[-1][1] == "withdraw"


def test_the_delay_grows_and_is_bounded() -> None:
    delays = [restart_delay(quick, succeeded=False, ran_s=0) for quick in range(100)]
    assert delays == sorted(delays)
    assert max(delays) == BACKOFF_MAX_S


# ------------------------------------------------------------------------------------------------- 4.1: timeouts
def test_a_run_that_takes_too_long_is_killed_and_has_failed() -> None:
    world = World([job(timeout_s=2.0)], {"app": FOREVER}).run(2.5)
    assert world.events("app") == ["event exitFailed app", "event stopping app", "event stopped app"]
    assert world.actor("app").state.stop.failed == 137


def test_when_timeout_publishes_and_completes() -> None:
    world = World(
        [
            job(when=when("once", "healthy", "watch.db", timeout_s=3.0)),
            job("fallback", when=when("once", "timerExpired", "app")),
        ]
    )
    world.run(4)
    assert world.over
    assert len(world.starts("fallback")) == 1


def test_a_start_in_time_forgets_the_when_timeout() -> None:
    world = World([job(when=when("once", "healthy", "watch.db", timeout_s=3.0))], {"app": FOREVER}).run(1)
    world.publish("healthy", "watch.db")
    assert not world.run(10).over


# --------------------------------------------------------------------------------------------------- 4.4: health
def test_passing_checks_register_then_report() -> None:
    world = World([job(health=CHECK, service=SERVICE)], {"app": FOREVER}).run(2.5)
    assert world.catalog == [
        (near(1.1), "advertise", "passing"),
        (near(2.1), "report", "passing"),
    ]
    assert world.events("app").count("event healthy app") == 2


def test_a_failing_check_is_told_at_once() -> None:
    world = World([job(health=CHECK, service=SERVICE)], {"app": FOREVER, "check.app": Behaviour(((0.1, 0), (0.1, 1)))})
    world.run(2.5)
    assert world.catalog[-1] == (near(2.1), "report", "critical")
    assert "event unhealthy app" in world.events("app")
    assert "event exitFailed check.app" in world.events("check.app")


def test_a_check_slower_than_its_interval_skips_ticks() -> None:
    slow = Check(interval_s=1, ttl_s=5, command=Command(("check",)), timeout_s=None)
    world = World([job(health=slow)], {"app": FOREVER, "check.app": Behaviour(((2.5, 0),))}).run(20)
    assert len(world.starts("check.app")) == 7


def test_a_hanging_check_is_killed_at_its_timeout() -> None:
    world = World([job(health=CHECK)], {"app": FOREVER, "check.app": FOREVER}).run(3.5)
    assert "event unhealthy app" in world.events("app")


def test_checks_begin_with_the_first_start() -> None:
    world = World([job(health=CHECK, when=when("once", "changed", "watch.db"))], {"app": FOREVER}).run(5)
    assert not world.starts("check.app")


def test_health_without_exec_is_a_heartbeat() -> None:
    world = World([job(health=Check(1, 5), service=SERVICE)], {"app": FOREVER}).run(2.5)
    assert [what for _, what, _ in world.catalog] == ["advertise", "report"]
    assert not [text for text in world.events("app") if "healthy" in text]


def test_an_initial_status_registers_before_the_start() -> None:
    service = Service(SERVICE.registration, "warning")
    world = World([job(health=CHECK, service=service, when=when("never"))])
    assert world.catalog == [(0.0, "advertise", "warning")]


# ---------------------------------------------------------------------------------------------- 4.5: maintenance
def test_maintenance_leaves_the_catalog_and_comes_back() -> None:
    world = World([job(health=CHECK, service=SERVICE)], {"app": FOREVER}).run(1.5)
    world.publish("enterMaintenance")
    checks = len(world.starts("check.app"))
    world.run(5)
    assert world.catalog[-1][1] == "withdraw"
    assert len(world.starts("check.app")) == checks
    assert world.actor("app").running
    world.publish("exitMaintenance")
    world.run(1.5)
    assert world.catalog[-1][1:] == ("advertise", "passing")


def test_a_restart_does_not_end_maintenance() -> None:
    world = World([job(health=CHECK, restarts=UNLIMITED)], {"app": Behaviour(((3.0, 0),))}).run(0.5)
    world.publish("enterMaintenance")
    world.run(10)
    assert not world.starts("check.app")


def test_the_end_of_maintenance_does_not_start_checks_of_a_job_that_has_not_started() -> None:
    world = World([job(health=CHECK, when=when("once", "changed", "watch.db"))])
    world.publish("enterMaintenance")
    world.publish("exitMaintenance")
    assert not world.run(5).starts("check.app")


def test_maintenance_events_start_jobs() -> None:
    world = World([job(when=when("each", "enterMaintenance")), job("back", when=when("each", "exitMaintenance"))])
    world.publish("enterMaintenance")
    world.publish("exitMaintenance")
    world.run(1)
    assert len(world.starts("app")) == len(world.starts("back")) == 1


# -------------------------------------------------------------------------------------------- 4.6-4.8: stopping
def test_stop_signals_waits_and_tells_in_order() -> None:
    world = World([job()], {"app": Behaviour(((None, 0),), term_s=2.0)}).run(1)
    world.publish("shutdown")
    assert not world.complete
    assert world.run(2).complete == ["app"]
    assert world.events("app") == ["event stopping app", "event exitFailed app", "event stopped app"]


def test_a_job_that_ignores_its_stop_signal_is_killed_at_the_deadline() -> None:
    world = World([job(stop_timeout_s=3.0)], {"app": Behaviour(((None, 0),), term_s=None)}).run(1)
    world.publish("shutdown")
    assert not world.run(2.9).over
    assert world.run(0.2).over


def test_a_negative_stop_timeout_waits_for_nothing() -> None:
    world = World([job(stop_timeout_s=-1.0)], {"app": Behaviour(((None, 0),), term_s=None)}).run(1)
    world.publish("shutdown")
    assert world.run(0.001).over


def test_the_stopping_hook_runs_before_the_signal_and_the_withdrawal() -> None:
    jobs = [job(health=CHECK, service=SERVICE), job("hook", when=when("once", "stopping", "app"))]
    world = World(jobs, {"app": FOREVER, "hook": Behaviour(((4.0, 0),))}).run(1.5)
    world.publish("shutdown")
    assert world.run(3.9).catalog[-1][1] != "withdraw"
    world.run(0.2)
    assert world.over
    assert world.catalog[-1][1] == "withdraw"


def test_a_hook_that_hangs_is_bounded_by_the_stop_timeout_of_its_job() -> None:
    jobs = [job(hook_timeout_s=1.0), job("hook", when=when("once", "stopping", "app"))]
    world = World(jobs, {"app": FOREVER, "hook": FOREVER}).run(1)
    world.publish("shutdown")
    assert world.run(1.1).over, "the hook has had its time as well"
    assert sorted(world.complete) == ["app", "hook"]


def test_the_hook_runs_also_when_the_job_could_not_be_started_just_then() -> None:
    """For want of descriptors, say: that it is tried again is over, and its stop is like any other."""
    jobs = [job(when=when("once", "changed", "watch.db")), job("pre", when=when("once", "stopping", "app"))]
    world = World(jobs, {"app": Behaviour(shortages=1), "pre": Behaviour(((3.0, 0),))})
    world.bus.publish(Event("changed", "watch.db"))
    world.soon.popleft()()  # it has heard that, and has yet to hear that the start has failed
    world.order("stop", "app")
    assert world.run(1).actor("app").state.phase == "hooked"
    assert world.run(3).actor("app").state.phase == "stopped"
    assert world.starts("app") == []


@pytest.mark.parametrize("role", ["app", "check.app"])
def test_a_start_that_failed_for_want_of_something_is_made_again(role: str) -> None:
    world = World([job(health=CHECK, restarts=1)], {"app": FOREVER, role: Behaviour(FOREVER.runs, shortages=2)}).run(5)
    assert len(world.starts("app")) == 1
    assert world.starts(role)[0] >= 2.0
    assert world.actor("app").state.process.restarts == 0


def test_a_hook_without_a_stop_timeout_has_thirty_seconds() -> None:
    jobs = [job(), job("hook", when=when("once", "stopping", "app"))]
    world = World(jobs, {"app": FOREVER, "hook": FOREVER}).run(1)
    world.publish("shutdown")
    assert world.run(HOOK_TIMEOUT_S - 0.1).complete == []
    assert world.run(0.2).over


def test_a_hook_that_hangs_when_its_job_ends_by_itself_is_bounded() -> None:
    jobs = [job(hook_timeout_s=1.0), job("hook", when=when("once", "stopping", "app")), job("other")]
    world = World(jobs, {"hook": FOREVER, "other": FOREVER}).run(2)
    assert sorted(world.complete) == ["app", "hook"]


def test_every_hook_is_bounded_also_those_that_are_not_awaited() -> None:
    hooks = [job(name, when=when("once", "stopping", "app")) for name in ("first", "second")]
    world = World([job(hook_timeout_s=2.0), *hooks], {"app": FOREVER, "first": FOREVER, "second": FOREVER}).run(1)
    world.publish("shutdown")
    assert world.run(2.1).over


def test_a_hook_on_itself_is_left_out() -> None:
    jobs = [job("aa", when=when("once", "stopping", "aa")), job("k")]
    assert World(jobs, {"k": Behaviour(((0.3, 3),))}).run(1).over
    world = World(jobs, {"k": FOREVER}).run(1)
    world.publish("shutdown")
    assert world.run(0.1).over
    assert world.starts("aa") == []


# ------------------------------------------------------------------------------------------- what is left of a job
def test_stopped_comes_when_the_process_group_is_empty() -> None:
    world = World(
        [job(), job("post", when=when("once", "stopped", "app"))], {"app": Behaviour(FOREVER.runs, rest_s=1.0)}
    )
    world.run(1).publish("shutdown")
    assert world.run(0.9).starts("post") == []
    assert world.run(0.2).starts("post") == pytest.approx([2.0])


def test_a_process_group_that_does_not_empty_is_killed_at_the_deadline() -> None:
    world = World([job()], {"app": Behaviour(FOREVER.runs, rest_s=None)}).run(1)
    world.publish("shutdown")
    assert not world.run(4.9).over
    assert world.run(0.2).over


def test_what_has_left_the_process_group_is_killed_at_the_same_deadline_when_the_group_has_emptied() -> None:
    """A stop by hand has no other end: nobody else would kill it."""
    world = World([job()], {"app": Behaviour(FOREVER.runs, rest_s=0.5, strays_s=None)}).run(1)
    world.order("stop", "app")
    assert world.run(4.9).actor("app").state.phase == "terminating"
    assert world.run(0.2).actor("app").state.phase == "stopped"


def test_the_next_run_begins_when_the_process_group_of_the_last_one_is_empty() -> None:
    world = World([job(restarts=2)], {"app": Behaviour(((1.0, 0),), rest_s=0.5)}).run(1.2)
    assert world.actor("app").state.phase == "terminating"
    assert world.run(10).starts("app") == pytest.approx([0, 1.5, 3.0])
    assert world.over


@pytest.mark.parametrize("kind", ["interval", "each", "restarts"])
def test_what_does_not_leave_a_process_group_is_killed_after_the_stop_timeout(kind: str) -> None:
    jobs = {
        "interval": job(stop_timeout_s=2.0, restarts=UNLIMITED, when=when("interval", every_s=0.5)),
        "each": job(stop_timeout_s=2.0, when=when("each", "changed", "watch.db")),
        "restarts": job(stop_timeout_s=2.0, restarts=UNLIMITED),
    }
    world = World([jobs[kind]], {"app": Behaviour(((0.1, 0),), rest_s=None)})
    for _ in range(2):
        world.publish("changed", "watch.db")
    world.run(4.0)
    assert world.starts("app")[:2] == pytest.approx([0, 2.1])
    assert world.actor("app").killed


# ----------------------------------------------------------------------------------------------------- stopAfter
def test_a_job_goes_on_until_those_it_stops_after_have_stopped() -> None:
    agent = job("agent", stop_after=("app", "post"), restarts=UNLIMITED)
    jobs = [job(), agent, job("post", when=when("once", "stopped", "app"))]
    slow = Behaviour(((None, 0),), term_s=2.0)
    world = World(jobs, {"app": slow, "agent": FOREVER, "post": Behaviour(((1.0, 0),))}).run(1)
    world.publish("shutdown")
    assert world.run(2.9).complete == ["app"]
    assert world.run(0.2).complete == ["app", "post", "agent"]


def test_a_check_goes_on_while_a_job_waits_for_others_at_its_stop() -> None:
    jobs = [job(), job("agent", stop_after=("app",), health=CHECK, service=SERVICE)]
    world = World(jobs, {"app": Behaviour(((None, 0),), term_s=4.0), "agent": FOREVER}).run(2.5)
    world.publish("shutdown")
    before = len(world.catalog)
    assert [what for _, what, _ in world.run(3).catalog[before:]] == ["report"] * 3
    assert world.run(1.5).catalog[-1][1] == "withdraw"
    assert world.over


def test_a_job_that_ends_while_it_waits_at_its_stop_is_not_started_again() -> None:
    jobs = [job(), job("agent", stop_after=("app",), restarts=UNLIMITED)]
    world = World(jobs, {"app": Behaviour(((None, 0),), term_s=4.0), "agent": Behaviour(((3.0, 0),))}).run(1)
    world.publish("shutdown")
    assert world.run(3).complete == ["agent"]


def test_those_that_have_stopped_before_or_do_not_exist_are_not_waited_for() -> None:
    jobs = [job(), job("agent", stop_after=("app", "nobody"))]
    world = World(jobs, {"agent": FOREVER}).run(1)
    world.publish("shutdown")
    assert world.run(0.1).over


def test_jobs_that_would_wait_for_each_other_do_not() -> None:
    circle = [job("a", stop_after=("b",)), job("b", stop_after=("c",)), job("c", stop_after=("a",))]
    hook = [job("a", stop_after=("b",)), job("b", when=when("once", "stopping", "a"))]
    for jobs in (circle, hook, [job("a", stop_after=("a",))]):
        world = World(jobs, dict.fromkeys("abc", FOREVER)).run(1)
        world.publish("shutdown")
        assert world.run(HOOK_TIMEOUT_S + 0.1).over


def test_asked_twice_nobody_waits_for_others() -> None:
    jobs = [job(), job("agent", stop_after=("app",))]
    world = World(jobs, {"app": Behaviour(((None, 0),), term_s=None), "agent": FOREVER}).run(1)
    world.publish("shutdown")
    world.run(0.1).kill_now()
    assert world.run(0.1).over


def test_only_the_last_hook_in_the_file_is_awaited() -> None:
    jobs = [job(), job("slow", when=when("once", "stopping", "app")), job("fast", when=when("once", "stopping", "app"))]
    world = World(jobs, {"app": FOREVER, "slow": Behaviour(((9.0, 0),))}).run(1)
    world.publish("shutdown")
    world.run(0.5)
    assert "app" in world.complete
    assert world.run(9).over


def test_a_stopped_hook_runs_after_the_process_is_gone_and_everything_waits_for_it() -> None:
    jobs = [job(), job("post", when=when("once", "stopped", "app"))]
    world = World(jobs, {"app": Behaviour(((None, 0),), term_s=1.0), "post": Behaviour(((3.0, 0),))}).run(1)
    world.publish("shutdown")
    world.run(0.9)
    assert not world.starts("post")
    world.run(0.2)
    assert len(world.starts("post")) == 1
    assert not world.over
    assert world.run(3).over


def test_hooks_run_at_a_natural_end_too() -> None:
    jobs = [job(), job("pre", when=when("once", "stopping", "app")), job("post", when=when("each", "stopped", "app"))]
    world = World(jobs).run(5)
    assert len(world.starts("pre")) == len(world.starts("post")) == 1
    assert world.over


def test_an_each_hook_on_stopping_is_over_after_its_run() -> None:
    jobs = [job(), job("hook", when=when("each", "stopping", "app"), restarts=1)]
    world = World(jobs).run(5)
    assert len(world.starts("hook")) == 2
    assert world.over


def test_a_hook_on_a_job_that_does_not_exist_keeps_nothing_alive() -> None:
    world = World([job(), job("hook", when=when("once", "stopped", "ap"))]).run(5)
    assert world.over


def test_a_hook_with_a_when_timeout_still_runs_later() -> None:
    jobs = [job(), job("hook", when=when("once", "stopping", "app", timeout_s=1.0))]
    world = World(jobs, {"app": FOREVER}).run(3)
    assert "event timerExpired hook" in world.events("hook")
    world.publish("shutdown")
    assert len(world.run(2).starts("hook")) == 1
    assert world.over


def test_a_second_stop_waits_for_nothing() -> None:
    jobs = [job(), job("hook", when=when("once", "stopping", "app"))]
    world = World(jobs, {"app": Behaviour(((None, 0),), term_s=None), "hook": FOREVER}).run(1)
    world.publish("shutdown")
    world.run(0.5)
    world.kill_now()
    assert world.run(0.01).over


def test_the_failure_of_the_last_run_is_remembered_and_a_stop_is_no_failure() -> None:
    world = World([job(restarts=2)], {"app": Behaviour(((0.1, 3), (0.1, 0), (0.1, 7)))}).run(60)
    assert world.actor("app").state.stop.failed == 7
    world = World([job()], {"app": FOREVER}).run(1)
    world.publish("shutdown")
    world.run(1)
    assert world.actor("app").state.stop.failed is None
