"""From a change at a Consul agent to the watch that shows it, and what the backend costs to import.

    python benchmarks/consul_latency.py [--changes 200] [--gap-ms 150]

One process writes: each change registers one instance at another port, and notes the monotonic clock just before it
sends. This process watches: once with nothing but http.client (what the agent itself costs), once through the backend.
The agent is the one that the tests use. Gaps below 100 ms measure the backend's pace as well: a service that keeps
changing is asked about ten times a second, after a burst of ten. consul_reaction.py goes on to the job that reacts.
"""

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from servers.consul import ConsulServer

WRITER = """
import http.client, json, sys, time
address, changes, gap_s = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
connection = http.client.HTTPConnection(address)
def put(path, body):
    connection.request("PUT", path, json.dumps(body))
    connection.getresponse().read()
for number in range(1, changes + 1):
    time.sleep(gap_s)
    body = {"ID": "bench-1", "Name": "bench", "Address": "192.0.2.1", "Port": number,
            "Check": {"TTL": "600s", "Status": "passing"}}
    stamp = time.monotonic_ns()
    put("/v1/agent/service/register", body)
    print(number, stamp, flush=True)
"""

COST = """
import sys, time
def private_mb():
    with open("/proc/self/smaps_rollup") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Private_")) / 1024
import gevent.hub, gevent.event, pluggy, dataclasses, corepilot.plugin.manager
for module in {before}:
    __import__(module)
memory, begin = private_mb(), time.perf_counter()
import corepilot_consul.backend
milliseconds = (time.perf_counter() - begin) * 1e3
from corepilot_consul.plugin import Options
from corepilot.testing.suite import context
backend = corepilot_consul.backend.ConsulBackend(Options(), context())
print(milliseconds, private_mb() - memory)
"""


def bare(address: str) -> Iterator[int]:
    """Ports as they come, with a blocking query on a bare connection."""
    connection = http.client.HTTPConnection(address)
    index = "0"
    while True:
        connection.request("GET", f"/v1/health/service/bench?index={index}&wait=55s")
        answer = connection.getresponse()
        entries = json.loads(answer.read())
        index = answer.headers["X-Consul-Index"]
        yield entries[0]["Service"]["Port"] if entries else 0


def backend(address: str) -> Iterator[int]:
    """Ports as they come, through the backend."""
    from corepilot_consul.backend import ConsulBackend
    from corepilot_consul.plugin import Options

    from corepilot.model.service import Query
    from corepilot.testing.suite import context

    client = ConsulBackend(Options(address=address), context())
    try:
        for snapshot in client.watch(Query("bench", interval_s=55)):
            yield snapshot[0].port if snapshot else 0
    finally:
        client.close()


def measure(address: str, watch: Callable[[str], Iterator[int]], changes: int, gap_s: float) -> list[float]:
    """Milliseconds from each change to the first answer that shows it, or a later one."""
    ports = watch(address)
    next(ports)
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, address, str(changes), str(gap_s)], stdout=subprocess.PIPE, text=True
    )
    seen: dict[int, int] = {}
    last = 0
    while last < changes:
        port = next(ports)
        now = time.monotonic_ns()
        if last < port <= changes:
            seen.update(dict.fromkeys(range(last + 1, port + 1), now))
            last = port
    text, _ = writer.communicate(timeout=60)
    stamps = {int(number): int(stamp) for number, stamp in (line.split() for line in text.splitlines())}
    return [(seen[number] - stamps[number]) / 1e6 for number in sorted(stamps)]


def cost(before: tuple[str, ...]) -> tuple[float, float]:
    """Milliseconds and MB that the backend adds to a process that has these modules; medians of 9."""
    code = COST.replace("{before}", repr(before))
    runs = [
        subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True).stdout.split()
        for _ in range(9)
    ]
    milliseconds, megabytes = (statistics.median(float(run[column]) for run in runs) for column in (0, 1))
    return milliseconds, megabytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--changes", type=int, default=200)
    parser.add_argument("--gap-ms", type=float, default=150)
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores; {arguments.changes} changes, {arguments.gap_ms:g} ms apart; milliseconds")
    with ConsulServer() as server:
        for name, watch in (("bare blocking query", bare), ("corepilot-consul", backend)):
            times = sorted(measure(server.address, watch, arguments.changes, arguments.gap_ms / 1000))
            at = [times[min(len(times) - 1, int(len(times) * share))] for share in (0.5, 0.9, 0.99)]
            print(f"{name:22} p50 {at[0]:6.2f}   p90 {at[1]:6.2f}   p99 {at[2]:6.2f}   max {times[-1]:6.2f}")
            server.reset()
    for label, modules in (("gevent and pluggy", ()), ("the HTTP client too", ("corepilot.http.client",))):
        milliseconds, megabytes = cost(modules)
        print(f"import and instance, after {label}: {milliseconds:.0f} ms, {megabytes:+.1f} MB private")


if __name__ == "__main__":
    main()
