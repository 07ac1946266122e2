"""Jobs that depend on others: they stand by until those have come far enough, and are stopped before them."""

import pytest
from building import CHECK, job, when
from simulation import Behaviour, World

from corepilot.model.job import Job, Ready, RestartPolicy

FOREVER = Behaviour(runs=((None, 0),))
SICK = Behaviour(runs=((0.0, 1),))


def phase(world: World, name: str) -> str:
    return world.actor(name).state.phase


def pair(condition: str, **settings: object) -> list[Job]:
    """A job that depends on another one, which is written behind it."""
    return [job("app", needs={"db": condition}), job("db", **settings)]  # type: ignore[arg-type]  # of any kind


@pytest.mark.parametrize("condition", ["started", "ready"])
def test_a_job_starts_when_the_other_one_has_been_started(condition: str) -> None:
    world = World(pair(condition, when=when("once", "changed", "watch.x")), {"app": FOREVER, "db": FOREVER}).run(5)
    assert (phase(world, "app"), world.starts("app")) == ("standby", [])
    world.publish("changed", "watch.x")
    assert (phase(world, "app"), world.starts("app")) == ("running", [5.0])


def test_a_job_starts_when_the_other_one_is_healthy() -> None:
    world = World(pair("healthy", health=CHECK), {"app": FOREVER, "db": FOREVER, "check.db": SICK}).run(3)
    assert phase(world, "app") == "standby"
    world.behaviours["check.db"] = Behaviour()
    assert world.run(2).starts("app") == pytest.approx([4.1])


def test_a_job_starts_when_the_other_one_has_ended_for_good_with_success() -> None:
    restarts = RestartPolicy(3, "failure")
    runs = Behaviour(runs=((1.0, 1), (1.0, 1), (1.0, 0)))
    world = World(pair("completed", restarts=restarts), {"app": FOREVER, "db": runs}).run(9)
    assert (world.starts("db"), world.starts("app")) == ([0, 1, 2], [3.0])


@pytest.mark.parametrize("status", [0, 7])
def test_a_job_starts_when_the_other_one_has_ended_for_good_however(status: int) -> None:
    runs = Behaviour(runs=((1.0, 1), (1.0, status)))
    world = World(pair("ended", restarts=RestartPolicy(1, "always", delay_s=1.0)), {"app": FOREVER, "db": runs}).run(9)
    assert (world.starts("db"), world.starts("app")) == ([0, 2], [3.0])
    assert world.jobs.endings.failure == (("db", 7) if status else None)


def test_a_job_that_gives_up_before_its_first_run_has_not_ended_for_those_that_depend_on_it() -> None:
    db = job("db", when=when("once", "changed", "watch.x", timeout_s=1))
    world = World([job("app", needs={"db": "ended"}), db], {"app": FOREVER}).run(9)
    assert (world.starts("app"), world.told) == ([], ["complete db", "in vain app db:ended"])


def test_its_when_and_what_it_depends_on_are_joined_by_and() -> None:
    app = job("app", needs={"db": "started"}, when=when("once", "changed", "watch.x"))
    world = World([app, job("db")], {"app": FOREVER, "db": FOREVER}).run(5)
    assert phase(world, "app") == "idle"
    world.publish("changed", "watch.x")
    assert world.starts("app") == [5.0]


def test_several_have_to_hold_at_the_same_time() -> None:
    jobs = [job("app", needs={"db": "started", "web": "healthy"}), job("db"), job("web", health=CHECK)]
    how = {"app": FOREVER, "db": Behaviour(runs=((0.5, 1),)), "web": FOREVER}
    assert World(jobs, how).run(5).starts("app") == []


def test_all_jobs_of_the_name_have_to() -> None:
    jobs = [job("app", needs={"db": "started"}), job("db"), job("db", when=when("once", "changed", "watch.x"))]
    world = World(jobs, {"app": FOREVER, "db": FOREVER}).run(1)
    assert world.starts("app") == []
    world.publish("changed", "watch.x")
    assert world.starts("app") == [1.0]


def test_the_loss_of_what_it_depends_on_stops_nobody_and_a_restart_waits_for_it() -> None:
    jobs = [job("app", needs={"db": "started"}, restarts=1), job("db")]
    world = World(jobs, {"app": Behaviour(runs=((3.0, 1), (None, 0))), "db": Behaviour(runs=((1.0, 1), (None, 0)))})
    assert phase(world.run(2), "app") == "running"
    assert phase(world.run(2), "app") == "standby"
    world.order("start", "db")
    assert phase(world, "app") == "running"


def test_a_start_by_hand_waits_too() -> None:
    world = World(pair("started", when=when("once", "changed", "watch.x")), {"app": FOREVER, "db": FOREVER})
    world.order("stop", "app")
    world.order("start", "app")
    assert phase(world.run(1), "app") == "standby"
    world.order("start", "db")
    assert phase(world, "app") == "running"


def test_a_job_that_is_stopped_by_hand_and_started_again_still_knows_what_holds() -> None:
    world = World(pair("started"), {"app": FOREVER, "db": FOREVER}).run(1)
    world.order("stop", "app")
    world.order("start", "app")
    assert phase(world.run(1), "app") == "running"


def test_when_timeout_is_also_the_time_for_what_it_depends_on() -> None:
    app = job("app", needs={"db": "started"}, when=when("once", "startup", timeout_s=4))
    world = World([app, job("db", when=when("once", "changed", "watch.x"))], {"db": FOREVER}).run(9)
    assert world.events("app") == ["event timerExpired app", "event stopping app", "event stopped app"]


# ------------------------------------------------------------------------------------------------------------ the end
def test_a_dependency_that_failed_for_good_is_told_and_ends_everything_with_its_status() -> None:
    jobs = [*pair("completed"), job("web", needs={"app": "started"})]
    world = World(jobs, {"db": Behaviour(runs=((1.0, 7),))}).run(2)
    assert world.told == ["complete db", "in vain app db:completed", "in vain web app:started"]
    assert (world.ends, world.jobs.endings.failure) == (1, ("db", 7))


def test_what_waits_in_vain_goes_on_waiting_while_others_run() -> None:
    jobs = [*pair("completed"), job("web")]
    world = World(jobs, {"db": Behaviour(runs=((1.0, 7), (1.0, 0))), "web": FOREVER, "app": FOREVER}).run(2)
    assert (world.told, world.ends) == (["complete db", "in vain app db:completed"], 0)
    world.order("start", "db")
    assert phase(world.run(2), "app") == "running"


def test_a_dependency_that_comes_too_late_to_be_met_is_told_when_the_job_is_to_start() -> None:
    app = job("app", needs={"db": "completed"}, when=when("once", "changed", "watch.x"))
    world = World([app, job("db"), job("web")], {"db": Behaviour(runs=((1.0, 7),)), "web": FOREVER}).run(2)
    world.publish("changed", "watch.x")
    assert world.told == ["complete db", "in vain app db:completed"]


def test_one_that_was_stopped_by_hand_can_still_be_started() -> None:
    world = World(pair("started", when=when("once", "changed", "watch.x")), {"db": FOREVER, "app": FOREVER}).run(1)
    world.order("stop", "db")
    assert "in vain" not in " ".join(world.run(1).told)


# ---------------------------------------------------------------------------------------------------------- the order
def test_everything_stops_in_the_reverse_order() -> None:
    jobs = [job("web", needs={"app": "started"}), *pair("started")]
    how = Behaviour(runs=((None, 0),), term_s=2.0)
    world = World(jobs, dict.fromkeys(("web", "app", "db"), how)).run(1)
    world.publish("shutdown")
    world.run(20)
    stopped = [text.split()[2] for _, text in world.log if text.startswith("event stopped")]
    assert (stopped, world.over) == (["web", "app", "db"], True)
    assert [at for at, text in world.log if text == "event stopping db"] == [5.0]


def test_a_stop_does_not_wait_for_jobs_that_have_not_started() -> None:
    world = World(pair("healthy", health=CHECK), {"db": FOREVER, "check.db": SICK}).run(1)
    world.publish("shutdown")
    assert world.run(0).over


def test_a_hook_that_runs_while_everything_stops_does_not_wait() -> None:
    hook = job("post", needs={"web": "started"}, when=when("once", "stopped", "db"))
    world = World([hook, job("db"), job("web")], {"db": FOREVER, "web": Behaviour(runs=((0.5, 0),))}).run(1)
    world.publish("shutdown")
    assert world.run(5).starts("post") == [1.0]
    assert world.over


# ------------------------------------------------------------------------------------------------------------ reloads
def test_a_job_that_a_reload_brings_sees_what_holds_already() -> None:
    world = World([job("db", health=CHECK)], {"app": FOREVER, "db": FOREVER}).run(9)
    world.reload([job("db", health=CHECK), job("app", needs={"db": "healthy"})])
    assert world.starts("app") == [9.0]


def test_a_dependency_that_a_reload_adds_leaves_a_running_job_alone() -> None:
    world = World([job("app"), job("db", when=when("once", "changed", "watch.x"))], {"app": FOREVER}).run(1)
    world.reload([job("app", needs={"db": "started"}), job("db", when=when("once", "changed", "watch.x"))])
    assert (phase(world, "app"), world.starts("app")) == ("running", [0.0])


def test_a_dependency_that_a_reload_takes_away_lets_a_job_start() -> None:
    world = World(pair("started", when=when("once", "changed", "watch.x")), {"app": FOREVER}).run(1)
    world.reload([job("app"), job("db", when=when("once", "changed", "watch.x"))])
    assert world.starts("app") == [1.0]


def test_a_job_and_its_dependency_that_both_change_stop_and_start_in_order() -> None:
    how = {"app": Behaviour(runs=((None, 0),), term_s=1.0), "db": FOREVER}
    world = World(pair("healthy", health=CHECK), how).run(5)
    world.reload([job("app", exec=("x",), needs={"db": "healthy"}), job("db", exec=("x",), health=CHECK)])
    world.run(5)
    assert world.starts("db") == pytest.approx([0, 6])
    assert world.starts("app") == pytest.approx([1.1, 7.1])


def test_a_dependency_that_a_reload_begins_anew_does_not_hold_until_then() -> None:
    old = [job("migrate"), job("web")]
    world = World(old, {"migrate": Behaviour(runs=((1.0, 0),)), "web": FOREVER, "app": FOREVER}).run(5)
    world.reload([job("migrate", exec=("x",)), job("web"), job("app", needs={"migrate": "completed"})])
    assert phase(world, "app") == "standby"
    assert world.run(5).starts("app") == pytest.approx([6.0])


def test_maintenance_changes_nothing_about_what_holds() -> None:
    world = World(pair("healthy", health=CHECK), {"app": Behaviour(runs=((4.0, 1),)), "db": FOREVER}).run(3)
    world.publish("enterMaintenance")
    world.order("restart", "app")
    assert phase(world.run(1), "app") == "running"


# ------------------------------------------------------------------------------------------------------------ bindings
def bound(condition: str = "started", **settings: object) -> list[Job]:
    """A job that is bound to another one."""
    return [job("app", needs={"db": condition}, binds_to=("db",)), job("db", **settings)]  # type: ignore[arg-type]  # of any kind


def test_a_bound_job_is_stopped_with_its_dependency_and_begins_when_that_does() -> None:
    how = {"app": FOREVER, "db": Behaviour(runs=((5.0, 1), (None, 0)))}
    world = World(bound(restarts=RestartPolicy(1, delay_s=3.0)), how).run(6)
    assert phase(world, "app") == "standby"
    assert world.events("app") == ["event stopping app", "event stopped app"]
    world.run(4)
    assert (phase(world, "app"), world.starts("app"), world.starts("db")) == ("running", [0, 8], [0, 8])
    assert world.actor("app").state.process.restarts == 0


def test_a_restart_at_once_is_a_loss_too() -> None:
    how = {"app": Behaviour(runs=((None, 0),), term_s=1.0), "db": Behaviour(runs=((5.0, 1), (None, 0)))}
    assert World(bound(restarts=1), how).run(9).starts("app") == [0, 6]


def test_a_run_that_ends_with_success_is_no_loss() -> None:
    how = {"app": FOREVER, "db": Behaviour(runs=((5.0, 0), (None, 0)))}
    assert World(bound(restarts=1), how).run(9).starts("app") == [0]
    assert World(bound(), how).run(9).starts("app") == [0]


def test_a_bound_job_follows_the_health() -> None:
    world = World(bound("healthy", health=CHECK), {"app": FOREVER, "db": FOREVER}).run(3)
    world.behaviours["check.db"] = SICK
    assert phase(world.run(2), "app") == "standby"
    world.behaviours["check.db"] = Behaviour()
    assert phase(world.run(2), "app") == "running"


def test_maintenance_is_no_loss() -> None:
    world = World(bound("healthy", health=CHECK), {"app": FOREVER, "db": FOREVER}).run(3)
    world.publish("enterMaintenance")
    world.run(5).publish("exitMaintenance")
    assert world.run(5).starts("app") == pytest.approx([1.1])


def test_a_stop_by_hand_of_the_dependency_stops_it_and_a_start_brings_it_back() -> None:
    world = World(bound(), {"app": FOREVER, "db": FOREVER}).run(1)
    world.order("stop", "db")
    assert phase(world.run(1), "app") == "standby"
    world.order("start", "db")
    assert phase(world.run(1), "app") == "running"


def test_a_bound_job_whose_dependency_failed_for_good_waits_in_vain() -> None:
    world = World(bound(), {"app": FOREVER, "db": Behaviour(runs=((5.0, 7),))}).run(9)
    assert "in vain app db:started" in world.told
    assert (world.ends, world.jobs.endings.failure) == (1, ("db", 7))


def test_a_binding_that_a_reload_brings_holds_at_once() -> None:
    late = job("db", when=when("once", "changed", "watch.x"))
    world = World([job("app"), late], {"app": FOREVER, "db": FOREVER}).run(1)
    world.reload([job("app", needs={"db": "started"}, binds_to=("db",)), late])
    assert phase(world.run(1), "app") == "standby"


@pytest.mark.parametrize("condition", ["started", "ready"])
def test_a_replica_that_joins_stops_nobody_that_is_bound_and_the_loss_of_one_does(condition: str) -> None:
    app = job("app", needs={"db": condition}, binds_to=("db",))
    slow = Ready(after_s=4.0)
    world = World([app, job("db", replicas=2, ready=slow)], {"app": FOREVER, "db": FOREVER}).run(6)
    world.reload([app, job("db", replicas=3, ready=slow)])
    assert len(world.run(2).starts("app")) == 1
    world.order("stop", "db")  # the first one
    assert phase(world.run(1), "app") == "standby"
    world.order("start", "db")
    assert phase(world.run(9), "app") == "running"


def test_a_replica_that_goes_stops_nobody_that_is_bound() -> None:
    app = job("app", needs={"db": "started"}, binds_to=("db",))
    world = World([app, job("db", replicas=3)], {"app": FOREVER, "db": FOREVER}).run(1)
    world.reload([app, job("db", replicas=1)])
    assert len(world.run(3).starts("app")) == 1


def test_everything_stops_in_order_with_bindings_as_well() -> None:
    how = Behaviour(runs=((None, 0),), term_s=2.0)
    world = World(bound(), {"app": how, "db": how}).run(1)
    world.publish("shutdown")
    assert world.run(20).over
    assert [at for at, text in world.log if text == "event stopping db"] == [3.0]


@pytest.mark.parametrize("begins", ["is added", "begins anew"])
def test_a_bound_job_that_a_reload_makes_lose_does_not_wait_for_a_hook_that_is_yet_to_begin(begins: str) -> None:
    def hook(code: str) -> Job:
        return job("hook", when=when("once", code, "app"))

    before = [hook("stopped")] if begins == "begins anew" else []
    world = World([*bound(), *before], {"app": FOREVER, "db": Behaviour(runs=((None, 0),), term_s=2.0)}).run(1)
    world.reload([*bound(exec=("x",)), hook("stopping")])
    world.run(5)
    assert world.starts("app") == pytest.approx([0, 3])
    assert world.starts("hook") == []
    world.order("restart", "app")
    assert len(world.run(5).starts("hook")) == 1, "the next stop has its hook"
