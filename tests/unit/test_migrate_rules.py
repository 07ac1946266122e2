"""Which files have to do with which difference."""

from typing import Any

import pytest

from corepilot.migrate.differences import DIFFERENCES
from corepilot.migrate.facts import Facts
from corepilot.migrate.rules import RULES

CONSUL = 'consul: "localhost:8500"'
TLS = 'consul: "https://c:8501"'
APP = 'jobs: [{name: "app", exec: "app", restarts: "unlimited"}]'
HEALTH = 'port: 80, health: {exec: "check", interval: 5, ttl: 15}'


def found(text: str, rule: str, **environment: str) -> list[str]:
    """The paths at which a file has to do with a difference; "" is the whole file."""
    facts = Facts("file", text, environment)
    return [facts.place(path).path for path in RULES[rule](facts)]


def jobs(*texts: str, head: str = CONSUL) -> str:
    return f"{{{head}, jobs: [{', '.join(texts)}]}}"


METRIC = 'name: "a", help: "h", type: "gauge"'
ENDS = '{name: "a", exec: "x"}'
LASTS = '{name: "b", exec: "x", restarts: "unlimited"}'
HOOK = '{name: "h", exec: "x", when: {source: "%s", once: "%s"}}'


@pytest.mark.parametrize(
    ("rule", "text", "paths"),
    [
        ("client-status", jobs('{name: "a", exec: ["sh", "-c", "containerpilot -putenv a=1"]}'), ["jobs[0].exec"]),
        ("client-status", jobs('{name: "a", exec: "/bin/containerpilot -config /c -reload"}'), ["jobs[0].exec"]),
        ("client-status", jobs('{name: "a", exec: "containerpilot -version"}'), []),
        ("process-name", jobs('{name: "a", exec: ["sh", "-c", "pkill containerpilot"]}'), ["jobs[0].exec"]),
        ("process-name", jobs('{name: "a", exec: "killall containerpilot"}'), ["jobs[0].exec"]),
        ("process-name", jobs('{name: "a", exec: ["sh", "-c", "pkill nginx; containerpilot -reload"]}'), []),
        ("exit-status", jobs(ENDS), ["jobs"]),
        ("exit-status", jobs(ENDS, HOOK % ("a", "stopped")), ["jobs"]),
        ("exit-status", jobs(ENDS, LASTS), []),
        ("exit-status", jobs(ENDS, '{name: "i", exec: "x", when: {interval: "1s"}}'), []),
        ("exit-status", jobs(ENDS, '{name: "i", exec: "x", restarts: 2, when: {interval: "1s"}}'), ["jobs"]),
        ("exit-status", jobs(ENDS, '{name: "e", exec: "x", when: {source: "a", each: "healthy"}}'), []),
        ("exit-status", jobs(ENDS, '{name: "s", exec: "x", when: {source: "SIGHUP", once: "healthy"}}'), []),
        ("exit-status", jobs(ENDS, '{name: "n"}'), []),
        ("exit-status", jobs(ENDS, head=CONSUL + ', exitStatus: "zero"'), []),
        ("exit-status", jobs(ENDS, head=CONSUL + ", telemetry: {}"), []),
        ("exit-status", "{}", []),
        ("own-settings", jobs('{name: "a", exec: "x", exitOn: "end", EXEC: "y"}'), ["jobs[0].exitOn"]),
        ("own-settings", jobs('{name: "a", instance: "i", health: {exec: "x", interval: 1, ttl: 2}, when: {}}'),
         ["jobs[0].instance"]),
        ("own-settings", jobs(head='exitStatus: "zero", reportFailing: false, control: {strict: true}, ' + CONSUL),
         ["exitStatus", "reportFailing", "control.strict"]),
        ("own-settings", '{consul: {address: "c", token_file: "/t", tls: {verify: true}}}', ["consul.token_file"]),
        ("own-settings", jobs('{name: "a", exec: "x", stopAfter: "b"}', head="watches: [{atStart: true}], " + CONSUL),
         ["watches[0].atStart", "jobs[0].stopAfter"]),
        ("own-settings", '{discovery: "embedded"}', ["", "discovery"]),
        ("own-settings", "{consul: false, jobs: []}", [""]),
        ("own-settings", jobs('{name: "a", tll: 1, instance: null}'), []),
        ("own-settings", f"{{{CONSUL}, jobs: {{}}, logging: 1, watches: [null], telemetry: {{metrics: []}}}}", []),
        ("own-settings", "{}", []),
        ("not-an-array", "{jobs: {}, watches: {}}", ["jobs", "watches"]),
        ("not-an-array", "{jobs: [null, {}]}", ["jobs[0]"]),
        ("not-an-array", "{jobs: null}", []),
        ("tls-verify", f"{{{TLS}, {APP}}}", ["consul"]),
        ("tls-verify", '{consul: {address: "c:1", scheme: "https"}}', ["consul"]),
        ("tls-verify", '{consul: {address: "c:1", scheme: "https", tls: {cafile: "x"}}}', ["consul"]),
        ("tls-verify", '{consul: {address: "c:1", scheme: "https", TLS: {Verify: false}}}', []),
        ("tls-verify", '{consul: {address: "http://c:1", scheme: "https"}}', []),
        ("tls-verify", f"{{{CONSUL}}}", []),
        ("tls-verify", "{}", []),
        ("deregister-optional", jobs('{name: "aa", port: 1, consul: {enableTagOverride: true}}'), ["jobs[0].consul"]),
        ("deregister-optional", jobs('{name: "aa", consul: {}}'), []),
        ("stopped-is-gone", jobs(ENDS, HOOK % ("a", "stopped")), ["jobs[1].when"]),
        ("stopped-is-gone", jobs(ENDS, HOOK % ("a", "stopping")), []),
        ("slow-runs", jobs('{name: "i", exec: "x", timeout: "9s", when: {interval: "1s"}}'), ["jobs[0].timeout"]),
        ("slow-runs", jobs('{name: "i", exec: "x", when: {interval: "1s"}}'), []),
        ("slow-runs", jobs('{name: "i", health: {exec: "x", interval: 1, ttl: 1, timeout: 0}}'),
         ["jobs[0].health.timeout"]),
        ("slow-runs", jobs('{name: "i", health: {exec: "x", interval: 1, ttl: 1, timeout: "1s"}}'), []),
        ("restart-delay", jobs(LASTS, '{name: "a", exec: "x", restarts: 4}', '{name: "a", exec: "x", restarts: 3}'),
         ["jobs[0].restarts", "jobs[1].restarts"]),
        ("report-failing", jobs(f'{{name: "app", exec: "x", {HEALTH}}}'), ["jobs[0].health"]),
        ("report-failing", jobs(f'{{name: "app", exec: "x", {HEALTH}}}', head="reportFailing: false, " + CONSUL), []),
        ("report-failing", jobs(f'{{name: "app", exec: "x", {HEALTH}}}', head="consul: false"), []),
        ("report-failing", jobs('{name: "app", exec: "x", health: {exec: "x", interval: 1, ttl: 1}}'), []),
        ("maintenance", jobs('{name: "m", exec: "x", when: {source: "global", each: "enterMaintenance"}}'),
         ["jobs[0].when"]),
        ("hook-never-started", jobs(ENDS, HOOK % ("typo", "stopping")), ["jobs[1].when.source"]),
        ("hook-never-started", jobs(ENDS, HOOK % ("a", "stopped")), []),
        ("hook-deadline", jobs(ENDS, HOOK % ("a", "stopping")), ["jobs[1].when"]),
        ("hook-deadline", jobs(ENDS[:-1] + ', stopTimeout: "99h"}', HOOK % ("a", "stopping")), []),
        ("hook-deadline", jobs(ENDS[:-1] + ', stopTimeout: "1s"}', HOOK % ("a", "stopping")), ["jobs[1].when"]),
        ("hook-deadline", jobs(ENDS, (HOOK % ("a", "stopping"))[:-1] + ', timeout: "3s"}'), []),
        ("hook-deadline", jobs(ENDS, (HOOK % ("a", "stopping"))[:-1] + ', timeout: "31s"}'), ["jobs[1].when"]),
        ("hook-deadline", jobs(ENDS, HOOK % ("a", "stopped")), []),
        ("stop-deadline", jobs(ENDS, head="stopTimeout: 9, " + CONSUL), ["stopTimeout"]),
        ("stop-deadline", jobs(ENDS), []),
        ("stop-without-jobs", f"{{{CONSUL}, watches: []}}", [""]),
        ("stop-without-jobs", f"{{{CONSUL}, telemetry: {{}}}}", []),
        ("job-lines-level", jobs(ENDS, head='logging: {level: "WARN"}'), ["logging.level"]),
        ("job-lines-level", jobs(ENDS[:-1] + ", logging: {raw: true}}", head='logging: {level: "WARN"}'), []),
        ("job-lines-level", jobs(ENDS, head='logging: {level: "DEBUG"}'), []),
        ("watch-memory", '{watches: [{name: "aa", interval: 1}, {name: "aa", interval: 2, tag: "t"}]}', ["watches[1]"]),
        ("watch-memory", '{watches: [{name: "aa", interval: 1}, {name: "aa", interval: 2}]}', []),
        ("watch-push", jobs('{name: "w", exec: "x", when: {source: "watch.db", each: "changed"}}'), ["jobs[0].when"]),
        ("interface-names", jobs('{name: "app", port: 1, interfaces: "br-1"}'), ["jobs[0].interfaces"]),
        ("interface-names", jobs('{name: "app", interfaces: "br-1"}'), []),
        ("interface-names", '{telemetry: {interfaces: ["eth0", "eth0.1:inet", "10.0.0.0/8"]}}',
         ["telemetry.interfaces"]),
        ("metric-names", f"{{telemetry: {{metrics: [{{{METRIC}}}]}}}}", ["telemetry.metrics[0]"]),
        ("metric-names", f'{{telemetry: {{metrics: [{{namespace: "n", subsystem: "s", {METRIC}}}]}}}}', []),
    ],
)  # fmt: skip
def test_places(rule: str, text: str, paths: list[str]) -> None:
    assert found(text, rule) == paths


@pytest.mark.parametrize(
    ("text", "environment", "count"),
    [
        ("{consul: {}}", {"CONSUL_HTTP_ADDR": "https://c:1"}, 1),
        ('{consul: ""}', {"CONSUL_HTTP_ADDR": "c:1", "CONSUL_HTTP_SSL": "true"}, 0),
        ("{consul: {}}", {"CONSUL_HTTP_ADDR": "c:1", "CONSUL_HTTP_SSL": "true"}, 1),
        (f"{{{TLS}}}", {"CONSUL_HTTP_SSL_VERIFY": "0"}, 0),
        (f"{{{TLS}}}", {"CONSUL_HTTP_SSL_VERIFY": "true"}, 0),
        (f"{{{TLS}}}", {"CONSUL_HTTP_SSL_VERIFY": "what"}, 1),
    ],
)
def test_the_environment_has_a_part_in_tls(text: str, environment: dict[str, str], count: int) -> None:
    assert len(found(text, "tls-verify", **environment)) == count


@pytest.mark.parametrize(
    ("text", "environment", "paths"),
    [
        ('{consul: "{{ .A }}"}', {"A": "x=y"}, [""]),
        ('{consul: "{{ .A }}"}', {"A": "x"}, []),
        ('{consul: "{{ .A }}"}', {"B": "x=y"}, []),
        ('{consul: "{{ env "A" }}"}', {"A": "x=y"}, []),
    ],
)
def test_values_that_were_cut(text: str, environment: dict[str, str], paths: list[str]) -> None:
    assert found(text, "template-values", **environment) == paths


def test_a_file_that_cannot_be_read_has_to_do_with_nothing() -> None:
    for text in ("{", "{{ if }}", "[]"):
        assert [rule for rule in RULES if found(text, rule)] == []


def test_a_place_has_its_line() -> None:
    facts = Facts("file", "{\n  stopTimeout: 5 }", {})
    assert facts.place(("stopTimeout",)).line == 2


def test_rules_are_for_differences_and_decisions_can_be_seen() -> None:
    ids = {one.id for one in DIFFERENCES}
    assert RULES.keys() <= ids
    assert len(ids) == len(DIFFERENCES)
    assert {one.id for one in DIFFERENCES if one.decide} <= RULES.keys()


RESTORED: dict[str, Any] = {
    "exit-status": (jobs(ENDS), jobs(ENDS, head='exitStatus: "zero", ' + CONSUL)),
    "report-failing": (
        jobs(f'{{name: "app", exec: "x", {HEALTH}}}'),
        jobs(f'{{name: "app", exec: "x", {HEALTH}}}', head="reportFailing: false, " + CONSUL),
    ),
    "tls-verify": (f"{{{TLS}}}", '{consul: { address: "https://c:8501", tls: { verify: false } }}'),
}


@pytest.mark.parametrize("rule", RESTORED)
def test_the_setting_restores_the_old_way(rule: str) -> None:
    before, after = RESTORED[rule]
    assert found(before, rule)
    assert not found(after, rule)


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        (jobs('{name: "a", exec: "x", when: {}}'), ["jobs[0].when"]),
        (jobs('{name: "a"}, {name: "b", exec: "x", when: {source: "a", once: "exitSuccess"}}'), ["jobs[1].when"]),
        (
            jobs('{name: "a", exec: "x"}, {name: "b", exec: "x", when: {source: "a", each: "healthy"}}'),
            ["jobs[1].when"],
        ),
        (jobs('{name: "a", exec: "x"}, {name: "b", exec: "x", when: {source: "a", once: "exitFailed"}}'), []),
        (jobs('{name: "a", exec: "x", when: {interval: 1}}, {name: "b", exec: "x", when: {source: "SIGHUP"}}'), []),
    ],
)
def test_jobs_that_wait_in_vain(text: str, paths: list[str]) -> None:
    assert found(text, "waits-in-vain") == paths
