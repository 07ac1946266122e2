"""What `corepilot init` writes is a good configuration, whatever it was told; and it writes over nothing."""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from judging import accepted, judged, warnings

from corepilot.cli.arguments import UsageError
from corepilot.cli.init import FILES, TEMPLATES, files_of, init
from corepilot.errors import ConfigError

IMAGES = Path(__file__).resolve().parents[2] / "images"


def arguments(**given: Any) -> argparse.Namespace:
    options = dict.fromkeys(("run", "port", "catalog", "name", "directory"))
    return argparse.Namespace(**{**options, **given})


@pytest.mark.parametrize(
    ("command", "argv"),
    [
        ("sleep 10", ("sleep", "10")),
        ("sleep '1 0'", ("sleep", "1 0")),
        ("sleep 1 && sleep 2", ("/bin/sh", "-c", "sleep 1 && sleep 2")),
        ('echo "{{ .HOME }}" @NAME@', ("/bin/sh", "-c", 'echo "{{ .HOME }}" @NAME@')),
        ("echo ü@PORT@", ("echo", "ü@PORT@")),
    ],
)
def test_a_command_is_run_as_it_was_written(command: str, argv: tuple[str, ...], tmp_path: Path) -> None:
    for port in (0, 8080):
        text = files_of("web", command, port, ("embedded", ""))["corepilot.json5"]
        job = accepted(text, tmp_path).jobs[0]
        assert job.command is not None
        assert job.command.argv == argv
        assert (job.service is not None, len(job.checks)) == (bool(port), bool(port))
        assert warnings(judged(text, tmp_path)) == []


@pytest.mark.parametrize("backend", ["embedded", "consul", "etcd", "zookeeper", "none"])
def test_each_catalog_is_one(backend: str, tmp_path: Path) -> None:
    address = "" if backend in {"embedded", "none"} else "catalog.example:1"
    text = files_of("web", "sleep 1", 8080, (backend, address))["corepilot.json5"]
    assert warnings(judged(text, tmp_path)) == []
    catalogs = accepted(text, tmp_path).catalogs
    assert [one.name for _, one in catalogs] == ([] if backend == "none" else [backend])
    assert ("catalog.example:1" in text) == bool(address)


def test_the_dockerfile_is_for_the_program_and_says_what_every_image_should() -> None:
    texts = {
        program: files_of("web", f"/usr/bin/{program} x", 80, ("none", ""))["Dockerfile"]
        for program in ("python3.12", "node", "x")
    }
    assert [re.findall(r"^FROM (.*)", text, re.MULTILINE) for text in texts.values()] == [
        ["python:3-slim"],
        ["node:lts-slim"],
        ["debian:stable-slim"],
    ]
    ours = (IMAGES / "bundle.Dockerfile").read_text()
    for line in re.findall(r"^(?:STOPSIGNAL|HEALTHCHECK|ENTRYPOINT) .*$", ours, re.MULTILINE):
        assert f"{line}\n" in texts["node"]
    assert "EXPOSE 80\n" in texts["node"]
    assert "ARG BASE=scratch" in ours  # so its image can be copied as a whole
    assert "EXPOSE" not in files_of("web", "x", 0, ("none", ""))["Dockerfile"]


def test_there_is_a_template_of_every_file() -> None:
    assert {one.name.removesuffix(".in") for one in Path(TEMPLATES).iterdir()} == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_overwritten(name: str, tmp_path: Path) -> None:
    (tmp_path / name).symlink_to("nowhere")
    with pytest.raises(ConfigError, match=f"cannot write {re.escape(name)} in .*: it is there already"):
        init(arguments(run="true", directory=str(tmp_path)))
    assert [one.name for one in tmp_path.iterdir()] == [name]


def test_all_or_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corepilot.cli.init.os.chmod", lambda *_: (_ for _ in ()).throw(PermissionError(1, "not you")))
    with pytest.raises(ConfigError, match="not you"):
        init(arguments(run="true", directory=str(tmp_path)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"run": "echo 'x"}, "cannot run"),
        ({"run": " "}, "cannot run nothing"),
        ({"run": "x", "port": "0"}, "a port is a number from 1 to 65535, or none"),
        ({"run": "x", "port": "٣"}, "a port is a number"),
        ({"run": "x", "catalog": "etc"}, "did you mean 'etcd'?"),
        ({"run": "x", "catalog": "etcd=host"}, "write etcd=HOST:PORT"),
        ({"run": "x", "catalog": 'consul=a"b:1'}, "write consul=HOST:PORT"),
        ({"run": "x", "catalog": "embedded=x"}, "write embedded"),
        ({"run": "x", "name": "Web"}, "cannot name a job"),
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_is_written(
    given: dict[str, str], words: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        init(arguments(**given, directory=str(tmp_path)))
    assert list(tmp_path.iterdir()) == []


def test_without_a_terminal_the_command_has_to_be_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/null") as nobody:
        monkeypatch.setattr(sys, "stdin", nobody)
        with pytest.raises(UsageError, match="corepilot init --run 'COMMAND'"):
            init(arguments(directory=str(tmp_path)))
        assert init(arguments(run="true", directory=str(tmp_path / "1"))) == 0
    text = (tmp_path / "1" / "corepilot.json5").read_text()
    assert 'name: "app"' in text  # a directory's name may be none of a job
    assert f"exec: {json.dumps(['true'])}" in text
