"""Does the supervisor grow: everything that goes on in a container for a long time, at once, for some minutes.

    python benchmarks/soak.py [--minutes 20] [--settle 8]

60 jobs: 20 that end at once and are restarted, 20 with a check every second, 20 periodic ones. 11 watches over the
embedded catalog, a scrape of the Prometheus endpoint twice a second, a status every second, and a reload every five
seconds that changes one job. Prints memory, descriptors and threads of the supervisor every ten seconds, and at the end
how fast memory grew after the first minutes, in which what is bounded becomes full. "Own" is memory that is no file's.
"""

import argparse
import http.client
import time

from measuring import Running, footprint, free_port, running, slope

EVERY_S = 10.0
SCRAPE_S, STATUS_S, RELOAD_S = 0.5, 1.0, 5.0


def configuration(port: int, generation: int) -> str:
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
      discovery: {{backend: "embedded", path: "DIR/catalog"}},
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


def exercise(one: Running, port: int, minutes: float, settle: float) -> None:
    print(f"{'seconds':>8}{'RSS, KiB':>12}{'own, KiB':>12}{'fds':>6}{'threads':>9}{'reloads':>9}", flush=True)
    begun = time.monotonic()
    end, measured = begun + minutes * 60, begun
    scraped = asked = reloaded = begun
    generation = 0
    rows = []
    while (now := time.monotonic()) < end:
        if now >= scraped:
            scrape(port)
            scraped += SCRAPE_S
        if now >= asked:
            one.jobs()
            asked += STATUS_S
        if now >= reloaded:
            generation += 1
            one.config.write_text(configuration(port, generation).replace("DIR", str(one.path)))
            one.reload()
            reloaded += RELOAD_S
        if now >= measured:
            size = footprint(one.supervisor)
            rows.append((now - begun, size))
            print(
                f"{now - begun:>8.0f}{size.rss_kib:>12}{size.anonymous_kib:>12}{size.descriptors:>6}{size.threads:>9}"
                f"{generation:>9}",
                flush=True,
            )
            measured += EVERY_S
        time.sleep(max(0.0, min(scraped, asked, reloaded, measured) - time.monotonic()))
    late = [(at / 3600, size) for at, size in rows if at >= settle * 60]
    rss = slope([(at, size.rss_kib) for at, size in late])
    own = slope([(at, size.anonymous_kib) for at, size in late])
    print(f"after {settle:g} minutes: RSS {rss:+.0f} KiB an hour, own {own:+.0f} KiB an hour")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--settle", type=float, default=8.0, help="minutes that are left out of the slope")
    arguments = parser.parse_args()
    port = free_port()
    with running(configuration(port, 0)) as one:
        exercise(one, port, arguments.minutes, arguments.settle)


if __name__ == "__main__":
    main()
