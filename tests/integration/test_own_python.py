"""Starting a Python like ours: wherever ours found corepilot, and whatever the environment says."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

MODULE = "import sys\ndef main():\n    print('found', __file__, sys.flags.isolated)\n"


def place(kind: str, tmp_path: Path) -> tuple[str, str]:
    """A module `placed` in a place that an isolated Python does not search: (entry of sys.path, its file)."""
    if kind == "zip":
        archive = tmp_path / "placed.zip"
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("placed.py", MODULE)
        return str(archive), f"{archive}/placed.py"
    directory = tmp_path / {"directory": "lib", "odd": "a:b\nc 'd'"}[kind]
    directory.mkdir()
    (directory / "placed.py").write_text(MODULE)
    return str(directory), f"{directory}/placed.py"


@pytest.mark.parametrize("kind", ["directory", "zip", "odd"])
def test_it_finds_what_ours_found(kind: str, tmp_path: Path) -> None:
    entry, file = place(kind, tmp_path)
    answer = started(f"import sys; sys.path.insert(0, {entry!r})", tmp_path)
    assert answer.stdout == f"found {file} 1\n", answer.stderr


def test_without_the_path_it_would_not() -> None:
    answer = subprocess.run([sys.executable, "-I", "-m", "placed"], capture_output=True, timeout=30, check=False)
    assert answer.returncode != 0


def test_neither_the_working_directory_nor_the_environment_gets_in(tmp_path: Path) -> None:
    entry, file = place("directory", tmp_path)
    trap = tmp_path / "trap"
    trap.mkdir()
    for name in ("placed", "sitecustomize", "json", "types"):
        (trap / f"{name}.py").write_text("raise SystemExit('trapped')\n")
    environment = {"PYTHONPATH": str(trap), "PYTHONHOME": "/bogus", "PYTHONSTARTUP": str(trap / "placed.py")}
    answer = started(f"import sys; sys.path[:0] = ['', {entry!r}]", trap, environment)
    assert answer.stdout == f"found {file} 1\n", answer.stderr


def started(
    before: str, directory: Path, variables: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """What a Python like the one in which `before` has run prints, when it calls the module."""
    environment = dict(os.environ) | (variables or {})
    script = f"""{before}
import os
from corepilot.system.python import own_python
os.execve(sys.executable, own_python("placed"), {environment!r})
"""
    return subprocess.run(
        [sys.executable, "-I", "-c", script], cwd=directory, capture_output=True, text=True, timeout=30, check=False
    )


def test_another_python_heeds_no_mark_of_a_bundle() -> None:
    """Who sets the variable has an application that does: its jobs get it, and all that a bundle would take back."""
    given = {
        "COREPILOT_BUNDLE": "/opt/corepilot",
        "COREPILOT_HELD_A": "1",
        "LC_ALL": "C.UTF-8",
        "OPENSSL_CONF": "/x",
        "PATH": os.defpath,
    }
    corepilot = Path(sys.prefix) / "bin" / "corepilot"
    answer = subprocess.run([corepilot, "--", "env"], env=given, capture_output=True, text=True, check=True, timeout=60)
    assert {f"{name}={value}" for name, value in given.items()} <= set(answer.stdout.splitlines())
