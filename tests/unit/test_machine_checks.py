"""Several checks of one job, and how many results in a row it takes: the job machine in virtual time."""

import pytest
from building import CHECK, SERVICE, job, when
from simulation import Behaviour, World

from corepilot.jobs import check
from corepilot.jobs.state import CheckState
from corepilot.model.job import UNLIMITED, Check

FOREVER = Behaviour(runs=((None, 0),))
A, B = CHECK.changed(name="a"), CHECK.changed(name="b")


def results(*statuses: int, lasts: float = 0.1) -> Behaviour:
    return Behaviour(tuple([(lasts, status) for status in statuses]))


def health_of(world: World, seconds: int) -> list[str]:
    """The job's health after each of its checks' ticks."""
    return [world.run(1.0).actor("app").state.health for _ in range(seconds)]


def one(checked: Check, *statuses: int) -> World:
    return World([job(health=checked, service=SERVICE)], {"app": FOREVER, "check.app": results(*statuses)}).run(0.5)


# ------------------------------------------------------------------------------------------------------ how many
def test_it_takes_so_many_failures_in_a_row() -> None:
    world = one(CHECK.changed(failures=3), 0, 1, 1, 0, 1, 1, 1)
    assert health_of(world, 7) == ["healthy"] * 6 + ["unhealthy"]


def test_it_takes_so_many_passes_in_a_row() -> None:
    world = one(CHECK.changed(successes=2), 0, 1, 0, 0, 1, 0, 0)
    assert health_of(world, 7) == ["unknown", "unhealthy", "unhealthy", "healthy", "unhealthy", "unhealthy", "healthy"]


def test_a_failure_that_is_forgiven_keeps_the_service_and_is_no_event() -> None:
    world = one(CHECK.changed(failures=3), 0, 1, 1, 0).run(4)
    assert [what for _, what, _ in world.catalog] == ["advertise", "report", "report", "report"]
    assert {status for _, _, status in world.catalog} == {"passing"}
    assert [text for text in world.events("app") if "healthy" in text] == ["event healthy app"] * 2


def test_a_pass_that_is_not_enough_is_no_event_and_leaves_the_service_critical() -> None:
    world = one(CHECK.changed(successes=2), 0, 0, 1, 0).run(4)
    assert [status for _, _, status in world.catalog] == ["passing", "critical", "critical"]
    assert world.events("app")[-1] == "event unhealthy app"
    assert world.events("app").count("event unhealthy app") == 1


# -------------------------------------------------------------------------------------------------- the beginning
def test_failures_of_the_start_period_do_not_count() -> None:
    world = one(CHECK.changed(start_period_s=3.0), 1, 1, 1, 1)
    assert health_of(world, 4) == ["unknown", "unknown", "unhealthy", "unhealthy"]


def test_the_start_period_ends_with_the_first_pass() -> None:
    world = one(CHECK.changed(start_period_s=60.0), 1, 0, 1)
    assert health_of(world, 3) == ["unknown", "healthy", "unhealthy"]


def test_each_run_has_its_own_start_period() -> None:
    checked = CHECK.changed(start_period_s=2.0)
    how = {"app": Behaviour(((4.05, 1),)), "check.app": results(0, 1)}
    world = World([job(health=checked, restarts=UNLIMITED)], how).run(0.5)
    # The first run: healthy, unhealthy from 2 s on; the second begins at 4.05 s: unknown until 6.05 s.
    assert health_of(world, 6) == ["healthy", "unhealthy", "unhealthy", "unknown", "unknown", "unhealthy"]


# --------------------------------------------------------------------------------------------------------- several
def two(a: Behaviour, b: Behaviour, *, checks: tuple[Check, ...] = (A, B)) -> World:
    how = {"app": FOREVER, "check.app.a": a, "check.app.b": b}
    return World([job(health=checks, service=SERVICE)], how).run(0.5)


def test_all_checks_have_to_pass() -> None:
    world = two(results(0, 0, 1, 0), results(1, 0, 0, 0))
    assert health_of(world, 4) == ["unhealthy", "healthy", "unhealthy", "healthy"]


def test_each_check_has_its_own_source() -> None:
    world = World(
        [job(health=(A, B)), job("after", when=when("each", "exitFailed", "check.app.b"))],
        {"app": FOREVER, "check.app.a": results(1), "check.app.b": results(0, 1)},
    )
    assert len(world.run(3.5).starts("after")) == 2


def test_a_job_is_healthy_when_the_last_of_its_checks_has_passed() -> None:
    world = two(results(0), results(0), checks=(A, B.changed(interval_s=3)))
    assert health_of(world, 3) == ["unknown", "unknown", "healthy"]
    assert world.catalog[0][1:] == ("advertise", "passing")


def test_one_that_hangs_is_not_covered_by_the_others() -> None:
    """The catalog hears of a job only as long as each of its checks has answered within its TTL."""
    b = B.changed(timeout_s=None, ttl_s=3)
    world = two(results(0), Behaviour(((0.1, 0), (None, 0))), checks=(A, b)).run(20)
    assert world.catalog[-1][0] == pytest.approx(4.1)


def test_the_catalog_hears_which_checks_fail_and_why() -> None:
    states = (CheckState(passed=False, output="no route"), CheckState(passed=True, output="old"))
    assert check.failing((A, B), states) == "a: no route"
    assert check.failing((A, B), (states[0], states[1].changed(passed=False))) == "a: no route\nb: old"
    assert check.failing((CHECK,), states[:1]) == "no route"


# --------------------------------------------------------------------------------------------------------- reloads
def test_a_check_that_stays_keeps_what_it_said_at_another_place() -> None:
    world = two(results(1), results(0)).run(1)
    assert world.actor("app").state.health == "unhealthy"
    world.reload([job(health=(B, A), service=SERVICE)])
    assert [one.passed for one in world.actor("app").state.checks] == [True, False]


def test_a_check_of_which_only_the_numbers_change_keeps_what_it_said() -> None:
    world = one(CHECK.changed(failures=3), 0, 1, 1, 1).run(2)
    world.reload([job(health=CHECK.changed(failures=2, interval_s=2, ttl_s=9), service=SERVICE)])
    assert health_of(world, 3)[-1] == "unhealthy", "the second failure in a row, one of each side of the reload"


def test_a_check_that_is_added_leaves_the_service_alone_until_it_says_something() -> None:
    how = {"app": FOREVER, "check.app.a": results(0), "check.app.b": results(1)}
    world = World([job(health=A, service=SERVICE)], how).run(1.5)
    world.reload([job(health=(B.changed(interval_s=3, ttl_s=9), A), service=SERVICE)])
    assert health_of(world, 4) == ["healthy", "healthy", "healthy", "unhealthy"]
    assert [status for _, _, status in world.catalog][:3] == ["passing"] * 3


def test_what_a_check_says_that_a_reload_has_killed_does_not_count() -> None:
    how = {"app": FOREVER, "check.app": Behaviour(((0.1, 0), (None, 0), (0.1, 0)))}
    world = World([job(health=CHECK.changed(timeout_s=None))], how).run(2.5)
    world.reload([job(health=CHECK.changed(timeout_s=None, ttl_s=9))])
    world.run(0.5)
    assert world.actor("app").killed == [0]
    assert "event unhealthy app" not in world.events("app")
    assert health_of(world, 2) == ["healthy", "healthy"]


def test_the_timeout_of_a_check_that_a_reload_has_killed_is_not_that_of_its_successor() -> None:
    how = {"app": FOREVER, "check.app": Behaviour(((None, 0),))}
    world = World([job(health=CHECK.changed(timeout_s=4.0))], how).run(1.5)
    world.reload([job(health=CHECK.changed(timeout_s=None))])
    assert world.run(20).actor("app").killed == [0]
    assert len(world.starts("check.app")) == 2


def test_a_job_whose_health_nothing_asks_for_any_more_is_not_unhealthy() -> None:
    world = one(CHECK, 1).run(1)
    assert world.actor("app").state.health == "unhealthy"
    world.reload([job(health=Check(interval_s=1, ttl_s=5), service=SERVICE)])
    assert health_of(world, 1) == ["unknown"]
    assert world.catalog[-1][2] == "passing"


# ---------------------------------------------------------------------------------------------- levels and restarts
def test_a_check_may_restart_the_job() -> None:
    checked = CHECK.changed(failures=2, on_unhealthy="restart")
    how = {"app": FOREVER, "check.app": results(0, 1, 1, 0)}
    app = job(health=checked, restarts=3, stop_timeout_s=5.0)
    world = World([app, job("alarm", when=when("each", "exitFailed", "app"))], how).run(10)
    assert world.starts("app") == [0, pytest.approx(3.1)]
    assert len(world.starts("alarm")) == 1, "it counts as a failed run, though the program ends well when it is told to"
    assert world.actor("app").state.process.restarts == 1
    assert world.actor("app").state.health == "healthy"


def test_a_job_that_hangs_in_its_end_is_killed_after_its_stop_timeout() -> None:
    how = {"app": Behaviour(((None, 0),), term_s=None), "check.app": results(1)}
    world = World([job(health=CHECK.changed(on_unhealthy="restart"), restarts=1, stop_timeout_s=5.0)], how).run(6.2)
    assert world.starts("app") == [0, pytest.approx(6.1)]


def test_only_checks_that_ask_whether_it_is_ready_decide_what_the_catalog_is_told() -> None:
    world = two(results(0, 1, 1), results(0, 0, 1), checks=(A.changed(level="alive"), B))
    assert health_of(world, 3) == ["healthy", "unhealthy", "unhealthy"]
    assert {status for at, _, status in world.catalog if at < 3} == {"passing"}
    assert world.catalog[-1][2] == "critical"


def test_a_job_whose_checks_only_ask_whether_it_lives_is_in_the_catalog_as_long_as_it_runs() -> None:
    world = one(CHECK.changed(level="alive"), 0, 1).run(3)
    assert {status for _, _, status in world.catalog} == {"passing"}
    assert world.actor("app").state.health == "unhealthy"
