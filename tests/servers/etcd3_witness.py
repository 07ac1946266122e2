"""python-etcd3, a client of etcd that shares nothing with ours, in an environment of its own: made once per machine.

Its generated code cannot be imported with any protobuf since 4.0, so it cannot live beside our other dependencies.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

from go_programs import cache_directory

REQUIREMENTS = ("etcd3==0.12.0", "protobuf==3.20.3")
INSTALL_DEADLINE_S = 600
_PROGRAM = Path(__file__).with_name("etcd3_program.py")


def ask(port: int, *words: str) -> Any:
    """Run the program beside this module, and return what it prints, parsed.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    command = [str(_python()), "-I", "-W", "ignore", str(_PROGRAM), str(port), *words]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return json.loads(done.stdout)


def _python() -> Path:
    name = hashlib.sha256(f"{sys.executable} {sys.version} {REQUIREMENTS}".encode()).hexdigest()[:16]
    folder = cache_directory() / f"etcd3-{name}"
    python = folder / "bin" / "python"
    if not (folder / "made").exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (folder.parent / f"{folder.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / "made").exists():
                shutil.rmtree(folder, ignore_errors=True)
                venv.create(folder, with_pip=True)
                pip = [str(python), "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
                environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
                subprocess.run([*pip, *REQUIREMENTS], env=environment, check=True, timeout=INSTALL_DEADLINE_S)
                (folder / "made").touch()
    return python
