"""From a change of the catalog to the reaction: another process writes, and a job of a corepilot is executed.

    python benchmarks/reaction.py [--backend all] [--changes 300] [--gap-ms 100] [--consul-template PATH]

A process with the store's plainest client changes the port of one instance. Beside each other, for the same changes,
stand a bare watch of that store (an inotify loop, etcd's gateway, kazoo's DataWatch, a blocking query: see `stores`),
which executes nothing, and a whole corepilot whose job runs at each `changed`. A second round has corepilot's backend
alone, in a process that executes nothing, and on Consul a third one has corepilot beside consul-template (`go install
github.com/hashicorp/consul-template@v0.41.1`).

The job is a program of a few lines that notes the time at which it is executed: built with `cc`, linked statically if
that can be had, else a shell with `date`. What it takes until then by itself is shown first, and is in the figures.
The aim: a median within 2 ms of the bare watch's, and 99 % within 5 ms of its 99 %.
"""

import argparse
import bisect
import json
import os
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

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
      name: "react", exec: %s, logging: {raw: true},
      when: {source: "watch.bench", each: "changed"},
    },
  ],
}"""

STAMP = """
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
int main(int count, char **words) {
    struct timespec now;
    char line[32];
    int file, size;
    clock_gettime(CLOCK_REALTIME, &now);
    size = snprintf(line, sizeof line, "%lld\\n", (long long)now.tv_sec * 1000000000LL + now.tv_nsec);
    file = count > 1 ? open(words[1], O_WRONLY | O_APPEND | O_CREAT, 0600) : 1;
    return write(file, line, size) != size;
}
"""
"""A program that appends the time of its start, in nanoseconds since the epoch, to a file."""

BACKEND = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
from catalog_cost import guarded
from corepilot.model.service import Query
from stores import SERVICE, Store
for _ in guarded(Store(sys.argv[2], json.loads(sys.argv[3]), "", None)).watch(Query(SERVICE, "", "", 10.0)):
    print(time.time_ns(), flush=True)
"""

TEMPLATE = '{{ range service "bench" }}{{ .Address }}:{{ .Port }}\n{{ end }}'

Stamps = Callable[[], Sequence[int]]
"""When something was noticed so far: nanoseconds since the epoch, in order."""


class Stamp:
    """The job's program.

    Args:
        path: A directory for it.
    """

    def __init__(self, path: Path) -> None:
        self.words: Callable[[object], list[str]] = lambda file: ["/bin/sh", "-c", f"exec date +%s%N >> {file}"]
        self.name = "a shell with date, because there is no cc"
        source, program = path / "stamp.c", str(path / "stamp")
        source.write_text(STAMP)
        for name, how in (("built statically", ["-static"]), ("built", [])):
            words = ["cc", "-O2", *how, "-o", program, str(source)]
            if shutil.which("cc") and subprocess.run(words, capture_output=True, check=False).returncode == 0:
                self.words = lambda file: [program, str(file)]
                self.name = f"a program of a few lines, {name}"
                return

    def own_start(self, path: Path) -> float:
        """Milliseconds that it takes from being spawned to the time that it writes; the median."""
        times = []
        for number in range(50):
            words = self.words(path / f"own-{number}")
            begun = time.time_ns()
            os.waitpid(os.posix_spawn(words[0], words, os.environ), 0)
            times.append((int((path / f"own-{number}").read_text()) - begun) / 1e6)
        return statistics.median(times)


@contextmanager
def corepilot(one: Store, stamp: Stamp) -> Iterator[Stamps]:
    discovery = json.dumps({"backend": one.name, **one.options})
    with running(CONFIG % (discovery, json.dumps(stamp.words("DIR/stamps")))) as run:
        yield lambda: noted(run.path / "stamps")


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
def backend(one: Store) -> Iterator[Stamps]:
    here = str(Path(__file__).resolve().parent)
    words = [sys.executable, "-c", BACKEND, here, one.name, json.dumps(one.options)]
    with tempfile.NamedTemporaryFile() as output:
        process = subprocess.Popen(words, stdout=output)
        try:
            yield lambda: numbers(Path(output.name).read_text())
        finally:
            process.kill()
            process.communicate()


@contextmanager
def template(program: str, one: Store, stamp: Stamp) -> Iterator[Stamps]:
    path = Path(tempfile.mkdtemp(prefix="corepilot-bench-"))
    (path / "bench.tpl").write_text(TEMPLATE)
    command = shlex.join(stamp.words(path / "stamps"))
    arguments = ["-log-level", "err", "-template", f"{path}/bench.tpl:{path}/bench.txt:{command}"]
    process = subprocess.Popen([program, "-consul-addr", one.where, *arguments], cwd="/")
    try:
        yield lambda: noted(path / "stamps")
    finally:
        process.send_signal(signal.SIGINT)  # consul-template goes on after SIGTERM
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
        shutil.rmtree(path, ignore_errors=True)


def noted(path: Path) -> list[int]:
    return numbers(path.read_text() if path.exists() else "")


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
    with tempfile.TemporaryDirectory(prefix="corepilot-bench-") as directory:
        stamp = Stamp(Path(directory))
        print(f"the job is {stamp.name}; its own start: p50 {stamp.own_start(Path(directory)):.2f}")
        for name in chosen(arguments.backend):
            print(name)
            compare(name, stamp, arguments.changes, gap_s, arguments.consul_template)


def compare(name: str, stamp: Stamp, changes: int, gap_s: float, consul_template: str) -> None:
    with store(name) as one:
        plain, ours = measure(one, [lambda: bare(one), lambda: corepilot(one, stamp)], changes, gap_s)
        show("a bare watch", plain)
        show("corepilot's job", ours, plain)
    with store(name) as one:
        plain, ours = measure(one, [lambda: bare(one), lambda: backend(one)], changes, gap_s)
        show("a bare watch", plain)
        show("the backend alone", ours, plain)
    if name == "consul" and consul_template:
        with store(name) as one:
            peer = lambda: template(consul_template, one, stamp)  # noqa: E731
            theirs, ours = measure(one, [peer, lambda: corepilot(one, stamp)], changes, gap_s)
            show("consul-template's command", theirs)
            show("corepilot's job", ours, theirs)
    elif name == "consul":
        print("  consul-template is not installed")


if __name__ == "__main__":
    main()
