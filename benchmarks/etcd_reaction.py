"""From a change in etcd to the program that is executed for it: corepilot beside a bare watch of the same store.

    python benchmarks/etcd_reaction.py [--changes 300] [--gap-ms 100]

One process writes: each change puts one instance at another port. One after the other, against one etcd of Debian's
package, watch

- a bare watch of http.client at the gateway, which parses a line and executes nothing: what etcd itself takes;
- the backend, in this process: what we add to that;
- a whole corepilot, whose job runs `date` at each `changed`. A change has been reacted to by the first stamp after it.
"""

import argparse
import bisect
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

from consul_reaction import STAMP, running, show, stamps, wait_for
from measuring import COREPILOT, DEADLINE_S

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from servers.etcd import EtcdServer

KEY = "/corepilot/services/bench/bench-1"

CONFIG = """{{
  discovery: {{backend: "etcd", endpoints: ["{url}"]}},
  control: {{socket: "{path}/control.socket"}},
  logging: {{level: "error"}},
  watches: [{{name: "bench", interval: 10, atStart: true}}],
  jobs: [
    {{name: "stay", exec: "sleep 100000"}},
    {{name: "react", exec: ["/bin/sh", "-c", "{stamp}"], when: {{source: "watch.bench", each: "changed"}}}},
  ],
}}"""

WRITER = """
import base64, http.client, json, sys, time
port, key, changes, gap_s = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
connection = http.client.HTTPConnection("127.0.0.1", port)
def text(data):
    return base64.b64encode(data.encode()).decode()
begin = time.monotonic()
for number in range(1, changes + 1):
    time.sleep(max(0.0, begin + number * gap_s - time.monotonic()))
    body = json.dumps({"key": text(key), "value": text(json.dumps({"address": "192.0.2.1", "port": number}))})
    print(time.time_ns(), flush=True)
    connection.request("POST", "/v3/kv/put", body)
    connection.getresponse().read()
"""


def bare(server: EtcdServer) -> Iterator[int]:
    """Ports as they come, by a watch on a bare connection."""
    connection = http.client.HTTPConnection("127.0.0.1", server.members[0].port)
    request = {"create_request": {"key": b64encode(KEY.encode()).decode()}}
    connection.request("POST", "/v3/watch", json.dumps(request))
    answer = connection.getresponse()
    answer.readline()
    yield 0
    while True:
        for event in json.loads(answer.readline())["result"].get("events", ()):
            yield int(json.loads(b64decode(event["kv"]["value"]))["port"])


def backend(server: EtcdServer) -> Iterator[int]:
    """Ports as they come, through the backend."""
    from corepilot_etcd.backend import EtcdBackend
    from corepilot_etcd.plugin import Options

    from corepilot.model.service import Query
    from corepilot.testing.suite import context

    client = EtcdBackend(Options(endpoints=server.endpoints), context())
    try:
        for snapshot in client.watch(Query("bench", interval_s=55)):
            yield snapshot[0].port if snapshot else 0
    finally:
        client.close()


def writing(server: EtcdServer, changes: int, gap_s: float) -> "subprocess.Popen[str]":
    """The process that changes the instance so often, and prints when it sends."""
    words = [sys.executable, "-c", WRITER, str(server.members[0].port), KEY, str(changes), str(gap_s)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def sent_by(writer: "subprocess.Popen[str]") -> list[int]:
    """When each change was sent, in nanoseconds since the epoch."""
    return [int(line) for line in writer.communicate(timeout=DEADLINE_S)[0].split()]


def measure(
    server: EtcdServer, watch: Callable[[EtcdServer], Iterator[int]], changes: int, gap_s: float
) -> list[float]:
    """Milliseconds from each change to the first state that shows it, or a later one."""
    server.reset()
    ports = watch(server)
    next(ports)
    writer = writing(server, changes, gap_s)
    seen: list[int] = []
    while len(seen) < changes:
        port = next(ports)
        now = time.time_ns()
        seen += [now] * (port - len(seen))
    return [(at - moment) / 1e6 for at, moment in zip(seen, sent_by(writer), strict=True)]


def reactions(server: EtcdServer, changes: int, gap_s: float) -> list[float]:
    """Milliseconds from each change to the first execution after it."""
    server.reset()
    path = Path(tempfile.mkdtemp(prefix="corepilot-bench-"))
    file = path / "corepilot.json5"
    file.write_text(CONFIG.format(url=server.members[0].url, path=path, stamp=STAMP.format(path=path)))
    try:
        with running([*COREPILOT, "-c", str(file)]):
            sent_by(writing(server, 1, 0.0))
            wait_for(path, 0)
            time.sleep(2.0)  # what is left of the start
            changed = sent_by(writing(server, changes, gap_s))
            wait_for(path, changed[-1])
        told = stamps(path)
    finally:
        shutil.rmtree(path, ignore_errors=True)
    return [(told[bisect.bisect(told, moment)] - moment) / 1e6 for moment in changed]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--changes", type=int, default=300)
    parser.add_argument("--gap-ms", type=float, default=100)
    arguments = parser.parse_args()
    changes, gap_s = arguments.changes, arguments.gap_ms / 1000
    print(f"{os.cpu_count()} cores; {changes} changes, {arguments.gap_ms:g} ms apart; milliseconds")
    with EtcdServer() as server:
        for name, watch in (("bare watch", bare), ("the backend", backend)):
            show(name, measure(server, watch, changes, gap_s))
        show("corepilot, to the job's start", reactions(server, changes, gap_s))


if __name__ == "__main__":
    main()
