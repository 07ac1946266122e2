"""The check `grpc` against grpcio's own server, which is in a process of its own: it has threads."""

import json
import socket as native
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eventually import eventually
from http_script import ScriptedServer
from papers import authority, certificate
from running import Corepilot

from corepilot.checks.check import Check, CheckFailed
from corepilot.checks.grpc import GrpcCheck
from corepilot.checks.grpc_plugin import Options
from corepilot.plugin import OptionError
from corepilot.plugin.network import CheckTls
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
if len(sys.argv) > 2:
    key, chain, root = (open(name, "rb").read() for name in sys.argv[2:])
    secure = grpc.ssl_server_credentials([(key, chain)], root, require_client_auth=True)
    port = server.add_secure_port("127.0.0.1:0", secure)
else:
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

    def __init__(self, kind: str = "healthy", *papers: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, kind, *map(str, papers)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )  # fmt: skip
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


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GrpcServer, Path]]:
    """A server that speaks TLS only, and to nobody without a certificate; with the folder of the papers."""
    folder = tmp_path_factory.mktemp("papers")
    authority(folder, "ca")
    certificate(folder, "server", "ca", "DNS:shop.test")
    certificate(folder, "client", "ca", "DNS:client.test")
    made = GrpcServer("healthy", folder / "server.key", folder / "server.pem", folder / "ca.pem")
    yield made, folder
    made.end()


def over_tls(server: GrpcServer, **tls: object) -> str:
    return GrpcCheck(Options(str(server.port), tls=CheckTls(**tls)), context()).ask(10.0)  # type: ignore[arg-type]  # as a test writes it


def test_over_tls_each_shows_who_it_is(secure: tuple[GrpcServer, Path]) -> None:
    server, folder = secure
    ours = {"cert": str(folder / "client.pem"), "key": str(folder / "client.key")}
    server.set("", "SERVING")
    assert over_tls(server, ca=str(folder / "ca.pem"), name="shop.test", **ours) == "SERVING"
    assert over_tls(server, verify=False, **ours) == "SERVING"
    server.set("", "NOT_SERVING")
    with pytest.raises(CheckFailed, match="the server says NOT_SERVING"):
        over_tls(server, verify=False, **ours)


@pytest.mark.parametrize(
    ("tls", "why"),
    [
        ({"ca": "ca.pem"}, r"cannot connect to .*(IP address mismatch|127\.0\.0\.1)"),
        ({}, r"cannot connect to .*unable to get local issuer certificate"),
        ({"verify": False}, "was lost|has closed the connection|cannot connect"),
        ({"ca": "no.pem"}, r"cannot connect to .*No such file"),
    ],
    ids=["another name", "an unknown authority", "without a certificate", "no such file"],
)
def test_what_is_wrong_with_tls_is_named(secure: tuple[GrpcServer, Path], tls: dict[str, object], why: str) -> None:
    server, folder = secure
    tls = {key: str(folder / value) if isinstance(value, str) else value for key, value in tls.items()}
    with pytest.raises(CheckFailed, match=why):
        over_tls(server, **tls)


def test_a_server_that_speaks_the_other_of_the_two(server: GrpcServer, secure: tuple[GrpcServer, Path]) -> None:
    with pytest.raises(CheckFailed, match=r"cannot connect|was lost"):
        over_tls(server, verify=False)
    with pytest.raises(CheckFailed, match=r"was lost|has closed the connection"):
        ask(secure[0].port)


def test_tls_in_a_configuration(secure: tuple[GrpcServer, Path], tmp_path: Path) -> None:
    server, folder = secure
    server.set("", "SERVING")
    papers = f'ca: "{folder}/ca.pem", cert: "{folder}/client.pem", key: "{folder}/client.key", name: "shop.test"'
    text = f"""{{ control: {{socket: "{tmp_path}/control.socket"}}, discovery: false, jobs: [{{
        name: "shop", exec: "sleep 1000",
        health: {{ grpc: {{ address: "127.0.0.1:{server.port}", tls: {{ {papers} }} }}, interval: 1, ttl: 5 }} }}] }}"""
    with Corepilot(text, tmp_path) as corepilot:
        eventually(lambda: corepilot.job("shop")["health"] == "healthy", message="an answer over TLS")
        assert corepilot.stop() == 0


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
