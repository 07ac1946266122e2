"""The distributions as a user gets them: built, and installed into an environment of their own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from environment import stage

DEADLINE_S = 600


def run(command: list[str], cwd: Path | None = None) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))}
    result = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=DEADLINE_S)
    assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
    return result.stdout


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Distribution name -> the folder with its sdist and the wheel that was built from that sdist."""
    folders = {}
    for source in stage(tmp_path_factory.mktemp("sources")):
        target = tmp_path_factory.mktemp("built")
        run([sys.executable, "-I", "-m", "build", "--no-isolation", "--outdir", str(target), str(source)])
        (wheel,) = target.glob("*.whl")
        folders[wheel.name.partition("-")[0].replace("_", "-")] = target
    return folders


@pytest.fixture(scope="session")
def installed(built: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment into which the wheels have been installed, with what they depend on."""
    home = tmp_path_factory.mktemp("an environment") / "venv"
    run([sys.executable, "-I", "-m", "venv", str(home)])
    wheels = [str(next(folder.glob("*.whl"))) for folder in built.values()]
    options = ["--quiet", "--disable-pip-version-check", "--no-input"]
    run([str(home / "bin" / "python"), "-I", "-m", "pip", "install", *options, *wheels])
    return home / "bin"
