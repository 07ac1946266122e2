"""Start at a small share of a processor: how long until the first job runs, and until the container is ready.

    sudo python benchmarks/small_share.py [--share 0.25] [--runs 10] [--against COREPILOT]

Each start is in a control group of its own whose processes get that share, as `docker run --cpus` gives it: a quota of
each 100 ms, and nothing when that is used up. What asks is outside of it. "Ready" is the first 200 of `/readyz`.
Prints median and maximum in milliseconds. Needs root, and the cpu controller of cgroup v1 or v2.
"""

import argparse
import os
import signal
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from measuring import COREPILOT

PERIOD_US = 100_000
DEADLINE_S = 60.0
APP = (
    """name: "app", exec: ["/bin/sh", "-c", "date +%%s%%N >%(dir)s/new; mv %(dir)s/new %(dir)s/at; exec sleep 1000"]"""
)
CATALOG = """discovery: {backend: "embedded", path: "%(dir)s/catalog"}, watches: [{name: "other", interval: 1}]"""
TELEMETRY = 'telemetry: {port: 0, interfaces: ["static:127.0.0.1"]}'
SERVICE = """port: 8000, interfaces: "static:127.0.0.1", health: {interval: 1, ttl: 5}"""
WAYS = {
    "one job": f"jobs: [{{{APP}}}]",
    "ten jobs": f'jobs: [{{{APP}}}, {{name: "other", exec: "sleep 1000", replicas: 9}}]',
    "embedded catalog, a service, a watch": f"{CATALOG}, jobs: [{{{APP}, {SERVICE}}}]",
    "the same and telemetry": f"{CATALOG}, {TELEMETRY}, jobs: [{{{APP}, {SERVICE}}}]",
}
"""Configurations, by what is in them."""


@contextmanager
def group(share: float) -> Iterator[Path]:
    """A control group with this share of a processor; the file that takes the pids of its processes."""
    old = Path("/sys/fs/cgroup/cpu")
    made = (old if old.is_dir() else Path("/sys/fs/cgroup")) / f"corepilot-small-share-{os.getpid()}"
    made.mkdir()
    try:
        quota = round(share * PERIOD_US)
        if old.is_dir():
            (made / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (made / "cpu.cfs_quota_us").write_text(str(quota))
        else:
            (made / "cpu.max").write_text(f"{quota} {PERIOD_US}")
        yield made / "cgroup.procs"
    finally:
        for pid in (made / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        until = time.monotonic() + DEADLINE_S
        while (made / "cgroup.procs").read_text() and time.monotonic() < until:
            time.sleep(0.01)
        made.rmdir()


def is_ready(path: Path) -> bool:
    """Whether `/readyz` answers with 200."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(DEADLINE_S)
        try:
            asking.connect(str(path))
            asking.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
            return asking.recv(4096).split(b" ")[1:2] == [b"200"]
        except OSError:
            return False


def measure(program: str, configuration: str, procs: Path) -> tuple[float, float]:
    """Milliseconds from the start until the first job runs, and until all is ready."""
    with tempfile.TemporaryDirectory(prefix="corepilot-bench-") as directory:
        path = Path(directory)
        text = configuration % {"dir": directory}
        (path / "corepilot.json5").write_text(f'{{control: {{socket: "{directory}/control.socket"}}, {text}}}')
        join = ["/bin/sh", "-c", f'echo $$ >{procs}; exec "$@"', "sh"]
        began, began_at = time.time_ns(), time.monotonic()
        log = (path / "log").open("wb")
        process = subprocess.Popen(
            [*join, program, "run", "-c", f"{directory}/corepilot.json5"],
            stdout=log, stderr=log,
        )  # fmt: skip
        try:
            while not is_ready(path / "control.socket"):
                if time.monotonic() - began_at > DEADLINE_S or process.poll() is not None:
                    raise RuntimeError(f"{program} does not become ready:\n{(path / 'log').read_text()}")
                time.sleep(0.005)
            ready_ms = (time.monotonic() - began_at) * 1000
            return (int((path / "at").read_text()) - began) / 1e6, ready_ms
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(DEADLINE_S)
            log.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=0.25, help="of one processor")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--against", default="", metavar="COREPILOT", help="another one, measured in turns with this")
    arguments = parser.parse_args()
    programs = [COREPILOT[0], *([arguments.against] if arguments.against else [])]
    results: dict[tuple[str, str], list[tuple[float, float]]] = {}
    with group(arguments.share) as procs:
        for _ in range(arguments.runs):  # interleaved: a busy moment of the machine hits all of them
            for name, configuration in WAYS.items():
                for program in programs:
                    results.setdefault((name, program), []).append(measure(program, configuration, procs))
    print(f"at {arguments.share:g} of a processor, ms, median and maximum of {arguments.runs}")
    for (name, program), found in results.items():
        shown = [f"{statistics.median(one):5.0f} {max(one):5.0f}" for one in zip(*found, strict=True)]
        print(f"{name:<40} first job {shown[0]}   ready {shown[1]}" + (f"   {program}" if arguments.against else ""))


if __name__ == "__main__":
    main()
