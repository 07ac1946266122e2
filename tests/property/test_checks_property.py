"""Whatever checks a job has, and whatever they say: its health follows from their results, and the catalog is told."""

from operator import attrgetter

from building import CHECK, SERVICE, job
from hypothesis import given, settings
from hypothesis import strategies as st
from simulation import Behaviour, World

from corepilot.model.job import UNLIMITED, Check

FOREVER = Behaviour(runs=((None, 0),))
checks = st.builds(
    CHECK.changed,
    name=st.sampled_from(["a", "b", "c"]),
    interval_s=st.sampled_from([1, 2, 5]),
    failures=st.integers(1, 3),
    successes=st.integers(1, 3),
    start_period_s=st.sampled_from([0.0, 3.5]),
    timeout_s=st.none() | st.just(1.0),
)
several = st.lists(checks, min_size=1, max_size=3, unique_by=attrgetter("name")).map(tuple)
statuses = st.lists(st.sampled_from([0, 0, 1]), min_size=1, max_size=12)
lasting = st.sampled_from([0.0, 0.25, 1.5, None])


def behaviour(results: list[int], lasts_s: float | None) -> Behaviour:
    return Behaviour(tuple([(lasts_s, status) for status in results]), rest_s=0.0)


hows = st.lists(st.builds(behaviour, statuses, lasting), min_size=3, max_size=3)


def expected(check: Check, results: list[int]) -> bool | None:
    """What a row of results means, counted without a machine; the start period is over."""
    said: bool | None = None
    row = 0
    last = None
    for status in results:
        row = row + 1 if status == last else 1
        last = status
        if row >= (check.failures if status else check.successes):
            said = not status
    return said


@settings(max_examples=150, deadline=None)
@given(checks, statuses)
def test_the_health_is_that_of_the_last_row_that_is_long_enough(check: Check, results: list[int]) -> None:
    check = check.changed(start_period_s=0.0, interval_s=1, timeout_s=None)
    how = {"app": FOREVER, f"check.app.{check.name}": behaviour(results, 0.0)}
    world = World([job(health=check, service=SERVICE)], how).run(len(results) + 0.5)
    said = expected(check, results)
    words = {None: "unknown", True: "healthy", False: "unhealthy"}
    assert world.actor("app").state.health == words[said]
    told = world.catalog[-1][2] if world.catalog else None
    assert told == {"healthy": "passing", "unhealthy": "critical" if told else None, "unknown": None}[words[said]]


@settings(max_examples=150, deadline=None)
@given(several, several, hows, st.sampled_from([0.5, 3.0, 7.0]), st.booleans())
def test_a_reload_of_checks_touches_no_run_and_leaves_no_process(
    old: tuple[Check, ...],
    new: tuple[Check, ...],
    how: list[Behaviour],
    wait_s: float,
    restarted: bool,  # noqa: FBT001
) -> None:
    behaviours = {f"check.app.{name}": one for name, one in zip("abc", how, strict=True)}
    app = Behaviour(((4.2, 1),)) if restarted else FOREVER
    world = World([job(health=old, service=SERVICE, restarts=UNLIMITED)], {"app": app, **behaviours}).run(wait_s)
    starts = len(world.starts("app"))
    world.reload([job(health=new, service=SERVICE, restarts=UNLIMITED)])
    assert len(world.starts("app")) == starts
    actor = world.run(2.0).actor("app")
    assert len(actor.state.checks) == len(new)
    assert actor.state.health != "idle"
    world.reload([job(service=SERVICE, restarts=UNLIMITED)])
    world.run(2.0)
    assert world.actor("app").state.checks == ()
    assert not {role for role in world.actor("app").running if role >= 0}
    world.publish("shutdown")
    assert world.run(60).over
