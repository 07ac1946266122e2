"""What a configuration may say of locks, and of watches of keys."""

from pathlib import Path

import pytest
from judging import accepted, codes, judged, warnings

from corepilot.model.configuration import Lock, Watch

CATALOG = 'discovery: { backend: "embedded", path: "/srv/catalog" }'
LOCK = 'locks: [ { name: "primary", ttl: "30s" } ]'
JOB = 'name: "app", exec: "true", lock: "primary"'


def test_a_lock_and_its_job(tmp_path: Path) -> None:
    config = accepted(f"{{ {CATALOG}, {LOCK}, jobs: [ {{ {JOB} }} ] }}", tmp_path)
    assert config.locks == (Lock("primary", 30.0, "embedded"),)
    assert config.jobs[0].lock == "primary"


def test_keys_are_watched_in_the_catalog_that_has_them(tmp_path: Path) -> None:
    text = f"""{{ {CATALOG}, watches: [ {{ name: "limits", key: "app/limits" }},
      {{ name: "all", prefix: "app", debounce: "2s" }} ] }}"""
    assert accepted(text, tmp_path).watches == (
        Watch("limits", kind="key", subject="app/limits", at_start=True, catalog="embedded"),
        Watch("all", kind="prefix", subject="app", at_start=True, debounce_s=2.0, catalog="embedded"),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{CATALOG}, jobs: [ {{ {JOB} }} ]", [("unknown-lock", "jobs[0].lock")]),
        (f'{LOCK}, jobs: [ {{ name: "a", exec: "true" }} ]', [("no-catalog", "locks[0]")]),
        (f'{CATALOG}, locks: [ {{ name: "a b", ttl: 9 }} ]', [("bad-name", "locks[0].name")]),
        (f'{CATALOG}, locks: [ {{ name: "a" }} ]', [("missing-key", "locks[0].ttl")]),
        (f'{CATALOG}, locks: [ {{ name: "a", ttl: 9 }}, {{ name: "a", ttl: 8 }} ]', [("same-name", "locks[1].name")]),
        (f"{CATALOG}, {LOCK}, stopTimeout: 10, jobs: [ {{ {JOB} }} ]", [("lock-too-short", "jobs[0].lock")]),
        ('consul: "c:1", locks: [ { name: "a", ttl: "9s" } ]', [("wrong-value", "locks[0].ttl")]),
        ('consul: "c:1", locks: [ { name: "a", ttl: "25h" } ]', [("wrong-value", "locks[0].ttl")]),
        (f'{CATALOG}, watches: [ {{ name: "d", key: "app/" }} ]', [("bad-key", "watches[0].key")]),
        (
            'discovery: { a: { backend: "embedded" }, b: { backend: "embedded", path: "/b" } }, ' + LOCK,
            [("which-catalog", "locks[0]")],
        ),
    ],
)
def test_rules(tmp_path: Path, text: str, expected: list[tuple[str, str]]) -> None:
    assert codes(judged(f"{{ {text} }}", tmp_path)) == expected


def test_what_the_backend_takes_is_said(tmp_path: Path) -> None:
    (ttl,) = judged('{ consul: "c:1", stopTimeout: 1, locks: [ { name: "a", ttl: "9s" } ] }', tmp_path).problems[:1]
    assert "the backend consul keeps locks with a ttl of 10 to 86400 s, not 9 s" in ttl.message
    accepted('{ consul: "c:1", locks: [ { name: "a", ttl: "10s" } ] }', tmp_path)
    (key,) = judged(f'{{ {CATALOG}, watches: [ {{ name: "d", key: "app/" }} ] }}', tmp_path).problems[:1]
    assert key.hint == 'write prefix: "app" for all keys below it'
    accepted(f'{{ {CATALOG}, watches: [ {{ name: "d", prefix: "app/" }} ] }}', tmp_path)


PLAIN = '{ name: "a", exec: "true" }'
WAITS = '{ name: "told", exec: "true", when: { source: "lock.primary", once: "acquired" } }'


def test_a_lock_that_no_job_takes_is_never_acquired(tmp_path: Path) -> None:
    result = judged(f"{{ {CATALOG}, {LOCK}, jobs: [ {WAITS} ] }}", tmp_path)
    (found,) = result.problems
    assert (found.severity, found.code, found.path) == ("warning", "when-never", "jobs[0].when.once")
    assert '"lock.primary" is a lock that no other job takes' in found.message
    assert judged(f"{{ {CATALOG}, {LOCK}, jobs: [ {WAITS}, {{ {JOB} }} ] }}", tmp_path).problems == []
    own = WAITS.replace('name: "told"', 'name: "told", lock: "primary"')
    (found,) = judged(f"{{ {CATALOG}, {LOCK}, jobs: [ {own} ] }}", tmp_path).problems
    assert found.code == "when-never"


def test_what_has_no_effect_on_keys_is_said(tmp_path: Path) -> None:
    watch = 'watches: [ { name: "k", key: "k", tag: "x" } ]'
    assert warnings(judged(f"{{ {CATALOG}, {watch}, jobs: [ {PLAIN} ] }}", tmp_path)) == [
        ("key-ignored", "watches[0].tag")
    ]


@pytest.mark.parametrize(
    ("options", "path", "hint"),
    [
        ('backend: "zookeeper", tls: { verify: false }', "tls", "add enabled: true"),
        ('backend: "consul", address: "c:1", tls: { verify: false }', "tls", "write https:// in address"),
        ('backend: "etcd", endpoints: ["http://e:1"], tls: { verify: false }', "tls", "write https://"),
        ('backend: "etcd", endpoints: ["https://e:1"], tls: { clientcert: "/x" }', "tls.clientcert", "add clientkey"),
    ],
)
def test_options_without_effect_are_said(tmp_path: Path, options: str, path: str, hint: str) -> None:
    result = judged(f"{{ discovery: {{ {options} }}, {LOCK}, jobs: [ {PLAIN} ] }}", tmp_path)
    assert warnings(result) == [("option-unused", f"discovery.{path}")]
    assert result.problems[0].hint == hint
    assert result.config is not None


@pytest.mark.parametrize(
    "options",
    [
        'backend: "zookeeper", tls: { enabled: true, verify: false }',
        'backend: "consul", address: "https://c:1", tls: { verify: false }',
        'backend: "etcd", endpoints: ["https://e:1"], tls: { verify: false }',
        'backend: "consul", address: "c:1"',
    ],
)
def test_options_with_an_effect_are_not(tmp_path: Path, options: str) -> None:
    environment = {"CONSUL_HTTP_SSL_VERIFY": "false"}  # what others in the container need is no mistake of this file
    result = judged(f"{{ discovery: {{ {options} }}, {LOCK}, jobs: [ {PLAIN} ] }}", tmp_path, environment)
    assert warnings(result) == []


def test_the_time_of_a_hook_counts(tmp_path: Path) -> None:
    hook = '{ name: "hook", exec: "true", when: { source: "app", once: "stopping" } }'
    text = f"{{ {CATALOG}, {LOCK}, stopTimeout: 1, jobs: [ {{ {JOB}%s }}, {hook} ] }}"
    assert codes(judged(text % "", tmp_path)) == [("lock-too-short", "jobs[0].lock")]
    accepted(text % ', stopTimeout: "8s"', tmp_path)
