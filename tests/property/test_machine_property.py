"""Whatever jobs there are and whatever happens: one process a job, a stop ends, and a reload leads where it says."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from building import CHECK, job, when
from hypothesis import given, settings
from hypothesis import strategies as st
from simulation import Behaviour, Simulated, World

from corepilot.jobs.process import BACKOFF_MAX_S, restart_delay
from corepilot.model.command import Command
from corepilot.model.event import EXITS, GLOBAL
from corepilot.model.job import UNLIMITED, Check, Job, Ready, RestartPolicy
from corepilot.model.service import Registration, Service
from corepilot.model.trigger import AllOf, AnyOf, OnEvent, OnSignal, When

NAMES = ("one", "two", "three")
CODES = ("exitSuccess", "exitFailed", "stopping", "stopped", "healthy", "unhealthy", "timerExpired", "started", "ready")
CONDITIONS = ("started", "ready", "healthy", "completed", "ended")
GLOBAL_CODES = ("startup", "enterMaintenance", "exitMaintenance", "shutdown")
seconds = st.sampled_from([0.0, 0.1, 0.7, 2.0, 11.0])

events_of_jobs = st.builds(OnEvent, st.sampled_from(CODES), st.sampled_from(NAMES))
several = st.lists(events_of_jobs | st.just(OnSignal("SIGHUP")), min_size=1, max_size=2).map(tuple)
conditions = st.one_of(
    st.builds(AllOf, several),
    st.builds(AnyOf, several),
    st.builds(lambda one, more: AllOf((one, AnyOf(more))), events_of_jobs, several),
    st.builds(lambda one, more: AnyOf((one, AllOf(more))), events_of_jobs, several),
)
whens = st.one_of(
    st.just(when("once", "startup")),
    st.builds(
        when,
        st.sampled_from(["once", "each"]),
        st.sampled_from(CODES),
        st.sampled_from([*NAMES, "nobody"]),
        timeout_s=st.none() | st.just(1.5),
    ),
    st.builds(when, st.just("each"), st.sampled_from(CODES), st.sampled_from(NAMES), throttle_s=st.just(1.0)),
    st.builds(when, st.sampled_from(["once", "each"]), st.sampled_from(GLOBAL_CODES), st.just(GLOBAL)),
    st.builds(When, conditions, st.booleans(), st.none() | st.just(1.5)),
    st.builds(when, st.just("interval"), every_s=st.sampled_from([0.4, 1.0])),
    st.just(when("signal", source="SIGHUP")),
    st.just(when("never")),
)
policies = st.builds(
    RestartPolicy,
    st.sampled_from([0, 1, 3, UNLIMITED]),
    st.sampled_from(["always", "failure", "success", "never"]),
    st.none() | st.just(5.0),
    st.none() | st.just(0.5),
    st.none() | st.just(2.0),
)
services = st.builds(
    Service,
    st.builds(
        Registration, st.sampled_from(["a-1", "a-2"]), st.just("a"), st.just("127.0.0.1"), st.sampled_from([1, 2])
    ),
    st.none() | st.just("passing"),
)
jobs = st.builds(
    job,
    st.sampled_from(NAMES),
    exec=st.none() | st.sampled_from([("program",), ("other",)]),
    when=whens,
    restarts=st.sampled_from([0, 2, UNLIMITED]) | policies,
    success_statuses=st.sampled_from([(0,), (0, 1), (1,)]),
    needs=st.dictionaries(st.sampled_from([*NAMES, "nobody"]), st.sampled_from(CONDITIONS), max_size=2),
    drain_s=st.none() | st.just(1.0),
    binds_to=st.lists(st.sampled_from(NAMES), max_size=1).map(tuple),
    timeout_s=st.none() | st.just(1.0),
    hook_timeout_s=st.none() | st.just(0.5),
    health=st.sampled_from([None, CHECK, CHECK.changed(timeout_s=None), CHECK.changed(timeout_s=0.3), Check(1, 3)]),
    ready=st.sampled_from([None, None, Ready(notify=True), Ready(after_s=1.0)]),
    ready_timeout_s=st.none() | st.just(2.0),
    stop_after=st.lists(st.sampled_from([*NAMES, "nobody"]), max_size=2).map(tuple),
    service=st.none() | services,
    autostart=st.sampled_from([True, True, False]),
    reload_on=st.sampled_from([(), ("b",)]),
    reload_signal=st.sampled_from([0, 1]),
    replicas=st.sampled_from([0, 0, 1, 3]),
)
behaviours = st.builds(
    Behaviour,
    runs=st.lists(st.tuples(st.none() | seconds, st.sampled_from([0, 1])), min_size=1, max_size=3).map(tuple),
    term_s=st.none() | seconds,
    rest_s=st.none() | seconds,
    strays_s=st.none() | seconds,
    shortages=st.sampled_from([0, 0, 0, 1, 2]),
)


def usable(config: list[Job]) -> list[Job]:
    """As the rules have it: a hook has no replicas, nor has a job that shares its name."""
    names = [one.name for one in config]
    return [one.changed(replicas=0) if one.hook or names.count(one.name) > 1 else one for one in config]


configs = st.lists(jobs, min_size=1, max_size=4).map(usable)

# What people change: one job goes, or one setting of it is another one. Two configurations that are drawn apart hardly
# ever have a job in common that differs in one setting only, or jobs of one name of which one stays.
places = st.integers(0, 3)
edits = st.lists(
    st.one_of(
        st.tuples(st.just("drop"), places, st.none()),
        st.tuples(st.just("restarts"), places, policies),
        st.tuples(st.just("success_statuses"), places, st.sampled_from([(0,), (0, 1), (1,)])),
        st.tuples(st.just("timeout_s"), places, st.none() | st.just(1.0)),
        st.tuples(st.just("when"), places, whens),
        st.tuples(st.just("autostart"), places, st.booleans()),
    ),
    min_size=1,
    max_size=2,
)


def edited(config: Sequence[Job], changes: Sequence[tuple[str, int, Any]]) -> list[Job]:
    """A configuration after some changes; at least one job is left."""
    new = [*config]
    for setting, place, value in changes:
        index = place % len(new)
        if setting != "drop":
            new[index] = new[index].changed(**{setting: value})
        elif len(new) > 1:
            del new[index]
    return usable(new)


def present(world: World) -> list[Job]:
    """What is configured, replicas as one."""
    return [job for key, job in world.config if key.replica <= 1]


happenings = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), seconds),
        st.tuples(st.sampled_from(["enterMaintenance", "exitMaintenance"]), st.just(GLOBAL)),
        st.tuples(st.just("signal"), st.just("SIGHUP")),
        st.tuples(st.sampled_from(CODES), st.sampled_from(NAMES)),
        st.tuples(st.sampled_from(["order start", "order stop", "order restart"]), st.sampled_from(NAMES)),
        st.tuples(st.sampled_from(["reload", "reload all"]), configs),
        st.tuples(st.just("edit"), edits),
    ),
    max_size=12,
)
HOW = [*NAMES, *(f"check.{name}" for name in NAMES)]


def happen(world: World, what: str, detail: Any) -> None:
    if what == "wait":
        world.run(detail)
    elif what.startswith("order "):
        world.order(what.removeprefix("order "), detail)
    elif what == "edit":
        world.run(settling_s(world)).reload(edited(present(world), detail))
    elif what.startswith("reload"):
        world.run(settling_s(world)).reload(detail, restart_all=what == "reload all")
    else:
        world.publish(what, detail)


def settling_s(world: World) -> float:
    """What a reload may take: in a chain of hooks each job its hook, its stop, and its hook's end."""
    return 0.0 if world.jobs.settled else len(world.actors) * 2 * (30 + 5 + 11) + 60


@settings(max_examples=150, deadline=None)
@given(configs, st.lists(behaviours, min_size=6, max_size=6), happenings, st.booleans())
def test_a_stop_always_ends_and_no_job_has_two_processes(
    config: list[Job],
    how: list[Behaviour],
    events: list[tuple[str, Any]],
    kill_now: bool,  # noqa: FBT001
) -> None:
    world = World(config, dict(zip(HOW, how, strict=True)))  # asserts on every step
    for what, detail in events:
        happen(world, what, detail)
    world.publish("shutdown")
    if kill_now:
        world.kill_now()
        world.run(0.01)
    else:
        world.run((len(world.actors) + 4) * 2 * (30 + 5 + 11) + 60)
    assert world.over, [(one.plan.job, one.state) for one in world.actors]
    assert world.exits_told() == world.exits + sum(what in EXITS for what, _ in events)


@settings(max_examples=150, deadline=None)
@given(configs, configs | edits, st.lists(behaviours, min_size=6, max_size=6), happenings, st.booleans())
def test_a_reload_always_settles_and_unchanged_jobs_keep_their_processes(
    old: list[Job],
    change: list[Any],
    how: list[Behaviour],
    events: list[tuple[str, Any]],
    mixed: bool,  # noqa: FBT001
) -> None:
    world = World(old, dict(zip(HOW, how, strict=True)))
    for what, detail in events:
        happen(world, what, detail)
    world.run(settling_s(world))
    new = change if isinstance(change[0], Job) else edited(present(world), change)
    new = usable([*new, *[one for key, one in world.config[:2] if not key.replica]]) if mixed else new
    unchanged = {
        one.key: (one, one.plan.job, list(one.started_at), one.state)
        for one in world.actors
        if isinstance(one, Simulated) and one.plan.job in new
    }
    world.reload(new)
    for actor, as_it_was, starts, state in unchanged.values():
        # One of several jobs of a name may make room for another one that is new.
        if any(actor is one for one in world.actors) and actor.plan.job == as_it_was:
            assert actor.started_at[: len(starts)] == starts
            if state.process.stage == "running":
                assert actor.state.process.runs >= state.process.runs
    world.run((len(old) + len(new)) * 2 * (30 + 5 + 11) + 60)
    assert world.jobs.settled, [(one.plan.job, one.state) for one in world.actors]
    for one, (key, config) in zip(world.actors, world.config, strict=True):
        assert (one.key, one.plan.job) == (key, config)


def alone(name: str, *, exec_: tuple[str, ...], when_: Any, restarts: int, port: int | None, checked: bool) -> Job:
    service = Service(Registration(f"{name}-1", name, "127.0.0.1", port)) if port else None
    health = CHECK if checked else None
    return job(name, exec=exec_, when=when_, restarts=restarts, service=service, health=health)


# States that hold, and no edges that are over: what a new job is told is what it would have seen from the start.
lasting_whens = st.one_of(
    st.just(when("once", "startup")),
    st.builds(
        when,
        st.sampled_from(["once", "each"]),
        st.sampled_from(["exitSuccess", "exitFailed", "stopped"]),
        st.sampled_from([*NAMES, "nobody"]),
    ),
    st.just(when("interval", every_s=1.0)),
    st.just(when("signal", source="SIGHUP")),
    st.just(when("never")),
)


def named(name: str) -> st.SearchStrategy[Job | None]:
    return st.none() | st.builds(
        alone,
        st.just(name),
        exec_=st.sampled_from([("program",), ("other",)]),
        when_=lasting_whens,
        restarts=st.sampled_from([0, 2, UNLIMITED]),
        port=st.none() | st.sampled_from([1, 2]),
        checked=st.booleans(),
    )


lasting = st.tuples(*map(named, NAMES)).map(lambda found: [one for one in found if one is not None])
lasting_edits = st.lists(
    st.tuples(st.just("drop"), places, st.none())
    | st.tuples(st.just("restarts"), places, st.sampled_from([0, 2, UNLIMITED]).map(RestartPolicy))
    | st.tuples(st.just("command"), places, st.just(Command(("other",)))),
    min_size=1,
    max_size=2,
)
steady = st.builds(
    Behaviour,
    runs=st.tuples(st.none() | seconds, st.sampled_from([0, 1])).map(lambda run: (run,)),
    term_s=st.sampled_from([0.0, 0.7]),
    rest_s=st.sampled_from([0.0, 0.1]),
)


def outcome(world: World) -> dict[str, object]:
    """Where a world ends: which jobs are over, which wait, which live, and what is in the catalog."""
    live = {"running", "waiting", "backoff", "terminating"}
    jobs = {str(one.key): "live" if one.state.phase in live else one.state.phase for one in world.actors}
    catalog = {one: held for one, held in world.registered.items() if held is not None}
    return {**jobs, **{f"catalog {one}": (held, world.statuses[one]) for one, held in catalog.items()}}


def moved_by_history(old: list[Job], new: list[Job]) -> set[str]:
    """Jobs that go on and are started by others, whose stops at the reload they hear; and those that wait for them."""
    before = {one.name: one for one in old}
    sources = {one.name: str(getattr(one.when.trigger, "source", "")) for one in new}
    moved = {
        one.name
        for one in new
        if one.name in before and one.when == before[one.name].when and sources[one.name] in NAMES
    }
    for _ in NAMES:
        moved |= {name for name, source in sources.items() if source in moved}
    return moved


@settings(max_examples=150, deadline=None)
@given(
    lasting,
    lasting | lasting_edits,
    st.lists(steady, min_size=6, max_size=6),
    st.lists(seconds, max_size=3),
    st.booleans(),
)
def test_a_reload_leads_to_the_state_of_the_new_configuration(
    old: list[Job],
    change: list[Any],
    how: list[Behaviour],
    waits: list[float],
    restart_all: bool,  # noqa: FBT001
) -> None:
    behaviours_ = dict(zip(HOW, how, strict=True))
    world = World(old, {name: replace(one, count=0) for name, one in behaviours_.items()})
    for one in waits:
        world.run(one)
    new = change if not change or isinstance(change[0], Job) else edited(old, change) if old else []
    world.reload(new, restart_all=restart_all)
    reached, expected = outcome(world.run(300)), outcome(World(new, behaviours_).run(300))
    for name in moved_by_history(old, new):
        for found in (reached, expected):
            found.pop(name, None)
            found.pop(f"catalog {name}-1", None)
    assert reached == expected


@given(st.integers(0, 10**6), st.booleans(), st.floats(0, 100))
def test_restart_delays_are_bounded(quick: int, succeeded: bool, ran_s: float) -> None:  # noqa: FBT001
    assert 0 <= restart_delay(quick, succeeded=succeeded, ran_s=ran_s) <= BACKOFF_MAX_S
