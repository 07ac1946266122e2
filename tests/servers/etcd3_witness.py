"""python-etcd3, a client of etcd that shares nothing with ours, in an environment of its own: made once per machine.

Its generated code cannot be imported with any protobuf since 4.0, so it cannot live beside our other dependencies.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import pypi

REQUIREMENTS = ("etcd3==0.12.0", "protobuf==3.20.3")
_PROGRAM = Path(__file__).with_name("etcd3_program.py")


def ask(port: int, *words: str) -> Any:
    """Run the program beside this module, and return what it prints, parsed.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    command = [str(python()), "-I", "-W", "ignore", str(_PROGRAM), str(port), *words]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return json.loads(done.stdout)


def python() -> Path:
    """The Python of its environment, which is made where there is none: call it before something that expires."""
    return pypi.programs("etcd3", REQUIREMENTS) / "python"
