"""The rules of `jobs[].ready` and `jobs[].readyTimeout`."""

from pathlib import Path

import pytest
from judging import HEALTH, accepted, codes, job, judged, warnings

from corepilot.model.job import Ready

EXEC = 'name: "a", exec: "true"'


def complaints(settings: str, directory: Path) -> list[tuple[str, str]]:
    found = codes(judged(f"{{ discovery: false, jobs: [ {{ {settings} }} ] }}", directory))
    return [(code, path.removeprefix("jobs[0].")) for code, path in found]


def test_without_it_nothing_shows_that_a_job_is_ready(tmp_path: Path) -> None:
    made = job(EXEC, tmp_path)
    assert (made.ready, made.ready_timeout_s) == (None, None)


@pytest.mark.parametrize(
    ("ready", "expected"),
    [
        ("{ notify: true }", Ready(notify=True)),
        ('{ notify: true, watchdog: "30s" }', Ready(notify=True, watchdog_s=30.0)),
        ("{ fd: 3 }", Ready(fd=3)),
        ('{ log: "ready|steady" }', Ready(log="ready|steady")),
        ('{ file: "/run/a" }', Ready(file="/run/a")),
        ('{ after: "5s" }', Ready(after_s=5.0)),
        ("{ after: 0 }", Ready(after_s=0.0)),
    ],
)
def test_one_thing_shows_it(tmp_path: Path, ready: str, expected: Ready) -> None:
    made = job(f'{EXEC}, ready: {ready}, readyTimeout: "1m"', tmp_path)
    assert (made.ready, made.ready_timeout_s) == (expected, 60.0)


@pytest.mark.parametrize(("limit", "after"), [("5s", "5s"), ("2s", "1m")])
def test_a_run_has_to_be_able_to_get_ready_in_time(tmp_path: Path, limit: str, after: str) -> None:
    found = complaints(f'{EXEC}, ready: {{ after: "{after}" }}, readyTimeout: "{limit}"', tmp_path)
    assert found == [("ready-conflict", "ready.after")]


def test_checks_may_show_it(tmp_path: Path) -> None:
    health = 'health: { exec: "true", interval: 1, ttl: 5 }'
    assert job(f"{EXEC}, {health}, ready: {{ check: true }}", tmp_path).ready == Ready(check=True)
    assert complaints(f"{EXEC}, {HEALTH}, ready: {{ check: true }}", tmp_path) == [("ready-conflict", "ready.check")]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (f"{EXEC}, ready: {{}}", [("ready-conflict", "ready")]),
        (f"{EXEC}, ready: {{ notify: false }}", [("ready-conflict", "ready")]),
        (f"{EXEC}, ready: {{ notify: true, fd: 3 }}", [("ready-conflict", "ready.fd")]),
        (f"{EXEC}, ready: {{ fd: 3, after: 0 }}", [("ready-conflict", "ready.after")]),
        (f"{EXEC}, ready: {{ fd: 2 }}", [("wrong-value", "ready.fd")]),
        (f"{EXEC}, ready: {{ fd: 256 }}", [("wrong-value", "ready.fd")]),
        (f'{EXEC}, ready: {{ fd: 3, watchdog: "1s" }}', [("ready-conflict", "ready.watchdog")]),
        (f'{EXEC}, ready: {{ log: "(" }}', [("wrong-value", "ready.log")]),
        (f'{EXEC}, ready: {{ log: "x" }}, logging: {{ raw: true }}', [("ready-conflict", "ready.log")]),
        (f'{EXEC}, ready: {{ file: "run/a" }}', [("wrong-value", "ready.file")]),
        ('name: "a", ready: { after: 1 }', [("ready-conflict", "ready")]),
        (f"{EXEC}, ready: {{ after: 1 }}, readyTimeout: 0", [("wrong-value", "readyTimeout")]),
        (f"{EXEC}, ready: true", [("wrong-type", "ready")]),
    ],
)
def test_what_shows_nothing(tmp_path: Path, settings: str, expected: list[tuple[str, str]]) -> None:
    assert complaints(settings, tmp_path) == expected


def test_a_time_without_anything_to_wait_for(tmp_path: Path) -> None:
    text = f"{{ discovery: false, jobs: [ {{ {EXEC}, readyTimeout: 5 }} ] }}"
    assert warnings(judged(text, tmp_path)) == [("ready-conflict", "jobs[0].readyTimeout")]


def test_a_when_may_wait_for_it(tmp_path: Path) -> None:
    waits = '{ name: "b", exec: "true", when: { source: "a", once: "ready" } }'
    text = f"{{ discovery: false, jobs: [ {{ {EXEC}, ready: {{ after: 1 }} }}, {waits} ] }}"
    accepted(text, tmp_path)
    assert warnings(judged(text, tmp_path)) == []
    text = f"{{ discovery: false, jobs: [ {{ {EXEC} }}, {waits} ] }}"
    assert warnings(judged(text, tmp_path)) == [], "without ready a job is ready when it is started"
