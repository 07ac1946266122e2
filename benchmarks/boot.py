"""Start to first exec, and memory: corepilot with the embedded catalog and with Consul, and supervisord, in one run.

    python benchmarks/boot.py [--runs 10] [--consul ADDRESS] [--against COREPILOT]

Prints medians; memory is the guard's and the supervisor's together. `--against` is the `corepilot` of another
environment, such as one with an older version, which is measured in turns with this one. `--consul` is the address of a
Consul agent that runs already; without it an address nobody listens on is used: the backend is loaded and retries, and
memory is much the same. supervisord comes from PyPI into an environment of its own (`--supervisord PATH` names one that
is there).
"""

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from measuring import COREPILOT, children, footprint

SETTLE_S = 1.0
Measured = tuple[float, float, float]
"""Milliseconds to the first exec, RSS and USS in MB."""

CONFIG = """{
  discovery: %s,
  control: {socket: "%s/control.socket"},
  logging: {level: "error"},
  jobs: [{
    name: "app", port: 8000, interfaces: "static:127.0.0.1", exec: ["/bin/sh", "%s/stamp"],
    health: {interval: 1, ttl: 5, exec: "true"},
  }],
  watches: [{name: "other", interval: 1}],
}"""

ONE_JOB = """{
  consul: false,
  control: {socket: "%s/control.socket"},
  logging: {level: "error"},
  jobs: [{name: "app", exec: ["/bin/sh", "%s/stamp"]}],
}"""


@contextmanager
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="corepilot-bench-"))
    (path / "stamp").write_text(
        f"date +%s%N > {path}/stamped.new; mv {path}/stamped.new {path}/stamped; exec sleep 1000\n"
    )
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def measure(path: Path, argv: list[str], settle_s: float = SETTLE_S) -> Measured:
    (path / "stamped").unlink(missing_ok=True)
    started = time.time_ns()
    process = subprocess.Popen(argv, cwd=path, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 20
        while not (path / "stamped").exists():
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError(f"{argv[0]} started nothing")
            time.sleep(0.002)
        first = (int((path / "stamped").read_text()) - started) / 1e6
        time.sleep(settle_s)
        own = [pid for pid in children(process.pid) if "corepilot" in Path(f"/proc/{pid}/cmdline").read_text()]
        sizes = [footprint(pid) for pid in (process.pid, *own)]
        return first, sum(size.rss_kib for size in sizes) / 1024, sum(size.uss_kib for size in sizes) / 1024
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def corepilot(path: Path, discovery: str, program: str = COREPILOT[0]) -> Measured:
    config = path / "corepilot.json5"
    config.write_text(CONFIG % (discovery, path, path))
    return measure(path, [program, "run", "-c", str(config)])


def one_job(path: Path, program: str = COREPILOT[0], settle_s: float = SETTLE_S) -> Measured:
    config = path / "corepilot.json5"
    config.write_text(ONE_JOB % (path, path))
    return measure(path, [program, "run", "-c", str(config)], settle_s)


def supervisord(path: Path, program: str) -> Measured:
    config = path / "supervisord.conf"
    config.write_text(
        f"[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile={path}/pid\n"
        f"user={os.getuid()}\n[program:app]\ncommand=/bin/sh {path}/stamp\n"
    )
    return measure(path, [program, "-c", str(config)])


def install_supervisord() -> str:
    place = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "corepilot" / "supervisord"
    if not (place / "bin" / "supervisord").exists():
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        # pkg_resources, which supervisord imports, left setuptools with version 82.
        subprocess.run([place / "bin" / "pip", "install", "-q", "supervisor", "setuptools<82"], check=True)
    return str(place / "bin" / "supervisord")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--consul", default="127.0.0.1:1", metavar="ADDRESS")
    parser.add_argument("--supervisord", default="", metavar="PATH")
    parser.add_argument("--against", default="", metavar="COREPILOT")
    arguments = parser.parse_args()
    program = arguments.supervisord or install_supervisord()
    consul = f'{{backend: "consul", address: "{arguments.consul}"}}'

    def embedded(path: Path) -> str:
        return f'{{backend: "embedded", path: "{path}/catalog"}}'

    ways: dict[str, Callable[[Path], Measured]] = {
        "one job, no catalog": one_job,
        "embedded catalog": lambda path: corepilot(path, embedded(path)),
        "Consul": lambda path: corepilot(path, consul),
    }
    if arguments.against:
        other = arguments.against
        ways |= {
            "one job, no catalog, the other": lambda path: one_job(path, other),
            "embedded catalog, the other": lambda path: corepilot(path, embedded(path), other),
            "Consul, the other": lambda path: corepilot(path, consul, other),
        }
    ways["supervisord"] = lambda path: supervisord(path, program)
    results: dict[str, list[Measured]] = {name: [] for name in ways}
    for _ in range(arguments.runs):  # interleaved: a busy moment of the machine hits all of them
        for name, way in ways.items():
            with folder() as path:
                results[name].append(way(path))
    print(f"{'':<34}{'first exec, ms':>16}{'least':>8}{'RSS, MB':>10}{'USS, MB':>10}")
    for name, rows in results.items():
        first, rss, uss = zip(*rows, strict=True)
        middle = statistics.median
        print(f"{name:<34}{middle(first):>16.0f}{min(first):>8.0f}{middle(rss):>10.1f}{middle(uss):>10.1f}")


if __name__ == "__main__":
    main()
