"""A real corepilot for tests: started from a configuration, watched through its log, and ended by its pid."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from eventually import eventually
from written import Written

COMMAND = [sys.executable, "-I", "-m", "corepilot"]
PIDNS = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]


class Corepilot(Written):
    """One `corepilot run`.

    Args:
        config: The text of its configuration. `%(dir)s` is replaced by the working directory.
        directory: Where it runs; its socket, its log and what the jobs write are there.
        arguments: More words for the command line.
        environment: Variables on top of a small environment.
        prefix: What it is started through, such as PIDNS.
        config_name: The configuration's file name.
        command: What is run in the place of this Python's corepilot.
    """

    def __init__(
        self,
        config: str,
        directory: Path,
        *,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
        config_name: str = "corepilot.json5",
        command: Sequence[str] = (),
    ) -> None:
        self.directory = directory
        self.socket = directory / "control.socket"
        self.config = directory / config_name
        self.configure(config)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            **{name: value for name, value in os.environ.items() if name.startswith("PYTEST_PROCESS")},
            **(environment or {}),
        }
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  - closed with the process
        self.process = subprocess.Popen(
            [*prefix, *(command or COMMAND), "run", "-c", str(self.config), *arguments],
            cwd=directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def configure(self, config: str) -> None:
        self.config.write_text(config.replace("%(dir)s", str(self.directory)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            sys.stderr.write(self.output)
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(20)
        self._log.close()

    @property
    def guard(self) -> int:
        """The guard's pid, behind whatever it was started through."""
        pid = self.process.pid
        while (
            b"corepilot" not in Path(f"/proc/{pid}/cmdline").read_bytes()
            or b"unshare" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ):
            pid = _first_child(pid)
        return pid

    @property
    def supervisor(self) -> int:
        return eventually(lambda: _children(self.guard), message="the supervisor")[0]

    def signal(self, number: int) -> None:
        os.kill(self.guard, number)

    def wait(self, deadline_s: float = 30) -> int:
        return self.process.wait(deadline_s)

    def stop(self, deadline_s: float = 30) -> int:
        self.signal(signal.SIGTERM)
        return self.wait(deadline_s)

    def until(self, text: str, count: int = 1, deadline_s: float = 30) -> None:
        eventually(lambda: self.output.count(text) >= count, deadline_s, f"{count} x {text!r} in:\n{self.output}")

    def until_ready(self) -> "Corepilot":
        eventually(lambda: self.client("ping").returncode == 0, message=f"an answer to ping:\n{self.output}")
        return self

    def client(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return cli(*words, "--socket", str(self.socket), environment=self.environment, cwd=self.directory)

    def reload_everything(self) -> None:
        """What ContainerPilot's reload does; returns when the configuration has been accepted."""
        with socket.socket(socket.AF_UNIX) as connected:
            connected.settimeout(60)
            connected.connect(str(self.socket))
            connected.sendall(b"POST /v3/reload HTTP/1.0\r\nContent-Length: 0\r\n\r\n")
            assert b" 200 " in connected.recv(100)

    def status(self) -> dict[str, Any]:
        answer = self.client("status", "-o", "json")
        assert answer.returncode == 0, answer.stderr
        found: dict[str, Any] = json.loads(answer.stdout)
        return found

    def job(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(job for job in self.status()["jobs"] if job["name"] == name)
        return found


def cli(
    *words: str,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout_s: float = 30,
    command: Sequence[str] = (),
) -> "subprocess.CompletedProcess[str]":
    """Run a command of corepilot's to its end."""
    return subprocess.run(
        [*(command or COMMAND), *words],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env=dict(environment) if environment is not None else None,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def _first_child(pid: int) -> int:
    return eventually(lambda: _children(pid), message="a child")[0]


def alive(pid: int) -> bool:
    """Whether a process runs: a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # the second where it ends between the opening and the reading
        return False


def descriptors(pid: int) -> int:
    """How many descriptors a process has open, besides those of /dev/null: its reserve, which a reload may have."""
    count = 0
    for name in os.listdir(f"/proc/{pid}/fd"):
        with suppress(FileNotFoundError):
            count += os.readlink(f"/proc/{pid}/fd/{name}") != "/dev/null"
    return count


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
