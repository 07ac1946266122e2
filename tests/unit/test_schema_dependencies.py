"""The settings dependsOn, restarts and successStatuses: what they mean, and what is refused, with its place."""

from pathlib import Path

import pytest
from judging import HEALTH, accepted, job, judged

from corepilot.model.job import UNLIMITED, Dependency, RestartPolicy

CHECKED = 'health: { exec: "true", interval: 1, ttl: 5 }'


def problems(jobs: str, directory: Path) -> list[tuple[str, str]]:
    """Code and path of each error."""
    found = judged(f"{{ discovery: false, jobs: [{jobs}] }}", directory).problems
    return [(one.code, one.path) for one in found if one.is_error]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('["db", "web"]', (Dependency("db"), Dependency("web"))),
        ('"db"', (Dependency("db"),)),
        ('{ db: "healthy", web: "completed" }', (Dependency("db", "healthy"), Dependency("web", "completed"))),
        ('["db", "db"]', (Dependency("db"),)),
        ("null", ()),
        ("[]", ()),
        ("{}", ()),
    ],
)
def test_dependencies(tmp_path: Path, written: str, meant: tuple[Dependency, ...]) -> None:
    others = f'{{ name: "db", exec: "true", {CHECKED} }}, {{ name: "web", exec: "true" }}'
    text = f'{{ discovery: false, jobs: [{{ name: "a", exec: "true", dependsOn: {written} }}, {others}] }}'
    assert accepted(text, tmp_path).jobs[0].depends_on == meant


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("5", [("wrong-type", "jobs[0].dependsOn")]),
        (
            '{ db: "helthy", web: 3 }',
            [("wrong-value", "jobs[0].dependsOn.db"), ("wrong-value", "jobs[0].dependsOn.web")],
        ),
        ('["db", 5, ""]', [("wrong-type", "jobs[0].dependsOn[1]"), ("wrong-type", "jobs[0].dependsOn[2]")]),
        ('["bd", 5]', [("unknown-job", "jobs[0].dependsOn[0]"), ("wrong-type", "jobs[0].dependsOn[1]")]),
        ('{ db: "started", wbe: "started" }', [("unknown-job", "jobs[0].dependsOn.wbe")]),
        ('{ a: "started" }', [("depends-circle", "jobs[0].dependsOn.a")]),
        ('{ web: "healthy" }', [("depends-never", "jobs[0].dependsOn.web")]),
        ('{ db: "completed" }', [("depends-never", "jobs[0].dependsOn.db")]),
        ('{ service: "completed" }', [("depends-never", "jobs[0].dependsOn.service")]),
        ('{ again: "completed" }', [("depends-never", "jobs[0].dependsOn.again")]),
        ('{ again: "ended" }', []),
        ('{ db: "ended" }', [("depends-never", "jobs[0].dependsOn.db")]),
        ('{ service: "ended" }', [("depends-never", "jobs[0].dependsOn.service")]),
    ],
)
def test_dependencies_that_are_refused(tmp_path: Path, written: str, found: list[tuple[str, str]]) -> None:
    jobs = f"""{{ name: "a", exec: "true", dependsOn: {written} }},
      {{ name: "db", exec: "true", {CHECKED}, restarts: "unlimited" }}, {{ name: "web", exec: "true" }},
      {{ name: "again", exec: "true", restarts: {{ on: "success" }} }}, {{ name: "service", {HEALTH} }}"""
    assert problems(jobs, tmp_path) == found


def test_a_circle_is_refused_once_and_named(tmp_path: Path) -> None:
    jobs = """{ name: "a", exec: "true", dependsOn: ["b"] }, { name: "b", exec: "true", dependsOn: ["c"] },
      { name: "c", exec: "true", dependsOn: ["a"] }, { name: "d", exec: "true", dependsOn: ["a"] }"""
    result = judged(f"{{ discovery: false, jobs: [{jobs}] }}", tmp_path)
    (error,) = [one for one in result.problems if one.is_error]
    assert (error.code, error.path) == ("depends-circle", "jobs[0].dependsOn[0]")
    assert '"a" depends on "b", "b" depends on "c", "c" depends on "a", so none of them ever starts' in error.message


def test_jobs_of_one_name_make_a_circle_too(tmp_path: Path) -> None:
    jobs = """{ name: "a", exec: "true" }, { name: "a", exec: "true", dependsOn: ["b"] },
      { name: "b", exec: "true", dependsOn: ["a"] }"""
    assert problems(jobs, tmp_path) == [("depends-circle", "jobs[1].dependsOn[0]")]


def test_a_circle_through_a_when_is_a_warning(tmp_path: Path) -> None:
    jobs = """{ name: "a", exec: "true", dependsOn: ["b"] },
      { name: "b", exec: "true", when: { source: "a", once: "exitSuccess" } }"""
    result = judged(f"{{ discovery: false, jobs: [{jobs}] }}", tmp_path)
    assert [(one.code, one.path, one.severity) for one in result.problems] == [
        ("when-circle", "jobs[0].dependsOn", "warning"),
        ("when-circle", "jobs[1].when.once", "warning"),
    ]


def test_of_a_job_that_is_refused_it_is_not_said_that_it_is_never_healthy(tmp_path: Path) -> None:
    jobs = """{ name: "a", exec: "true", dependsOn: { b: "healthy" } },
      { name: "b", exec: "true", health: { exec: "true", interval: "x", ttl: 5 } }"""
    assert problems(jobs, tmp_path) == [("wrong-type", "jobs[1].health.interval")]


@pytest.mark.parametrize(
    ("written", "policy"),
    [
        ("{}", RestartPolicy(UNLIMITED)),
        ('{ on: "failure" }', RestartPolicy(UNLIMITED, "failure")),
        ('{ on: "never" }', RestartPolicy(0, "never")),
        ('{ limit: "3", within: "1m" }', RestartPolicy(3, within_s=60)),
        ('{ limit: "unlimited", delay: 1, maxDelay: "5s" }', RestartPolicy(UNLIMITED, delay_s=1, max_delay_s=5)),
        ("3", RestartPolicy(3)),
    ],
)
def test_restarts(tmp_path: Path, written: str, policy: RestartPolicy) -> None:
    assert job(f'name: "a", exec: "true", restarts: {written}', tmp_path).restarts == policy


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ('{ on: "failed" }', [("wrong-value", "on")]),
        ("{ limit: -1 }", [("bad-restarts", "limit")]),
        ('{ within: "1m" }', [("bad-restarts", "within")]),
        ("{ within: 60, limit: 1001 }", [("bad-restarts", "limit")]),
        ("{ delay: 0 }", [("wrong-value", "delay")]),
        ('{ delay: "9s", maxDelay: "1s" }', [("bad-restarts", "maxDelay")]),
        ("{ limits: 3 }", [("unknown-key", "limits")]),
    ],
)
def test_restarts_that_are_refused(tmp_path: Path, written: str, found: list[tuple[str, str]]) -> None:
    jobs = f'{{ name: "a", exec: "true", restarts: {written} }}'
    assert problems(jobs, tmp_path) == [(code, f"jobs[0].restarts.{key}") for code, key in found]


@pytest.mark.parametrize(
    ("restarts", "when", "good"),
    [
        ("{}", 'source: "watch.x", each: "changed"', False),
        ('{ on: "failure" }', 'source: "watch.x", each: "changed"', True),
        ('{ on: "always", limit: 3 }', "interval: 1", True),
        ('{ on: "failure", limit: 3 }', "interval: 1", False),
        ("{ limit: 3, within: 60 }", "interval: 1", False),
    ],
)
def test_restarts_beside_when(tmp_path: Path, restarts: str, when: str, good: bool) -> None:  # noqa: FBT001
    jobs = f'{{ name: "a", exec: "true", restarts: {restarts}, when: {{ {when} }} }}'
    assert problems(jobs, tmp_path) == ([] if good else [("bad-restarts", "jobs[0].restarts")])


def test_success_statuses(tmp_path: Path) -> None:
    assert job('name: "a", exec: "true"', tmp_path).success_statuses == (0,)
    assert job('name: "a", exec: "true", successStatuses: [143, "0", 143]', tmp_path).success_statuses == (0, 143)


@pytest.mark.parametrize(
    ("written", "code", "place"),
    [
        ("[]", "wrong-type", ""),
        ("0", "wrong-type", ""),
        ("[0, 256]", "wrong-value", "[1]"),
        ("[true]", "wrong-value", "[0]"),
    ],
)
def test_success_statuses_that_are_refused(tmp_path: Path, written: str, code: str, place: str) -> None:
    jobs = f'{{ name: "a", exec: "true", successStatuses: {written} }}'
    assert problems(jobs, tmp_path) == [(code, f"jobs[0].successStatuses{place}")]


def test_bindings(tmp_path: Path) -> None:
    text = """{ discovery: false, jobs: [
      { name: "a", exec: "true", dependsOn: { db: "completed" }, bindsTo: ["web", "db"] },
      { name: "db", exec: "true" }, { name: "web", exec: "true" }] }"""
    found = accepted(text, tmp_path).jobs[0]
    assert found.binds_to == ("web", "db")
    assert set(found.depends_on) == {Dependency("db", "completed"), Dependency("web")}
    assert problems('{ name: "a", exec: "true", bindsTo: ["b"] }', tmp_path) == [("unknown-job", "jobs[0].bindsTo")]
