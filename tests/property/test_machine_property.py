"""Whatever jobs there are and whatever happens: one process a job, and a stop always ends."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from simulation import Behaviour, World

from corepilot.config.model import UNLIMITED, CheckConfig, JobConfig, ServiceConfig, When
from corepilot.discovery.model import Registration
from corepilot.jobs.machine import BACKOFF_MAX_S, restart_delay

NAMES = ("one", "two", "three")
CODES = ("exitSuccess", "exitFailed", "stopping", "stopped", "healthy", "unhealthy", "timerExpired")
GLOBAL_CODES = ("startup", "enterMaintenance", "exitMaintenance", "shutdown")
seconds = st.sampled_from([0.0, 0.1, 0.7, 2.0, 11.0])

whens = st.one_of(
    st.builds(
        When,
        kind=st.sampled_from(["once", "each"]),
        code=st.sampled_from(CODES),
        source=st.sampled_from([*NAMES, "nobody"]),
        timeout_s=st.none() | st.just(1.5),
    ),
    st.builds(
        When, kind=st.sampled_from(["once", "each"]), code=st.sampled_from(GLOBAL_CODES), source=st.just("global")
    ),
    st.builds(When, kind=st.just("interval"), interval_s=st.sampled_from([0.05, 1.0])),
    st.just(When("signal", source="SIGHUP")),
    st.just(When("never")),
)
jobs = st.builds(
    JobConfig,
    name=st.sampled_from(NAMES),
    exec=st.none() | st.just(("program",)),
    when=whens,
    restarts=st.sampled_from([0, 2, UNLIMITED]),
    timeout_s=st.none() | st.just(1.0),
    stop_timeout_s=st.none() | st.just(0.5),
    health=st.none() | st.just(CheckConfig(1, 3, ("check",), 0.5)) | st.just(CheckConfig(1, 3)),
    stop_after=st.lists(st.sampled_from([*NAMES, "nobody"]), max_size=2).map(tuple),
    service=st.none() | st.just(ServiceConfig(Registration("a-b", "a", "127.0.0.1", 1), "passing")),
)
behaviours = st.builds(
    Behaviour,
    runs=st.lists(st.tuples(st.none() | seconds, st.sampled_from([0, 1])), min_size=1, max_size=3).map(tuple),
    term_s=st.none() | seconds,
    rest_s=st.none() | seconds,
)
happenings = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), seconds),
        st.tuples(st.sampled_from(["enterMaintenance", "exitMaintenance"]), st.just("global")),
        st.tuples(st.just("signal"), st.just("SIGHUP")),
        st.tuples(st.sampled_from(CODES), st.sampled_from(NAMES)),
    ),
    max_size=12,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(jobs, min_size=1, max_size=4), st.lists(behaviours, min_size=6, max_size=6), happenings, st.booleans())
def test_a_stop_always_ends_and_no_job_has_two_processes(
    config: list[JobConfig],
    how: list[Behaviour],
    events: list[tuple[str, Any]],
    hurry: bool,  # noqa: FBT001
) -> None:
    names = [*NAMES, *(f"check.{name}" for name in NAMES)]
    world = World(config, dict(zip(names, how, strict=True)))  # asserts on every step
    for what, detail in events:
        if what == "wait":
            world.run(detail)
        else:
            world.publish(what, detail)
    world.publish("shutdown")
    if hurry:
        world.hurry()
        world.run(0.01)
    else:
        # Each job in a chain of hooks may take its hook's time, its own stop deadline, and its hook's end.
        world.run(len(config) * 2 * (30 + 5 + 11) + 60)
    assert world.over, [(one.plan.job, one.state) for one in world.jobs]


@given(st.integers(0, 10**6), st.booleans(), st.floats(0, 100))
def test_restart_delays_are_bounded(quick: int, succeeded: bool, ran_s: float) -> None:  # noqa: FBT001
    assert 0 <= restart_delay(quick, succeeded=succeeded, ran_s=ran_s) <= BACKOFF_MAX_S
