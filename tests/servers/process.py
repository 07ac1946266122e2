"""What all real servers of the tests have in common: a process on ports of its own, with ways to hurt it."""

import os
import secrets
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from eventually import eventually

READY_DEADLINE_S = 30
STOP_DEADLINE_S = 10
START_TRIES = 5


def free_port() -> int:
    """A TCP port of 127.0.0.1 that is free now; somebody else may still take it first.

    It is below those that the kernel gives away, to the tests of another worker too, and to every connection.
    """
    while True:
        port = 10_000 + secrets.randbelow(20_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def becomes_ready(runs: Callable[[], bool], serves: Callable[[], bool]) -> bool:
    """Wait until something serves; False if it has ended, or takes too long."""
    deadline = time.monotonic() + READY_DEADLINE_S
    while time.monotonic() < deadline:
        if not runs():
            return False
        if serves():
            return True
        time.sleep(0.02)  # the pause between two questions; the deadline bounds the wait
    return False


class Process:
    """One process of a server.

    Args:
        name: For messages.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process, 0 while it is stopped."""
        return self._process.pid if self._process else 0

    @property
    def runs(self) -> bool:
        """Whether it is there."""
        return self._process is not None and self._process.poll() is None

    def launch(self, command: Sequence[str], log: Path) -> None:
        """Start it; what it says is appended to the log."""
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command],  # it ends with the test run, even when that is killed
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd="/",
            )

    def kill(self) -> None:
        """End it at once, as a crash would: `kill -9`. Nothing to do when it is stopped."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(STOP_DEADLINE_S)

    def terminate(self) -> None:
        """End it, whatever state it is in, and wait for that. Nothing to do when it is stopped."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_DEADLINE_S)

    def pause(self) -> None:
        """SIGSTOP: connections stay open and are not answered. Returns when every thread stands still."""
        os.kill(self.pid, signal.SIGSTOP)
        tasks = Path(f"/proc/{self.pid}/task")

        def stopped() -> bool:
            stats = [(task / "stat").read_text() for task in tasks.iterdir()]
            return all(stat.rpartition(")")[2].split()[0] == "T" for stat in stats)

        eventually(stopped, message=f"{self.name} stands still")

    def resume(self) -> None:
        """SIGCONT: it goes on where it was stopped. Nothing to do when it has ended."""
        if self.runs:
            os.kill(self.pid, signal.SIGCONT)


class Opened(ABC):
    """Something that runs for the time of a block."""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def start(self) -> None:
        """Start what is stopped of it, and wait until it serves.

        Raises:
            RuntimeError: it does not come up.
        """

    @abstractmethod
    def close(self) -> None:
        """End it, and remove what it has written."""


class Server(Process, Opened):
    """One process that serves by itself, in a folder of its own.

    Every port is its own, so that several run side by side. Use it as a context manager, or call `start()` and
    `close()`. After a `kill()` it starts on the ports of before.

    Attributes:
        port: Where clients reach it; 0 before the first start.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.port = 0
        self._temporary: tempfile.TemporaryDirectory[str] | None = None

    @property
    def folder(self) -> Path:
        """Where its data and its log are; made when first asked for."""
        if self._temporary is None:
            self._temporary = tempfile.TemporaryDirectory(prefix=f"{self.name.lower()}-server-")
        return Path(self._temporary.name)

    @property
    def log(self) -> str:
        """The end of what it said."""
        return (self.folder / "log").read_text(errors="replace")[-4000:]

    @abstractmethod
    def choose_ports(self) -> None:
        """Choose new ports: `port`, and others that it needs."""

    @abstractmethod
    def spawn(self) -> None:
        """Start it, with the data that it has, and do not wait."""

    @abstractmethod
    def serves(self) -> bool:
        """Whether it answers, from which moment on all works."""

    def reset(self) -> None:
        """Make the store empty for the next test; nothing where tests use names of their own."""

    def start(self) -> None:
        """See `Opened`. Nothing to do while it runs."""
        if self.runs:
            return
        fixed = bool(self.port)
        for _ in range(START_TRIES):
            if not fixed:
                self.choose_ports()
            self.spawn()
            if becomes_ready(lambda: self.runs, self.serves):
                return
            self.kill()
        raise RuntimeError(f"cannot start {self.name} on 127.0.0.1:{self.port}:\n{self.log}")

    def close(self) -> None:
        """End it and remove its folder; afterwards it starts on other ports."""
        self.kill()
        self.port = 0
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None
