"""What the benchmarks share: a corepilot that runs, what its processes take, and the control socket without a client.

Standard library only. The benchmarks are scripts beside this module, and import it from there.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

COREPILOT = [str(Path(sys.executable).parent / "corepilot")]
DEADLINE_S = 120.0


class Footprint(NamedTuple):
    """What one process takes.

    Attributes:
        rss_kib: All memory that is resident.
        uss_kib: What of it no other process shares, which changes with what else runs.
        anonymous_kib: What of it is no file's: what the process itself has allocated and written.
        descriptors: How many are open.
        threads: Native ones.
    """

    rss_kib: int
    uss_kib: int
    anonymous_kib: int
    descriptors: int
    threads: int


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=DEADLINE_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(DEADLINE_S)
        self.sock.connect(str(self._path))


class Running:
    """One `corepilot run` over the files of a directory of its own.

    Attributes:
        path: The directory; `control.socket` and the configuration are in it.
        config: The configuration file.
        guard: The guard's pid.
    """

    def __init__(self, path: Path, config: Path, process: "subprocess.Popen[bytes]") -> None:
        self.path, self.config, self._process = path, config, process
        self.guard = process.pid

    @property
    def supervisor(self) -> int:
        """The supervisor's pid."""
        return children(self.guard)[0]

    def request(self, method: str, path: str) -> bytes:
        """One request on a connection of its own; the body of its answer."""
        connection = _UnixConnection(self.path / "control.socket")
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {body.decode(errors='replace')}")
        return body

    def jobs(self) -> dict[str, dict[str, object]]:
        """The status of each job."""
        return {str(job["name"]): job for job in json.loads(self.request("GET", "/v1/jobs"))}

    def reload(self) -> list[dict[str, object]]:
        """Reload what has changed, and wait until it is done; the changes."""
        lines = [json.loads(line) for line in self.request("POST", "/v1/reload?wait=1").splitlines()]
        if lines[-1]["result"] != "done":
            raise RuntimeError(f"the reload was {lines[-1]}")
        return lines[:-1]

    def until(self, condition: Callable[[], object], deadline_s: float = DEADLINE_S) -> None:
        """Wait until something is so; what fails because nobody answers yet is not."""
        deadline = time.monotonic() + deadline_s
        while True:
            try:
                if condition():
                    return
            except OSError:
                pass
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError("corepilot did not come there in time")
            time.sleep(0.02)


@contextmanager
def running(text: str, files: Mapping[str, str] | None = None, program: Sequence[str] = COREPILOT) -> Iterator[Running]:
    """Run a configuration, in which DIR stands for the directory; it answers when this yields, and is gone afterwards.

    Args:
        text: The configuration.
        files: The texts of more files in the directory, by name.
        program: Another corepilot.
    """
    path = Path(tempfile.mkdtemp(prefix="corepilot-bench-"))
    config = path / "corepilot.json5"
    config.write_text(text.replace("DIR", str(path)))
    for name, content in (files or {}).items():
        (path / name).write_text(content)
    with (path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*program, "run", "-c", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=path,
        )
    one = Running(path, config, process)
    try:
        one.until(lambda: one.request("GET", "/v1/ping"))
        yield one
    except BaseException:
        sys.stderr.write((path / "log").read_text(errors="replace")[-4000:])
        raise
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(DEADLINE_S)
        shutil.rmtree(path, ignore_errors=True)


def free_port() -> int:
    """A port of 127.0.0.1 that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def children(pid: int) -> list[int]:
    """The children of a process's main thread."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def footprint(pid: int) -> Footprint:
    """What a process takes at this moment."""
    rss = uss = anonymous = 0
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name == "Rss":
            rss = int(rest.split()[0])
        elif name.startswith("Private_"):
            uss += int(rest.split()[0])
        elif name == "Anonymous":
            anonymous = int(rest.split()[0])
    return Footprint(rss, uss, anonymous, len(os.listdir(f"/proc/{pid}/fd")), len(os.listdir(f"/proc/{pid}/task")))


def switches(pid: int) -> int:
    """How often the threads of a process have gone to sleep so far: each time something has woken them up before."""
    found = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        for line in status.read_text().splitlines():
            name, _, count = line.partition(":")
            found += int(count) if name == "voluntary_ctxt_switches" else 0
    return found


def slope(points: Sequence[tuple[float, float]]) -> float:
    """How much the second member grows while the first grows by one: least squares. 0 for fewer than two points."""
    if len(points) < 2:
        return 0.0
    middle_x = sum(x for x, _ in points) / len(points)
    middle_y = sum(y for _, y in points) / len(points)
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / spread if spread else 0.0
