"""The rules of `jobs[]`: ContainerPilot contract, section 3.6."""

from pathlib import Path

import pytest
from judging import HEALTH, PATH, SERVICE, accepted, codes, errors, job, judged, warnings

from corepilot.config.text.addresses import InterfaceAddress
from corepilot.model.command import Command
from corepilot.model.event import CODES
from corepilot.model.job import UNLIMITED, Check, Job, RestartPolicy, StopPolicy
from corepilot.model.service import Registration
from corepilot.model.trigger import Never, OnEvent, OnInterval, OnSignal, When


def judged_job(settings: str, directory: Path) -> list[tuple[str, str]]:
    """Errors of one job, without the `jobs[0].` of their paths."""
    found = codes(judged(f"{{ discovery: false, jobs: [ {{ {settings} }} ] }}", directory))
    return [(code, path.removeprefix("jobs[0]").removeprefix(".")) for code, path in found]


def warned_job(settings: str, directory: Path) -> list[tuple[str, str]]:
    """The same for warnings."""
    found = warnings(judged(f"{{ discovery: false, jobs: [ {{ {settings} }} ] }}", directory))
    return [(code, path.removeprefix("jobs[0]").removeprefix(".")) for code, path in found]


def test_a_job_has_the_defaults_of_the_contract(tmp_path: Path) -> None:
    made = job('name: "a"', tmp_path)
    assert made == Job(
        "a",
        command=None,
        when=When(OnEvent("startup", "global")),
        restarts=RestartPolicy(0),
        timeout_s=None,
        stop=StopPolicy(5.0, None, ()),
        checks=(),
        service=None,
        exit_on="",
    )
    assert made.path == "jobs[0]"


@pytest.mark.parametrize("key", ["restartLimit", "execTimeout", "TTL", "whenevent"])
def test_names_of_containerpilots_own_variables_are_taken_and_have_no_effect(tmp_path: Path, key: str) -> None:
    settings = f'name: "a", {key}: [5]'
    assert judged_job(settings, tmp_path) == []
    assert ("key-ignored", key) in warned_job(settings, tmp_path)
    assert job(settings, tmp_path).restarts.limit == 0


# ----------------------------------------------------------------------------------------------------------- name
@pytest.mark.parametrize("name", ["", "''", "name: ''"])
def test_a_name_is_required(tmp_path: Path, name: str) -> None:
    expected = "bad-name" if ":" in name else "missing-key"
    assert judged_job(name if ":" in name else "", tmp_path) == [(expected, "name")]


@pytest.mark.parametrize("name", ["a b", "Ä", "x", "5", "a_b", "App"])
def test_without_a_port_any_name_will_do(tmp_path: Path, name: str) -> None:
    assert job(f'name: "{name}"', tmp_path).name == name


@pytest.mark.parametrize("name", ["a b", "Ä", "x", "5a", "a_b", "App", "-a", "ä1", "a.b", "a1\\n"])
def test_with_a_port_it_is_a_services_name(tmp_path: Path, name: str) -> None:
    assert judged_job(f'name: "{name}", port: 80, {HEALTH}', tmp_path) == [("bad-name", "name")]


@pytest.mark.parametrize("name", ["ab", "a1", "a-B-9", "a-", "containerpilot"])
def test_services_names(tmp_path: Path, name: str) -> None:
    made = job(f'name: "{name}", port: 80, {HEALTH}', tmp_path)
    assert made.service is not None
    assert made.service.registration.service == name


def test_names_need_not_be_unique(tmp_path: Path) -> None:
    config = accepted('{ discovery: false, jobs: [ { name: "a" }, { name: "a" } ] }', tmp_path)
    assert [one.name for one in config.jobs] == ["a", "a"]


# ----------------------------------------------------------------------------------------------------------- exec
@pytest.mark.parametrize(
    ("exec_", "command"),
    [
        ('"/bin/true"', ("/bin/true",)),
        ('"  /bin/sh -c  x "', ("/bin/sh", "-c", "", "x")),
        ('"/bin/a\\tb c"', ("/bin/a\tb", "c")),
        ("\"/bin/sh -c 'a b'\"", ("/bin/sh", "-c", "'a", "b'")),
        ('["/bin/a", 1, 1000000, 1.5, true, null, ["x", 2], {b: 1, a: null}]',
         ("/bin/a", "1", "1e+06", "1.5", "true", "<nil>", "[x 2]", "map[a:<nil> b:1]")),
        ("null", None),
    ],
)  # fmt: skip
def test_commands(tmp_path: Path, exec_: str, command: tuple[str, ...] | None) -> None:
    expected = None if command is None else Command(command)
    assert job(f'name: "a", exec: {exec_}', tmp_path).command == expected
    made = job(f'name: "a", health: {{ interval: 1, ttl: 1, exec: {exec_} }}', tmp_path)
    assert [check.command for check in made.checks] == [expected]


@pytest.mark.parametrize("value", ['""', "[]", "5", "{}", "true", "0", "false"])
def test_what_is_no_command_is_refused(tmp_path: Path, value: str) -> None:
    assert judged_job(f'name: "a", exec: {value}', tmp_path) == [("bad-exec", "exec")]
    health = f"health: {{ interval: 1, ttl: 1, exec: {value} }}"
    assert judged_job(f'name: "a", {health}', tmp_path) == [("bad-exec", "health.exec")]


@pytest.mark.parametrize(
    ("command", "warned"),
    [
        ("\"/bin/sh -c 'a b'\"", ["exec-literal"]),
        ('"/bin/cat x | /bin/cat"', ["exec-literal"]),
        ('"/bin/cat  x"', ["exec-literal"]),
        ('"/bin/cat\\tx"', ["exec-literal", "exec-missing"]),
        ('["/bin/sh", "-c", "a \'b\' | c"]', []),
        ('"/bin/sh -c true"', []),
        ('"no-such-program-at-all"', ["exec-missing"]),
        ('"/no/such/file"', ["exec-missing"]),
        ('"/etc/passwd"', ["exec-missing"]),
        ('"/etc"', ["exec-missing"]),
        ('[""]', ["exec-missing"]),
        ('" "', ["exec-missing"]),
        ('"sh"', []),
    ],
)
def test_odd_commands_get_a_warning(tmp_path: Path, command: str, warned: list[str]) -> None:
    assert [code for code, _ in warned_job(f'name: "a", exec: {command}', tmp_path)] == warned


def test_a_missing_program_is_a_warning_even_where_the_machine_is_judged(tmp_path: Path) -> None:
    result = judged(
        '{ discovery: false, jobs: [ { name: "a", exec: "no-such" } ] }', tmp_path, judge_machine=True, strict=True
    )
    (problem,) = result.problems
    assert (problem.severity, problem.code, problem.machine) == ("warning", "exec-missing", True)


def test_programs_are_looked_for_in_the_jobs_path(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "mine"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    text = '{ discovery: false, jobs: [ { name: "a", exec: "mine" } ] }'
    assert not judged(text, tmp_path, {"PATH": f"{PATH}:{tmp_path}/bin"}).problems
    assert [one.code for one in judged(text, tmp_path).problems] == ["exec-missing"]


# ---------------------------------------------------------------------------------------------- port and service
def test_a_port_makes_a_registration(tmp_path: Path) -> None:
    made = job(
        'name: "app", port: "8080", interfaces: "static:192.0.2.1", tags: ["x"], initial_status: "warning",'
        'consul: { enableTagOverride: true, deregisterCriticalServiceAfter: "90m" }, health: { interval: 2, ttl: 7 }',
        tmp_path,
    )
    assert made.service is not None
    assert made.service.initial_status == "warning"
    assert made.service.registration == Registration(
        id="app-host",
        service="app",
        address="192.0.2.1",
        port=8080,
        tags=("x",),
        ttl_s=7,
        extras=(("consul.enableTagOverride", True), ("consul.deregisterCriticalServiceAfter", "90m")),
    )


def test_port_0_is_no_port(tmp_path: Path) -> None:
    assert job('name: "A b", port: 0, initial_status: "x", interfaces: "{}"', tmp_path).service is None


def test_a_port_needs_health(tmp_path: Path) -> None:
    assert judged_job('name: "app", port: 80', tmp_path) == [("health-missing", "port")]
    assert judged_job('name: "app", port: 80, health: null', tmp_path) == [("health-missing", "port")]
    assert job('name: "containerpilot", port: 80', tmp_path).service is not None


def test_health_that_is_wrong_is_not_missing(tmp_path: Path) -> None:
    assert judged_job('name: "app", port: 80, health: { interval: 1, ttl: 0 }', tmp_path) == [
        ("wrong-value", "health.ttl")
    ]
    assert judged_job('name: "app", port: 80, HEALTH: 5', tmp_path) == [("wrong-type", "health")]


@pytest.mark.parametrize("port", ["-1", "65536", "70000"])
def test_the_range_of_ports_is_only_warned_of(tmp_path: Path, port: str) -> None:
    settings = SERVICE.replace("80", port)
    assert warned_job(settings, tmp_path) == [("port-range", "port")]


@pytest.mark.parametrize("status", ["passing", "warning", "critical", "Passing", "up"])
def test_initial_status(tmp_path: Path, status: str) -> None:
    good = status in {"passing", "warning", "critical"}
    expected = [] if good else [("wrong-value", "initial_status")]
    assert judged_job(f'{SERVICE}, initial_status: "{status}"', tmp_path) == expected
    assert judged_job(f'name: "a", initial_status: "{status}"', tmp_path) == []


@pytest.mark.parametrize("after", ['"90m"', '"1h30m"', '"0"', '""', "null", "5", '"5"', '"never"', '"1d"'])
def test_deregister_critical_service_after(tmp_path: Path, after: str) -> None:
    extras = f"consul: {{ deregisterCriticalServiceAfter: {after} }}"
    good = after in {'"90m"', '"1h30m"', '"0"', '""', "null"}
    expected = [] if good else [("bad-duration", "consul.deregisterCriticalServiceAfter")]
    assert judged_job(f"{SERVICE}, {extras}", tmp_path) == expected
    assert judged_job(f'name: "a", {extras}', tmp_path) == []


def test_the_consul_block_may_come_without_deregistration(tmp_path: Path) -> None:
    made = job(f"{SERVICE}, consul: {{ enableTagOverride: true }}", tmp_path)
    assert made.service is not None
    assert made.service.registration.extras == (("consul.enableTagOverride", True),)
    assert made.service.registration.extra_value("consul.enableTagOverride") is True
    assert made.service.registration.extra_value("consul.deregisterCriticalServiceAfter") is None


def test_meta_and_weights_are_consuls(tmp_path: Path) -> None:
    made = job(f'{SERVICE}, consul: {{ meta: {{ version: "1.4", "a-b": 7 }}, weights: {{ passing: 10 }} }}', tmp_path)
    assert made.service is not None
    assert made.service.registration.extras == (
        ("consul.meta", ("version=1.4", "a-b=7")),
        ("consul.weights", (10, 1)),
    )


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('meta: ["a=b"]', "wrong-type"),
        ("meta: { a: [] }", "wrong-type"),
        ('meta: { "a b": "c" }', "bad-name"),
        ('meta: { "consul-x": "c" }', "bad-name"),
        (f'meta: {{ a: "{"x" * 513}" }}', "wrong-value"),
        (f"meta: {{ {', '.join(f'a{number}: 1' for number in range(65))} }}", "wrong-value"),
        ("weights: { passing: 0 }", "wrong-value"),
        ("weights: { warning: 65536 }", "wrong-value"),
    ],
)
def test_meta_and_weights_that_consul_does_not_take(tmp_path: Path, text: str, code: str) -> None:
    found = judged(f"{{ discovery: false, jobs: [ {{ {SERVICE}, consul: {{ {text} }} }} ] }}", tmp_path)
    assert [one.code for one in found.problems] == [code]


def test_instances(tmp_path: Path) -> None:
    def identity(settings: str, environment: dict[str, str]) -> str:
        text = f"{{ discovery: false, jobs: [ {{ {SERVICE} {settings} }} ] }}"
        made = accepted(text, tmp_path, environment).jobs[0].service
        assert made is not None
        return made.registration.id

    assert identity("", {}) == "app-host"
    assert identity("", {"COREPILOT_INSTANCE": "two"}) == "app-two"
    assert identity(', instance: "3"', {"COREPILOT_INSTANCE": "two"}) == "app-3"
    assert identity(', instance: ""', {"COREPILOT_INSTANCE": ""}) == "app-host"


def test_two_registrations_of_one_id_get_a_warning(tmp_path: Path) -> None:
    twice = f"{{ {SERVICE} }}, {{ {SERVICE} }}"
    result = judged(f"{{ discovery: false, jobs: [ {twice} ] }}", tmp_path)
    assert warnings(result) == [("same-id", "jobs[1].name")]
    apart = f'{{ {SERVICE} }}, {{ {SERVICE}, instance: "2" }}'
    assert not judged(f"{{ discovery: false, jobs: [ {apart} ] }}", tmp_path).problems


@pytest.mark.parametrize("value", ['["static:192.0.2.1"]', '"static:192.0.2.1"', '["nosuch0", "static:192.0.2.1"]'])
def test_interfaces(tmp_path: Path, value: str) -> None:
    made = job(f'name: "app", port: 80, {HEALTH}, interfaces: {value}', tmp_path)
    assert made.service is not None
    assert made.service.registration.address == "192.0.2.1"


def test_interface_names_may_have_dashes_and_dots(tmp_path: Path) -> None:
    specs = '["br-1", "eth0.10", "cni-podman0:inet", "static:192.0.2.1"]'
    assert judged_job(f'name: "app", port: 80, {HEALTH}, interfaces: {specs}', tmp_path) == []


def test_a_bad_specification_is_refused_even_if_another_matches(tmp_path: Path) -> None:
    found = judged_job(f'name: "app", port: 80, {HEALTH}, interfaces: ["static:192.0.2.1", "a b"]', tmp_path)
    assert found == [("bad-interface", "interfaces[1]")]
    assert judged_job(f'name: "app", port: 80, {HEALTH}, interfaces: ""', tmp_path) == [("bad-interface", "interfaces")]
    assert judged_job(f'name: "app", port: 80, {HEALTH}, interfaces: 5', tmp_path) == [("wrong-type", "interfaces")]
    assert judged_job('name: "app", interfaces: ["a b"]', tmp_path) == []


def test_an_interface_that_is_not_there_depends_on_the_machine(tmp_path: Path) -> None:
    jobs = f'jobs: [ {{ name: "app", port: 80, {HEALTH}, interfaces: ["nosuch0"] }} ]'
    for catalog, judge_machine, severity in (
        ('discovery: "embedded"', False, "warning"),
        ('discovery: { backend: "embedded", path: "/tmp" }', True, "error"),
        ("discovery: false", True, "warning"),
    ):
        result = judged(f"{{ {catalog}, {jobs} }}", tmp_path, judge_machine=judge_machine)
        (problem,) = [one for one in result.problems if one.code == "no-address"]
        assert (problem.severity, problem.machine, problem.path) == (severity, True, "jobs[0].interfaces")
        assert "nosuch0" in problem.message


@pytest.mark.parametrize("there", [[("lo", "127.0.0.1"), ("lo", "::1")], []])
def test_without_a_network_a_service_is_on_loopback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: list[tuple[str, str]]
) -> None:
    addresses = [InterfaceAddress(*one) for one in there]
    monkeypatch.setattr("corepilot.config.rules.host.interface_addresses", lambda: addresses)
    catalog = 'discovery: { backend: "embedded", path: "/tmp" }'
    text = f'{{ {catalog}, jobs: [ {{ name: "app", port: 80, {HEALTH}%s }} ] }}'
    result = judged(text % "", tmp_path, judge_machine=True)
    assert [(one.code, one.severity, one.path) for one in result.problems] == [
        ("no-address", "warning", "jobs[0].interfaces")
    ]
    assert 'interfaces: "static:127.0.0.1"' in result.problems[0].sentence()
    assert result.config is not None
    service = result.config.jobs[0].service
    assert service is not None
    assert service.registration.address == "127.0.0.1"
    assert judged(text % ', interfaces: "static:127.0.0.1"', tmp_path, judge_machine=True).problems == []
    unused = judged((text % "").replace(catalog, "discovery: false"), tmp_path, judge_machine=True)
    assert "no-address" not in [one.code for one in unused.problems], "nobody will connect"
    (refused,) = judged(text % ', interfaces: "eth0"', tmp_path, judge_machine=True).problems
    assert (refused.severity, refused.path) == ("error", "jobs[0].interfaces")
    assert '"static:127.0.0.1" is for this machine alone' in refused.sentence()


def test_a_network_of_another_family_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = [InterfaceAddress("eth0", "2001:db8::1")]
    monkeypatch.setattr("corepilot.config.rules.host.interface_addresses", lambda: addresses)
    text = f'{{ discovery: "embedded", jobs: [ {{ name: "app", port: 80, {HEALTH} }} ] }}'
    result = judged(text, tmp_path, judge_machine=True)
    assert [one.severity for one in result.problems if one.code == "no-address"] == ["error"]


# --------------------------------------------------------------------------------------------------------- health
def test_health(tmp_path: Path) -> None:
    made = job('name: "a", health: { exec: "/bin/true", interval: 2.9, ttl: "10", logging: { raw: true } }', tmp_path)
    assert made.checks == (Check(2, 10, Command(("/bin/true",), raw=True), 2.0),)


@pytest.mark.parametrize(
    ("health", "expected"),
    [
        ("{}", [("missing-key", "health.interval"), ("missing-key", "health.ttl")]),
        ("{ interval: 1 }", [("missing-key", "health.ttl")]),
        ("{ interval: 0, ttl: 1 }", [("wrong-value", "health.interval")]),
        ("{ interval: 0.5, ttl: 1 }", [("wrong-value", "health.interval")]),
        ("{ interval: 1, ttl: -1 }", [("wrong-value", "health.ttl")]),
        ('{ interval: "5s", ttl: 1 }', [("wrong-type", "health.interval")]),
        ('{ interval: 1, ttl: 1, timeout: "x" }', [("bad-duration", "health.timeout")]),
        ("{ interval: 1, ttl: 1, timeout: 1.5 }", [("bad-duration", "health.timeout")]),
        ("{ interval: 10, ttl: 1 }", []),
    ],
)
def test_rules_of_health(tmp_path: Path, health: str, expected: list[tuple[str, str]]) -> None:
    assert judged_job(f'name: "a", health: {health}', tmp_path) == expected


PORT = 'name: "web", exec: "true", port: 80, interfaces: ["static:192.0.2.1"], initial_status: "passing", health: %s'


@pytest.mark.parametrize(
    ("health", "path", "write"),
    [
        ("{ interval: 4, ttl: 2 }", "health.ttl", "ttl: 8"),
        ("{ interval: 1, ttl: 1 }", "health.ttl", "ttl: 2"),
        ('{ interval: 5, ttl: 7, exec: "true", timeout: "2500ms" }', "health.ttl", "ttl: 8"),
        (
            '[ { name: "a", exec: "true", interval: 1, ttl: 9 }, { name: "b", exec: "true", interval: 9, ttl: 8 } ]',
            "health[1].ttl",
            "ttl: 18",
        ),
    ],
)
def test_a_ttl_that_is_over_before_the_next_result_is_warned_of(
    tmp_path: Path, health: str, path: str, write: str
) -> None:
    text = f'{{ discovery: {{ backend: "embedded" }}, jobs: [ {{ {PORT % health} }} ] }}'
    result = judged(text, tmp_path)
    assert result.config is not None
    (found,) = [one for one in result.problems if one.code == "ttl-short"]
    assert (found.severity, found.path, found.hint) == ("warning", f"jobs[0].{path}", f"write {write}, or more")
    assert found.line == 1


@pytest.mark.parametrize(
    "health",
    [
        "{ interval: 5, ttl: 10 }",
        "{ interval: 10, ttl: 15 }",
        '{ interval: 5, ttl: 8, exec: "true", timeout: "2500ms" }',
        '{ interval: 5, ttl: 6, exec: "true", timeout: 0 }',
    ],
)
def test_a_ttl_that_is_long_enough_is_not(tmp_path: Path, health: str) -> None:
    text = f'{{ discovery: {{ backend: "embedded" }}, jobs: [ {{ {PORT % health} }} ] }}'
    assert "ttl-short" not in [one.code for one in judged(text, tmp_path).problems]
    alone = '{ jobs: [ { name: "a", exec: "true", health: { interval: 10, ttl: 1 } } ] }'
    assert judged(alone, tmp_path).problems == []


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [('"2s"', 2), ("3", 3), ('"3"', 3), ('"500ms"', 0.5), ("0", None), ('"-1s"', None), ('""', 7), ("null", 7)],
)
def test_timeouts_of_checks(tmp_path: Path, timeout: str, seconds: float | None) -> None:
    made = job(f'name: "a", health: {{ interval: 7, ttl: 1, timeout: {timeout} }}', tmp_path)
    assert [check.timeout_s for check in made.checks] == [seconds]


# ------------------------------------------------------------------------------------------- timeouts, restarts
@pytest.mark.parametrize(
    ("timeout", "seconds"), [('"2m"', 120), ("30", 30), ('"1ms"', 0.001), ('""', None), ("null", None), ('"1h"', 3600)]
)
def test_timeout(tmp_path: Path, timeout: str, seconds: float | None) -> None:
    assert job(f'name: "a", timeout: {timeout}', tmp_path).timeout_s == seconds


@pytest.mark.parametrize(
    ("timeout", "code"),
    [("0", "wrong-value"), ('"-1s"', "wrong-value"), ('"999us"', "wrong-value"), ('"never"', "bad-duration"),
     ("1.5", "bad-duration"), ("[]", "bad-duration"), ('"1d"', "bad-duration")],
)  # fmt: skip
def test_timeouts_that_are_refused(tmp_path: Path, timeout: str, code: str) -> None:
    assert judged_job(f'name: "a", timeout: {timeout}', tmp_path) == [(code, "timeout")]


@pytest.mark.parametrize("timeout", ['"x"', "1.5", "{}"])
def test_a_timeout_beside_an_interval_is_not_looked_at(tmp_path: Path, timeout: str) -> None:
    when = f"when: {{ interval: 1, timeout: {timeout} }}"
    assert job(f'name: "a", {when}', tmp_path).when.trigger == OnInterval(1)
    assert warned_job(f'name: "a", {when}', tmp_path) == [("bad-duration", "when.timeout")]
    # It excuses nothing else.
    assert judged_job(f'name: "a", restarts: "x", {when}', tmp_path) == [("bad-restarts", "restarts")]
    other = f'when: {{ source: "b", once: "stopped", timeout: {timeout} }}'
    assert judged_job(f'name: "a", {other}', tmp_path) == [("bad-duration", "when.timeout")]


@pytest.mark.parametrize("interfaces", ["{}", "5", "true", '{ a: "eth0" }'])
def test_interfaces_without_a_port_are_not_looked_at(tmp_path: Path, interfaces: str) -> None:
    settings = f'name: "app", interfaces: {interfaces}'
    assert job(settings, tmp_path).service is None
    assert warned_job(settings, tmp_path) == [("wrong-type", "interfaces")]
    assert judged_job(f"{settings}, port: 80, {HEALTH}", tmp_path) == [("wrong-type", "interfaces")]


def test_the_timeout_of_a_periodic_job_is_its_interval(tmp_path: Path) -> None:
    assert job('name: "a", when: { interval: "30s" }', tmp_path).timeout_s == 30
    assert job('name: "a", when: { interval: "30s" }, timeout: "1s"', tmp_path).timeout_s == 1


@pytest.mark.parametrize(
    ("value", "seconds"), [("3", 3), ('"1m"', 60), ("0", None), ('"0"', None), ("-5", None), ('""', None)]
)
def test_stop_timeout_of_a_job(tmp_path: Path, value: str, seconds: float | None) -> None:
    assert job(f'name: "a", stopTimeout: {value}', tmp_path).stop.hook_timeout_s == seconds


def test_a_bad_stop_timeout_is_refused(tmp_path: Path) -> None:
    assert judged_job('name: "a", stopTimeout: "soon"', tmp_path) == [("bad-duration", "stopTimeout")]


@pytest.mark.parametrize(
    ("restarts", "number"),
    [('"never"', 0), ('"unlimited"', UNLIMITED), ("3", 3), ("2.9", 2), ('"4"', 4), ('"+4"', 4), ("0", 0), ("null", 0)],
)
def test_restarts(tmp_path: Path, restarts: str, number: int) -> None:
    assert job(f'name: "a", restarts: {restarts}', tmp_path).restarts.limit == number


@pytest.mark.parametrize(
    "restarts",
    ["-1", '"-1"', '"Never"', '"1.5"', "true", "[]", '"x"', '""', '"0x3"', "Infinity", "NaN", '" 3"', '"٣"'],
)
def test_restarts_that_are_refused(tmp_path: Path, restarts: str) -> None:
    assert judged_job(f'name: "a", restarts: {restarts}', tmp_path) == [("bad-restarts", "restarts")]


def test_restarts_depend_on_when(tmp_path: Path) -> None:
    assert job('name: "a", when: { interval: 1 }', tmp_path).restarts.limit == UNLIMITED
    assert job('name: "a", when: { interval: 1 }, restarts: "never"', tmp_path).restarts.limit == 0
    assert job('name: "a", when: { source: "SIGHUP" }, restarts: "unlimited"', tmp_path).restarts.limit == UNLIMITED
    each = 'name: "a", when: { source: "b", each: "healthy" }, restarts: "unlimited"'
    assert judged_job(each, tmp_path) == [("bad-restarts", "restarts")]
    assert judged_job(each.replace('"unlimited"', '{ on: "success" }'), tmp_path) == [("bad-restarts", "restarts")]
    assert judged_job(each.replace('"unlimited"', '{ on: "failure" }'), tmp_path) == []


# ----------------------------------------------------------------------------------------------------------- when
@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("null", When(OnEvent("startup", "global"))),
        ("{}", When(Never())),
        ('{ source: "b" }', When(Never())),
        ('{ source: "b", once: "exitSuccess" }', When(OnEvent("exitSuccess", "b"))),
        ('{ source: "b", each: "healthy", throttle: "2s" }', When(OnEvent("healthy", "b"), each=True, throttle_s=2)),
        ('{ source: "SIGHUP", throttle: 1 }', When(OnSignal("SIGHUP"), each=True, throttle_s=1)),
        ('{ source: "b", each: "healthy", timeout: "5m" }', When(OnEvent("healthy", "b"), each=True, timeout_s=300)),
        ('{ source: "b", once: "healthy", timeout: 0 }', When(OnEvent("healthy", "b"))),
        ('{ once: "healthy" }', When(OnEvent("healthy", ""))),
        ('{ interval: "500ms" }', When(OnInterval(0.5))),
        ('{ interval: 1, source: "b", timeout: 5 }', When(OnInterval(1))),
        ('{ source: "SIGHUP" }', When(OnSignal("SIGHUP"), each=True)),
        ('{ source: "SIGUSR2", once: "healthy" }', When(OnSignal("SIGUSR2"), each=True)),
        ('{ source: "SIGHUP", each: "SIGHUP", timeout: 3 }', When(OnSignal("SIGHUP"), each=True, timeout_s=3)),
        (
            '{ interval: "", once: "", each: "healthy", source: "b", timeout: "" }',
            When(OnEvent("healthy", "b"), each=True),
        ),
    ],
)
def test_when(tmp_path: Path, when: str, expected: When) -> None:
    assert job(f'name: "a", when: {when}', tmp_path).when == expected


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ('{ once: "healthy", each: "healthy" }', [("when-conflict", "when.each")]),
        ('{ interval: 1, each: "healthy" }', [("when-conflict", "when.each")]),
        ('{ interval: 1, once: "healthy", each: "x" }',
         [("when-conflict", "when.once"), ("unknown-event", "when.each")]),
        ('{ once: "Healthy" }', [("unknown-event", "when.once")]),
        ('{ source: "SIGHUP", once: "nope" }', [("unknown-event", "when.once")]),
        ("{ interval: 0 }", [("wrong-value", "when.interval")]),
        ('{ interval: "999us" }', [("wrong-value", "when.interval")]),
        ("{ interval: 1.5 }", [("bad-duration", "when.interval")]),
        ('{ timeout: "x" }', [("bad-duration", "when.timeout")]),
        ('{ source: "b", once: "healthy", throttle: "1s" }', [("when-conflict", "when.throttle")]),
        ('{ interval: "5s", throttle: "1s" }', [("when-conflict", "when.throttle")]),
        ('{ any: [{ source: "b", once: "healthy" }], throttle: "1s" }', [("when-conflict", "when.throttle")]),
        ('{ source: "b", each: "healthy", throttle: 0 }', [("wrong-value", "when.throttle")]),
        ("{ source: [] }", [("wrong-type", "when.source")]),
    ],
)  # fmt: skip
def test_rules_of_when(tmp_path: Path, when: str, expected: list[tuple[str, str]]) -> None:
    assert sorted(judged_job(f'name: "a", when: {when}', tmp_path)) == sorted(expected)


@pytest.mark.parametrize("event", sorted(CODES))
def test_every_event_can_be_named(tmp_path: Path, event: str) -> None:
    assert job(f'name: "a", when: {{ source: "b", once: "{event}" }}', tmp_path).when.trigger == OnEvent(event, "b")


def test_an_unknown_event_suggests_the_nearest(tmp_path: Path) -> None:
    (problem,) = errors(judged('{ jobs: [ { name: "a", when: { once: "exitSucces" } } ] }', tmp_path))
    assert problem.hint == 'did you mean "exitSuccess"?'


# ----------------------------------------------------------------------------------------------------- references
@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ('{ source: "other", once: "healthy" }', []),
        ('{ source: "check.other", each: "exitFailed" }', []),
        ('{ source: "watch.db", each: "changed" }', []),
        ('{ source: "global", once: "startup" }', []),
        ('{ source: "global", each: "enterMaintenance" }', []),
        ('{ source: "SIGHUP", each: "SIGHUP" }', []),
        ('{ source: "anything at all", each: "error" }', []),
        ('{ source: "containerpilot", each: "stopped" }', []),
        ('{ source: "othr", once: "healthy" }', [("unknown-source", "when.source")]),
        ('{ source: "db", each: "changed" }', [("unknown-source", "when.source")]),
        ('{ source: "watch.bd", each: "changed" }', [("unknown-source", "when.source")]),
        ('{ source: "check.app", each: "exitFailed" }', [("unknown-source", "when.source")]),
        ('{ source: "global", once: "shutdown" }', [("when-never", "when.once")]),
        ('{ source: "other", once: "SIGHUP" }', [("when-never", "when.once")]),
        ('{ source: "other", each: "changed" }', [("when-never", "when.each")]),
        ('{ source: "watch.db", once: "exitSuccess" }', [("when-never", "when.once")]),
        ('{ once: "healthy" }', [("when-never", "when")]),
        ('{ source: "other" }', [("when-never", "when")]),
        ("{}", [("when-never", "when")]),
    ],
)
def test_a_when_that_cannot_come_true_gets_a_warning(
    tmp_path: Path, when: str, expected: list[tuple[str, str]]
) -> None:
    text = f"""{{
      discovery: {{ backend: "embedded", path: "/tmp" }},
      jobs: [ {{ name: "app", when: {when} }},
              {{ name: "other", health: {{ interval: 1, ttl: 1, exec: "/bin/true" }} }} ],
      watches: [ {{ name: "db", interval: 1 }} ],
      telemetry: {{ interfaces: ["static:127.0.0.1"] }},
    }}"""
    found = [(code, path) for code, path in warnings(judged(text, tmp_path)) if code != "plugin-missing"]
    assert found == [(code, f"jobs[0].{path}") for code, path in expected]


def test_the_nearest_source_is_suggested(tmp_path: Path) -> None:
    text = """{ discovery: { backend: "embedded", path: "/tmp" }, watches: [ { name: "db", interval: 1 } ],
      jobs: [ { name: "a", when: { source: "db", each: "changed" } } ] }"""
    (problem,) = judged(text, tmp_path).problems
    assert problem.hint == 'did you mean "watch.db"?'


@pytest.mark.parametrize(
    ("when", "hint"),
    [
        ('{ once: "shutdown" }', 'to act before a job is stopped, write source: "<job>", once: "stopping"'),
        ('{ source: "global", once: "shutdown" }',
         'to act before a job is stopped, write source: "<job>", once: "stopping"'),
        ('{ once: "startup" }', 'add source: "global"'),
        ('{ each: "SIGHUP" }', 'write source: "SIGHUP"'),
        ('{ each: "changed" }', "add source, with the name of a job or watch.<name>"),
    ],
)  # fmt: skip
def test_what_is_missing_of_a_when_is_said(tmp_path: Path, when: str, hint: str) -> None:
    (problem,) = judged(f'{{ discovery: false, jobs: [ {{ name: "a", when: {when} }} ] }}', tmp_path).problems
    assert (problem.code, problem.hint) == ("when-never", hint)


@pytest.mark.parametrize(
    ("jobs", "found"),
    [
        ('{ name: "a", exec: "x", stopAfter: "b" }, { name: "b", exec: "x" }', []),
        ('{ name: "a", exec: "x", stopAfter: ["b", "bee"] }, { name: "bees" }', [("unknown-job", "stopAfter")] * 2),
        (
            '{ name: "a", stopAfter: "b" }, { name: "b", stopAfter: ["c"] }, { name: "c", stopAfter: "a" }',
            [("stop-circle", "stopAfter")],
        ),
        (
            '{ name: "a", stopAfter: "b" }, { name: "b", exec: "x", when: { source: "a", once: "stopped" } }',
            [("stop-circle", "stopAfter")],
        ),
        ('{ name: "a", stopAfter: "a" }', [("stop-circle", "stopAfter")]),
        ('{ name: "a" }, { name: "a" }', [("same-name", "name")]),
        ('{ name: "a", exec: "x", when: { source: "a", each: "exitFailed" } }', [("when-never", "when.each")]),
    ],
)
def test_what_jobs_are_to_each_other(jobs: str, found: list[tuple[str, str]], tmp_path: Path) -> None:
    result = judged(f"{{ consul: false, jobs: [ {jobs} ] }}", tmp_path)
    told = [one for one in result.problems if one.code != "exec-missing"]
    assert [(one.code, one.path.partition(".")[2]) for one in told] == found
    assert result.config is not None


def test_stop_after_is_a_name_or_several(tmp_path: Path) -> None:
    text = '{ jobs: [ { name: "a", stopAfter: "b" }, { name: "b" }, { name: "c", stopAfter: ["a", "b"] } ] }'
    assert [job.stop.after for job in accepted(text, tmp_path).jobs] == [("b",), (), ("a", "b")]


def test_what_stop_after_is_not(tmp_path: Path) -> None:
    (problem,) = errors(judged('{ consul: false, jobs: [ { name: "a", stopAfter: 3 } ] }', tmp_path))
    assert (problem.code, problem.path, problem.hint) == ("wrong-type", "jobs[0].stopAfter", 'write an array: ["app"]')


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ('stdin: "event", when: { source: "watch.db", each: "changed" }', []),
        ('stdin: "null"', []),
        ('stdin: "event"', [("stdin-event", "jobs[0].stdin")]),
        ('stdin: "event", when: { source: "b", once: "exitFailed" }', [("stdin-event", "jobs[0].stdin")]),
    ],
)
def test_what_a_job_reads_comes_from_a_watch(settings: str, found: list[tuple[str, str]], tmp_path: Path) -> None:
    text = (
        f'{{ discovery: "embedded", watches: [{{ name: "db" }}], jobs: ['
        f'{{ name: "a", exec: "true", {settings} }}, {{ name: "b", exec: "true" }}] }}'
    )
    assert warnings(judged(text, tmp_path)) == found
    assert accepted(text, tmp_path).jobs[0].stdin == ("null" if "null" in settings else "event")


def test_a_socket_as_standard_input_is_one_of_those_that_the_job_is_handed(tmp_path: Path) -> None:
    made = job('name: "a", exec: "true", stdin: "socket", listen: "127.0.0.1:9000"', tmp_path)
    assert made.command is not None
    assert (made.stdin, made.command.settings.stdin_socket) == ("null", True)
    assert judged_job('name: "a", exec: "true", stdin: "socket"', tmp_path) == [("wrong-value", "stdin")]
