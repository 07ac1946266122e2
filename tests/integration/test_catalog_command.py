"""`corepilot catalog`: what a catalog holds, asked without a running corepilot."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from corepilot.discovery.backend import Backend
from corepilot.discovery.embedded.backend import EmbeddedBackend
from corepilot.discovery.embedded.plugin import Options
from corepilot.model.service import Registration
from corepilot.testing.backends import context


def catalog(*words: str) -> "subprocess.CompletedProcess[str]":
    return corepilot("catalog", *words)


def corepilot(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-I", "-m", "corepilot", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd="/")


@pytest.fixture
def where(tmp_path: Path) -> str:
    return f"--discovery=embedded:path={tmp_path}/catalog"


def fill(tmp_path: Path) -> Backend:
    backend = EmbeddedBackend(Options(path=str(tmp_path / "catalog")), context())
    backend.register(Registration("web-a", "web", "10.0.0.1", 80, ("blue", "x")), "passing", "")
    backend.register(Registration("web-b", "web", "10.0.0.2", 80), "critical", "")
    backend.register(Registration("db-a", "db", "10.0.0.3", 5432), "passing", "")
    return backend


def test_every_service_and_the_instances_of_one(tmp_path: Path, where: str) -> None:
    backend = fill(tmp_path)
    assert catalog(where).stdout.split() == ["SERVICE", "CATALOG", "db", "embedded", "web", "embedded"]
    lines = catalog("web", where).stdout.splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["10.0.0.1:80", "web-a", "passing", "blue,x", "embedded"],
        ["10.0.0.2:80", "web-b", "critical", "-", "embedded"],
    ]
    (found,) = json.loads(catalog("db", where, "-o", "json").stdout)
    assert (found["catalog"], found["instances"][0]["port"]) == ("embedded", 5432)
    backend.close()


def test_an_empty_catalog_is_said_on_stderr_only(tmp_path: Path, where: str) -> None:
    empty = catalog(where)
    assert (empty.returncode, empty.stdout, empty.stderr) == (0, "", "corepilot: no service in embedded\n")
    unknown = catalog("web", where)
    assert (unknown.returncode, unknown.stdout, unknown.stderr) == (
        0,
        "",
        "corepilot: no instance of web in embedded\n",
    )
    for words, key in (((), "services"), (("web",), "instances")):
        plain = catalog(*words, where, "-o", "json")
        assert (json.loads(plain.stdout), plain.stderr) == ([{"catalog": "embedded", key: []}], "")
    file = tmp_path / "app.json5"
    text = '{discovery: {one: {backend: "embedded", path: "%s/a"}, two: {backend: "embedded", path: "%s/b"}}}'
    file.write_text(text % (tmp_path, tmp_path))
    assert catalog("-c", str(file)).stderr == "corepilot: no service in one and two\n"


def test_a_configuration_names_the_catalogs(tmp_path: Path) -> None:
    backend = fill(tmp_path)
    file = tmp_path / "app.json5"
    text = '{discovery: {one: {backend: "embedded", path: "%s/catalog"}, two: {backend: "embedded", path: "%s/none"}}}'
    file.write_text(text % (tmp_path, tmp_path))
    assert catalog("-c", str(file)).stdout.split()[2:] == ["db", "one", "web", "one"]
    backend.close()


def test_what_cannot_be_asked(tmp_path: Path) -> None:
    file = tmp_path / "app.json5"
    file.write_text("{discovery: false}")
    none = catalog("-c", str(file))
    assert (none.returncode, "the configuration names none" in none.stderr) == (1, True)
    away = catalog("--discovery=consul:address=127.0.0.1:1")
    assert (away.returncode, away.stdout, "127.0.0.1:1" in away.stderr) == (1, "", True)
    assert catalog("--discovery=nosuch").returncode == 1


@pytest.mark.parametrize("words", [("catalog",), ("lock", "x", "--", "true")])
def test_a_backend_that_is_misspelt_is_named(words: tuple[str, ...]) -> None:
    said = corepilot(words[0], "--discovery", "etdc", *words[1:])
    assert (said.returncode, said.stdout, said.stderr.count("\n")) == (1, "", 1)
    assert all(part in said.stderr for part in ('no backend called "etdc" is installed', 'did you mean "etcd"?'))
    said = corepilot(words[0], "--discovery", "embedded,path=/x", *words[1:])
    assert said.returncode == 1
    assert "write NAME, NAME:OPTION=VALUE,OPTION=VALUE, or none" in said.stderr


def test_one_catalog_that_is_away_takes_nothing_from_the_others(tmp_path: Path) -> None:
    backend = fill(tmp_path)
    file = tmp_path / "app.json5"
    file.write_text(
        '{discovery: {away: {backend: "etcd", endpoints: ["http://127.0.0.1:1"]}, gone: {backend: "etdc"},'
        f' here: {{backend: "embedded", path: "{tmp_path}/catalog"}}}},'
        ' locks: [{name: "l", ttl: "30s", catalog: "gone"}]}'
    )
    said = catalog("-c", str(file))
    assert (said.returncode, said.stdout.split()[2:]) == (1, ["db", "here", "web", "here"])
    first, second = said.stderr.splitlines()
    assert all(part in first for part in (f"{file}:1:", "discovery.gone.backend", 'did you mean "etcd"?'))
    assert second.startswith("corepilot: cannot list the services in away: cannot reach etcd at http://127.0.0.1:1: ")
    assert "127.0.0.1:1" in second
    said = catalog("web", "-c", str(file), "-o", "json")
    away, here = json.loads(said.stdout)
    assert (away["catalog"], away["instances"], "127.0.0.1:1" in away["error"]) == ("away", [], True)
    assert [one["id"] for one in here["instances"]] == ["web-a", "web-b"]
    assert "error" not in here
    backend.close()
    first, second = corepilot("lock", "-c", str(file), "l", "--", "true").stderr.splitlines()
    assert "cannot use the lock l: its catalog cannot be used here" in first
    assert 'did you mean "etcd"?' in second


def test_every_error_of_the_configuration_has_a_line(tmp_path: Path) -> None:
    file = tmp_path / "app.json5"
    file.write_text('{discovery: {backend: "embedded", pth: "x", other: 1}}')
    assert [line.count("there is no such key here") for line in catalog("-c", str(file)).stderr.splitlines()] == [1, 1]
