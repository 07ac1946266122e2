"""The check `grpc` against grpcio's own server, which is in a process of its own: it has threads."""

import json
import socket as native
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from http_script import ScriptedServer

from corepilot.checks.check import Check, CheckFailed
from corepilot.checks.grpc import GrpcCheck
from corepilot.checks.grpc_plugin import Options
from corepilot.plugin import OptionError
from corepilot.plugin.verify import assert_light
from corepilot.testing.checks import CheckSuite, context

SERVER = """
import json, sys
from concurrent import futures
import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
server = grpc.server(futures.ThreadPoolExecutor(2))
servicer = health.HealthServicer()
if sys.argv[1] == "healthy":
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(port, flush=True)
for line in sys.stdin:
    service, status = json.loads(line)
    servicer.set(service, getattr(health_pb2.HealthCheckResponse, status))
    print("set", flush=True)
server.stop(0).wait()
"""


class GrpcServer:
    """A server whose health can be set."""

    def __init__(self, kind: str = "healthy") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.port = int(self._line())

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def set(self, service: str, status: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([service, status]) + "\n")
        self.process.stdin.flush()
        assert self._line() == "set\n"

    def end(self) -> None:
        self.process.communicate(timeout=30)


@pytest.fixture(scope="module")
def server() -> Iterator[GrpcServer]:
    made = GrpcServer()
    yield made
    made.end()


class TestGrpc(CheckSuite):
    """A real server that serves, and does not."""

    @classmethod
    def setup_class(cls) -> None:
        cls.server = GrpcServer()

    @classmethod
    def teardown_class(cls) -> None:
        cls.server.end()

    server: GrpcServer

    def check(self) -> Check:
        return GrpcCheck(Options(f"127.0.0.1:{self.server.port}", "shop.Cart"), context())

    def healthy(self) -> None:
        self.server.set("shop.Cart", "SERVING")

    def unhealthy(self) -> None:
        self.server.set("shop.Cart", "NOT_SERVING")


def ask(port: int, service: str = "") -> str:
    return GrpcCheck(Options(str(port), service), context()).ask(10.0)


def test_the_whole_server(server: GrpcServer) -> None:
    server.set("", "SERVING")
    assert ask(server.port) == "SERVING"
    server.set("", "NOT_SERVING")
    with pytest.raises(CheckFailed, match="the server says NOT_SERVING"):
        ask(server.port)
    server.set("", "UNKNOWN")
    with pytest.raises(CheckFailed, match="the server says UNKNOWN"):
        ask(server.port)


def test_a_service_that_nobody_has(server: GrpcServer) -> None:
    """This server sends an empty message beside the status NOT_FOUND."""
    with pytest.raises(CheckFailed, match="the server says UNKNOWN"):
        ask(server.port, "no.Such")


def test_a_server_without_health() -> None:
    without = GrpcServer("without")
    try:
        with pytest.raises(CheckFailed, match=r"does not have grpc.health.v1"):
            ask(without.port)
    finally:
        without.end()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", "has closed the connection"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n" + b" " * 20_000, "is not HTTP/2"),
        (b"\0\0\0\x04\1\0\0\0\0" * 200, "frames without end"),
        (b"\0\0\x08\x07\0\0\0\0\0" + b"\0" * 8, "has refused the call"),
        (b"\0\0\x04\x03\0\0\0\0\1" + b"\0" * 4, "has refused the call"),
        (b"\0\0\x07\0\0\0\0\0\1\0\0\0\0\2\x08\x09", "no health message"),
        (b"\0\x20\0\0\0\0\0\0\1\0\0\0\x7f\xff" + b"x" * 8187, "too long"),
    ],
)
def test_nonsense(answer: bytes, why: str) -> None:
    def talk(connected: native.socket) -> None:
        connected.recv(4096)
        connected.sendall(answer)

    with ScriptedServer(talk) as scripted, pytest.raises(CheckFailed, match=why):
        ask(scripted.port)


def test_a_message_in_pieces_and_padded() -> None:
    def talk(connected: native.socket) -> None:
        connected.recv(4096)
        for byte in b"\0\0\0\x04\0\0\0\0\0\0\0\x08\x06\0\0\0\0\0pingpong\0\0\x0a\0\x08\0\0\0\1\2\0\0\0\0\2\x08\1zz":
            connected.sendall(bytes([byte]))
        connected.recv(4096)

    with ScriptedServer(talk) as scripted:
        assert ask(scripted.port) == "SERVING"


def test_names_that_are_too_long() -> None:
    with pytest.raises(OptionError):
        Options(service="x" * 121)


def test_the_light_module_is_light() -> None:
    assert_light("corepilot.checks.grpc_plugin")
    options: Any = Options()
    assert options.address == ""
