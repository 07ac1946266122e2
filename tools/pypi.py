"""Packages of PyPI that an example or a test needs, in an environment of their own: made once per machine.

They have no place in the environment of corepilot: its dependencies are not theirs. Standard library only.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import environment
from go_programs import cache_directory

INSTALL_DEADLINE_S = 1200
_MADE = "corepilot-made"


def programs_of(file: Path) -> Path:
    """The programs of an environment with what a `requirements.txt` names, called like the folder that it is in."""
    lines = [line.partition("#")[0].strip() for line in file.read_text().splitlines()]
    return programs(file.parent.name, [line for line in lines if line])


def programs(name: str, requirements: Sequence[str]) -> Path:
    """The programs of an environment with these packages, its `python` among them.

    Args:
        name: What the environment is called, in front of what tells it from others: its packages and this Python.
        requirements: As pip takes them. Versions should be exact: nothing brings the environment up to date.

    Raises:
        SystemExit: it cannot be made; the message has what pip says.
    """
    number = hashlib.sha256(
        f"{os.path.realpath(sys.executable)} {sys.version} {tuple(requirements)}".encode()
    ).hexdigest()[:16]
    folder = cache_directory() / f"{name}-{number}"
    if not (folder / _MADE).exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (folder.parent / f"{folder.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / _MADE).exists():
                _make(folder, requirements)
    return folder / "bin"


def _make(folder: Path, requirements: Sequence[str]) -> None:
    environment.make(folder)
    print(f"installing {' '.join(requirements)} into {folder}", file=sys.stderr, flush=True)
    pip = [str(folder / "bin" / "python"), "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [*pip, *requirements],
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=INSTALL_DEADLINE_S,
    )
    if done.returncode:
        raise SystemExit(f"cannot install {' '.join(requirements)}: pip says:\n{done.stderr.strip()}")
    (folder / _MADE).touch()
