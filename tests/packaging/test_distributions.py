"""What is in the wheels, and that an environment made of them is whole."""

import json
import subprocess
import zipfile
from collections.abc import Mapping
from configparser import ConfigParser
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

pytestmark = pytest.mark.timeout(600)  # pip downloads, and compiles what it installs

NAMES = (
    "corepilot",
    "corepilot-consul",
    "corepilot-etcd",
    "corepilot-otlp",
    "corepilot-prometheus",
    "corepilot-statsd",
    "corepilot-zookeeper",
)
PACKAGES = {name: name.replace("-", "_") for name in NAMES}


def files(folder: Path) -> dict[str, bytes]:
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def metadata(content: Mapping[str, bytes], name: str) -> str:
    (text,) = [data for path, data in content.items() if path.endswith(f".dist-info/{name}")]
    return text.decode()


def test_every_distribution_is_built(built: Mapping[str, Path]) -> None:
    assert sorted(built) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_wheel_holds_its_package_and_nothing_else(built: Mapping[str, Path], name: str) -> None:
    content = files(built[name])
    package = PACKAGES[name]
    assert f"{package}/py.typed" in content
    tops = {path.partition("/")[0] for path in content}
    assert tops <= {package, f"{package}-0.1.0.dist-info", f"{package}-0.1.0.data"}
    assert not [path for path in content if path.rpartition("/")[2].startswith("test_") or "__pycache__" in path]


@pytest.mark.parametrize("name", NAMES)
def test_every_module_of_the_checkout_is_in_the_wheel(built: Mapping[str, Path], name: str) -> None:
    root = Path(__file__).resolve().parents[2]
    parents = {"corepilot": root, **{f"corepilot-{one.name}": one for one in root.glob("backends/*")}}
    parent = parents.get(name, root / "plugins" / name.removeprefix("corepilot-"))
    modules = {path.relative_to(parent).as_posix() for path in (parent / PACKAGES[name]).rglob("*.py")}
    assert modules <= files(built[name]).keys()


@pytest.mark.parametrize("name", NAMES)
def test_metadata(built: Mapping[str, Path], name: str) -> None:
    content = files(built[name])
    headers = Parser().parsestr(metadata(content, "METADATA"))
    assert headers["Version"] == "0.1.0"
    assert headers["License-Expression"] == "Apache-2.0"
    assert headers["Requires-Python"] == ">=3.11"
    assert "Apache License" in metadata(content, "licenses/LICENSE")


def test_the_extras_bring_the_plugins(built: Mapping[str, Path]) -> None:
    headers = Parser().parsestr(metadata(files(built["corepilot"]), "METADATA"))
    requirements = [Requirement(line) for line in headers.get_all("Requires-Dist") or ()]

    def brought(extra: str) -> set[str]:
        return {
            requirement.name
            for requirement in requirements
            if requirement.marker and requirement.marker.evaluate({"extra": extra})
        }

    for plugin in ("consul", "etcd", "otlp", "prometheus", "statsd", "zookeeper"):
        assert brought(plugin) == {f"corepilot-{plugin}"}
    assert brought("containerpilot") == {"corepilot-consul", "corepilot-prometheus"}


def test_entry_points(built: Mapping[str, Path]) -> None:
    points = ConfigParser()
    for name in NAMES:
        points.read_string(metadata(files(built[name]), "entry_points.txt"))
    assert {group: sorted(points[group]) for group in points.sections()} == {
        "corepilot.backends": ["consul", "embedded", "etcd", "zookeeper"],
        "corepilot.checks": ["grpc", "http", "tcp"],
        "corepilot.sinks": ["jsonl", "otlp", "prometheus", "statsd"],
        "corepilot.sources": ["directory", "env", "file", "http", "https"],
        "pytest11": ["corepilot"],
    }


def test_the_scripts_are_the_launcher(built: Mapping[str, Path], installed: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    launcher = (root / "launcher" / "corepilot").read_bytes()
    assert (installed / "corepilot").read_bytes() == launcher
    assert (installed / "containerpilot").read_bytes() == launcher
    with (installed / "corepilot-python").open() as recorded:
        assert recorded.readline() == f"#!{installed}/python\n"


def test_the_recorded_python_brings_plugins_into_the_same_environment(installed: Path) -> None:
    command = [str(installed / "python"), str(installed / "corepilot-python"), "-m", "pip", "list", "--format=json"]
    found = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
    assert set(NAMES) <= {one["name"].lower() for one in found}


def test_nothing_is_missing_that_the_distributions_depend_on(installed: Path) -> None:
    check = [str(installed / "python"), "-I", "-m", "pip", "check", "--disable-pip-version-check"]
    result = subprocess.run(check, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 0, result.stdout
