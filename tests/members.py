"""Processes that take part in an embedded catalog: started, spoken to by lines of JSON, and ended by their pid."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PROGRAMS = Path(__file__).parent / "integration" / "embedded_programs"
DEADLINE_S = 30.0


class Member:
    """One program of `integration/embedded_programs`.

    Args:
        program: Its file name without ".py".
        wish: Its arguments; one JSON word, or words.
        prefix: What it is started through, such as `unshare`.
    """

    def __init__(self, program: str, wish: dict[str, Any] | Sequence[str], *, prefix: Sequence[str] = ()) -> None:
        words = [json.dumps(wish)] if isinstance(wish, dict) else list(wish)
        self.process = subprocess.Popen(
            [*prefix, sys.executable, str(PROGRAMS / f"{program}.py"), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        self._rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGKILL)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(DEADLINE_S)
        self.process.stdout.close()

    def signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.process.poll() is None:
            self.process.send_signal(number)

    def kill(self) -> None:
        """`kill -9`, and wait for the end."""
        self.process.kill()
        self.process.wait(DEADLINE_S)

    def say(self, line: str) -> None:
        """Write a line to its input."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def line(self, pause: Callable[[float], object] = time.sleep) -> str:
        """The next line of its output, waited for with a deadline."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + DEADLINE_S
        while b"\n" not in self._rest:
            data = self.process.stdout.read()
            if data == b"":
                raise AssertionError(f"the program ended after it wrote {self._rest!r}")
            self._rest += data or b""
            assert time.monotonic() < deadline, f"no line, only {self._rest!r}"
            if not data:
                pause(0.002)
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()

    def until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Read on until a line of JSON satisfies a condition, and return it."""
        while True:
            said: dict[str, Any] = json.loads(self.line())
            if holds(said):
                return said
