"""What the log says of a job's changes of state."""

from building import CHECK, job, when

from corepilot.jobs.plan import Plan, plans
from corepilot.jobs.state import ProcessState, ReadyState, State, StopState
from corepilot.jobs.state_lines import changes
from corepilot.model.job import Job, JobKey

IDLE = State(checks=())
RUNNING = State(health="unknown", process=ProcessState("running", runs=1))


def plan(one: Job) -> Plan:
    return plans([(JobKey(one.name), one)])[0]


APP = plan(job(health=CHECK))


def said(before: State, after: State, of: Plan = APP, *, why: str = "", pid: int | None = 7) -> list[str]:
    return list(changes(of, before, after, pid=pid, why=why, delay_s=0.25))


def test_a_start_names_the_pid() -> None:
    assert said(IDLE, RUNNING) == ["started (pid 7)"]


def test_a_start_that_failed_is_no_start() -> None:
    assert said(IDLE, RUNNING, pid=None) == []


def test_each_restart_is_told_and_what_it_waits_for() -> None:
    waits = RUNNING.changed(process=ProcessState("backoff", runs=1))
    assert said(RUNNING, waits) == ["restarting in 0.25 s"]
    assert said(waits, RUNNING.changed(process=ProcessState("running", runs=2))) == ["started (pid 7)"]


def test_of_a_job_with_an_interval_the_first_start_counts() -> None:
    ticks = plan(job(when=when("interval", every_s=1)))
    second = RUNNING.changed(process=ProcessState("running", runs=2))
    assert said(IDLE, RUNNING, ticks) == ["started (pid 7)"]
    assert said(RUNNING, second, ticks) == []


def test_a_run_that_shows_it_is_told_ready_once() -> None:
    waits = RUNNING.changed(readiness=ReadyState("waiting"))
    ready = RUNNING.changed(readiness=ReadyState("ready"))
    assert said(IDLE, waits) == ["started (pid 7)"]
    assert said(waits, ready) == ["ready"]
    assert said(ready, RUNNING.changed(readiness=ReadyState("reloading"))) == []
    assert said(RUNNING.changed(readiness=ReadyState("reloading")), ready) == []
    ticks = plan(job(when=when("interval", every_s=1)))
    second = ProcessState("running", runs=2)
    assert said(waits.changed(process=second), ready.changed(process=second), ticks) == []


def test_health_is_told_when_it_changes() -> None:
    healthy, unhealthy = RUNNING.changed(health="healthy"), RUNNING.changed(health="unhealthy")
    assert said(RUNNING, healthy) == ["healthy"]
    assert said(healthy, healthy.changed(advertised="passing")) == []
    assert said(healthy, unhealthy, why="exit status 1") == ["unhealthy: exit status 1"]
    assert said(unhealthy, healthy) == ["healthy"]
    assert said(healthy, RUNNING) == []


def test_maintenance_has_a_beginning_and_an_end() -> None:
    maintained = RUNNING.changed(health="maintenance")
    assert said(RUNNING, maintained) == ["in maintenance"]
    assert said(maintained, RUNNING) == ["maintenance has ended"]


def test_an_end_is_told_with_what_it_waits_for() -> None:
    hooked = plans([(JobKey("app"), job()), (JobKey("pre"), job("pre", when=when("once", "stopping", "app")))])[0]
    assert said(RUNNING, RUNNING.changed(stop=StopState("complete", "hooked")), hooked) == [
        "stops when pre has stopped"
    ]
    after = plans([(JobKey("app"), job(stop_after=("web",))), (JobKey("web"), job("web"))])[0]
    assert said(RUNNING, RUNNING.changed(stop=StopState(None, "lingering")), after) == ["stops after web"]
    for outcome, text in (
        ("complete", ["complete"]),
        ("stopped", ["stopped by hand"]),
        ("removed", ["removed: it is configured no more"]),
        ("again", []),
    ):
        assert said(RUNNING, RUNNING.changed(stop=StopState(outcome, "done"))) == text  # type: ignore[arg-type]


def test_who_has_not_been_started_is_not_said_to_have_been_stopped() -> None:
    waits, stopped = plan(job(autostart=False)), StopState("stopped", "done")
    assert said(IDLE, IDLE.changed(stop=stopped), waits) == ["waits to be started by hand"]
    assert said(RUNNING, RUNNING.changed(stop=stopped), waits) == ["stopped by hand"]
    assert said(IDLE, IDLE.changed(stop=stopped)) == ["stopped by hand"]


def test_a_lock_that_is_waited_for_is_named() -> None:
    locked = plan(job(lock="leader"))
    assert said(IDLE, IDLE.changed(process=ProcessState("standby")), locked) == ["waiting for the lock leader"]


def test_a_drain_whose_time_a_reload_has_taken_away_is_told_as_well() -> None:
    draining = RUNNING.changed(stop=StopState(outcome="stopped", stage="draining"))
    gone = draining.changed(stop=draining.stop.changed(left=True))
    assert said(draining, gone) == ["out of the catalog; goes on for 0 s"]
