"""The rules of `jobs[].health`: one check, or several."""

from pathlib import Path

import pytest
from judging import HEALTH, accepted, codes, job, judged, warnings

from corepilot.checks.tcp_plugin import Options
from corepilot.model.command import Command
from corepilot.plugin import OptionError

TIMES = "interval: 2, ttl: 6"


def complaints(health: str, directory: Path) -> list[tuple[str, str]]:
    found = codes(judged(f'{{ discovery: false, jobs: [ {{ name: "a", health: {health} }} ] }}', directory))
    return [(code, path.removeprefix("jobs[0].")) for code, path in found]


def test_one_check_has_no_name_and_every_result_counts(tmp_path: Path) -> None:
    (check,) = job(f'name: "a", health: {{ exec: "true", {TIMES} }}', tmp_path).checks
    assert (check.name, check.failures, check.successes, check.start_period_s) == ("", 1, 1, 0.0)


def test_several_checks(tmp_path: Path) -> None:
    health = (
        f'[ {{ name: "port", tcp: 80, {TIMES}, failures: 3, successes: 2, startPeriod: "1m" }},'
        f' {{ name: "deep", exec: "check --deep", interval: 30, ttl: 5, timeout: "3s" }} ]'
    )
    made = job(f'name: "ab", port: 80, interfaces: "static:192.0.2.1", health: {health}', tmp_path)
    port, deep = made.checks
    assert (port.name, port.failures, port.successes, port.start_period_s) == ("port", 3, 2, 60.0)
    assert port.plugin is not None
    assert port.plugin.options.plain() == {"address": "80"}
    assert (deep.name, deep.command, deep.timeout_s) == ("deep", Command(("check", "--deep")), 3.0)
    assert [made.check_source(index) for index in (0, 1)] == ["check.ab.port", "check.ab.deep"]
    assert made.service is not None
    assert made.service.registration.ttl_s == 5, "the smallest"


def test_an_array_of_one_check_needs_no_name(tmp_path: Path) -> None:
    made = job(f'name: "a", health: [ {{ exec: "true", {TIMES} }} ]', tmp_path)
    assert made.check_source(0) == "check.a"


def test_a_command_is_started_as_its_job_but_for_what_it_says_itself(tmp_path: Path) -> None:
    own = 'user: "nobody", env: {B: "check", C: null}, cwd: "/usr"'
    made = job(
        'name: "a", exec: "true", user: "root", groups: ["adm"], umask: "027", env: {A: "job", B: "job", C: "job"}, '
        f'health: [ {{ name: "x", exec: "true", {own}, {TIMES} }}, {{ name: "y", exec: "true", {TIMES} }} ]',
        tmp_path,
    )
    assert made.command is not None
    settings = made.command.settings
    commands = [check.command.settings for check in made.checks if check.command is not None]
    environment = (("A", "job"), ("B", "check"), ("C", None))
    assert commands == [settings.changed(user="nobody", groups=(), environment=environment, cwd="/usr"), settings]


@pytest.mark.parametrize(
    ("health", "expected"),
    [
        ('[{exec: "x", %s}, {name: "b", exec: "x", %s}]', [("bad-name", "health[0]")]),
        ('[{name: "b", exec: "x", %s}, {name: "b", exec: "x", %s}]', [("bad-name", "health[1].name")]),
        ('[{name: "a.b", exec: "x", %s}]', [("bad-name", "health[0].name")]),
        ('{name: "a b", exec: "x", %s}', [("bad-name", "health.name")]),
        ('[{name: "b", %s}]', [("missing-key", "health[0]")]),
        ('[{name: "b", exec: "x"}]', [("missing-key", "health[0].interval"), ("missing-key", "health[0].ttl")]),
        ("{tcp: 1, cwd: '/usr', %s}", [("check-options", "health.cwd")]),
        ("{user: 'nobody', %s}", [("check-options", "health.user")]),
        ("{exec: 'x', env: {'A=B': 1}, %s}", [("bad-variable", "health.env['A=B']")]),
        ('{exec: "x", tcp: 1, %s}', [("two-checks", "health.tcp")]),
        ("{tcp: true, %s}", [("wrong-type", "health.tcp")]),
        ("{tcp: [1], %s}", [("wrong-type", "health.tcp")]),
        ("{tcp: {port: 1}, %s}", [("unknown-key", "health.tcp.port")]),
        ('{tcp: "nowhere", %s}', [("bad-option", "health.tcp")]),
        ("{failures: 0, successes: 0, startPeriod: -1, %s}", [
            ("wrong-value", "health.failures"), ("wrong-value", "health.successes"),
            ("wrong-value", "health.startPeriod"),
        ]),
        ("[[{}]]", [("wrong-type", "health[0]")]),
        ('"x"', [("wrong-type", "health")]),
    ],
)  # fmt: skip
def test_what_is_no_check(tmp_path: Path, health: str, expected: list[tuple[str, str]]) -> None:
    assert complaints(health.replace("%s", TIMES), tmp_path) == expected


def test_with_a_port_no_checks_are_like_no_health(tmp_path: Path) -> None:
    text = '{ discovery: false, jobs: [ { name: "ab", port: 80, health: [] } ] }'
    assert ("health-missing", "jobs[0].port") in codes(judged(text, tmp_path))


def test_a_null_is_skipped(tmp_path: Path) -> None:
    found = judged(
        f'{{ discovery: false, jobs: [ {{ name: "a", health: [null, {{ exec: "true", {TIMES} }}] }} ] }}', tmp_path
    )
    assert warnings(found) == [("null-element", "jobs[0].health[0]")]


@pytest.mark.parametrize("key", ["retries", "period", "start_period", "threshold"])
def test_words_of_other_supervisors_get_a_hint(tmp_path: Path, key: str) -> None:
    text = f'{{ discovery: false, jobs: [ {{ name: "a", health: {{ exec: "x", {key}: 3, {TIMES} }} }} ] }}'
    (problem,) = [one for one in judged(text, tmp_path).problems if one.is_error]
    assert (problem.code, problem.hint[:6]) == ("unknown-key", "write ")


def test_a_when_may_name_a_check(tmp_path: Path) -> None:
    jobs = (
        f'{{ name: "a", exec: "true", health: [ {{ name: "b", exec: "true", {TIMES} }} ] }},'
        '{ name: "c", exec: "true", when: { source: "check.a.b", each: "exitFailed" } },'
        '{ name: "d", exec: "true", when: { source: "check.a", each: "exitFailed" } }'
    )
    text = f"{{ discovery: false, jobs: [ {jobs} ] }}"
    accepted(text, tmp_path)
    assert warnings(judged(text, tmp_path)) == [("unknown-source", "jobs[2].when.source")]


@pytest.mark.parametrize("address", ["", "80", "db:80", "[::1]:80", "127.0.0.1:80", "unix:///run/db.socket"])
def test_addresses_of_tcp(address: str) -> None:
    assert Options(address).address == address


@pytest.mark.parametrize("address", ["0", "65536", "::1:80", ":80", "db:", "db", "unix://run/db", "[::1]"])
def test_what_is_no_address_of_tcp(address: str) -> None:
    with pytest.raises(OptionError):
        Options(address)


def test_heartbeats_go_on_without_anything_to_ask(tmp_path: Path) -> None:
    (check,) = job(f'name: "a", {HEALTH}', tmp_path).checks
    assert not check.asks


def test_what_a_failure_is_for_and_what_is_logged(tmp_path: Path) -> None:
    settings = 'exec: "true", level: "alive", onUnhealthy: "restart", logging: "failures"'
    (check,) = job(f'name: "a", health: {{ {settings}, {TIMES} }}', tmp_path).checks
    assert (check.level, check.on_unhealthy, check.logged) == ("alive", "restart", "failures")
    (check,) = job(f'name: "a", health: {{ exec: "true", logging: {{ raw: true }}, {TIMES} }}', tmp_path).checks
    assert check.command is not None
    assert (check.command.raw, check.level, check.on_unhealthy, check.logged) == (True, "ready", "nothing", "always")


@pytest.mark.parametrize("setting", ['level: "live"', 'onUnhealthy: "kill"', 'logging: "never"', "logging: 3"])
def test_words_that_are_none_of_these(tmp_path: Path, setting: str) -> None:
    found = complaints(f'{{ exec: "true", {setting}, {TIMES} }}', tmp_path)
    assert found
    assert {path for _, path in found} == {f"health.{setting.partition(':')[0]}"}
