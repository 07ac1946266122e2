"""Packages of plugins, as their authors go on with them: installed, tested, verified, built.

Those that `plugins new` writes now, and those in `tests/api`, which were made when a version of the interface was
frozen and are never changed. They share an environment, and therefore this file: one is installed after the other.
"""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from corepilot.plugin.hookspec import KINDS

DEADLINE_S = 900
FROZEN = sorted((Path(__file__).resolve().parents[1] / "api").glob("*/plugins/*"))
BY_CI = "check"
"""The kind whose plugin goes the same way by its own `ci.sh`."""


def run(command: list[str], cwd: Path | None = None, **variables: str) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))}
    result = subprocess.run(
        command, cwd=cwd, env={**env, **variables}, capture_output=True, text=True, check=False, timeout=DEADLINE_S
    )
    assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
    return result.stdout


@pytest.fixture(scope="module")
def programs(built: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the core and what builds and tests a plugin."""
    home = tmp_path_factory.mktemp("authors") / "venv"
    run([sys.executable, "-I", "-m", "venv", str(home)])
    wheel = next(built["corepilot"].glob("*.whl"))
    pip = [str(home / "bin" / "python"), "-I", "-m", "pip", "install", "--quiet", "--no-input"]
    run([*pip, "--disable-pip-version-check", str(wheel), "pytest>=8", "build", "setuptools>=77"])
    return home / "bin"


@pytest.mark.timeout(DEADLINE_S)
@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {BY_CI}))
def test_it_is_installed_tested_verified_and_built(kind: str, programs: Path, tmp_path: Path) -> None:
    name = f"my-{kind}"
    corepilot, python = str(programs / "corepilot"), str(programs / "python")
    said = run([corepilot, "plugins", "new", kind, name, "--directory", str(tmp_path)])
    project = tmp_path / f"corepilot-{name}"
    assert str(project) in said
    run([python, "-m", "pip", "install", "--quiet", "--no-input", "--no-deps", "--no-build-isolation", str(project)])
    try:
        tested = run([python, "-m", "pytest", "-q", "-p", "no:cacheprovider"], project)
        assert " passed" in tested.splitlines()[-1]
        assert "skipped" not in tested
        assert run([corepilot, "plugins", "verify", name]).splitlines()[1].split() == [name, kind, "ok"]
        assert f"corepilot-{name} 0.1.0" in run([corepilot, "plugins", "info", name])
        if kind == "command":
            assert run([corepilot, name, "Ada"]) == "hello Ada\n"
    finally:
        run([python, "-m", "pip", "uninstall", "--quiet", "--yes", f"corepilot-{name}"])
    run([python, "-m", "build", "--no-isolation", str(project)])
    assert f"corepilot_my_{kind}/py.typed" in names_in_wheel(project)


@pytest.mark.timeout(DEADLINE_S)
def test_plugins_made_for_an_earlier_version_still_work(programs: Path, tmp_path: Path) -> None:
    assert [project.parents[1].name for project in FROZEN] == ["1.0"] * len(KINDS)
    projects = [shutil.copytree(one, tmp_path / one.parents[1].name / one.name) for one in FROZEN]
    python = str(programs / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "--no-input", "--no-deps", "--no-build-isolation"]
    run([*pip, *map(str, projects)])
    try:
        for project in projects:
            tested = run([python, "-m", "pytest", "-q", "-p", "no:cacheprovider"], project)
            assert " passed" in tested.splitlines()[-1]
            assert "skipped" not in tested
        names = [project.name.removeprefix("corepilot-") for project in projects]
        verified = run([str(programs / "corepilot"), "plugins", "verify", *names])
        assert [line.split()[-1] for line in verified.splitlines()[1:]] == ["ok"] * len(projects)
    finally:
        run([python, "-m", "pip", "uninstall", "--quiet", "--yes", *(project.name for project in projects)])


def names_in_wheel(project: Path) -> list[str]:
    (wheel,) = (project / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.mark.timeout(DEADLINE_S)
def test_ci_runs_everything_from_nothing(built: Mapping[str, Path], programs: Path, tmp_path: Path) -> None:
    run([str(programs / "corepilot"), "plugins", "new", BY_CI, "level", "--directory", str(tmp_path)])
    project = tmp_path / "corepilot-level"
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    shutil.copy(next(built["corepilot"].glob("*.whl")), wheels)
    said = run(["./ci.sh"], project, PYTHON=sys.executable, PIP_ARGUMENTS=f"--find-links {wheels}")
    assert " passed" in said
    assert "skipped" not in said
    assert ["level", BY_CI, "ok"] in [line.split() for line in said.splitlines()]
    assert "corepilot_level/py.typed" in names_in_wheel(project)
