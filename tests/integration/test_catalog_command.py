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
    command = [sys.executable, "-I", "-m", "corepilot", "catalog", *words]
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
