"""A `when` of several events: each of them, one of them, and one within the other."""

from pathlib import Path

import pytest
from building import job
from judging import job as job_of
from judging import judged
from simulation import Behaviour, World

from corepilot.model.trigger import AllOf, AnyOf, OnEvent, OnSignal, Trigger, When, described

A, B, C = (OnEvent("changed", f"watch.{name}") for name in "abc")
FOREVER = Behaviour(runs=((None, 0),))


def world_of(trigger: Trigger, *, each: bool, lasts: float | None = 0.5) -> World:
    world = World([job("app", when=When(trigger, each))], {"app": Behaviour(runs=((lasts, 0),))})
    return world.run(1)


def starts(world: World, *names: str) -> list[int]:
    """How often the job has been started after each of these events."""
    found = []
    for name in names:
        world.publish("changed", f"watch.{name}")
        found.append(len(world.run(1).starts("app")))
    return found


def test_each_of_several_has_to_come_in_any_order() -> None:
    assert starts(world_of(AllOf((A, B)), each=False), "b", "b", "a", "a", "b") == [0, 0, 1, 1, 1]


def test_each_time_all_have_come_since_the_last_start() -> None:
    assert starts(world_of(AllOf((A, B)), each=True), "a", "b", "b", "b", "a", "a", "b") == [0, 1, 1, 1, 2, 2, 3]


def test_one_of_several_starts_it_once() -> None:
    assert starts(world_of(AnyOf((A, B)), each=False), "c", "b", "a") == [0, 1, 1]


def test_one_of_several_starts_it_each_time() -> None:
    assert starts(world_of(AnyOf((A, B)), each=True), "b", "a", "c", "b") == [1, 2, 2, 3]


def test_any_within_all() -> None:
    assert starts(world_of(AllOf((A, AnyOf((B, C)))), each=True), "b", "c", "a", "a", "c") == [0, 0, 1, 1, 2]


def test_all_within_any() -> None:
    assert starts(world_of(AnyOf((A, AllOf((B, C)))), each=True), "b", "a", "c", "b") == [0, 1, 1, 2]


def test_the_job_is_told_of_the_event_that_completed_it() -> None:
    world = world_of(AllOf((A, B)), each=False)
    starts(world, "b", "a")
    assert [one.subject for one in world.actor("app").causes if one is not None] == ["watch.a"]


def test_a_job_that_a_reload_brings_hears_what_holds_of_each() -> None:
    needs = AllOf((OnEvent("exitSuccess", "one"), OnEvent("started", "two")))
    jobs = [job("one"), job("two")]
    world = World(jobs, {"two": FOREVER, "app": FOREVER}).run(5)
    world.reload([*jobs, job("app", when=When(needs))])
    assert world.starts("app") == [5.0]


def test_a_condition_of_which_a_part_cannot_come_any_more_waits_in_vain() -> None:
    needs = AllOf((OnEvent("exitFailed", "one"), A))
    world = World([job("one"), job("two"), job("app", when=When(needs))], {"two": FOREVER}).run(5)
    assert "in vain app" in world.told


def test_a_part_that_has_come_already_need_not_come_again() -> None:
    needs = AllOf((OnEvent("exitSuccess", "one"), A))
    world = World([job("one"), job("two"), job("app", when=When(needs))], {"two": FOREVER}).run(5)
    assert "in vain app" not in world.told
    assert starts(world, "a") == [1]


def test_a_job_that_is_started_by_a_failure_among_others_handles_it() -> None:
    needs = AnyOf((OnEvent("exitFailed", "one"), OnEvent("exitSuccess", "one")))
    world = World([job("one"), job("app", when=When(needs))], {"one": Behaviour(runs=((1.0, 5),))}).run(5)
    assert (world.jobs.endings.failure, world.ends) == (None, 1)


def test_no_stop_waits_for_a_job_that_is_started_by_a_stop_among_others() -> None:
    needs = AnyOf((OnEvent("stopping", "one"), A))
    world = World([job("one"), job("app", when=When(needs, each=True))], {"one": FOREVER, "app": FOREVER}).run(1)
    world.order("stop", "one")
    assert world.run(0).actor("one").state.phase == "stopped"
    assert len(world.run(1).starts("app")) == 1


def test_a_condition_in_words() -> None:
    assert described(AllOf((A, AnyOf((B, OnSignal("SIGHUP")))))) == (
        "changed of watch.a and (changed of watch.b or signal of SIGHUP)"
    )


# ----------------------------------------------------------------------------------------------------- configurations
@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('all: [{ source: "b", once: "healthy" }, { source: "c", once: "started" }]',
         When(AllOf((OnEvent("healthy", "b"), OnEvent("started", "c"))))),
        ('any: [{ source: "b", each: "healthy" }, { source: "SIGHUP" }], timeout: 5',
         When(AnyOf((OnEvent("healthy", "b"), OnSignal("SIGHUP"))), each=True, timeout_s=5)),
        ('any: [{ all: [{ source: "b", once: "healthy" }] }, { source: "c", once: "ready" }]',
         When(AnyOf((AllOf((OnEvent("healthy", "b"),)), OnEvent("ready", "c"))))),
    ],
)  # fmt: skip
def test_what_is_written(tmp_path: Path, written: str, meant: When) -> None:
    assert job_of(f'name: "a", exec: "true", when: {{ {written} }}', tmp_path).when == meant


EVENT = '{ source: "b", once: "started" }'


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("all: []", [("bad-condition", "all")]),
        ("all: [null]", [("bad-condition", "all[0]")]),
        ('all: [{ source: "b" }]', [("bad-condition", "all[0]")]),
        (f'all: [{EVENT}, {{ source: "c", each: "started" }}]', [("bad-condition", "all[1]")]),
        (f'any: [{EVENT}, {{ source: "SIGHUP" }}]', [("bad-condition", "any[1]")]),
        (f'any: [{EVENT}, {{ source: "a", once: "exitFailed" }}]', [("bad-condition", "any[1].once")]),
        (f'any: [{EVENT}], once: "startup"', [("when-conflict", "any")]),
        (f'any: [{EVENT}], source: "b"', [("when-conflict", "source")]),
        (f"any: [{{ any: [{EVENT}] }}]", [("unknown-key", "any[0].any")]),
        (f'any: [{{ once: "started", all: [{EVENT}] }}]', [("when-conflict", "any[0].all")]),
        ('any: [{ all: [{ source: "b", once: "helthy" }] }]', [("unknown-event", "any[0].all[0].once")]),
    ],
)
def test_what_is_refused(tmp_path: Path, written: str, found: list[tuple[str, str]]) -> None:
    others = '{ name: "b", exec: "true" }, { name: "c", exec: "true" }'
    text = f'{{ discovery: false, jobs: [{{ name: "a", exec: "true", when: {{ {written} }} }}, {others}] }}'
    problems = [one for one in judged(text, tmp_path).problems if one.is_error]
    assert [(one.code, one.path) for one in problems] == [(code, f"jobs[0].when.{path}") for code, path in found]


@pytest.mark.parametrize(
    ("written", "found"),
    [
        (f'all: [{EVENT}, {{ source: "x", once: "started" }}]', ("unknown-source", "all[1].source", "the job never")),
        (f'any: [{EVENT}, {{ source: "x", once: "started" }}]', ("unknown-source", "any[1].source", "this never")),
        (f'any: [{EVENT}, {{ source: "b", once: "changed" }}]', ("when-never", "any[1].once", "this never")),
        (f'all: [{EVENT}, {{ source: "b", once: "healthy" }}]', ("when-never", "all", '"b" has no check')),
    ],
)
def test_what_never_comes_is_told(tmp_path: Path, written: str, found: tuple[str, str, str]) -> None:
    text = f"""{{ discovery: false, jobs: [{{ name: "a", exec: "true", when: {{ {written} }} }},
      {{ name: "b", exec: "true" }}] }}"""
    (warning,) = judged(text, tmp_path).problems
    assert (warning.severity, warning.code, warning.path) == ("warning", found[0], f"jobs[0].when.{found[1]}")
    assert found[2] in warning.message
