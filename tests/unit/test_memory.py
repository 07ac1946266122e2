"""Memory that is given back."""

import subprocess
import sys

import pytest

from corepilot.system import libc, memory

# Small enough not to be mapped by themselves, too many for the cache of one thread.
HOLES = """
from pathlib import Path
from corepilot.system.memory import give_back

def own_kib():
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Anonymous"))

blocks = [bytes(40_000) for _ in range(1000)]
del blocks[:-1]
before = own_kib()
give_back()
print(before - own_kib())
"""


def test_what_lies_free_below_something_that_is_kept_goes_back() -> None:
    done = subprocess.run([sys.executable, "-I", "-c", HOLES], capture_output=True, text=True, check=True, timeout=60)
    assert int(done.stdout) > 30_000


def test_a_library_that_cannot_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def call(name: str, *_: object) -> int:
        raise OSError(f"undefined symbol: {name}")

    monkeypatch.setattr(memory, "call", call)
    memory.give_back()
    assert libc.call("abs", 1) == 1
