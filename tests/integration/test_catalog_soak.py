"""Each catalog, hurt every few seconds: the short form of benchmarks/catalog_soak.py, which runs for ten minutes."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "catalog_soak.py"


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("backend", ["embedded", "etcd", "zookeeper", "consul"])
def test_no_change_is_lost_and_no_lock_held_twice_while_a_catalog_is_hurt(backend: str) -> None:
    command = [sys.executable, str(SCRIPT), "--backend", backend, "--seconds", "20", "--every", "3", "--verbose"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
