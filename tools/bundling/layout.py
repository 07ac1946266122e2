"""Where things are in a bundle, and how a program is run while it is made."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

NAME = "corepilot"
"""The folder at the top of the archive."""

PROGRAMS = ("corepilot", "containerpilot", "corepilot-python", "python3")
"""Copies of the starter in `bin`; what each does is decided by its name."""

INTERPRETER = "interpreter"
"""The Python program in `lib`, which only a starter can run."""

PLUGINS = "plugins"
"""Where people put packages of their own."""

DEADLINE_S = 900


def run(command: Sequence[object], what: str, *, feed: str | None = None, **variables: str) -> str:
    """Run a program without the PYTHON* variables of this process; returns its standard output.

    Args:
        command: Program and arguments.
        what: The end of "cannot …".
        feed: Its standard input.
        variables: Added to its environment.

    Raises:
        SystemExit: it failed.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    words = [str(word) for word in command]
    done = subprocess.run(
        words,
        env={**environment, "LC_ALL": "C", **variables},
        input=feed or "",
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )
    if done.returncode:
        raise SystemExit(f"cannot {what}: {' '.join(words[:8])} says:\n{done.stdout.strip()}\n{done.stderr.strip()}")
    return done.stdout


def files_of(folder: Path) -> list[Path]:
    """All files below a folder, in an order that is the same everywhere."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
