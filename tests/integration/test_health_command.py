"""`corepilot health`, `/livez` and `/readyz`: what engines and orchestrators are told of a real corepilot."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from eventually import eventually
from running import Corepilot, cli
from scraping import Endpoint
from servers.process import free_port

# web is healthy as long as there is a file `well`; loop fails until there is a file `calm`.
JOBS = """
    {name: "web", exec: "sleep 1000", port: 80, interfaces: "static:192.0.2.1",
     health: {exec: ["sh", "-c", "test -e %(dir)s/well || { echo no file; exit 1; }"], interval: 1, ttl: 5}},
    {name: "loop", exec: ["sh", "-c", "test -e %(dir)s/calm && exec sleep 1000; exit 3"], restarts: "unlimited"},
    {name: "once", exec: "true"},
    {name: "later", exec: "true", when: {source: "SIGUSR2"}},
"""
CONFIG = """{control: {socket: "%%(dir)s/control.socket"}, discovery: false, %s jobs: [%s]}"""


@contextmanager
def running(directory: Path, more: str = "", jobs: str = JOBS) -> Iterator[Corepilot]:
    with Corepilot(CONFIG % (more, jobs), directory) as corepilot:
        corepilot.until_ready()
        yield corepilot


def health(corepilot: Corepilot, *words: str) -> tuple[int, str]:
    answer = corepilot.client("health", *words)
    assert answer.stderr == ""
    assert answer.stdout.count("\n") == 1
    return answer.returncode, answer.stdout.rstrip("\n")


def test_what_keeps_the_container_from_being_ready_is_named(tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path, f'telemetry: {{port: {port}, interfaces: ["static:127.0.0.1"]}},') as corepilot:
        endpoint = Endpoint(port)
        eventually(endpoint.up)
        unhealthy, failing = "job web is unhealthy", "job loop has failed (exit status 3) and waits for its restart"
        both = f"not ready: {unhealthy}: no file; {failing}"
        eventually(lambda: health(corepilot) == (1, both))
        # What the check said is for our own user only. The loop runs for a moment now and then.
        eventually(lambda: endpoint.ask("/readyz")[::2] == (503, f"not ready: {unhealthy}; {failing}\n"))
        assert endpoint.ask("/readyz?job=once")[::2] == (200, "ok\n")
        assert endpoint.ask("/readyz?job=nope")[0] == 404
        assert endpoint.ask("/readyz?nope=1")[0] == 422
        assert endpoint.ask("/livez")[::2] == (200, "ok\n")
        eventually(lambda: endpoint.ask("/livez?job=loop")[0] == 503)
        assert endpoint.ask("/livez", "POST")[0] == 404

        assert health(corepilot, "--live") == (0, "ok")
        assert health(corepilot, "--live", "web", "once") == (0, "ok")
        eventually(lambda: health(corepilot, "--live", "loop") == (1, f"not live: {failing}"))
        assert health(corepilot, "once") == (0, "ok")
        assert health(corepilot, "later") == (1, "not ready: job later has not been started")

        (tmp_path / "well").touch()
        eventually(lambda: health(corepilot, "--ready") == (1, f"not ready: {failing}"), 60)
        (tmp_path / "calm").touch()
        eventually(lambda: health(corepilot) == (0, "ok"), 60)  # the delay of the restart has grown
        assert endpoint.ask("/readyz")[::2] == (200, "ok\n")

        corepilot.client("stop", "web")
        assert health(corepilot) == (1, "not ready: job web was stopped by hand")
        assert health(corepilot, "--live") == (0, "ok")


def test_while_it_stops_it_is_live_and_not_ready(tmp_path: Path) -> None:
    script = "trap 'until [ -e %(dir)s/go ]; do sleep 0.05; done; exit 0' TERM; echo up; while :; do sleep 0.05; done"
    jobs = f'{{name: "app", exec: ["sh", "-c", "{script}"]}}'
    with running(tmp_path, "stopTimeout: 60,", jobs) as corepilot:
        corepilot.until("up")
        corepilot.signal(signal.SIGTERM)
        eventually(lambda: health(corepilot) == (1, "not ready: corepilot is stopping (SIGTERM)"))
        assert health(corepilot, "--live") == (0, "ok")
        (tmp_path / "go").touch()
        assert corepilot.wait() == 0
        answer = corepilot.client("health")
        assert (answer.returncode, answer.stdout) == (1, "")
        assert "no socket at" in answer.stderr
        assert answer.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [["--live", "--ready"], ["--lively"], ["nope"], ["-c"], ["--socket", "/no/such/socket"], ["-c", "/no/such.json5"]],
)
def test_whatever_is_wrong_is_status_1_and_one_line(tmp_path: Path, words: list[str]) -> None:
    """2 is reserved in the status of a Docker health check."""
    with running(tmp_path, jobs='{name: "app", exec: "sleep 1000"}') as corepilot:
        more = [] if "--socket" in words or "-c" in words else ["--socket", str(corepilot.socket)]
        answer = cli("health", *more, *words)
        assert (answer.returncode, answer.stdout) == (1, "")
        assert answer.stderr.startswith("corepilot: cannot ")
        assert answer.stderr.count("\n") == 1


def test_a_supervisor_that_stands_still_is_not_live(tmp_path: Path) -> None:
    with running(tmp_path, jobs='{name: "app", exec: "sleep 1000"}') as corepilot:
        supervisor = corepilot.supervisor
        os.kill(supervisor, signal.SIGSTOP)
        try:
            answer = corepilot.client("health", "--live")
        finally:
            os.kill(supervisor, signal.SIGCONT)
        assert answer.returncode == 1
        assert "it is there, but busy or stopped" in answer.stderr
        eventually(lambda: health(corepilot, "--live") == (0, "ok"))


def test_the_status_tells_where_the_output_takes_nothing(tmp_path: Path) -> None:
    with running(tmp_path, jobs='{name: "app", exec: "sleep 1000"}') as corepilot:
        command = [str(Path(sys.prefix) / "bin" / "corepilot"), "health", "--socket", str(corepilot.socket)]
        with open("/dev/full", "w") as full:
            answer = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
        assert (answer.returncode, answer.stderr) == (0, "")
        assert subprocess.run(f"{' '.join(command)} >&-", shell=True, check=False, timeout=60).returncode == 0


def test_health_imports_no_more_than_ping(tmp_path: Path) -> None:
    program = """
import sys
from corepilot.cli.main import main
status = main(sys.argv[1:])
sys.stderr.write(" ".join(sorted(sys.modules)))
"""

    def modules(*words: str) -> set[str]:
        command = [sys.executable, "-I", "-c", program, *words, "--socket", str(corepilot.socket)]
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        assert answer.stdout == "ok\n"
        return set(answer.stderr.split())

    with running(tmp_path, jobs='{name: "app", exec: "sleep 1000"}') as corepilot:
        assert modules("health", "app") == modules("ping")
