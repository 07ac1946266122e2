"""What the launcher leaves out of the start of Python is done when somebody needs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import corepilot

PROGRAM = """
import json, sys
sys.path.append(sys.argv[1])
from corepilot.system import search_path
assert "site" not in sys.modules
search_path.complete_for_dependencies()
before = "site" in sys.modules
search_path.complete()
path = list(sys.path)
search_path.complete()
assert sys.path == path
import added
json.dump({"before": before, "path": path, "prefix": sys.prefix, "added": added.__file__}, sys.stdout)
"""


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A virtual environment with this corepilot, and a file `*.pth` that tells of a directory."""
    made = tmp_path / "made"
    subprocess.run([sys.executable, "-I", "-m", "venv", "--without-pip", "--symlinks", made], check=True, timeout=60)
    [packages] = made.glob("lib/python*/site-packages")
    [package] = corepilot.__path__
    (packages / "corepilot").symlink_to(os.path.realpath(package))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "added.py").touch()
    (packages / "elsewhere.pth").write_text(f"{tmp_path / 'elsewhere'}\n")
    return made


def asked(environment: Path, program: str, *options: str) -> str:
    [packages] = environment.glob("lib/python*/site-packages")
    command = [str(environment / "bin" / "python"), *options, "-c", program, str(packages)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("beside", [True, False], ids=["dependencies beside it", "dependencies elsewhere"])
def test_the_search_path_is_completed_once(environment: Path, tmp_path: Path, *, beside: bool) -> None:
    [packages] = environment.glob("lib/python*/site-packages")
    for name in ("gevent", "greenlet", "h11", "marshmallow", "pluggy")[: None if beside else 4]:
        (packages / name).mkdir()
    said = json.loads(asked(environment, PROGRAM, "-IS"))
    assert said["before"] is not beside
    assert said["prefix"] == str(environment)
    assert said["added"] == str(tmp_path / "elsewhere" / "added.py")
    ordinary = json.loads(asked(environment, "import json, sys; json.dump(sys.path, sys.stdout)", "-I"))
    assert sorted(said["path"]) == sorted(ordinary)


def test_with_site_there_is_nothing_to_do(environment: Path) -> None:
    program = """
import site, sys
site.main = None
from corepilot.system import search_path
search_path.complete()
search_path.complete_for_dependencies()
"""
    asked(environment, program, "-I")
