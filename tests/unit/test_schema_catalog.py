"""Which catalog a configuration means: `discovery`, `consul` (ContainerPilot contract, section 3.4), `--discovery`."""

import sys
from pathlib import Path
from typing import Any

import pytest
from corepilot_consul import plugin as consul_plugin
from corepilot_etcd import plugin as etcd_plugin
from corepilot_zookeeper import plugin as zookeeper_plugin
from judging import HEALTH, accepted, codes, errors, judged, warnings

from corepilot.config.rules.catalog import consul_options
from corepilot.config.rules.watches import SHIPPED_WITH
from corepilot.discovery.embedded import plugin as embedded_plugin
from corepilot.model.plugin import Options, PluginReference, Secret
from corepilot.plugin.hookspec import KINDS

WATCH = 'watches: [ { name: "db", interval: 1 } ]'


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory on the path with plugins of its own: a backend called consul, one that breaks, one of the future."""
    site = tmp_path / "site"
    modules = {
        "pip": "",  # what is there decides what is advised
        "fake_consul": """
from dataclasses import dataclass
from corepilot.plugin import OptionError, hookimpl, option
API = "1.0"
CAPABILITIES = frozenset({"services", "register", "watch"})
@hookimpl
def corepilot_register_backend(): pass
@dataclass(frozen=True)
class Tls:
    cafile: str = option(help="authorities", default="", path="file", env="FAKE_CACERT", env_wins=True)
    cert: str = option(help="certificate", default="", path="file", together_with="key")
    key: str = option(help="its key", default="", path="file", together_with="cert")
    verify: bool = option(help="check it", default=True, env="FAKE_VERIFY", env_wins=True)
@dataclass(frozen=True)
class Options:
    address: str = option(help="where", default="", env="FAKE_ADDR")
    scheme: str = option(help="http or https", default="", env="FAKE_SSL", env_words={"1": "https", "0": "http"})
    token: str = option(help="secret", default="", secret=True, env="FAKE_TOKEN", env_wins=True)
    tls: Tls = option(help="tls", default=Tls())
    def __post_init__(self):
        if self.address == "refused":
            raise OptionError("address", "it is refused; write another")
        if self.scheme == "ftp":
            raise OptionError("scheme", "it is refused as well")
""",
        "fake_broken": "raise RuntimeError('no luck today')\n",
        "fake_future": "API = '99.0'\n",
        "fake_bare": "from corepilot.plugin import hookimpl\nAPI = '1.0'\n"
        "@hookimpl\ndef corepilot_register_backend(): pass\n",
    }
    site.mkdir()
    for name, text in modules.items():
        (site / f"{name}.py").write_text(text)
        info = site / f"{name}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 1.2\n")
        plugin = {"fake_consul": "consul"}.get(name, name.removeprefix("fake_"))
        (info / "entry_points.txt").write_text(f"[corepilot.backends]\n{plugin} = {name}\n")
    # Only these and corepilot's own: what else is installed here is no matter of these tests.
    monkeypatch.setattr(sys, "path", [str(site), *(one for one in sys.path if "site-packages" not in one)])
    published = KINDS["backend"]._replace(shipped={"consul": "corepilot-consul", "etcd": "corepilot-etcd"})
    monkeypatch.setitem(KINDS, "backend", published)
    for name in modules:
        monkeypatch.delitem(sys.modules, name, raising=False)
    return site


def backend(text: str, directory: Path, environment: dict[str, str] | None = None, **request: Any) -> PluginReference:
    found = accepted(text, directory, environment, **request).catalogs[0][1]
    assert found is not None
    return found


# ------------------------------------------------------------------------------------------------------ no catalog
@pytest.mark.parametrize("catalog", ["", "consul: false,", "discovery: false,", "consul: null,", "discovery: null,"])
def test_there_need_not_be_a_catalog(tmp_path: Path, catalog: str) -> None:
    config = accepted(f'{{ {catalog} jobs: [ {{ name: "a" }} ] }}', tmp_path)
    assert config.catalogs == ()
    assert config.catalogs == ()


@pytest.mark.parametrize("catalog", ["", "consul: false,", "discovery: false,"])
def test_a_watch_without_a_catalog_is_an_error_that_names_the_way_out(tmp_path: Path, catalog: str) -> None:
    (problem,) = errors(judged(f"{{ {catalog} {WATCH} }}", tmp_path))
    assert (problem.code, problem.path) == ("no-catalog", "watches[0]")
    assert 'discovery: "embedded"' in problem.hint
    assert "--discovery embedded" in problem.hint


def test_services_that_nobody_advertises_get_a_warning_unless_it_is_meant(tmp_path: Path) -> None:
    jobs = f'jobs: [ {{ name: "app", port: 80, interfaces: "static:192.0.2.1", {HEALTH} }} ]'
    assert warnings(judged(f"{{ {jobs} }}", tmp_path)) == [("not-advertised", "jobs[0].port")]
    assert warnings(judged(f"{{ discovery: false, {jobs} }}", tmp_path)) == []
    assert warnings(judged(f"{{ {jobs} }}", tmp_path, discovery="none")) == []


# --------------------------------------------------------------------------------------------------------- consul
@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("localhost:8500", {"address": "localhost:8500", "scheme": "http"}),
        ("http://c:8500", {"address": "c:8500", "scheme": "http"}),
        ("https://c", {"address": "c", "scheme": "https"}),
        ("http://http://c", {"address": "http://c", "scheme": "http"}),
        ("unix:///run/c.sock", {"address": "unix:///run/c.sock", "scheme": "http"}),
        ("", {"address": "", "scheme": "http"}),
    ],
)
def test_the_short_form_of_consul(text: str, options: dict[str, str]) -> None:
    assert consul_options(text) == options


def test_consul_in_a_text(tmp_path: Path, plugins: Path) -> None:
    found = backend('{ consul: "https://c:8501" }', tmp_path)
    assert (found.name, found.module, found.attribute) == ("consul", "fake_consul", "")
    assert (found.distribution, found.version) == ("fake-consul", "1.2")
    assert found.options.plain() == {
        "address": "c:8501", "scheme": "https", "token": "",
        "tls": {"cafile": "", "cert": "", "key": "", "verify": True},
    }  # fmt: skip


def test_what_a_plugin_calls_secret_is_shown_to_nobody(tmp_path: Path, plugins: Path) -> None:
    found = backend('{ consul: { address: "c", token: "hunter2", tls: { verify: 0 } } }', tmp_path)
    assert dict(found.options.items)["token"] == Secret("hunter2")
    assert "hunter2" not in repr(accepted('{ consul: { address: "c", token: "hunter2" } }', tmp_path))
    assert found.options.plain()["token"] == "hunter2", "but to the plugin"


def test_consul_in_an_object(tmp_path: Path, plugins: Path) -> None:
    found = backend('{ consul: { Address: "c", token: "t", TLS: { verify: 0 } } }', tmp_path)
    assert found.options.plain() == {
        "address": "c",
        "scheme": "",
        "token": "t",
        "tls": {"cafile": "", "cert": "", "key": "", "verify": False},
    }
    assert found == backend(
        '{ discovery: { backend: "consul", address: "c", token: "t", tls: { verify: 0 } } }', tmp_path
    )


@pytest.mark.parametrize("consul", ['""', "{}"])
def test_consul_may_be_empty(tmp_path: Path, plugins: Path, consul: str) -> None:
    assert backend(f"{{ consul: {consul} }}", tmp_path).options.plain()["address"] == ""
    assert backend(f"{{ consul: {consul} }}", tmp_path, {"FAKE_ADDR": "c:1"}).options.plain()["address"] == "c:1"


def test_a_host_that_is_missing_gets_a_warning(tmp_path: Path, plugins: Path) -> None:
    result = judged('{ consul: "{{ .CONSUL }}:8500", jobs: [ { name: "a" } ] }', tmp_path)
    (problem,) = result.problems
    assert (problem.severity, problem.code, problem.unset) == ("warning", "no-host", ("CONSUL",))


@pytest.mark.parametrize("consul", ['":1"', '"http://:1"', '{ Address: ":1" }'])
def test_without_a_host_this_machine_is_meant(tmp_path: Path, plugins: Path, consul: str) -> None:
    assert backend(f"{{ consul: {consul} }}", tmp_path).options.plain()["address"] == "127.0.0.1:1"


@pytest.mark.parametrize("address", ["::1:8500", "::1", ":http", ":"])
def test_other_addresses_with_a_colon_at_the_start_are_left_to_the_plugin(
    tmp_path: Path, plugins: Path, address: str
) -> None:
    result = judged(f'{{ consul: "{address}", jobs: [{{ name: "a" }}] }}', tmp_path)
    assert not result.problems
    assert result.config is not None
    assert result.config.catalogs[0][1].options.plain()["address"] == address


@pytest.mark.parametrize("value", ["true", "5", "[]"])
def test_what_names_no_catalog_is_refused(tmp_path: Path, value: str) -> None:
    assert codes(judged(f"{{ consul: {value}, {WATCH} }}", tmp_path)) == [("bad-discovery", "consul")]
    assert codes(judged(f"{{ discovery: {value}, {WATCH} }}", tmp_path)) == [("bad-discovery", "discovery")]


# ------------------------------------------------------------------------------------------------------ discovery
def test_discovery_by_name_and_with_options(tmp_path: Path) -> None:
    assert backend('{ discovery: "embedded" }', tmp_path).name == "embedded"
    found = backend('{ discovery: { Backend: "embedded", PATH: "/tmp/x" } }', tmp_path)
    assert found.options.plain()["path"] == "/tmp/x"


@pytest.mark.parametrize(
    ("discovery", "expected"),
    [
        ("{}", [("missing-key", "discovery")]),
        ('{ path: "/x" }', [("missing-key", "discovery")]),
        ("{ backend: 5 }", [("wrong-type", "discovery.backend")]),
        ('""', [("bad-discovery", "discovery")]),
        ('{ backend: "embedded", pth: "/x" }', [("unknown-key", "discovery.pth")]),
        ('{ backend: "embedded", path: [] }', [("wrong-type", "discovery.path")]),
        ('{ backend: "embedded", path: "relative" }', [("bad-option", "discovery.path")]),
    ],
)
def test_rules_of_discovery(tmp_path: Path, discovery: str, expected: list[tuple[str, str]]) -> None:
    assert codes(judged(f"{{ discovery: {discovery} }}", tmp_path)) == expected


@pytest.mark.parametrize(
    ("discovery", "hints"),
    [
        ('{ etcd: "http://e:2379" }', {"discovery.etcd": 'write etcd: { endpoints: ["http://HOST:2379"] }'}),
        ('{ etcd: ["http://e:2379"] }', {"discovery.etcd": 'write etcd: { endpoints: ["http://HOST:2379"] }'}),
        (
            '{ consul: "c:8500", zookeeper: "z:2181", other: { backend: "embedded" } }',
            {
                "discovery.consul": 'write consul: { address: "HOST:8500" }',
                "discovery.zookeeper": 'write zookeeper: { hosts: "HOST:2181" }',
            },
        ),
    ],
)
def test_an_address_in_the_place_of_options(tmp_path: Path, discovery: str, hints: dict[str, str]) -> None:
    found = errors(judged(f"{{ discovery: {discovery}, {WATCH} }}", tmp_path))
    assert {one.path: one.hint for one in found} == hints
    assert {one.code for one in found} == {"wrong-type"}


def test_only_one_of_consul_and_discovery(tmp_path: Path) -> None:
    assert codes(judged('{ consul: "c", discovery: "embedded" }', tmp_path)) == [("two-catalogs", "discovery")]
    assert codes(judged('{ consul: "c", discovery: "embedded" }', tmp_path, discovery="none")) == [
        ("two-catalogs", "discovery")
    ]


# ---------------------------------------------------------------------------------------------------- environment
def test_the_environment_fills_options_in_and_wins_where_the_plugin_says_so(tmp_path: Path, plugins: Path) -> None:
    environment = {
        "FAKE_ADDR": "env:1",
        "FAKE_TOKEN": "env-token",
        "FAKE_VERIFY": "FALSE",
        "FAKE_CACERT": "/etc/passwd",
    }
    found = backend('{ consul: { address: "file:1", token: "file-token" } }', tmp_path, environment)
    assert found.options.plain() == {
        "address": "file:1", "scheme": "", "token": "env-token",
        "tls": {"cafile": "/etc/passwd", "cert": "", "key": "", "verify": False},
    }  # fmt: skip


def test_a_variable_that_is_not_understood_is_ignored_with_a_warning(tmp_path: Path, plugins: Path) -> None:
    text = '{ consul: "c", jobs: [ { name: "a" } ] }'
    assert backend(text, tmp_path, {"FAKE_VERIFY": "no"}).options.plain()["tls"]["verify"] is True
    (problem,) = judged(text, tmp_path, {"FAKE_VERIFY": "no"}).problems
    assert (problem.code, problem.severity) == ("env-ignored", "warning")
    assert "$FAKE_VERIFY" in problem.message


def test_an_error_of_a_value_from_the_environment_names_the_variable(tmp_path: Path, plugins: Path) -> None:
    (problem,) = errors(judged('{ discovery: "consul" }', tmp_path, {"FAKE_ADDR": "refused"}))
    assert problem.message == "cannot use $FAKE_ADDR for discovery.address: it is refused; write another"
    (problem,) = errors(judged('{ discovery: { backend: "consul", address: "refused" } }', tmp_path))
    assert problem.message == "cannot use discovery.address: it is refused; write another"


@pytest.mark.parametrize("consul", ['"refused"', '{ address: "refused" }', '"http://refused"', '""'])
def test_an_address_that_cannot_work_leaves_the_catalog_out_in_containerpilots_form(
    consul: str, tmp_path: Path, plugins: Path
) -> None:
    text = f'{{ consul: {consul}, watches: [{{ name: "db", interval: 1 }}], jobs: [{{ name: "a" }}] }}'
    result = judged(text, tmp_path, {"FAKE_ADDR": "refused"})
    assert result.config is not None
    assert result.config.catalogs == ()
    (problem,) = result.problems
    assert (problem.code, problem.severity) == ("bad-option", "warning")
    assert "it is refused" in problem.message
    assert "nothing watched" in problem.hint


def test_a_scheme_that_cannot_work_leaves_the_catalog_out_in_containerpilots_form(
    tmp_path: Path, plugins: Path
) -> None:
    result = judged('{ consul: { address: "c:1", scheme: "ftp" }, jobs: [{ name: "a" }] }', tmp_path)
    assert result.config is not None
    assert result.config.catalogs == ()
    assert warnings(result) == [("bad-option", "consul.scheme")]
    text = '{ discovery: { backend: "consul", scheme: "ftp" } }'
    assert codes(judged(text, tmp_path)) == [("bad-option", "discovery.scheme")]


def test_an_address_in_a_text_says_its_scheme_and_no_variable_does(tmp_path: Path, plugins: Path) -> None:
    schemes = {
        consul: backend(f"{{ consul: {consul} }}", tmp_path, {"FAKE_SSL": "1"}).options.plain()["scheme"]
        for consul in ('"c:1"', '""', '"http://c:1"', '"https://c:1"', '{ address: "c:1" }', "{}")
    }
    assert list(schemes.values()) == ["http", "http", "http", "https", "https", "https"]
    (problem,) = judged('{ consul: {}, jobs: [{ name: "a" }] }', tmp_path, {"FAKE_SSL": "yes"}).problems
    assert (problem.code, problem.severity) == ("env-ignored", "warning")
    assert problem.hint == "write one of 1, 0"


def test_files_that_are_named_must_be_there(tmp_path: Path, plugins: Path) -> None:
    text = '{ consul: { tls: { cafile: "/no/such/file" } }, jobs: [ { name: "a" } ] }'
    (problem,) = judged(text, tmp_path).problems
    assert (problem.severity, problem.code, problem.machine) == ("warning", "file-missing", True)
    assert problem.path == "consul.tls.cafile"
    assert codes(judged(text, tmp_path, judge_machine=True)) == [("file-missing", "consul.tls.cafile")]


def test_secrets_are_in_no_problem(tmp_path: Path, plugins: Path) -> None:
    environment = {"MY_TOKEN": "hunter22hunter22"}
    text = (
        '{ consul: { token: ["{{ .MY_TOKEN }}"], adress: 1, other: "{{ .MY_TOKEN }}" }, x: 1, token: "plain-secret" }'
    )
    result = judged(text, tmp_path, environment)
    assert len(errors(result)) == 5
    shown = "".join(one.text() + one.sentence() + repr(one.to_json()) for one in result.problems)
    assert "hunter22" not in shown
    assert "plain-secret" not in shown


# -------------------------------------------------------------------------------------------------------- plugins
def test_a_plugin_that_is_not_installed_depends_on_the_machine(tmp_path: Path, plugins: Path) -> None:
    text = f'{{ discovery: {{ backend: "etcd", endpoints: 1 }}, {WATCH}, jobs: [ {{ name: "a" }} ] }}'
    (problem,) = judged(text, tmp_path).problems
    assert (problem.severity, problem.code, problem.machine) == ("warning", "plugin-missing", True)
    assert problem.path == "discovery.backend"
    assert "installed: " in problem.message
    assert "consul" in problem.message
    assert problem.hint == f"install it with: {sys.executable} -m pip install corepilot-etcd"
    assert codes(judged(text, tmp_path, judge_machine=True)) == [("plugin-missing", "discovery.backend")]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("consl", ['did you mean "consul"?']),
        ("Etcd", ['did you mean "etcd"?', "pip install corepilot-etcd"]),
        ("nosuchthing", ["install the distribution that brings it"]),
    ],
)
def test_the_nearest_plugin_is_suggested(tmp_path: Path, plugins: Path, name: str, words: list[str]) -> None:
    (problem,) = errors(judged(f'{{ discovery: "{name}" }}', tmp_path, judge_machine=True))
    assert all(word in problem.hint for word in words)


def test_a_path_with_a_blank_is_quoted_in_the_command(
    tmp_path: Path, plugins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/opt/my python/bin/python")
    (problem,) = errors(judged('{ discovery: "etcd" }', tmp_path, judge_machine=True))
    assert problem.hint == "install it with: '/opt/my python/bin/python' -m pip install corepilot-etcd"


@pytest.mark.parametrize(
    ("name", "words"), [("broken", "RuntimeError: no luck today"), ("future", "is made for version '99.0'")]
)
def test_a_plugin_that_cannot_be_used_says_why(tmp_path: Path, plugins: Path, name: str, words: str) -> None:
    (problem,) = errors(judged(f'{{ discovery: "{name}" }}', tmp_path, judge_machine=True))
    assert problem.code == "plugin-broken"
    assert f"fake-{name} 1.2" in problem.message
    assert words in problem.message


def test_a_plugin_without_options_takes_none(tmp_path: Path, plugins: Path) -> None:
    assert backend('{ discovery: "bare" }', tmp_path).options == Options()
    assert codes(judged('{ discovery: { backend: "bare", x: 1 } }', tmp_path)) == [("unknown-key", "discovery.x")]


def test_telemetry_needs_its_sink(tmp_path: Path, plugins: Path) -> None:
    text = '{ telemetry: { interfaces: ["static:127.0.0.1"] } }'
    (problem,) = judged(text, tmp_path).problems
    assert (problem.severity, problem.code, problem.machine) == ("warning", "plugin-missing", True)
    assert problem.path == "telemetry"
    assert problem.hint == f"install it with: {sys.executable} -m pip install 'corepilot[containerpilot]'"
    assert codes(judged(text, tmp_path, judge_machine=True)) == [("plugin-missing", "telemetry")]


# ------------------------------------------------------------------------------------------------------- override
@pytest.mark.parametrize("catalog", ["", 'consul: "c",', 'discovery: { backend: "no-such-backend" },'])
def test_discovery_on_the_command_line_wins(tmp_path: Path, catalog: str) -> None:
    text = f"{{ {catalog} {WATCH} }}"
    found = backend(text, tmp_path, discovery="embedded:path=/tmp/c", judge_machine=True)
    assert (found.name, found.options.plain()["path"]) == ("embedded", "/tmp/c")
    without = catalog + ' jobs: [ { name: "a" } ]'
    assert accepted(f"{{ {without} }}", tmp_path, discovery="none").catalogs == ()
    assert codes(judged(text, tmp_path, discovery="none")) == [("no-catalog", "watches[0]")]


def test_options_on_the_command_line(tmp_path: Path, plugins: Path) -> None:
    given = "consul:address=http://c:8500,token=a=b,c,tls.verify=0"
    found = backend("{}", tmp_path, discovery=given)
    assert found.options.plain() == {
        "address": "http://c:8500", "scheme": "", "token": "a=b,c",
        "tls": {"cafile": "", "cert": "", "key": "", "verify": False},
    }  # fmt: skip
    assert backend("{}", tmp_path, discovery="consul").options.plain()["address"] == ""
    assert backend("{}", tmp_path, discovery="consul:").options.plain()["address"] == ""


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        (":address=x", "bad-discovery", "NAME"),
        ("consul:hunter22", "bad-discovery", "NAME"),
        ("consul:=x", "bad-discovery", "NAME"),
        ("consul:adress=x", "unknown-key", 'did you mean "address"?'),
        ("consul:tls.verify=hunter22x", "wrong-type", "--discovery consul:tls.verify"),
        ("consul:address=refused", "bad-option", "it is refused"),
        ("consl:x=1", "plugin-missing", 'did you mean "consul"?'),
        ("consul:tls=1,tls.verify=1", "wrong-type", "tls"),
    ],
)
def test_errors_of_the_command_line(tmp_path: Path, plugins: Path, given: str, code: str, words: str) -> None:
    problems = errors(judged("{}", tmp_path, discovery=given, judge_machine=True))
    assert problems[0].code == code
    assert (problems[0].file, problems[0].line) == ("", 0)
    assert "--discovery" in problems[0].message
    assert words in problems[0].sentence()
    if code == "bad-discovery":
        assert "hunter22" not in problems[0].sentence()


def test_a_file_that_counts_only_together_with_another_is_not_looked_at_alone(tmp_path: Path, plugins: Path) -> None:
    assert backend('{ consul: { tls: { cert: "/no/such" } } }', tmp_path).options.plain()["tls"]["cert"] == "/no/such"
    both = '{ consul: { tls: { cert: "/no/such", key: "/etc/passwd" } } }'
    (problem,) = errors(judged(both, tmp_path, judge_machine=True))
    assert (problem.code, problem.path) == ("file-missing", "consul.tls.cert")


# ------------------------------------------------------------------------------------------------- several catalogs
TWO = 'discovery: { consul: {}, here: { backend: "embedded", path: "/srv/a" } }'
JOB = 'name: "web", port: 80, interfaces: "static:10.0.0.1", health: { interval: 1, ttl: 2 }'


def test_a_map_of_catalogs(tmp_path: Path) -> None:
    config = accepted(f'{{ {TWO}, jobs: [ {{ {JOB}, catalogs: ["here"] }} ] }}', tmp_path)
    assert [(name, plugin.name) for name, plugin in config.catalogs] == [("consul", "consul"), ("here", "embedded")]
    service = config.jobs[0].service
    assert service is not None
    assert service.registration.catalogs == ("here",)


def test_consul_beside_a_map_is_the_catalog_of_that_name(tmp_path: Path) -> None:
    config = accepted('{ consul: "c:1", discovery: { here: { backend: "embedded" } } }', tmp_path)
    assert [name for name, _ in config.catalogs] == ["here", "consul"]
    twice = '{ consul: "c", discovery: { consul: { } } }'
    assert codes(judged(twice, tmp_path)) == [("two-catalogs", "discovery.consul")]


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ('"c:1"', '{ address: "c:1" }'),
        ('"http://c:1"', '{ address: "c:1" }'),
        ('{ address: "c:1", token: "t" }', '{ address: "c:1", token: "t" }'),
    ],
)
def test_the_short_form_means_the_same_as_an_entry_of_the_map(tmp_path: Path, short: str, long: str) -> None:
    """A reload goes on with the client where they are equal."""
    before = accepted(f"{{ consul: {short} }}", tmp_path).catalogs
    assert accepted(f"{{ discovery: {{ consul: {long} }} }}", tmp_path).catalogs == before


def test_the_only_catalog_is_called_as_its_backend(tmp_path: Path) -> None:
    for text in (
        '{ discovery: "embedded" }',
        '{ discovery: { backend: "embedded" } }',
        "{ discovery: { embedded: {} } }",
    ):
        assert [name for name, _ in accepted(text, tmp_path).catalogs] == ["embedded"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('discovery: { "a b": { backend: "embedded" } }', [("bad-name", "discovery.a b")]),
        ("discovery: { here: { path: 5 } }", [("plugin-missing", "discovery.here")]),
        (f'{TWO}, jobs: [ {{ {JOB}, catalogs: ["her"] }} ]', [("unknown-catalog", "jobs[0].catalogs[0]")]),
        (f'{TWO}, watches: [ {{ name: "db", catalog: "x" }} ]', [("unknown-catalog", "watches[0].catalog")]),
        (f'{TWO}, watches: [ {{ name: "db", dc: "x", catalog: "here" }} ]', [("no-capability", "watches[0].dc")]),
    ],
)
def test_rules_of_several_catalogs(tmp_path: Path, text: str, expected: list[tuple[str, str]]) -> None:
    found = codes(judged(f"{{ {text} }}", tmp_path, judge_machine=True))
    assert [(code, path.replace("['a b']", ".a b").replace('["a b"]', ".a b")) for code, path in found] == expected


def test_who_has_a_capability_is_what_the_plugins_say() -> None:
    light = {
        "consul": consul_plugin.CAPABILITIES,
        "embedded": embedded_plugin.CAPABILITIES,
        "etcd": etcd_plugin.CAPABILITIES,
        "zookeeper": zookeeper_plugin.CAPABILITIES,
    }
    for capability, names in SHIPPED_WITH.items():
        for name, capabilities in light.items():
            assert (name in names) == (capability in capabilities), (capability, name)
