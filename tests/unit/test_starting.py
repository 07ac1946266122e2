"""What a configuration proves about which jobs can ever start, and what `check` says of it."""

from pathlib import Path

import pytest
from judging import accepted, judged, warnings

from corepilot.config.starting import NAMED_MAX, never_starting
from corepilot.model.command import Command
from corepilot.model.job import Check, Job
from corepilot.model.trigger import AllOf, AnyOf, OnEvent, Trigger, When

RUN = 'exec: "true"'
CHECKED = 'health: { exec: "true", interval: 1, ttl: 5 }'


def after(name: str, code: str = "exitSuccess", kind: str = "once") -> str:
    return f'when: {{ source: "{name}", {kind}: "{code}" }}'


@pytest.mark.parametrize(
    ("jobs", "said"),
    [
        # Nobody publishes it.
        (f'{{name: "a", {RUN}, {after("b", "healthy")}}}, {{name: "b", {RUN}}}',
         [("when-never", "jobs[0].when.once", '"b" has no check, so healthy never comes from it')]),
        (f'{{name: "a", {RUN}, {after("b", "unhealthy", "each")}}}, {{name: "b", health: {{interval: 1, ttl: 5}}}}',
         [("when-never", "jobs[0].when.each", '"b" has no check, so unhealthy never comes from it')]),
        (f'{{name: "a", {RUN}, {after("b", "exitFailed")}}}, {{name: "b", {CHECKED}}}',
         [("when-never", "jobs[0].when.once", '"b" has no exec, so exitFailed never comes from it')]),
        (f'{{name: "a", {RUN}, {after("b", "timerExpired")}}}, {{name: "b", {RUN}}}',
         [("when-never", "jobs[0].when.once", '"b" has no timeout in its when')]),
        # Only the job itself would.
        (f'{{name: "a", {RUN}, {CHECKED}, {after("a", "healthy")}}}',
         [("when-never", "jobs[0].when.once", "it waits for its own healthy, so it never starts")]),
        (f'{{name: "a", {RUN}, {after("a", "stopping")}}}',
         [("when-never", "jobs[0].when.once", "it waits for its own stopping")]),
        (f'{{name: "a", {RUN}, {CHECKED}, {after("check.a")}}}',
         [("when-never", "jobs[0].when.once", "it waits for its own exitSuccess")]),
        # Circles.
        (f'{{name: "a", {RUN}, {after("b")}}}, {{name: "b", {RUN}, {after("a")}}}',
         [("when-circle", "jobs[0].when.once", '"a" waits for "b", "b" waits for "a", so none of them ever starts'),
          ("when-circle", "jobs[1].when.once", '"b" waits for "a", "a" waits for "b", so none of them ever starts')]),
        (f'{{name: "a", {RUN}, {after("b", "stopped")}}}, {{name: "b", {RUN}, {after("a", "stopping")}}}',
         [("when-circle", "jobs[0].when.once", ""), ("when-circle", "jobs[1].when.once", "")]),
        (f'{{name: "x", {RUN}, {after("a")}}}, {{name: "a", {RUN}, {after("b")}}}, {{name: "b", {RUN}, {after("a")}}}',
         [("when-circle", "jobs[0].when.once", '"x" waits for "a", "a" waits for "b", "b" waits for "a"'),
          ("when-circle", "jobs[1].when.once", ""), ("when-circle", "jobs[2].when.once", "")]),
        # Whoever waits for one that never starts.
        (f'{{name: "a", {RUN}, {after("b")}}}, {{name: "b", {RUN}, {after("c")}}}, {{name: "c"}}',
         [("when-never", "jobs[0].when.once", '"a" waits for "b", and "b" never starts'),
          ("when-never", "jobs[1].when.once", '"c" has no exec')]),
        (f'{{name: "a", {RUN}, {after("b")}}}, {{name: "b", {RUN}, {after("typo")}}}',
         [("when-never", "jobs[0].when.once", '"a" waits for "b", and "b" never starts'),
          ("unknown-source", "jobs[1].when.source", "")]),
    ],
)  # fmt: skip
def test_what_can_never_come_is_said_once_for_each_job(
    tmp_path: Path, jobs: str, said: list[tuple[str, str, str]]
) -> None:
    result = judged(f"{{ consul: false, jobs: [ {jobs} ] }}", tmp_path)
    assert warnings(result) == [(code, path) for code, path, _ in said]
    for problem, (_, _, text) in zip(result.problems, said, strict=True):
        assert text in problem.message
    assert result.config is not None


@pytest.mark.parametrize(
    "jobs",
    [
        # A program may end as it likes, though this one will not: what programs do is not known here.
        f'{{name: "a", exec: "false"}}, {{name: "b", {RUN}, {after("a")}}}',
        f'{{name: "a", {RUN}, restarts: "unlimited"}}, {{name: "b", {RUN}, {after("a", "exitFailed", "each")}}}',
        f'{{name: "a", {RUN}, {CHECKED}}}, {{name: "b", {RUN}, {after("a", "healthy")}}}',
        f'{{name: "a", {CHECKED}}}, {{name: "b", {RUN}, {after("check.a", "exitFailed")}}}',
        f"""{{name: "a", {RUN}}}, {{name: "b", {RUN}, {after("a", "stopping")}}},
             {{name: "c", {RUN}, {after("b", "stopped")}}}""",
        f"""{{name: "a", {RUN}, when: {{source: "c", once: "exitFailed", timeout: "1s"}}}},
             {{name: "b", {RUN}, {after("a", "timerExpired")}}}, {{name: "c", {RUN}}}""",
        f'{{name: "a", {RUN}, when: {{interval: "1s"}}}}, {{name: "b", {RUN}, {after("a", "exitSuccess", "each")}}}',
        f'{{name: "a", {RUN}, when: {{source: "SIGHUP"}}}}, {{name: "b", {RUN}, {after("a")}}}',
        f'{{name: "a", {RUN}, {after("global", "enterMaintenance")}}}, {{name: "b", {RUN}, {after("a")}}}',
        f'{{name: "a", {RUN}, when: {{source: "any text", once: "error"}}}}, {{name: "b", {RUN}, {after("a")}}}',
    ],
)
def test_what_may_come_is_not_warned_of(tmp_path: Path, jobs: str) -> None:
    assert warnings(judged(f"{{ consul: false, jobs: [ {jobs} ] }}", tmp_path)) == []


def test_telemetry_has_a_job_that_never_ends_and_that_nothing_checks(tmp_path: Path) -> None:
    text = f'{{ jobs: [ {{ name: "a", {RUN}, {after("containerpilot", "healthy")} }} ], telemetry: {{ port: 0 }} }}'
    assert ("when-never", "jobs[0].when.once") in warnings(judged(text, tmp_path))
    text = text.replace("healthy", "stopping")
    assert ("when-never", "jobs[0].when.once") not in warnings(judged(text, tmp_path))


def test_a_job_that_is_refused_is_no_reason_for_a_warning(tmp_path: Path) -> None:
    text = f'{{ consul: false, jobs: [ {{ name: "a", exec: 5 }}, {{ name: "b", {RUN}, {after("a")} }} ] }}'
    assert warnings(judged(text, tmp_path)) == []


def _waiting(name: str, trigger: Trigger) -> Job:
    return Job(name, Command(("true",)), When(trigger))


def test_of_several_triggers_one_is_enough_and_of_all_none_may_lack() -> None:
    comes, lacks = OnEvent("exitSuccess", "first"), OnEvent("exitSuccess", "nobody")
    first = Job("first", Command(("true",)))
    assert not never_starting([first, _waiting("any", AnyOf((lacks, comes)))])
    found = never_starting([first, _waiting("all", AllOf((comes, lacks)))])
    assert found[1].key == ("exitSuccess", "nobody")
    assert found[1].chain == (1,)


def test_of_a_long_chain_only_the_beginning_is_told() -> None:
    jobs = [_waiting(f"j{number}", OnEvent("exitSuccess", f"j{number + 1}")) for number in range(2000)]
    found = never_starting(jobs)
    assert set(found) == set(range(2000))
    assert found[0].chain == tuple(range(NAMED_MAX))
    assert not found[0].circle
    assert not never_starting([*jobs, Job("j2000", Command(("true",)))])


def test_jobs_of_one_name_hear_each_others_health_but_not_exits() -> None:
    check = (Check(1, 5, Command(("true",))),)
    twin = Job("a", Command(("true",)), checks=check)
    assert not never_starting([twin, _waiting("a", OnEvent("healthy", "a"))])
    assert set(never_starting([twin, _waiting("a", OnEvent("exitSuccess", "a"))])) == {1}


def test_the_example_of_two_jobs_runs_one_of_them(tmp_path: Path) -> None:
    """No program's status is known, so this is left to the run."""
    text = (
        f'{{ consul: false, jobs: [ {{name: "migrate", exec: "false"}}, {{name: "app", {RUN}, {after("migrate")}}} ] }}'
    )
    assert accepted(text, tmp_path).warnings == ()
