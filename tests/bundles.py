"""The bundle of this checkout, made once for each state of it and kept in the cache; the tests only read it.

`python tests/bundles.py` makes it. `tests/run` does so while the linters run, for the time of no test suffices for it.
"""

import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))

from go_programs import cache_directory

ROOT = Path(__file__).resolve().parent.parent
_DISTRIBUTIONS = (".", "backends/*", "plugins/*")
_INPUTS = ("setup.cfg", "pyproject.toml", "corepilot*/**/*", "tools/**/*")
EPOCH = 1_500_000_000
"""The time of everything in it."""

_KEPT_S = 24 * 3600
"""How long the bundle of another state of the checkout is kept after its last use."""


@functools.cache
def bundle() -> Path:
    """The folder in which the bundle's folder `corepilot` and its archive are.

    Raises:
        RuntimeError: it cannot be made.
    """
    folder = cache_directory() / f"bundle-{_state()}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "bundle.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _make(folder)
        os.utime(folder)
    return folder


def building() -> "subprocess.Popen[bytes]":
    """Make it in a process of its own."""
    return subprocess.Popen([sys.executable, "-I", __file__], stdout=subprocess.DEVNULL)


def _make(folder: Path) -> None:
    for old in folder.parent.glob("bundle-*"):
        if old.stat().st_mtime < time.time() - _KEPT_S:
            shutil.rmtree(old)
    sys.stderr.write(f"making {folder} (half a minute, once for each state of the checkout)\n")
    sys.stderr.flush()
    scratch = folder.with_name(f"bundle-making-{os.getpid()}")
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH)}
    done = subprocess.run(
        [ROOT / "tools" / "bundle", scratch], env=environment, umask=0o077, capture_output=True, text=True, check=False,
        timeout=900,
    )  # fmt: skip
    if done.returncode:
        shutil.rmtree(scratch, ignore_errors=True)
        raise RuntimeError(f"cannot make a bundle: {done.stdout}{done.stderr}")
    scratch.rename(folder)


def _state() -> str:
    """The name of what it is made from, the packages of others excepted."""
    digest = hashlib.sha256()
    for distribution in _DISTRIBUTIONS:
        for pattern in _INPUTS:
            for path in sorted(ROOT.glob(f"{distribution}/{pattern}")):
                if path.is_file() and "__pycache__" not in path.parts:
                    digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


if __name__ == "__main__":
    print(bundle())  # noqa: T201  - for people
