"""The control socket's ContainerPilot API, byte by byte (ContainerPilot contract, section 9.1)."""

import os
import signal
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eventually import eventually
from recording import Record, config, shell
from running import Corepilot

METRIC = """telemetry: {port: 0, interfaces: ["static:127.0.0.1"],
    metrics: [{namespace: "ns", name: "m", help: "h", type: "counter"}]},"""


def ask(path: Path, request: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    """One request over the unix socket: `METHOD PATH`."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        sock.connect(str(path))
        head = f"{request} HTTP/1.1\r\nHost: control\r\nContent-Length: {len(body)}\r\n\r\n"
        sock.sendall(head.encode() + body)
        answer = b""
        while chunk := sock.recv(65536):
            answer += chunk
    top, _, rest = answer.partition(b"\r\n\r\n")
    first, *fields = top.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
    return int(first.split()[1]), headers, rest


@contextmanager
def running(directory: Path) -> Iterator[Corepilot]:
    jobs = f"""
        {{name: "app", exec: {shell("note started; sleep 1000")}}},
        {{name: "show", exec: ["sh", "-c", "env; echo END"], when: {{source: "SIGHUP"}}}},
        {{name: "enter", exec: {shell("note enter")}, when: {{source: "global", each: "enterMaintenance"}}}},
        {{name: "exit", exec: {shell("note exit")}, when: {{source: "global", each: "exitMaintenance"}}}},
    """
    with Corepilot(config(jobs, METRIC), directory) as corepilot:
        yield corepilot.until_ready()


def test_every_path_and_method(tmp_path: Path) -> None:
    with running(tmp_path) as corepilot:
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
            status, headers, body = ask(corepilot.socket, f"{method} /v3/ping")
            assert (status, body) == (200, b"\n"), method
            assert headers["connection"].lower() == "close"
        for path in ("environ", "metric", "maintenance/enable", "maintenance/disable", "reload"):
            for method in ("GET", "PUT", "DELETE"):
                status, headers, body = ask(corepilot.socket, f"{method} /v3/{path}")
                assert (status, body.strip()) == (405, b"Method Not Allowed"), (method, path)
                assert headers["content-type"].startswith("text/plain")
        for path in (
            "/",
            "/v3",
            "/v3/",
            "/v3/ping/",
            "/v3/env",
            "/v3/reload/",
            "/v2/ping",
            "/metrics",
            "/v3/maintenance",
        ):
            assert ask(corepilot.socket, f"POST {path}")[0] == 404, path
        assert Record(corepilot).words == ["started"]
        assert stat.S_ISSOCK(corepilot.socket.stat().st_mode)


def test_environ(tmp_path: Path) -> None:
    with running(tmp_path) as corepilot:
        for body in (
            b"",
            b"x",
            b"[]",
            b'"A=1"',
            b'{"A": 1}',
            b'{"A": true}',
            b'{"A": {}}',
            b'{"A": "1"} x',
            b'{"A": "1",}',
        ):
            assert ask(corepilot.socket, "POST /v3/environ", body)[0] == 422, body
        for body in (b"null", b"{}", b' {"B": "two words", "C": null, "D": "", "X=Y": "skipped", "": "skipped"}\n'):
            status, _, answer = ask(corepilot.socket, "POST /v3/environ", body)
            assert (status, answer) == (200, b"\n"), body
        corepilot.signal(signal.SIGHUP)
        corepilot.until(" END")
        lines = [line.split(" ", 3)[3] for line in corepilot.lines if " show " in line]
        assert {"B=two words", "C=", "D="} <= set(lines)
        assert not [line for line in lines if line.startswith("A=") or "skipped" in line]


def test_metric(tmp_path: Path) -> None:
    with running(tmp_path) as corepilot:
        for body in (b"", b"x", b"[]", b"1", b'{"ns__m": 1} x'):
            assert ask(corepilot.socket, "POST /v3/metric", body)[0] == 422, body
        for body in (
            b'{"ns_m": 1}',
            b'{"ns__m": "2.5"}',
            b'{"ns_m": -1}',
            b'{"no": 1}',
            b'{"ns_m": "x"}',
            b'{"ns_m": []}',
            b"{}",
        ):
            status, _, answer = ask(corepilot.socket, "POST /v3/metric", body)
            assert (status, answer) == (200, b"\n"), body
        assert corepilot.stop() == 0


def test_maintenance_and_reload_ignore_their_body(tmp_path: Path) -> None:
    with running(tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("started")
        for path, word in (("maintenance/enable", "enter"), ("maintenance/disable", "exit")):
            status, _, answer = ask(corepilot.socket, f"POST /v3/{path}", b"whatever")
            assert (status, answer) == (200, b"\n")
            record.until(word)
        status, _, answer = ask(corepilot.socket, "POST /v3/reload", b"whatever")
        assert (status, answer) == (200, b"\n")
        record.until("started", 2)


def test_a_reload_that_is_refused_says_so(tmp_path: Path) -> None:
    with running(tmp_path) as corepilot:
        corepilot.file.write_text("{\n  nope: 1,\n}")
        status, _, answer = ask(corepilot.socket, "POST /v3/reload")
        assert status == 422
        assert b":2:" in answer
        assert b"nope" in answer
        assert ask(corepilot.socket, "GET /v3/ping")[0] == 200
        assert corepilot.job("app")["state"] == "running"


def test_a_stale_file_at_the_path_is_replaced_and_the_socket_is_removed_at_the_end(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp_path / "control.socket"))
    with running(tmp_path) as corepilot:
        assert corepilot.stop() == 0
        assert not corepilot.socket.exists()


def test_clients_that_never_read_or_never_write_stop_nothing(tmp_path: Path) -> None:
    with running(tmp_path) as corepilot:
        silent = [socket.socket(socket.AF_UNIX) for _ in range(20)]
        try:
            for number, sock in enumerate(silent):
                sock.connect(str(corepilot.socket))
                if number % 2:
                    sock.sendall(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
            eventually(lambda: corepilot.client("ping").returncode == 0)
            corepilot.signal(signal.SIGHUP)
            corepilot.until(" END")
            assert corepilot.stop() == 0
        finally:
            for sock in silent:
                sock.close()
        assert not os.path.exists(corepilot.socket)
