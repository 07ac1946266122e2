"""From a change of the catalog to the reaction: another process writes, and a job of a corepilot is executed.

    python benchmarks/reaction.py [--backend all] [--changes 300] [--gap-ms 100] [--consul-template PATH]

A process with the store's plainest client changes the port of one instance. Beside each other, for the same changes,
stand a bare watch of that store (an inotify loop, etcd's gateway, kazoo's DataWatch, a blocking query: see `stores`),
which executes nothing, and a whole corepilot whose job runs at each `changed`. On Consul a second round has corepilot
beside consul-template (`go install github.com/hashicorp/consul-template@v0.41.1`).

The job is `date`, which writes the time at which it runs: its own start is in the figures, and shown by itself as well.
The aim: a median within 2 ms of the bare watch's, and 99 % within 5 ms of its 99 %.
"""

import argparse
import bisect
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from consul_reaction import consul_template
from measuring import DEADLINE_S, running
from stores import NAMES, Store, chosen, store

CONFIG = """{
  discovery: %s,
  control: {socket: "DIR/control.socket"},
  logging: {level: "error"},
  watches: [{name: "bench", interval: 10, atStart: true}],
  jobs: [
    {name: "stay", exec: "sleep 100000"},
    {
      name: "react", exec: ["date", "+%%s%%N"], logging: {raw: true},
      when: {source: "watch.bench", each: "changed"},
    },
  ],
}"""

Stamps = Callable[[], Sequence[int]]
"""When something was noticed so far: nanoseconds since the epoch, in order."""


@contextmanager
def corepilot(one: Store) -> Iterator[Stamps]:
    discovery = json.dumps({"backend": one.name, **one.options})
    with running(CONFIG % discovery) as run:
        yield lambda: numbers((run.path / "log").read_text())


@contextmanager
def bare(one: Store) -> Iterator[Stamps]:
    with tempfile.NamedTemporaryFile() as output:
        process = one.watch(output)
        try:
            yield lambda: numbers(Path(output.name).read_text())
        finally:
            process.kill()
            process.communicate()


@contextmanager
def template(program: str, one: Store) -> Iterator[Stamps]:
    path = Path(tempfile.mkdtemp(prefix="corepilot-bench-"))
    try:
        with consul_template(program)(one.where, path):  # type: ignore[attr-defined]  # they are context managers
            yield lambda: numbers((path / "stamps").read_text() if (path / "stamps").exists() else "")
    finally:
        shutil.rmtree(path, ignore_errors=True)


def numbers(text: str) -> list[int]:
    return sorted(int(line) for line in text.split("\n")[:-1] if line.isdigit())


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("nothing was noticed in time")
        time.sleep(0.05)


def measure(
    one: Store, watchers: Sequence[Callable[[], AbstractContextManager[Stamps]]], changes: int, gap_s: float
) -> list[list[float]]:
    """Milliseconds from each change to the first stamp after it, of each watcher."""
    with ExitStack() as stack:
        holder = one.hold(1)
        stack.callback(holder.close)
        stamps: list[Stamps] = [stack.enter_context(watcher()) for watcher in watchers]
        until(lambda: all(told() for told in stamps))
        time.sleep(2.0)  # what is left of the start
        changed = holder.change(changes, gap_s)
        until(lambda: all(told()[-1] > changed[-1] for told in stamps))
        seen = [told() for told in stamps]
        return [[(every[bisect.bisect(every, one)] - one) / 1e6 for one in changed] for every in seen]


def show(name: str, times: Sequence[float], beside: Sequence[float] = ()) -> None:
    def at(share: float, of: Sequence[float]) -> float:
        return sorted(of)[min(len(of) - 1, int(len(of) * share))]

    line = f"  {name:<26} p50 {at(0.5, times):6.2f}   p99 {at(0.99, times):6.2f}   max {max(times):6.2f}"
    if beside:
        line += f"   p50 {at(0.5, times) - at(0.5, beside):+.2f}, p99 {at(0.99, times) - at(0.99, beside):+.2f}"
    print(line, flush=True)


def own_start() -> float:
    """Milliseconds that `date` takes from being spawned to the time that it writes; the median."""
    times = []
    for _ in range(50):
        begun = time.time_ns()
        times.append((int(subprocess.check_output(["date", "+%s%N"])) - begun) / 1e6)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", choices=(*NAMES, "all"), default="all")
    parser.add_argument("--changes", type=int, default=300)
    parser.add_argument("--gap-ms", type=float, default=100)
    parser.add_argument("--consul-template", default=shutil.which("consul-template") or "", metavar="PATH")
    arguments = parser.parse_args()
    gap_s = arguments.gap_ms / 1000
    os.environ["LC_ALL"] = "C"  # else `date` begins with reading a dozen files of the locale
    print(f"{os.cpu_count()} cores; {arguments.changes} changes, {arguments.gap_ms:g} ms apart; milliseconds")
    print(f"spawning the job's program alone: p50 {own_start():.2f}")
    for name in chosen(arguments.backend):
        print(name)
        with store(name) as one:
            plain, ours = measure(one, [lambda: bare(one), lambda: corepilot(one)], arguments.changes, gap_s)
            show("a bare watch", plain)
            show("corepilot's job", ours, plain)
        if name == "consul" and arguments.consul_template:
            with store(name) as one:
                peer = lambda: template(arguments.consul_template, one)  # noqa: E731
                theirs, ours = measure(one, [peer, lambda: corepilot(one)], arguments.changes, gap_s)
                show("consul-template's command", theirs)
                show("corepilot's job", ours, theirs)
        elif name == "consul":
            print("  consul-template is not installed")


if __name__ == "__main__":
    main()
