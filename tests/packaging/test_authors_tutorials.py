"""The tutorials for authors, followed word by word: each command is run, each file is written as it is shown."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
AUTHORS = ROOT / "docs" / "authors"
STEP = re.compile(
    r"^(?:`(?P<path>[\w./-]+)`:\n\n```python\n(?P<text>.*?)|```sh\n(?P<commands>.*?))^```$", re.MULTILINE | re.DOTALL
)
DEADLINE_S = 900


def run(command: list[str], cwd: Path, path: str) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))}
    result = subprocess.run(
        command, cwd=cwd, env={**env, "PATH": path}, capture_output=True, text=True, check=False, timeout=DEADLINE_S
    )
    assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
    return result.stdout


@pytest.fixture(scope="module")
def programs(built: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the core, as an author has it."""
    home = tmp_path_factory.mktemp("an author") / "venv"
    wheel = next(built["corepilot"].glob("*.whl"))
    run([sys.executable, "-I", "-m", "venv", str(home)], home.parent, os.environ["PATH"])
    run([str(home / "bin" / "python"), "-m", "pip", "install", "-q", str(wheel)], home.parent, os.environ["PATH"])
    return home / "bin"


@pytest.mark.timeout(DEADLINE_S)
@pytest.mark.parametrize("page", ["sinks", "sources", "checks", "observers", "commands"])
def test_following_a_tutorial_ends_in_a_package_to_publish(page: str, programs: Path, tmp_path: Path) -> None:
    here, path = tmp_path, f"{programs}:{os.environ['PATH']}"
    said: dict[str, str] = {}
    for step in STEP.finditer((AUTHORS / f"{page}.md").read_text()):
        if step["path"]:
            assert (here / step["path"]).is_file(), f"{step['path']} is a file that `plugins new` has written"
            (here / step["path"]).write_text(step["text"])
            continue
        for command in step["commands"].splitlines():
            if command.startswith("cd "):
                here /= command.removeprefix("cd ")
            else:
                said[command] = run(["sh", "-ec", command], here, path)
    assert " passed" in said["python -m pytest"]
    assert "skipped" not in said["python -m pytest"]
    verified = next(text for command, text in said.items() if command.startswith("corepilot plugins verify"))
    assert verified.split()[-1] == "ok"
    assert {file.suffix for file in (here / "dist").iterdir()} == {".whl", ".gz"}
