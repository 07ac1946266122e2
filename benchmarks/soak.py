"""Does the supervisor grow: everything that goes on in a container for a long time, at once, for some minutes.

    python benchmarks/soak.py [--minutes 40] [--settle 12] [--consul BINARY]

60 jobs: 20 that end at once and are restarted, 20 with a check every second, 20 periodic ones. 11 watches over the
embedded catalog, a scrape of the Prometheus endpoint twice a second, a status every second, and a reload every five
seconds that changes one job. With `--consul` the catalog is an agent in development mode, which is gone for ten seconds
every two minutes, by turns silent and killed. Prints memory, descriptors and threads of the supervisor every ten
seconds, and at the end how fast memory grew after the first minutes, in which what is bounded becomes full, such as a
summary's ten minutes of observations. "Own" is memory that is no file's. The slopes are medians of those between any
two measurements (Theil and Sen).
"""

import argparse
import http.client
import itertools
import signal
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from measuring import Running, footprint, free_port, running

EVERY_S = 10.0
SCRAPE_S, STATUS_S, RELOAD_S = 0.5, 1.0, 5.0
OUTAGE_EVERY_S, OUTAGE_S = 120.0, 10.0


class Agent:
    """A Consul agent in development mode that can be taken away."""

    def __init__(self, binary: str) -> None:
        self._port, server, lan, wan = (free_port() for _ in range(4))
        self._argv = [
            *(binary, "agent", "-dev", "-bind=127.0.0.1", "-client=127.0.0.1", "-log-level=err", "-node=soak"),
            *(f"-http-port={self._port}", f"-server-port={server}", f"-serf-lan-port={lan}", f"-serf-wan-port={wan}"),
            *("-dns-port=-1", "-grpc-port=-1", "-grpc-tls-port=-1"),
        ]
        self._process = self._start()
        self._silent = False
        self._outages = itertools.cycle((True, False))

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            self._argv, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    @property
    def section(self) -> str:
        """The discovery section for it."""
        return f'{{backend: "consul", address: "127.0.0.1:{self._port}"}}'

    def leave(self) -> None:
        """Silent this time, killed the next."""
        self._silent = next(self._outages)
        if self._silent:
            self._process.send_signal(signal.SIGSTOP)
        else:
            self.end()

    def come_back(self) -> None:
        """After `leave`; one that was killed has forgotten everything."""
        if self._silent:
            self._process.send_signal(signal.SIGCONT)
        else:
            self._process = self._start()

    def end(self) -> None:
        """At once."""
        self._process.kill()
        self._process.wait()


@contextmanager
def agent(binary: str) -> Iterator[Agent | None]:
    one = Agent(binary) if binary else None
    try:
        yield one
    finally:
        if one is not None:
            one.end()


def theil_sen(points: Sequence[tuple[float, float]]) -> float:
    slopes = [(y - b) / (x - a) for (a, b), (x, y) in itertools.combinations(points, 2)]
    return statistics.median(slopes) if slopes else 0.0


def configuration(discovery: str, port: int, generation: int) -> str:
    jobs = [
        f'{{name: "restarting-{number}", exec: ["sh", "-c", "echo run; exec sleep 0.{number % 9 + 1}"], '
        f'restarts: "unlimited"}}'
        for number in range(20)
    ]
    jobs += [
        f'{{name: "checked-{number}", exec: ["sleep", "{10000 + (generation if number == 0 else 0)}"], '
        f'port: {20000 + number}, interfaces: ["static:127.0.0.1"], '
        f'health: {{exec: "true", interval: 1, ttl: 5}}}}'
        for number in range(20)
    ]
    jobs += [f'{{name: "periodic-{number}", exec: ["true"], when: {{interval: "1s"}}}}' for number in range(20)]
    watches = [f'{{name: "checked-{number}", interval: 1}}' for number in range(11)]
    return f"""{{
      discovery: {discovery},
      control: {{socket: "DIR/control.socket"}},
      logging: {{level: "info", output: "/dev/null"}},
      telemetry: {{port: {port}, interfaces: ["static:127.0.0.1"]}},
      watches: [{", ".join(watches)}],
      jobs: [{", ".join(jobs)}],
    }}"""


def scrape(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/metrics")
        if connection.getresponse().read() == b"":
            raise RuntimeError("the Prometheus endpoint says nothing")
    finally:
        connection.close()


def exercise(one: Running, consul: Agent | None, discovery: str, port: int, *, minutes: float, settle: float) -> None:
    print(
        f"{'seconds':>8}{'RSS, KiB':>12}{'USS, KiB':>12}{'own, KiB':>12}{'fds':>6}{'threads':>9}{'reloads':>9}",
        flush=True,
    )
    begun = time.monotonic()
    end, measured = begun + minutes * 60, begun
    scraped = asked = reloaded = begun
    leaves, returns = begun + OUTAGE_EVERY_S, float("inf")
    generation = 0
    rows = []
    while (now := time.monotonic()) < end:
        if now >= scraped:
            scrape(port)
            scraped = max(scraped + SCRAPE_S, now)
        if now >= asked:
            one.jobs()
            asked = max(asked + STATUS_S, now)
        if now >= reloaded:
            generation += 1
            one.config.write_text(configuration(discovery, port, generation).replace("DIR", str(one.path)))
            one.reload()
            reloaded = max(reloaded + RELOAD_S, now)
        if consul is not None and now >= leaves:
            consul.leave()
            leaves, returns = leaves + OUTAGE_EVERY_S, now + OUTAGE_S
        if consul is not None and now >= returns:
            consul.come_back()
            returns = float("inf")
        if now >= measured:
            size = footprint(one.supervisor)
            rows.append((now - begun, size))
            print(
                f"{now - begun:>8.0f}{size.rss_kib:>12}{size.uss_kib:>12}{size.anonymous_kib:>12}{size.descriptors:>6}"
                f"{size.threads:>9}{generation:>9}",
                flush=True,
            )
            measured = max(measured + EVERY_S, now)
        time.sleep(max(0.0, min(scraped, asked, reloaded, measured) - time.monotonic()))
    late = [(at / 3600, size) for at, size in rows if at >= settle * 60]
    for name, values in (
        ("RSS", [(at, size.rss_kib) for at, size in late]),
        ("USS", [(at, size.uss_kib) for at, size in late]),
        ("own", [(at, size.anonymous_kib) for at, size in late]),
    ):
        print(f"after {settle:g} minutes: {name} {theil_sen(values):+.0f} KiB an hour")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=40.0)
    parser.add_argument("--settle", type=float, default=12.0, help="minutes that are left out of the slope")
    parser.add_argument("--consul", default="", metavar="BINARY")
    arguments = parser.parse_args()
    port = free_port()
    with agent(arguments.consul) as consul:
        discovery = consul.section if consul else '{backend: "embedded", path: "DIR/catalog"}'
        with running(configuration(discovery, port, 0)) as one:
            exercise(one, consul, discovery, port, minutes=arguments.minutes, settle=arguments.settle)


if __name__ == "__main__":
    main()
