"""Code in an interpreter of its own, in which nothing has been imported yet."""

import subprocess
import sys


def run(code: str) -> str:
    """What it prints; fails if it does, or warns."""
    result = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout
