"""Checks that are plugins, in a real corepilot: the built-in `http`, and those of others."""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from eventually import eventually
from foreign import python_with, write_distribution
from running import Corepilot, cli

LIGHT = """
from dataclasses import dataclass
from corepilot.plugin import hookimpl, option
API = "1.0"
@dataclass(frozen=True)
class Options:
    word: str = option(help="what to say", default="fine")
@hookimpl
def corepilot_register_check():
    from asker_heavy import Asker
    return Asker
"""
HEAVY = """
import gevent, time
from corepilot.checks.check import Check, CheckFailed
class Asker(Check):
    made = 0
    def __init__(self, options, context):
        super().__init__(options, context)
        Asker.made += 1
        self.number = Asker.made
        if options.word == "never": raise OSError("made of nothing")
    def ask(self, deadline_s):
        word = self.options.word
        if word == "count": return f"number {self.number}"
        if word == "hang": gevent.sleep(1000)
        if word == "block": time.sleep(1000)
        if word == "number": return 3
        if word == "bug": raise KeyError("ask")
        if word == "no": raise CheckFailed("not today\\nnor tomorrow")
        return word
"""


class Answering(ThreadingHTTPServer):
    """A server whose answer can be changed."""

    status = 200
    refused = ""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def end(self) -> None:
        self.shutdown()
        self.server_close()
        self.thread.join()


class Handler(BaseHTTPRequestHandler):
    """Says the status of the server."""

    def do_GET(self) -> None:
        assert isinstance(self.server, Answering)
        self.server.asked.append(f"{self.path} {self.headers['X-Word']}")
        self.send_response(503 if self.path == self.server.refused else self.server.status)
        self.end_headers()
        self.wfile.write(b"all is well")

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[Answering]:
    made = Answering()
    yield made
    made.end()


def config(health: str, extra: str = "") -> str:
    return (
        f'{{control: {{socket: "%(dir)s/control.socket"}}, discovery: false, jobs: ['
        f'{{name: "app", exec: "sleep 1000", {extra} health: {{interval: 1, ttl: 5, timeout: "500ms", {health}}}}}]}}'
    )


def health_of(corepilot: Corepilot) -> str:
    return str(corepilot.job("app")["health"])


@pytest.mark.slow
def test_an_answer_that_changes_changes_the_health(server: Answering, tmp_path: Path) -> None:
    options = f'url: "http://127.0.0.1:{server.server_port}/live?x=1", headers: ["X-Word: abc"], body: "is well"'
    with Corepilot(config(f"http: {{{options}}}"), tmp_path) as corepilot:
        corepilot.until_ready()
        eventually(lambda: health_of(corepilot) == "healthy")
        server.status = 503
        eventually(lambda: health_of(corepilot) == "unhealthy")
        server.status = 201
        eventually(lambda: health_of(corepilot) == "healthy")
        assert corepilot.stop() == 0
    assert set(server.asked) == {"/live?x=1 abc"}


@pytest.mark.slow
def test_a_path_alone_is_asked_of_the_jobs_own_address(server: Answering, tmp_path: Path) -> None:
    port = f'port: {server.server_port}, interfaces: ["static:127.0.0.1"],'
    with Corepilot(config('http: "/own"', port), tmp_path) as corepilot:
        corepilot.until_ready()
        eventually(lambda: health_of(corepilot) == "healthy")
    assert set(server.asked) == {"/own None"}


def test_each_replica_is_asked_by_its_number_and_told_of_by_its_name(server: Answering, tmp_path: Path) -> None:
    server.refused = "/2"
    text = config(f'http: "http://127.0.0.1:{server.server_port}/%i"', "replicas: 2,")
    with Corepilot(text, tmp_path) as corepilot:
        corepilot.until_ready()
        eventually(lambda: corepilot.job("app@1")["health"] == "healthy")
        eventually(lambda: corepilot.job("app@2")["health"] == "unhealthy")
        eventually(lambda: len(server.asked) >= 6)
        told = [line for line in corepilot.lines if "not healthy" in line or "healthy again" in line]
        assert told
        assert all("check.app@2: not healthy: the answer is 503" in line for line in told), told
        assert corepilot.stop() == 0
    assert {*server.asked} == {"/1 None", "/2 None"}


def test_a_job_that_waits_at_its_stop_is_checked_as_it_was(server: Answering, tmp_path: Path) -> None:
    """A reload changes its check, and its command, and it stops after another job."""

    def text(word: str) -> str:
        stays = "trap : TERM; touch up; while [ ! -e go ]; do sleep 0.02; done"
        own = f'http: "http://127.0.0.1:{server.server_port}/{word}"'
        other = f'{{name: "other", cwd: "%(dir)s", exec: ["sh", "-c", "{stays}", "{word}"]}}'
        app = config(own, 'killTimeout: 60, stopAfter: ["other"],').replace('"sleep 1000"', f'["sleep", "{word}"]')
        return app.replace("jobs: [", f"stopTimeout: 60, jobs: [{other}, ")

    with Corepilot(text("1000"), tmp_path) as corepilot:
        corepilot.until_ready()
        eventually(lambda: health_of(corepilot) == "healthy" and (tmp_path / "up").exists())
        corepilot.configure(text("1001"))
        assert corepilot.client("reload", "--no-wait").returncode == 0
        eventually(lambda: corepilot.job("other")["state"] == "terminating")
        asked = len(server.asked)
        eventually(lambda: len(server.asked) > asked + 1)
        assert health_of(corepilot) == "healthy"
        (tmp_path / "go").touch()
        eventually(lambda: "/1001 None" in server.asked)
        assert "not healthy" not in corepilot.output
        assert corepilot.stop() == 0


@pytest.mark.slow
def test_a_server_that_is_not_there_makes_the_job_unhealthy(tmp_path: Path) -> None:
    with Corepilot(config('http: "http://127.0.0.1:1/"'), tmp_path) as corepilot:
        corepilot.until_ready()
        eventually(lambda: health_of(corepilot) == "unhealthy")
        assert corepilot.stop() == 0


@pytest.fixture
def asker(tmp_path: Path) -> Callable[[str], Corepilot]:
    """Starts a corepilot that has a check of somebody else's."""

    def start(word: str, extra: str = "") -> Corepilot:
        modules = {"asker_light": LIGHT, "asker_heavy": HEAVY}
        write_distribution(
            tmp_path / "site", "corepilot-asker", "2", "[corepilot.checks]\nasker = asker_light\n", modules
        )
        python = str(python_with(tmp_path / "site", tmp_path / "python"))
        text = config(f'check: "asker", options: {{word: "{word}"}}', extra)
        return Corepilot(text, tmp_path, command=[python, "-I", "-m", "corepilot"])

    return start


@pytest.mark.slow
@pytest.mark.parametrize(
    ("word", "health", "told"),
    [
        ("fine", "healthy", ""),
        ("no", "unhealthy", "check.app: not healthy: not today"),
        ("never", "unhealthy", "check.app: not healthy: check 'asker' (corepilot-asker 2): __init__ raised OSError"),
        ("hang", "unhealthy", "timeout after 0.5 s"),
        ("bug", "unhealthy", "check 'asker' (corepilot-asker 2): ask raised KeyError: 'ask'"),
        ("number", "unhealthy", "check 'asker' (corepilot-asker 2): ask must return a text, and returned 3"),
        ("block", "unhealthy", "check 'asker' (corepilot-asker 2): ask held the event loop up, and was interrupted"),
    ],
)
def test_a_check_of_others(asker: Callable[[str], Corepilot], word: str, health: str, told: str) -> None:
    with asker(word) as corepilot:
        corepilot.until_ready()
        eventually(lambda: health_of(corepilot) == health, 20)
        corepilot.until(told)
        corepilot.configure(config('check: "asker", options: {word: "fine"}'))
        assert corepilot.client("reload").returncode == 0
        eventually(lambda: health_of(corepilot) == "healthy", 20)
        assert health == "healthy" or word == "hang" or "check.app: healthy again" in corepilot.output
        assert corepilot.stop() == 0


def test_the_checks_of_replicas_are_kept_at_a_reload(asker: Callable[..., Corepilot], tmp_path: Path) -> None:
    def said() -> set[str]:
        return {str(corepilot.job(name)["checks"][0]["output"]) for name in ("app@1", "app@2")}

    def last() -> float:
        return float(corepilot.job("app@2")["checks"][0]["history"][-1]["at"])

    with asker("count", "replicas: 2,") as corepilot:
        corepilot.until_ready()
        eventually(lambda: said() == {"number 1", "number 2"})
        text = (tmp_path / "corepilot.json5").read_text()
        corepilot.configure(text.replace("jobs: [", 'jobs: [{name: "other", exec: "sleep 1000"}, '))
        assert corepilot.client("reload").returncode == 0
        before = last()
        eventually(lambda: last() >= before + 1.5)
        assert said() == {"number 1", "number 2"}
        assert corepilot.stop() == 0


@pytest.mark.parametrize(
    ("health", "told"),
    [
        ('http: "127.0.0.1/x"', "must begin with http://"),
        ('http: {url: "/", status: ["2xx"]}', 'must each be a status or a range, as "200" or "200-299"'),
        ('http: {url: "http://u:pw@h/"}', "must not hold a user name or a password"),
        ('http: {urll: "/"}', 'did you mean "url"?'),
        ('http: "/", exec: "true"', "exec is given as well, and a check asks one thing"),
        ("http: 3", "3 is no URL"),
        ('tcp: "db"', "must be host:port"),
        ("tcp: true", "true is no address"),
        ("options: {}", "there is no check that takes them"),
        ('check: "httpp"', 'did you mean "http"?'),
    ],
)
def test_what_cannot_be_asked_is_refused_with_its_place(tmp_path: Path, health: str, told: str) -> None:
    file = tmp_path / "c.json5"
    file.write_text(config(health))
    answer = cli("check", "--here", str(file))
    assert answer.returncode == 1, answer.stdout
    assert told in answer.stdout + answer.stderr
    assert "jobs[0].health" in answer.stdout + answer.stderr


def checks_of(corepilot: Corepilot) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in corepilot.job("app")["checks"]}


@pytest.mark.slow
def test_several_checks_and_what_each_has_said(server: Answering, tmp_path: Path) -> None:
    checks = (
        f'{{name: "port", tcp: {server.server_port}, interval: 1, ttl: 5}},'
        f'{{name: "page", http: "http://127.0.0.1:{server.server_port}/", interval: 1, ttl: 5, failures: 2}},'
        '{name: "command", exec: ["sh", "-c", "echo fine"], interval: 1, ttl: 5}'
    )
    text = (
        '{control: {socket: "%(dir)s/control.socket"}, discovery: false, jobs: ['
        f'{{name: "app", exec: "sleep 1000", health: [{checks}]}}]}}'
    )
    with Corepilot(text, tmp_path) as corepilot:
        corepilot.until_ready()
        eventually(lambda: health_of(corepilot) == "healthy")
        found = checks_of(corepilot)
        assert list(found) == ["port", "page", "command"]
        assert [one["output"] for one in found.values()] == [
            f"connected to 127.0.0.1:{server.server_port}", "200 all is well", "fine",
        ]  # fmt: skip
        server.status = 500
        eventually(lambda: health_of(corepilot) == "unhealthy")
        page = checks_of(corepilot)["page"]
        assert (page["status"], page["failures"], page["output"]) == ("failing", 2, "the answer is 500 all is well")
        assert [one["passed"] for one in page["history"]][-2:] == [False, False]
        assert all(0 < one["duration_s"] < 1 for one in page["history"])
        table = corepilot.client("status", "app").stdout
        assert re.search(r"check\.app\.page +failing +\S+ +the answer is 500", table), table
        server.status = 200
        eventually(lambda: health_of(corepilot) == "healthy")
        assert corepilot.stop() == 0


@pytest.mark.slow
def test_a_port_that_opens_late_is_forgiven_in_the_start_period(tmp_path: Path) -> None:
    server = Answering()
    try:
        health = f'tcp: {server.server_port}, startPeriod: "1h"'
        server.end()
        with Corepilot(config(health), tmp_path) as corepilot:
            corepilot.until_ready()
            eventually(lambda: "Connection refused" in checks_of(corepilot)[""]["output"])
            assert health_of(corepilot) == "unknown"
            with socket.create_server(("127.0.0.1", server.server_port)):
                eventually(lambda: health_of(corepilot) == "healthy")
            eventually(lambda: health_of(corepilot) == "unhealthy")
            assert corepilot.stop() == 0
    finally:
        server.server_close()
