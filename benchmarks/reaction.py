"""From a change of the catalog to the reaction: an instance changes, and a job of another corepilot is executed.

    python benchmarks/reaction.py [--changes 100] [--consul ADDRESS]

One corepilot watches a service and runs a job at each change; the job is `date`, and writes the time at which it runs.
This script changes the service in the catalog through the backend itself, and compares.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import gevent

from corepilot.discovery.backend import Backend, BackendContext
from corepilot.model.plugin import Options, PluginReference
from corepilot.model.service import Registration
from corepilot.plugin.manager import Plugins

CONFIG = """{
  discovery: %s,
  control: {socket: "%s/control.socket"},
  logging: {level: "error"},
  watches: [{name: "app", interval: 1}],
  jobs: [
    {name: "stay", exec: "sleep 100000"},
    {
      name: "react", exec: ["/bin/sh", "-c", "exec date +%%s%%N > %s/stamp"],
      when: {source: "watch.app", each: "changed"},
    },
  ],
}"""


def backend(name: str, options: dict[str, object]) -> Backend:
    module = {"embedded": "corepilot.discovery.embedded.plugin", "consul": "corepilot_consul.plugin"}[name]
    loaded = Plugins().load(PluginReference(name, module, "", name, "", Options(tuple(options.items()))))
    made: Backend = loaded.implementation(loaded.options, BackendContext(lambda _level, _message: None))
    return made


def stamp(path: Path) -> int:
    try:
        return int((path / "stamp").read_text() or 0)
    except FileNotFoundError:
        return 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--changes", type=int, default=100)
    parser.add_argument("--consul", default="", metavar="ADDRESS")
    arguments = parser.parse_args()
    path = Path(tempfile.mkdtemp(prefix="corepilot-bench-"))
    if arguments.consul:
        discovery = f'{{backend: "consul", address: "{arguments.consul}"}}'
        store = backend("consul", {"address": arguments.consul})
    else:
        discovery = f'{{backend: "embedded", path: "{path}/catalog"}}'
        store = backend("embedded", {"path": f"{path}/catalog"})
    (path / "corepilot.json5").write_text(CONFIG % (discovery, path, path))
    process = subprocess.Popen([Path(sys.executable).parent / "corepilot", "-c", str(path / "corepilot.json5")])
    times = []
    try:
        time.sleep(1.5)
        for number in range(arguments.changes):
            before = stamp(path)
            changed = time.time_ns()
            store.register(Registration("app-1", "app", "127.0.0.1", 1000 + number, ttl_s=60), "passing", "")
            deadline = time.monotonic() + 10
            while stamp(path) <= before:
                if time.monotonic() > deadline:
                    raise SystemExit("no reaction within 10 s")
                gevent.sleep(0.001)
            times.append((stamp(path) - changed) / 1e6)
            gevent.sleep(0.02)
        store.deregister("app-1")
    finally:
        process.terminate()
        process.wait(20)
        store.close()
        shutil.rmtree(path, ignore_errors=True)
    times.sort()
    print(
        f"change to reaction, {arguments.changes} changes: median {statistics.median(times):.1f} ms, "
        f"99 % {times[int(len(times) * 0.99) - 1]:.1f} ms, most {times[-1]:.1f} ms"
    )


if __name__ == "__main__":
    main()
