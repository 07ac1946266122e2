"""From a change in the embedded catalog to the watch that shows it, and from a holder's kill -9 to its being dropped.

    python benchmarks/embedded_latency.py [--changes 500] [--kills 300] [--others 0] [--gap-ms 5]

Another process writes, and notes the monotonic clock, which is one for the whole machine, just before it does. This
process watches through the backend and notes it again when it has the snapshot. `--others` is how many further
instances of the service there are; the changes of the third line add up to that. The catalog is in /dev/shm, unless
`--path` says where. Prints milliseconds.
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

import gevent

from corepilot.discovery.embedded import plugin
from corepilot.discovery.embedded.backend import EmbeddedBackend
from corepilot.model.service import Query, Registration
from corepilot.testing.suite import context

COMMON = """
import os, sys, time
from corepilot.discovery.embedded import plugin
from corepilot.discovery.embedded.backend import EmbeddedBackend
from corepilot.model.service import Registration
from corepilot.testing.suite import context
path = sys.argv[1]
backend = EmbeddedBackend(plugin.Options(path), context())
def register(number, port=1):
    backend.register(Registration(f"bench-{number}", "bench", "192.0.2.1", port, (), 3600), "passing", "")
"""

WRITER = (
    COMMON
    + """
changes, gap_s, kind = int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
if kind == "report":
    register(0)
for number in range(1, changes + 1):
    time.sleep(gap_s)
    stamp = time.monotonic_ns()
    if kind == "report":
        backend.report("bench-0", "critical" if number % 2 else "passing", "", 3600)
    elif kind == "replace":
        register(0, number)
    else:
        register(number)
    print(number, stamp, flush=True)
sys.stdin.read()
"""
)

HOLDERS = (
    COMMON
    + """
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        register(int(line))
        time.sleep(3600)
    print(pid, flush=True)
"""
)


def start(program: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def end(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=60)
    return output


def changes(path: str, kind: str, count: int, gap_s: float) -> list[float]:
    """Milliseconds from each change to the first snapshot that shows it."""
    backend = EmbeddedBackend(plugin.Options(path), context())
    stream = backend.watch(Query("bench", interval_s=3600))
    before = len(next(stream))
    writer = start(WRITER, path, str(count), str(gap_s), kind)
    seen: dict[int, int] = {}
    flips = 0
    with gevent.Timeout(120):
        for snapshot in stream:
            now = time.monotonic_ns()
            if kind == "report":
                last = next(one.status for one in snapshot if one.id == "bench-0")
                number = flips
                if last == ("critical" if (flips + 1) % 2 else "passing"):
                    flips = number = flips + 1
            elif kind == "replace":
                number = next(one.port for one in snapshot if one.id == "bench-0")
            else:
                number = len(snapshot) - before
            for new in range(max(seen, default=0) + 1, number + 1):
                seen[new] = now
            if number >= count:
                break
    output = end(writer)
    backend.close()
    return [(seen[int(number)] - int(stamp)) / 1e6 for number, stamp in map(str.split, output.splitlines())]


def kills(path: str, count: int) -> list[float]:
    """Milliseconds from each kill -9 to the first snapshot without the instance."""
    backend = EmbeddedBackend(plugin.Options(path), context())
    stream = backend.watch(Query("bench", interval_s=3600))
    next(stream)
    holders = start(HOLDERS, path)
    assert holders.stdin is not None
    assert holders.stdout is not None
    took = []
    with gevent.Timeout(300):
        for number in range(1_000_001, 1_000_001 + count):
            holders.stdin.write(f"{number}\n")
            holders.stdin.flush()
            pid = int(holders.stdout.readline())
            while f"bench-{number}" not in {one.id for one in next(stream)}:
                pass
            stamp = time.monotonic_ns()
            os.kill(pid, signal.SIGKILL)
            while f"bench-{number}" in {one.id for one in next(stream)}:
                pass
            took.append((time.monotonic_ns() - stamp) / 1e6)
    end(holders)
    backend.close()
    return took


def show(what: str, took: list[float]) -> None:
    took.sort()
    p99 = took[min(len(took) - 1, int(len(took) * 0.99))]
    print(f"{what:<36} p50 {statistics.median(took):7.3f}   p99 {p99:7.3f}   max {took[-1]:7.3f}   n {len(took)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--changes", type=int, default=500)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--others", type=int, default=0)
    parser.add_argument("--gap-ms", type=float, default=5)
    parser.add_argument("--path", default="/dev/shm")
    options = parser.parse_args()
    path = tempfile.mkdtemp(prefix="catalog", dir=options.path)
    others = EmbeddedBackend(plugin.Options(path), context())
    for number in range(options.others):
        others.register(Registration(f"other-{number}", "bench", "192.0.2.2", 1, (), 3600), "passing", "")
    try:
        for kind in ("report", "replace", "register"):
            show(f"{kind} -> watch", changes(path, kind, options.changes, options.gap_ms / 1e3))
        show("kill -9 -> dropped by the watch", kills(path, options.kills))
    finally:
        others.close()
        shutil.rmtree(path)


main()
