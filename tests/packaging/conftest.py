"""The distributions as a user gets them: built, and installed into an environment of their own."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from environment import stage

DEADLINE_S = 600

Once = Callable[[str, Callable[[Path], None]], Path]
"""Gives the folder of a name, in which the function has been called."""


def run(command: list[str], cwd: Path | None = None) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))}
    result = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=DEADLINE_S)
    assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
    return result.stdout


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """Makes a folder once for all workers of this run: the first that needs it does, and the others wait."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent

    def once(name: str, fill: Callable[[Path], None]) -> Path:
        folder, filled = shared / name, shared / f"{name}.filled"
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not filled.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of a worker that has failed
                folder.mkdir()
                fill(folder)
                filled.touch()
        return folder

    return once


@pytest.fixture(scope="session")
def built(once: Once) -> Mapping[str, Path]:
    """Distribution name -> the folder with its sdist and the wheel that was built from that sdist."""

    def build(folder: Path) -> None:
        (folder / "sources").mkdir()
        for source in stage(folder / "sources"):
            target = folder / source.name
            run([sys.executable, "-I", "-m", "build", "--no-isolation", "--outdir", str(target), str(source)])

    wheels = once("built", build).glob("*/*.whl")
    return {wheel.name.partition("-")[0].replace("_", "-"): wheel.parent for wheel in sorted(wheels)}


@pytest.fixture(scope="session")
def installed(built: Mapping[str, Path], once: Once) -> Path:
    """The programs of an environment into which the wheels have been installed, with what they depend on."""

    def install(folder: Path) -> None:
        home = folder / "venv"
        run([sys.executable, "-I", "-m", "venv", str(home)])
        wheels = [str(next(folder.glob("*.whl"))) for folder in built.values()]
        options = ["--quiet", "--disable-pip-version-check", "--no-input"]
        run([str(home / "bin" / "python"), "-I", "-m", "pip", "install", *options, *wheels])

    return once("an environment", install) / "venv" / "bin"
