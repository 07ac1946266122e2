"""Reload after reload, each changing one job of 20, while another one is served: the short form of a benchmark.

The long form, with its figures, is benchmarks/reload_soak.py.
"""

import json
import os
import sys
import threading
import urllib.request
from pathlib import Path

import pytest
from eventually import eventually
from recording import HEAD
from running import Corepilot, descriptors, descriptors_at_rest
from servers.consul import ConsulServer
from servers.process import free_port

RELOADS = 40
SETTLED = 10
"""Reloads after which everything has been imported."""

CHANGING = 19
SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *arguments):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def text(consul: ConsulServer, port: int, generations: list[int]) -> str:
    web = (
        f'{{name: "web", port: {port}, interfaces: ["static:127.0.0.1"], '
        f'exec: [{json.dumps(sys.executable)}, "-I", "-S", "%(dir)s/server.py", "{port}"], '
        f'health: {{exec: "true", interval: 1, ttl: 10}}}}'
    )
    others = [f'{{name: "other-{number}", exec: "sleep 10{one:02}"}}' for number, one in enumerate(generations)]
    return f"{HEAD}jobs: [{', '.join([web, *others])}]}}".replace("consul: false", f'consul: "{consul.address}"')


def own_kib(pid: int) -> int:
    """Memory of a process that is no file's."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Anonymous:"))


def create_index(consul: ConsulServer) -> int | None:
    """When the server was registered, if it is there once, and passes."""
    found = consul.get("/v1/health/service/web?passing=1")
    return found[0]["Service"]["CreateIndex"] if len(found) == 1 else None


class Requests:
    """Asks for a page again and again, each time on a connection of its own, from a thread."""

    def __init__(self, port: int) -> None:
        self.answered = 0
        self.failed: list[str] = []
        self._url = f"http://127.0.0.1:{port}/"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> "Requests":  # noqa: PYI034  - nobody derives from it
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._over.wait(0.01):
            try:
                with urllib.request.urlopen(self._url, timeout=20) as answer:
                    answer.read()
            except OSError as error:
                self.failed.append(repr(error))
            else:
                self.answered += 1


@pytest.mark.slow
def test_reloads_touch_nothing_but_the_job_that_changed(tmp_path: Path, consul: ConsulServer) -> None:
    (tmp_path / "server.py").write_text(SERVER)
    generations = [0] * CHANGING
    port = free_port()
    with Corepilot(text(consul, port, generations), tmp_path) as corepilot:
        corepilot.until_ready()
        index = eventually(lambda: create_index(consul), 20, "the server passes")
        supervisor, pid = corepilot.supervisor, corepilot.job("web")["pid"]
        with Requests(port) as requests:
            for number in range(RELOADS):
                generations[number % CHANGING] += 1
                corepilot.configure(text(consul, port, generations))
                answer = corepilot.client("reload", "-o", "json")
                assert answer.returncode == 0, answer.stderr + corepilot.output[-3000:]
                changes = [json.loads(line) for line in answer.stdout.splitlines()]
                assert [(one["name"], one["kind"]) for one in changes if "name" in one] == [
                    (f"other-{number % CHANGING}", "restarted")
                ]
                if number == SETTLED:
                    opened = descriptors_at_rest(supervisor)
                    threads = os.listdir(f"/proc/{supervisor}/task")
                    memory = own_kib(supervisor)
            assert create_index(consul) == index
        assert requests.answered > RELOADS
        assert requests.failed == []
        assert (corepilot.supervisor, corepilot.job("web")["pid"], corepilot.job("web")["starts"]) == (
            supervisor, pid, 1,
        )  # fmt: skip
        eventually(lambda: descriptors(supervisor) <= opened)
        assert len(os.listdir(f"/proc/{supervisor}/task")) == len(threads)
        assert own_kib(supervisor) < memory + 1500
        assert corepilot.stop() == 0
