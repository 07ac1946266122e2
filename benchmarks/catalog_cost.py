"""What a catalog costs corepilot: memory, processor time, and how long it holds up everybody else.

    python benchmarks/catalog_cost.py [--backend all] [--instances 100 5000 10000] [--seconds 10]

Memory is private and dirty, of a whole corepilot with one registered job and one watch, beside one without a catalog;
what is allowed is the supervisor's. The rest is measured in this process, which watches the service as corepilot does,
through the boundary and the watcher, while another process holds the instances and changes one of them: this process's
processor time, and the longest gap between two turns of its hub (a timer every millisecond). Beside each figure stands
what is allowed, where the project promises something. On Consul, where every answer is the whole list, `json.loads` of
that answer is the measure.
"""

import argparse
import gc
import http.client
import importlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import gevent
from embedded_watch import Gaps, show, until
from measuring import Running, children, running
from stores import NAMES, SERVICE, Holder, Store, chosen, store

from corepilot.discovery.connection import Connection
from corepilot.discovery.guarded import GuardedBackend
from corepilot.discovery.watcher import CatalogView, Watcher
from corepilot.model.configuration import Watch
from corepilot.model.plugin import Options, PluginReference
from corepilot.plugin.boundary import Boundary
from corepilot.plugin.manager import Plugins
from corepilot.testing.suite import context

CONFIG = """{
  %s
  control: {socket: "DIR/control.socket"},
  logging: {level: "error"},
  %s
  jobs: [{
    name: "stay", exec: "sleep 100000", port: 8000, interfaces: ["static:127.0.0.1"],
    health: {exec: "true", interval: 2, ttl: 10},
  }],
}"""

MEMORY_MB = {"embedded": 0.0, "etcd": 12.0, "zookeeper": 15.5, "consul": 13.0}
PROGRAMS = {
    "embedded": "corepilot.discovery.embedded.plugin",
    "etcd": "corepilot_etcd.plugin",
    "zookeeper": "corepilot_zookeeper.plugin",
    "consul": "corepilot_consul.plugin",
}
CHANGES = 30
GAP_S = 0.15
"""Between changes: Consul's backend asks ten times a second at most."""
SETTLED_S = 12.0


def private_dirty_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty:")) / 1024


def memory(config: str, ready: Callable[[Running], object]) -> tuple[float, float]:
    """MB of the guard and of the supervisor, some seconds after all is there."""
    with running(config) as run:
        run.until(lambda: ready(run))
        time.sleep(SETTLED_S)
        assert children(run.guard)
        return private_dirty_mb(run.guard), private_dirty_mb(run.supervisor)


def show_memory(name: str) -> None:
    with store(name) as one:
        holder = one.hold(1)
        discovery = f"discovery: {json.dumps({'backend': name, **one.options})},"
        guard, supervisor = memory(
            CONFIG % (discovery, f'watches: [{{name: "{SERVICE}", interval: 5, atStart: true}}],'),
            in_order,
        )
        holder.close()
    allowed = f"≤ {MEMORY_MB[name]:g}" if MEMORY_MB[name] else ""
    show(f"memory of the supervisor (and the guard: {guard:.1f})", supervisor, "MB", allowed)


def in_order(run: Running) -> bool:
    """Whether the watch has seen the other instance, and ours is registered."""
    status = json.loads(run.request("GET", "/v1/status"))
    return status["watches"][0]["instances"] > 0 < len(status["services"]) and all(
        one["in_sync"] for one in status["services"]
    )


def guarded(one: Store) -> GuardedBackend:
    """The backend as corepilot has it."""
    module = importlib.import_module(PROGRAMS[one.name])
    options = Options(tuple((key, tuple(v) if isinstance(v, list) else v) for key, v in one.options.items()))
    reference = PluginReference(one.name, module.__name__, "", one.name, "", options, tuple(module.CAPABILITIES))
    loaded = Plugins().load(reference)
    return GuardedBackend(
        lambda: loaded.implementation(loaded.options, context()),
        Boundary(loaded, lambda *_: None),
        capabilities=loaded.capabilities,
    )


def changed(holder: Holder) -> float:
    """Processor time of this process for a change, in milliseconds."""
    before = time.process_time()
    holder.begin(CHANGES, GAP_S)
    gevent.sleep(CHANGES * GAP_S + 1.0)
    used = time.process_time() - before
    holder.begun(CHANGES)
    return used / CHANGES * 1e3


def loads_ms(one: Store) -> float:
    """Milliseconds of `json.loads` for Consul's answer: the least of five."""
    connection = http.client.HTTPConnection(one.where)
    connection.request("GET", f"/v1/health/service/{SERVICE}?passing=1")
    body = connection.getresponse().read()
    connection.close()
    times = []
    for _ in range(5):
        before = time.process_time()
        json.loads(body)
        times.append((time.process_time() - before) * 1e3)
    return min(times)


def measure(name: str, count: int, seconds: float) -> None:
    print(f" {count} instances", flush=True)
    with store(name) as one:
        holder = one.hold(count)
        backend = guarded(one)
        events: list[object] = []
        view = CatalogView(name, backend, Connection(5.0), lambda *_: None)
        watcher = Watcher(Watch(SERVICE, 1, at_start=True), [view], events.append)
        gaps = Gaps()
        began, used = time.monotonic(), time.process_time()
        watcher.start()
        until(lambda: len(watcher.instances) == count)
        show("first look: time", (time.monotonic() - began) * 1e3, "ms")
        show("first look: processor time", (time.process_time() - used) * 1e3, "ms")
        show("first look: hub gap", gaps.end() * 1e3, "ms", "≤ 20")
        gevent.sleep(2.0)
        gc.collect()
        used, began = time.process_time(), time.monotonic()
        gevent.sleep(seconds)
        show("idle", (time.process_time() - used) / (time.monotonic() - began) * 1e3, "ms/s", "≤ 1")
        before = len(events)
        allowed = "≤ 1" if count <= 100 else "≤ 20" if count <= 5000 else ""
        if name == "consul":
            loads = loads_ms(one)
            allowed = f"≤ {2 * loads:.1f}: twice json.loads of an answer"
        show("a change: processor time", changed(holder), "ms", allowed)
        show(f"a change: events (of {2 * CHANGES})", len(events) - before, "")
        gaps = Gaps()
        gevent.sleep(0.2)
        changed(holder)
        show("a change: hub gap", gaps.end() * 1e3, "ms", "≤ 20")
        watcher.close()
        backend.close()
        holder.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", choices=(*NAMES, "all"), default="all")
    parser.add_argument("--instances", type=int, nargs="*", default=[100, 5000, 10_000])
    parser.add_argument("--seconds", type=float, default=10)
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores")
    guard, supervisor = memory(CONFIG % ("", ""), lambda run: run.jobs()["stay"])
    print("no catalog")
    show(f"memory of the supervisor (and the guard: {guard:.1f})", supervisor, "MB")
    for name in chosen(arguments.backend):
        print(name)
        show_memory(name)
        for count in arguments.instances:
            measure(name, count, arguments.seconds)


if __name__ == "__main__":
    main()
