"""What a watch on the embedded catalog costs: idle, per report, per change, and how long it holds up everybody else.

    python benchmarks/embedded_watch.py [--instances 100 1000 5000 10000] [--seconds 10] [--path /dev/shm]

Another process holds the instances. This one watches them as corepilot does, through the boundary and the watcher, and
measures its own processor time and the longest gap between two turns of its hub (a timer every millisecond). Beside
each figure stands what is allowed, where the project promises something.
"""

import argparse
import gc
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import gevent
from gevent.socket import wait_read

from corepilot.discovery.connection import Connection
from corepilot.discovery.embedded import plugin
from corepilot.discovery.embedded.backend import EmbeddedBackend
from corepilot.discovery.guarded import GuardedBackend
from corepilot.discovery.watcher import CatalogView, Watcher
from corepilot.model.configuration import Watch
from corepilot.plugin.boundary import Boundary
from corepilot.plugin.manager import Loaded
from corepilot.testing.suite import context

HOLDER = """
import resource, sys, time
from corepilot.discovery.embedded import plugin
from corepilot.discovery.embedded.backend import EmbeddedBackend
from corepilot.model.service import Registration
from corepilot.testing.suite import context
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
backend = EmbeddedBackend(plugin.Options(sys.argv[1]), context())
count = int(sys.argv[2])
for number in range(count):
    backend.register(Registration(f"bench-{number}", "bench", "192.0.2.1", 1 + number, (), 86400), "passing", "")
print("held", flush=True)
for line in sys.stdin:
    kind, times, gap_s = line.split()
    for number in range(int(times)):
        status = "critical" if kind == "change" and number % 2 == 0 else "passing"
        backend.report(f"bench-{number % count if kind == 'report' else 7}", status, str(number), 86400)
        time.sleep(float(gap_s))
    print("done", flush=True)
"""


def running_s() -> float:
    """A clock that stands still while this thread waits for a processor, which others may have."""
    with open("/proc/thread-self/schedstat", "rb") as file:
        return time.monotonic() - int(file.read().split()[1]) / 1e9


class Gaps:
    """The longest time between two turns of the hub."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._greenlet = gevent.spawn(self._run)

    def _run(self) -> None:
        while True:
            last = running_s()
            gevent.sleep(0.001)
            self.longest_s = max(self.longest_s, running_s() - last - 0.001)

    def end(self) -> float:
        self._greenlet.kill()
        return self.longest_s


def until(condition: Callable[[], object]) -> None:
    with gevent.Timeout(120):
        while not condition():
            gevent.sleep(0.05)


def show(what: str, value: float, unit: str, allowed: str = "") -> None:
    print(f"  {what:<52}{value:10.3f} {unit:<14}{allowed}", flush=True)


def order(holder: "subprocess.Popen[str]", kind: str, times: int, gap_s: float) -> float:
    """Have it done; returns this process's seconds of processor time."""
    assert holder.stdin is not None
    assert holder.stdout is not None
    before = time.process_time()
    holder.stdin.write(f"{kind} {times} {gap_s}\n")
    holder.stdin.flush()
    wait_read(holder.stdout.fileno())
    holder.stdout.readline()
    gevent.sleep(0.2)
    return time.process_time() - before


def measure(path: str, count: int, seconds: float) -> None:
    print(f"{count} instances")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, path, str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    loaded = Loaded("embedded", "backend", EmbeddedBackend, None, plugin.CAPABILITIES, plugin.__name__, "corepilot")
    backend = GuardedBackend(
        lambda: EmbeddedBackend(plugin.Options(path), context()), Boundary(loaded, lambda *_: None)
    )
    events: list[object] = []
    catalog = CatalogView("embedded", backend, Connection(5.0), lambda *_: None)
    watcher = Watcher(Watch("bench", 1, at_start=True), [catalog], events.append)
    gaps = Gaps()
    began, used = time.monotonic(), time.process_time()
    watcher.start()
    until(lambda: len(watcher.instances) == count)
    show("first look: time", (time.monotonic() - began) * 1e3, "ms")
    show("first look: processor time", (time.process_time() - used) * 1e3, "ms")
    show("first look: hub gap", gaps.end() * 1e3, "ms", "≤ 20")
    gevent.sleep(1.5)
    gc.collect()
    used, began = time.process_time(), time.monotonic()
    gevent.sleep(seconds)
    show("idle", (time.process_time() - used) / (time.monotonic() - began) * 1e3, "ms/s", "≤ 1")
    show("a report that changes nothing", order(holder, "report", 400, 0.005) / 400 * 1e3, "ms")
    before = len(events)
    used = order(holder, "change", 50, 0.05) / 50
    show("a change", used * 1e3, "ms", "≤ 1" if count <= 100 else "≤ 20")
    show("events of 50 changes", len(events) - before, "")
    gaps = Gaps()
    order(holder, "change", 50, 0.05)
    show("changes: hub gap", gaps.end() * 1e3, "ms", "≤ 20")
    watcher.close()
    backend.close()
    holder.communicate(timeout=60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--instances", type=int, nargs="*", default=[100, 1000, 5000, 10_000])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--path", default="/dev/shm")
    options = parser.parse_args()
    for count in options.instances:
        path = tempfile.mkdtemp(prefix="catalog", dir=options.path)
        try:
            measure(os.path.join(path, "catalog"), count, options.seconds)
        finally:
            shutil.rmtree(path)


if __name__ == "__main__":
    main()
