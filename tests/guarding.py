"""Running a guard in a process of its own, hearing what the programs below it announce, and leaving none behind."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from eventually import eventually

PROGRAMS = Path(__file__).parent / "integration" / "guard_programs"
CHECKOUT = PROGRAMS.parents[2]
MARK = "GUARD_TEST_MARK"
AS_PID_1 = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")


def program(name: str, *arguments: object) -> list[str]:
    """The command line of one of the programs in this folder."""
    return [sys.executable, "-I", str(PROGRAMS / f"{name}.py"), *map(str, arguments)]


class Running:
    """A started program with its descendants. Leaving the context kills every process that carries its mark, by pid.

    The program finds a pipe to announce things on in $ANNOUNCE, one line each.
    """

    def __init__(self, command: list[str], *, as_pid_1: bool = False, **popen: Any) -> None:
        self.mark = uuid.uuid4().hex
        self._heard, told = os.pipe()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  - closed by __exit__
        self._buffer = b""
        environment = {**os.environ, MARK: self.mark, "ANNOUNCE": str(told), "COREPILOT_CHECKOUT": str(CHECKOUT)}
        environment |= popen.pop("env", {})
        given: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stderr": self._errors, "start_new_session": True}
        try:
            self.process = subprocess.Popen(
                [*(AS_PID_1 if as_pid_1 else ()), *command],
                pass_fds=(told, *popen.pop("pass_fds", ())),
                env=environment,
                **(given | popen),
            )
        finally:
            os.close(told)
        self._as_pid_1 = as_pid_1

    @property
    def pid(self) -> int:
        """The program's pid here; in a PID namespace of its own it is 1 there."""
        if not self._as_pid_1:
            return self.process.pid
        return eventually(lambda: children_of(self.process.pid), message="unshare has forked")[0]

    def announced(self, word: str, deadline_s: float = 30) -> str:
        """Wait for a line that begins with the word; return the rest of it. Lines before it are dropped."""
        for line in self.lines(deadline_s):
            first, _, rest = line.partition(" ")
            if first == word:
                return rest
        raise AssertionError(f"{word!r} was never announced; stderr: {self.stderr()}")

    def lines(self, deadline_s: float = 30) -> Iterator[str]:
        """The announcements as they come, until nobody is left who could make one."""
        deadline = time.monotonic() + deadline_s
        while True:
            line, end, rest = self._buffer.partition(b"\n")
            if end:
                self._buffer = rest
                yield line.decode()
                continue
            ready, _, _ = select.select([self._heard], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise AssertionError(f"nothing announced within {deadline_s} s; stderr: {self.stderr()}")
            chunk = os.read(self._heard, 65536)
            if not chunk:
                return
            self._buffer += chunk

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def status(self, deadline_s: float = 30) -> int:
        """Wait for the exit status, negative for a signal as in subprocess."""
        return self.process.wait(deadline_s)

    def stderr(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")

    def alive(self) -> list[int]:
        """The program and all its descendants, wherever they are: whoever has the mark and is no zombie."""
        return marked(self.mark)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            eventually(self._none_after_kill, message="every process with the mark is dead")
            self.process.wait(10)
        finally:
            os.close(self._heard)
            self._errors.close()

    def _none_after_kill(self) -> bool:
        alive = self.alive()
        for pid in alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not alive


def marked(mark: str) -> list[int]:
    wanted = f"{MARK}={mark}".encode()
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                if wanted in Path(f"/proc/{entry}/environ").read_bytes().split(b"\0") and state(int(entry)) != "Z":
                    found.append(int(entry))
    return found


def state(pid: int) -> str:
    """R, S, D, T or Z as in proc(5); "" for a process that does not exist."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def zombies_of(pid: int) -> list[int]:
    return [child for child in children_of(pid) if state(child) == "Z"]
