"""A real corepilot for tests: started from a configuration, watched through its log, and ended by its pid."""

import os
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from eventually import eventually

from corepilot.testing.running import COMMAND, RunningCorepilot

LOOKS_AT_REST = 20
PIDNS = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]


class Corepilot(RunningCorepilot):
    """One `corepilot run`.

    Args:
        config: The text of its configuration. `%(dir)s` is replaced by the working directory.
        directory: Where it runs; its socket, its log and what the jobs write are there.
        arguments: More words for the command line.
        environment: Variables on top of a small environment.
        prefix: What it is started through, such as PIDNS.
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
        command: Sequence[str] = (),
    ) -> None:
        marks = {name: value for name, value in os.environ.items() if name.startswith("PYTEST_PROCESS")}
        super().__init__(
            config,
            directory,
            {**marks, **(environment or {})},
            arguments=arguments,
            command=(*prefix, *(command or COMMAND)),
        )
        self.socket = directory / "control.socket"

    def configure(self, configuration: str) -> None:
        self.file.write_text(configuration.replace("%(dir)s", str(self.directory)))

    def _ended(self) -> str:
        return ""  # a guard that was killed leaves a supervisor that still writes

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

    def client(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return cli(*words, "--socket", str(self.socket), environment=self.environment, cwd=self.directory)

    def reload_everything(self) -> None:
        """What ContainerPilot's reload does; returns when the configuration has been accepted."""
        with socket.socket(socket.AF_UNIX) as connected:
            connected.settimeout(60)
            connected.connect(str(self.socket))
            connected.sendall(b"POST /v3/reload HTTP/1.0\r\nContent-Length: 0\r\n\r\n")
            assert b" 200 " in connected.recv(100)

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


def descriptors_at_rest(pid: int) -> int:
    """How many `descriptors` there are once nothing comes or goes: what to compare a later number with.

    A start or an answer that a test has seen is not over for the process: the connection is closed after the answer,
    the pipes of the loader after the first job has spoken.
    """
    seen: list[int] = []

    def rests() -> bool:
        seen.append(descriptors(pid))
        return len(seen) >= LOOKS_AT_REST and len(set(seen[-LOOKS_AT_REST:])) == 1

    eventually(rests, message="the number of descriptors rests")
    return seen[-1]


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
