"""The example plugin, as its page tells: installed into an environment of its own, looked at, held to the suite."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(600)  # pip downloads, and compiles what it installs

NOTEBOOK = Path(__file__).resolve().parents[2] / "examples" / "plugins" / "corepilot-notebook"
DEADLINE_S = 600


def run(command: list[str], cwd: Path | None = None) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))}
    result = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=DEADLINE_S)
    assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
    return result.stdout


@pytest.fixture(scope="module")
def programs(built: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the core, the notebook, and pytest."""
    scratch = tmp_path_factory.mktemp("notebook")
    source = scratch / NOTEBOOK.name
    shutil.copytree(NOTEBOOK, source, ignore=shutil.ignore_patterns("__pycache__"))
    made = scratch / "venv" / "bin"
    # The pip of these tests: a second one would take longer to be put there than all the rest.
    run([sys.executable, "-I", "-m", "venv", "--without-pip", str(made.parent)])
    pip = [sys.executable, "-I", "-m", "pip", "--python", str(made / "python"), "install", "--quiet", "--no-input"]
    wheel = next(built["corepilot"].glob("*.whl"))
    run([*pip, "--disable-pip-version-check", str(wheel), str(source), "pytest"])
    return made


def test_it_is_listed_described_and_verified(programs: Path) -> None:
    corepilot = str(programs / "corepilot")
    listed = json.loads(run([corepilot, "plugins", "list", "-o", "json"]))
    [one] = [plugin for plugin in listed if plugin["name"] == "notebook"]
    assert (one["kind"], one["distribution"], one["version"]) == ("backend", "corepilot-notebook", "0.1.0")
    assert Path(one["file"]).is_relative_to(programs.parent)
    shown = run([corepilot, "plugins", "info", "notebook"])
    assert "/run/notebook.json" not in shown.splitlines()[0]
    assert "duration, at least 0.01 s" in shown
    assert run([corepilot, "plugins", "verify", "notebook"]).splitlines()[1].split() == ["notebook", "backend", "ok"]


def test_it_passes_the_suite_of_backends(programs: Path, tmp_path: Path) -> None:
    shutil.copytree(NOTEBOOK / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    said = run([str(programs / "python"), "-I", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"], tmp_path)
    assert " passed" in said.splitlines()[-1]
    assert "skipped" not in said


def test_a_configuration_can_name_it(programs: Path, tmp_path: Path) -> None:
    file = tmp_path / "corepilot.json5"
    file.write_text('{discovery: {backend: "notebook", path: "/tmp/notebook.json"}, jobs: [{name: "a", exec: "true"}]}')
    run([str(programs / "corepilot"), "check", str(file)])
