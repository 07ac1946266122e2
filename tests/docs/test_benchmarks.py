"""The scripts of benchmarks/ find what they take from elsewhere in the repository, wherever it has gone."""

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
SCRIPTS = sorted(script.stem for script in FOLDER.glob("*.py") if "sys.path" in script.read_text())


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_finds_what_it_imports(script: str) -> None:
    command = [sys.executable, "-c", f"import {script}"]
    told = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 0, told.stderr
