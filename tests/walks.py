"""An example's walk, as its README gives it: `examples/NAME/run --walk`, with the corepilot under test."""

import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
PROGRAMS = Path(sys.prefix) / "bin"
DEADLINE_S = 300  # many times what it takes, and less than pytest's own


def walk(name: str, *options: str) -> str:
    """Walk through an example; returns what it prints.

    Raises:
        AssertionError: it did not go as expected; the message has all that it printed.
    """
    command = [str(EXAMPLES / name / "run"), "--walk", "--programs", str(PROGRAMS), *options]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE_S)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.endswith("everything as expected; nothing is left running\n")
    return result.stdout
