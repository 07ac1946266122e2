"""A thousand reloads in a row while somebody is served: nothing lost, nothing registered anew, nothing that grows.

    python benchmarks/reload_soak.py [--reloads 1000] [--rate 100] [--consul ADDRESS]

20 jobs, one of which is an HTTP server that is registered in Consul and never changes. Each reload changes one of the
other 19. Requests go to the server all the time, each on a connection of its own, at a fixed rate. Prints what the
supervisor takes at the beginning and at the end, how fast it grew after the first tenth of the reloads, how many
requests failed, and whether the server's entry in the catalog is still the first one. The status is 1 if a request
failed, the server was restarted, or its entry was made anew.

Without `--consul` an agent of its own is started: tools/go_programs.py finds or builds it.
"""

import argparse
import json
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Self

from measuring import Footprint, Running, footprint, free_port, running, slope

sys.path += [str(Path(__file__).resolve().parents[1] / folder) for folder in ("tests", "tools")]

from servers.consul import ConsulServer

SERVER = (
    "import http.server, sys\n"
    "class Handler(http.server.BaseHTTPRequestHandler):\n"
    "    def do_GET(self):\n"
    "        self.send_response(200); self.send_header('Content-Length', '2'); self.end_headers()\n"
    "        self.wfile.write(b'ok')\n"
    "    def log_message(self, *arguments): pass\n"
    "class Server(http.server.ThreadingHTTPServer):\n"
    "    request_queue_size = 128\n"
    "Server(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()\n"
)
CHANGING = 19
THREADS = 4


def configuration(consul: str, port: int, generations: list[int]) -> str:
    web = (
        f'{{name: "web", port: {port}, interfaces: ["static:127.0.0.1"], '
        f'exec: [{json.dumps(sys.executable)}, "-I", "-S", "DIR/server.py", "{port}"], '
        f'health: {{exec: "true", interval: 1, ttl: 10}}}}'
    )
    others = [
        f'{{name: "other-{number}", exec: ["sleep", "{1000 + generation}"]}}'
        for number, generation in enumerate(generations)
    ]
    return f"""{{
      consul: "{consul}", control: {{socket: "DIR/control.socket"}}, logging: {{level: "info", output: "/dev/null"}},
      jobs: [{", ".join([web, *others])}],
    }}"""


class Requests:
    """Asks the server at a fixed rate, from a few threads: one slow answer holds up no other."""

    def __init__(self, port: int, rate: float) -> None:
        self._url, self._pause_s = f"http://127.0.0.1:{port}/", 1 / rate
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(THREADS)]
        self.done = 0
        self.failed: list[str] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, number: int) -> None:
        due = time.monotonic() + number * self._pause_s
        while not self._over.wait(max(0.0, due - time.monotonic())):
            try:
                with urllib.request.urlopen(self._url, timeout=10) as answer:
                    answer.read()
                self.done += 1
            except OSError as error:
                self.failed.append(repr(error))
            due += self._pause_s * THREADS


class Measured(NamedTuple):
    """What a soak has shown.

    Attributes:
        begin: What the supervisor took after the first tenth of the reloads.
        end: What it took at the end.
        growth_kib: How much memory that only it has grew in a thousand reloads after the first tenth.
        requests: How many were answered.
        failed: Why others were not.
        kept: Whether the server has its pid, and its entry its index.
        seconds: How long the reloads took.
    """

    begin: Footprint
    end: Footprint
    growth_kib: float
    requests: int
    failed: list[str]
    kept: bool
    seconds: float


def entry(consul: str) -> object:
    """The index at which the server was registered, once there is exactly one and it passes."""
    with urllib.request.urlopen(f"http://{consul}/v1/health/service/web?passing", timeout=10) as answer:
        found = json.loads(answer.read())
    return found[0]["Service"]["CreateIndex"] if len(found) == 1 else None


def soak(one: Running, consul: str, port: int, reloads: int, rate: float) -> Measured:
    generations = [0] * CHANGING
    one.until(lambda: entry(consul))
    first, pid = entry(consul), one.jobs()["web"]["pid"]
    sizes = []
    with Requests(port, rate) as requests:
        begun = time.monotonic()
        for number in range(reloads):
            generations[number % CHANGING] += 1
            one.config.write_text(configuration(consul, port, generations).replace("DIR", str(one.path)))
            changes = one.reload()
            if [(change["name"], change["kind"]) for change in changes] != [
                (f"other-{number % CHANGING}", "restarted")
            ]:
                raise RuntimeError(f"reload {number} has done {changes}")
            sizes.append((number, footprint(one.supervisor)))
        seconds = time.monotonic() - begun
    kept = (entry(consul), one.jobs()["web"]["pid"]) == (first, pid)
    late = sizes[reloads // 10 :]
    growth = slope([(number / 1000, size.anonymous_kib) for number, size in late])
    return Measured(late[0][1], late[-1][1], growth, requests.done, requests.failed, kept, seconds)


@contextmanager
def agent(address: str) -> Iterator[str]:
    if address:
        yield address
        return
    with ConsulServer() as server:
        yield server.address


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reloads", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second")
    parser.add_argument("--consul", default="", metavar="ADDRESS")
    arguments = parser.parse_args()
    port = free_port()
    with agent(arguments.consul) as consul:
        text = configuration(consul, port, [0] * CHANGING)
        with running(text, files={"server.py": SERVER}) as one:
            measured = soak(one, consul, port, arguments.reloads, arguments.rate)
    print(f"{'':<28}{'RSS, KiB':>10}{'own, KiB':>10}{'fds':>6}{'threads':>9}")
    for name, size in (("after a tenth", measured.begin), ("at the end", measured.end)):
        print(f"{name:<28}{size.rss_kib:>10}{size.anonymous_kib:>10}{size.descriptors:>6}{size.threads:>9}")
    print(
        f"{arguments.reloads} reloads in {measured.seconds:.0f} s; "
        f"own memory {measured.growth_kib:+.0f} KiB in 1,000 reloads; "
        f"{measured.requests} requests answered, {len(measured.failed)} failed; "
        f"the server and its entry in the catalog {'stayed' if measured.kept else 'did not stay'}"
    )
    for why in measured.failed[:5]:
        print(why)
    sys.exit(bool(measured.failed) or not measured.kept)


if __name__ == "__main__":
    main()
