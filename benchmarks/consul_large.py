"""A service with thousands of instances in Consul: what a change costs, how long the hub stands still, and idling.

    python benchmarks/consul_large.py [--instances 5000] [--idle-s 120]

The agent is the one that the tests use, the instances are spread over 50 nodes. Times are of this process's processor,
so that other programs of the machine do not count; the longest of them without a turn of the hub is the gap. What
`json.loads` takes for the whole answer is the measure.
"""

import argparse
import http.client
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import gevent

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
from corepilot_consul.backend import ConsulBackend
from corepilot_consul.plugin import Options
from servers.consul import ConsulServer

from corepilot.discovery.connection import Connection
from corepilot.discovery.watcher import CatalogView, Watcher
from corepilot.model.configuration import Watch
from corepilot.model.event import Event
from corepilot.testing.suite import context

CHANGES = 6
WRITER = """
import http.client, json, sys, time
connection = http.client.HTTPConnection(sys.argv[1])
body = json.loads(sys.argv[2])
for number in range(int(sys.argv[3])):
    time.sleep(2)
    body["Service"]["Port"] = 1000 + number
    connection.request("PUT", "/v1/catalog/register", json.dumps(body))
    connection.getresponse().read()
"""


def entry(number: int) -> dict[str, Any]:
    """What registers one instance."""
    check = {"CheckID": f"service:web-{number:05}", "ServiceID": f"web-{number:05}", "Name": "Service 'web' check"}
    address = f"10.1.{number // 256}.{number % 256}"
    return {
        "Node": f"node-{number % 50}",
        "Address": f"10.0.{number % 50}.1",
        "Service": {"ID": f"web-{number:05}", "Service": "web", "Address": address, "Port": 80, "Tags": ["a", "b"]},
        "Check": {**check, "Notes": "TTL for web set by containerpilot", "Status": "passing", "Output": "ok"},
    }


def registered(address: str, instances: int) -> bytes:
    """Register so many; the answer that tells of them."""
    connection = http.client.HTTPConnection(address)
    for number in range(instances):
        connection.request("PUT", "/v1/catalog/register", json.dumps(entry(number)))
        connection.getresponse().read()
    connection.request("GET", "/v1/health/service/web?passing=1")
    return connection.getresponse().read()


def processor_ms(since: float = 0.0) -> float:
    """Milliseconds of processor time of this process."""
    return time.process_time() * 1e3 - since


class Ticker:
    """Asks for a turn every millisecond, and remembers what it had to wait for."""

    def __init__(self) -> None:
        self.longest_ms = 0.0
        self.ticks = 0

    def run(self) -> None:
        """The greenlet."""
        last = processor_ms()
        while True:
            gevent.sleep(0.001)
            now = processor_ms()
            self.longest_ms = max(self.longest_ms, now - last)
            self.ticks += 1
            last = now


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=5000)
    parser.add_argument("--idle-s", type=float, default=120)
    arguments = parser.parse_args()
    with ConsulServer() as server:
        body = registered(server.address, arguments.instances)
        begin = processor_ms()
        json.loads(body)
        print(f"{arguments.instances} instances, {len(body)} bytes: json.loads {processor_ms(begin):.1f} ms")
        client = ConsulBackend(Options(address=server.address), context())
        events: list[Event] = []
        view = CatalogView("consul", client, Connection(5.0), print)
        watcher = Watcher(Watch("web", interval_s=10, at_start=True), [view], events.append)
        watcher.start()
        changed(events, "the first answer")
        words = [sys.executable, "-c", WRITER, server.address, json.dumps(entry(7)), str(2 * CHANGES)]
        with subprocess.Popen(words):
            for _ in range(CHANGES):
                changed(events, "a change")
            ticker = Ticker()
            greenlet = gevent.spawn(ticker.run)
            for _ in range(CHANGES):
                events.clear()
                while not events:
                    gevent.sleep(0.01)
            greenlet.kill()
        print(f"the longest time without a turn of the hub: {ticker.longest_ms:.1f} ms")
        begin, since = processor_ms(), time.monotonic()
        gevent.sleep(arguments.idle_s)
        print(f"idle: {processor_ms(begin) / (time.monotonic() - since):.2f} ms a second")
        watcher.close()
        client.close()


def changed(events: list[Event], what: str) -> None:
    """Wait for an event, and print what processor time passed until then."""
    begin = processor_ms()
    events.clear()
    while not events:
        gevent.sleep(0.25)
    print(f"{what}: {processor_ms(begin):.1f} ms")


if __name__ == "__main__":
    main()
