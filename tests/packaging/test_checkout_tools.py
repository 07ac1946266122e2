"""The tools that make environments from a checkout, tried on a checkout that is as small as can be."""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import environment
import pytest

pytestmark = pytest.mark.timeout(600)  # pip downloads, and compiles what it installs

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 300


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with one package, one plugin and no dependencies."""
    root = tmp_path / "a checkout"
    shutil.copytree(ROOT / "tools", root / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    for folder, package in ((root, "corepilot"), (root / "plugins" / "extra", "corepilot_extra")):
        (folder / package).mkdir(parents=True)
        (folder / package / "__init__.py").write_text("answer = 1\n")
        (folder / "setup.cfg").write_text(
            f"[metadata]\nname = {package}\nversion = 1\n[options]\npackages = {package}\n"
        )
        shutil.copy(ROOT / "plugins" / "prometheus" / "pyproject.toml", folder)
    return root


def make(checkout: Path, *options: str) -> subprocess.CompletedProcess[str]:
    paths = [checkout / "tools" / "python3", checkout / "tools" / "environment.py", checkout / "made"]
    command = [*map(str, paths), *options]
    env = {**os.environ, "COREPILOT_PYTHON": sys.executable}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=DEADLINE_S)


def answer(checkout: Path, package: str) -> str:
    command = [str(checkout / "made" / "bin" / "python"), "-I", "-c", f"import {package}; print({package}.answer)"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=DEADLINE_S).stdout.strip()


@pytest.mark.slow
def test_an_environment_is_made_once_and_follows_the_checkout(checkout: Path) -> None:
    first = make(checkout, "--link")
    assert first.returncode == 0, first.stderr
    assert first.stdout == f"{checkout}/made/bin\n"
    assert "making" in first.stderr
    assert answer(checkout, "corepilot") == answer(checkout, "corepilot_extra") == "1"

    # linked packages are those of the checkout, with nothing to be done
    package = checkout / "corepilot" / "__init__.py"
    package.write_text("answer = 2\n")
    assert answer(checkout, "corepilot") == "2"
    assert make(checkout, "--link").stderr == ""

    # installing anew must not reach through the links; now the packages are copies
    second = make(checkout)
    assert second.returncode == 0, second.stderr
    assert "installing" in second.stderr
    assert "making" not in second.stderr
    assert package.read_text() == "answer = 2\n"
    package.write_text("answer = 3\n")
    assert answer(checkout, "corepilot") == "2"

    # nothing was built inside the checkout
    left = {path.name for path in checkout.rglob("*") if "made" not in path.parts}
    assert left.isdisjoint({"build", "corepilot.egg-info", "corepilot_extra.egg-info"})


def test_without_debians_venv_package_the_command_that_installs_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a user who is not root sees it on a Debian that has python3 but not python3-venv."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    package = f"python{sysconfig.get_python_version()}-venv"
    with pytest.raises(SystemExit, match=rf"sudo apt-get install -y --no-install-recommends {package}$"):
        environment.ensure(tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_an_old_python_is_refused_with_the_command_that_brings_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "python3").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "python3").chmod(0o755)
    result = subprocess.run(
        ["/bin/sh", ROOT / "tools" / "python3", "-c", "pass"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr == (
        "cannot find Python 3.11 or newer; on Debian or Ubuntu: apt-get install -y python3 python3-venv\n"
    )
