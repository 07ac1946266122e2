"""Start to first exec, and memory: corepilot with the embedded catalog and with Consul, and supervisord, in one run.

    python benchmarks/boot.py [--runs 10] [--consul ADDRESS]

Prints medians. `--consul` is the address of a Consul agent that runs already; without it an address nobody listens on
is used: the backend is loaded and retries, and memory is much the same. supervisord comes from PyPI into an environment
of its own (`--supervisord PATH` names one that is there).
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

SETTLE_S = 1.0
COREPILOT = [str(Path(sys.executable).parent / "corepilot")]

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


def resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no Rss of {pid}")


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def measure(path: Path, argv: list[str], supervisor: Callable[[int], int]) -> tuple[float, float]:
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
        time.sleep(SETTLE_S)
        return first, resident_mb(supervisor(process.pid))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def corepilot(path: Path, discovery: str) -> tuple[float, float]:
    config = path / "corepilot.json5"
    config.write_text(CONFIG % (discovery, path, path))
    return measure(path, [*COREPILOT, "run", "-c", str(config)], lambda pid: children(pid)[0])


def supervisord(path: Path, program: str) -> tuple[float, float]:
    config = path / "supervisord.conf"
    config.write_text(
        f"[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile={path}/pid\n"
        f"user={os.getuid()}\n[program:app]\ncommand=/bin/sh {path}/stamp\n"
    )
    return measure(path, [program, "-c", str(config)], lambda pid: pid)


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
    arguments = parser.parse_args()
    program = arguments.supervisord or install_supervisord()
    consul = f'{{backend: "consul", address: "{arguments.consul}"}}'
    ways: dict[str, Callable[[Path], tuple[float, float]]] = {
        "corepilot, embedded catalog": lambda path: corepilot(path, f'{{backend: "embedded", path: "{path}/catalog"}}'),
        "corepilot, Consul": lambda path: corepilot(path, consul),
        "supervisord": lambda path: supervisord(path, program),
    }
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(arguments.runs):  # interleaved: a busy moment of the machine hits all of them
        for name, way in ways.items():
            with folder() as path:
                results[name].append(way(path))
    print(f"{'':<30}{'first exec, ms':>16}{'least':>8}{'supervisor RSS, MB':>22}")
    for name, rows in results.items():
        first, memory = zip(*rows, strict=True)
        print(f"{name:<30}{statistics.median(first):>16.0f}{min(first):>8.0f}{statistics.median(memory):>22.1f}")


if __name__ == "__main__":
    main()
