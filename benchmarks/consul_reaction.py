"""From a change at a Consul agent to the program that is executed for it: corepilot beside consul-template.

    python benchmarks/consul_reaction.py [--changes 300] [--gap-ms 100] [--consul-template PATH]

One process writes: each change registers one instance at another port. One after the other, against one agent, watch

- a bare blocking query of http.client, which executes nothing: what the agent itself takes;
- the backend, in this process: what we add to that;
- a whole corepilot, whose job runs at each `changed`;
- consul-template, whose command runs after each rendering, unless it is not installed
  (`go install github.com/hashicorp/consul-template@v0.41.1`).

Job and command are the same: `date`, which writes the time. A change has been reacted to by the first stamp after it.
"""

import argparse
import bisect
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from consul_latency import backend, bare, measure
from measuring import COREPILOT, DEADLINE_S

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from servers.consul import ConsulServer

STAMP = "exec date +%s%N >> {path}/stamps"

CONFIG = """{{
  discovery: {{backend: "consul", address: "{address}"}},
  control: {{socket: "{path}/control.socket"}},
  logging: {{level: "error"}},
  watches: [{{name: "bench", interval: 10, atStart: true}}],
  jobs: [
    {{name: "stay", exec: "sleep 100000"}},
    {{name: "react", exec: ["/bin/sh", "-c", "{stamp}"], when: {{source: "watch.bench", each: "changed"}}}},
  ],
}}"""

TEMPLATE = '{{ range service "bench" }}{{ .Address }}:{{ .Port }}\n{{ end }}'

WRITER = """
import http.client, json, sys, time
address, changes, gap_s = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
connection = http.client.HTTPConnection(address)
begin = time.monotonic()
for number in range(1, changes + 1):
    time.sleep(max(0.0, begin + number * gap_s - time.monotonic()))
    body = {"ID": "bench-1", "Name": "bench", "Address": "192.0.2.1", "Port": number,
            "Check": {"TTL": "600s", "Status": "passing"}}
    print(time.time_ns(), flush=True)
    connection.request("PUT", "/v1/agent/service/register", json.dumps(body))
    connection.getresponse().read()
"""


@contextmanager
def corepilot(address: str, path: Path) -> Iterator[None]:
    """A corepilot that watches."""
    file = path / "corepilot.json5"
    file.write_text(CONFIG.format(address=address, path=path, stamp=STAMP.format(path=path)))
    with running([*COREPILOT, "-c", str(file)]):
        yield


def consul_template(program: str) -> Callable[[str, Path], object]:
    """What makes a consul-template that watches."""

    @contextmanager
    def made(address: str, path: Path) -> Iterator[None]:
        (path / "bench.tpl").write_text(TEMPLATE)
        command = f"/bin/sh -c '{STAMP.format(path=path)}'"
        template = f"{path}/bench.tpl:{path}/bench.txt:{command}"
        with running([program, "-consul-addr", address, "-log-level", "err", "-template", template]):
            yield

    return made


@contextmanager
def running(command: Sequence[str]) -> Iterator[None]:
    """A process for the time of a block."""
    process = subprocess.Popen(command, cwd="/")
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)  # consul-template goes on after SIGTERM
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def stamps(path: Path) -> list[int]:
    """When something was executed, in nanoseconds since the epoch, in order."""
    try:
        return sorted(int(line) for line in (path / "stamps").read_text().split())
    except FileNotFoundError:
        return []


def reactions(address: str, watcher: Callable[[str, Path], object], changes: int, gap_s: float) -> list[float]:
    """Milliseconds from each change to the first execution after it."""
    path = Path(tempfile.mkdtemp(prefix="corepilot-bench-"))
    try:
        with watcher(address, path):  # type: ignore[attr-defined]  # they are context managers
            write(address, 1, 0.0)
            wait_for(path, 0)
            time.sleep(2.0)  # what is left of the start
            changed = write(address, changes, gap_s)
            wait_for(path, changed[-1])
        told = stamps(path)
    finally:
        shutil.rmtree(path, ignore_errors=True)
    return [(told[bisect.bisect(told, moment)] - moment) / 1e6 for moment in changed]


def write(address: str, changes: int, gap_s: float) -> list[int]:
    """Change the service so often; when each change was sent."""
    words = [sys.executable, "-c", WRITER, address, str(changes), str(gap_s)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=DEADLINE_S + changes * gap_s)
    return [int(line) for line in done.stdout.split()]


def wait_for(path: Path, moment: int) -> None:
    """Wait until something has been executed after a moment."""
    deadline = time.monotonic() + DEADLINE_S
    while not any(stamp > moment for stamp in stamps(path)):
        if time.monotonic() > deadline:
            raise SystemExit("nothing was executed")
        time.sleep(0.01)


def show(name: str, times: list[float]) -> None:
    """One line of the result."""
    times.sort()
    at = [times[min(len(times) - 1, int(len(times) * share))] for share in (0.5, 0.9, 0.99)]
    print(f"{name:34} p50 {at[0]:6.2f}   p90 {at[1]:6.2f}   p99 {at[2]:6.2f}   max {times[-1]:6.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--changes", type=int, default=300)
    parser.add_argument("--gap-ms", type=float, default=100)
    parser.add_argument("--consul-template", default=shutil.which("consul-template") or "", metavar="PATH")
    arguments = parser.parse_args()
    changes, gap_s = arguments.changes, arguments.gap_ms / 1000
    print(f"{os.cpu_count()} cores; {changes} changes, {arguments.gap_ms:g} ms apart; milliseconds")
    with ConsulServer() as server:
        for name, watch in (("bare blocking query", bare), ("the backend", backend)):
            show(name, measure(server.address, watch, changes, gap_s))
            server.reset()
        show("corepilot, to the job's start", reactions(server.address, corepilot, changes, gap_s))
        server.reset()
        if arguments.consul_template:
            peer = consul_template(arguments.consul_template)
            show("consul-template, to the command's", reactions(server.address, peer, changes, gap_s))
        else:
            print("consul-template: not installed")


if __name__ == "__main__":
    main()
