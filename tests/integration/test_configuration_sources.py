"""A real corepilot whose configuration comes from several places: at start, at reload, in check and in plan."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from configuration_server import ConfigurationServer, Talker
from running import Corepilot, cli

BASE = '{ consul: false, control: { socket: "%(dir)s/control.socket" }, logging: { level: "debug" }, jobs: [%s] }'
APP = '{ name: "app", exec: "sleep 1001" }'


def base(jobs: str = APP) -> str:
    return BASE.replace("%s", jobs)


@pytest.fixture
def server() -> Iterator[ConfigurationServer]:
    with ConfigurationServer('{ jobs: [ { name: "web", exec: "sleep 1002" } ] }', token="unseen-word") as made:
        yield made


def commands(corepilot: Corepilot) -> dict[str, str]:
    pids = {job["name"]: job["pid"] for job in corepilot.status()["jobs"]}
    return {name: Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip() for name, pid in pids.items()}


def test_documents_of_every_kind_are_one_configuration(tmp_path: Path, server: ConfigurationServer) -> None:
    more = tmp_path / "conf.d"
    more.mkdir()
    (more / "10-db.json5").write_text('{ jobs: [ { name: "db", exec: "sleep {{ .SECONDS }}" } ] }')
    (more / "20-app.json5").write_text('{ jobs: [ { name: "app", exec: "sleep 1004" } ] }')
    environment = {
        "SECONDS": "1003",
        "LAST": '{ jobs: [ { name: "db", exec: "sleep 1005" } ] }',
        "COREPILOT_HTTP_TOKEN": "unseen-word",
    }
    arguments = ("-c", str(more), "-c", server.origin, "--config=env:LAST")
    with Corepilot(base(), tmp_path, arguments=arguments, environment=environment) as corepilot:
        corepilot.until_ready()
        assert commands(corepilot) == {"app": "sleep 1004", "db": "sleep 1005", "web": "sleep 1002"}
        assert corepilot.status()["config"] == f"{corepilot.file}, {more}, {server.origin}, env:LAST"
        # A client finds it by the same words, without asking the server.
        found = cli("ping", "-c", str(corepilot.file), *arguments, environment=environment)
        assert (found.returncode, found.stdout) == (0, "ok\n")
        assert server.answered == [200]
        other = cli("ping", "-c", str(corepilot.file), environment=environment)
        assert other.returncode == 1
        assert corepilot.stop() == 0


def test_a_reload_reads_everything_again_and_keeps_the_etag(tmp_path: Path, server: ConfigurationServer) -> None:
    environment = {"COREPILOT_HTTP_TOKEN": "unseen-word"}
    with Corepilot(base(), tmp_path, arguments=("-c", server.origin), environment=environment) as corepilot:
        corepilot.until_ready()
        assert "nothing has changed" in corepilot.client("reload").stdout + corepilot.output
        assert server.answered == [200, 304]
        assert commands(corepilot) == {"app": "sleep 1001", "web": "sleep 1002"}
        server.text, server.etag = '{ jobs: [ { name: "web", exec: "sleep 1006" } ] }', '"2"'
        plan = corepilot.client("plan", "-o", "json")
        kinds = {one["name"]: one["kind"] for one in json.loads(plan.stdout)["changes"]}
        assert (kinds["app"], kinds["web"]) == ("unchanged", "restarted")
        assert corepilot.client("reload").returncode == 0
        assert server.answered == [200, 304, 200, 304]
        assert commands(corepilot)["web"] == "sleep 1006"
        assert "unseen" not in corepilot.output
        assert corepilot.stop() == 0


def test_a_reload_whose_server_refuses_changes_nothing(tmp_path: Path, server: ConfigurationServer) -> None:
    environment = {"COREPILOT_HTTP_TOKEN": "unseen-word"}
    with Corepilot(base(), tmp_path, arguments=("-c", server.origin), environment=environment) as corepilot:
        corepilot.until_ready()
        before = commands(corepilot)
        server.status = 503
        refused = corepilot.client("reload")
        assert refused.returncode == 1
        assert f"{server.origin}: error: cannot read configuration: the server answers 503" in refused.stderr
        server.status, server.text, server.etag = 200, "{\n\n jobs: 5 }", '"3"'
        refused = corepilot.client("reload")
        assert f"{server.origin}:3:8: error: cannot use jobs" in refused.stderr
        assert commands(corepilot) == before
        # What was read last is known, used or not.
        server.text = "changed without a new ETag, as no server should"
        assert f"{server.origin}:3:8: error" in corepilot.client("reload").stderr
        assert corepilot.stop() == 0


def test_a_variable_that_putenv_changes_is_read_again(tmp_path: Path) -> None:
    environment = {"JOBS": '{ jobs: [ { name: "one", exec: "sleep 1007" } ] }'}
    with Corepilot(base(""), tmp_path, arguments=("-c", "env:JOBS"), environment=environment) as corepilot:
        corepilot.until_ready()
        corepilot.client("env", 'JOBS={ jobs: [ { name: "two", exec: "sleep 1008" } ] }')
        assert corepilot.client("reload").returncode == 0
        assert commands(corepilot) == {"two": "sleep 1008"}
        assert corepilot.stop() == 0


def test_a_plan_with_other_documents(tmp_path: Path) -> None:
    with Corepilot(base(), tmp_path) as corepilot:
        corepilot.until_ready()
        (tmp_path / "more.json5").write_text('{ jobs: [ { name: "more", exec: "sleep 1009" } ] }')
        planned = corepilot.client("plan", str(corepilot.file), str(tmp_path / "more.json5"))
        assert planned.returncode == 3, planned.stderr
        assert "more: added" in planned.stdout
        assert corepilot.stop() == 0


def test_a_secret_in_a_file_is_used_and_never_shown(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("unseen-word\n")
    catalog = f'{{ backend: "consul", address: "127.0.0.1:1", token: {{ file: "{tmp_path}/secret" }} }}'
    text = base().replace("consul: false", f"discovery: {catalog}")
    with Corepilot(text, tmp_path) as corepilot:
        corepilot.until_ready()
        (tmp_path / "secret").write_text("unseen-other\n")
        planned = corepilot.client("plan")
        assert "catalog" in planned.stdout
        assert corepilot.client("reload").returncode == 0
        (tmp_path / "secret").unlink()
        refused = corepilot.client("reload")
        assert "corepilot.json5:1:" in refused.stderr
        assert 'cannot use discovery.token: cannot read the file "' in refused.stderr
        seen = corepilot.output + planned.stdout + refused.stderr + json.dumps(corepilot.status())
        assert "loaded config" in seen
        assert "unseen" not in seen
        assert corepilot.stop() == 0


def test_check_judges_what_is_merged(tmp_path: Path, server: ConfigurationServer) -> None:
    (tmp_path / "a.json5").write_text('{ consul: false, jobs: [ { name: "web", exec: "true", restarts: 1 } ] }')
    environment = {"COREPILOT_HTTP_TOKEN": "unseen-word"}
    done = cli("check", "-c", str(tmp_path / "a.json5"), "-c", server.origin, environment=environment)
    assert (done.returncode, done.stdout) == (0, f"{tmp_path}/a.json5, {server.origin}: ok (1 job, 0 watches)\n")
    refused = cli("check", "-c", str(tmp_path / "a.json5"), "-c", server.origin)
    assert refused.returncode == 1
    assert "the server answers 401 Unauthorized" in refused.stdout
    assert "a token: $COREPILOT_HTTP_TOKEN" in refused.stdout


def test_a_server_that_hangs_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json5").write_text(base())
    with Talker(lambda _: None) as server:
        done = cli("check", "-c", str(tmp_path / "a.json5"), "-c", f"{server.origin}/x", "-c", "env:NONE")
    assert done.returncode == 1
    assert f"{server.origin}/x: error: cannot read configuration" in done.stdout
    assert "did not answer within" in done.stdout
    assert "cannot read configuration: the time was over before its turn came" in done.stdout
