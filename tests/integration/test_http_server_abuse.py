"""Clients that are slow, greedy, hostile or gone (fault rows A01, A02, A03, A08, A10, R01, T02)."""

import random
import socket as native
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import gevent
import gevent.event
import pytest
from gevent import socket
from http_script import eventually_switching
from leaks import collector_off

from corepilot.http.exchange import ServerLimits
from corepilot.http.message import Request, Response
from corepilot.http.server import Handler, HttpServer

PING = b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n"
OVERLOADED = 503


class Served:
    def __init__(self, path: Path, handler: Handler, limits: ServerLimits | None) -> None:
        self.path = str(path)
        self.errors: list[object] = []
        listener = native.socket(native.AF_UNIX)
        listener.bind(self.path)
        listener.listen(4096)
        self.server = HttpServer(listener, handler, on_error=lambda *error: self.errors.append(error), limits=limits)
        self.server.start()

    def connect(self) -> native.socket:
        client = socket.socket(native.AF_UNIX)
        client.connect(self.path)
        return client

    def ask(self, data: bytes) -> int:
        with self.connect() as client:
            with suppress(BrokenPipeError):
                client.sendall(data)
            return status_of(client)


Serve = Callable[..., Served]


def status_of(client: native.socket) -> int:
    """The status of the answer, 0 if the connection ended without one."""
    data = b""
    with gevent.Timeout(30), suppress(ConnectionResetError):
        while piece := client.recv(65536):
            data += piece
    assert not data or data.startswith(b"HTTP/1.1 "), data[:100]
    return int(data[9:12] or 0)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    made: list[Served] = []

    def make(handler: Handler = lambda _: Response(200, body=b"ok"), limits: ServerLimits | None = None) -> Served:
        made.append(Served(tmp_path / f"{len(made)}.socket", handler, limits))
        return made[-1]

    yield make
    for served in made:
        served.server.stop()
        assert served.errors == []


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"\0" * 100 + b"\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
        (b"GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505),
        (b"GET * HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /% HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 32 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 10_000 + b"\r\n", 431),
        (b"G" * 100_000, 431),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"8000\r\n" + b"x" * 32768 + b"\r\n" * 1
         + b"8001\r\n" + b"x" * 32769 + b"\r\n0\r\n\r\n", 413),
    ],
)  # fmt: skip
def test_what_is_refused(serve: Serve, data: bytes, status: int) -> None:
    served = serve()
    assert served.ask(data) == status
    assert served.ask(PING) == 200


def test_limits_are_limits_and_not_one_less(serve: Serve) -> None:
    served = serve()
    fields = b"X: y\r\n" * 30
    assert (
        served.ask(b"POST / HTTP/1.1\r\nHost: x\r\n" + fields + b"Content-Length: 65536\r\n\r\n" + b"x" * 65536) == 200
    )
    assert served.ask(b"GET /" + b"a" * 8191 + b" HTTP/1.1\r\nHost: x\r\n\r\n") == 200


def test_a_request_that_breaks_off(serve: Serve) -> None:
    served = serve()
    for length in range(len(PING)):
        with served.connect() as client:
            client.sendall(PING[:length])
            client.shutdown(native.SHUT_WR)
            assert status_of(client) in {0, 400}


def test_a_body_without_end_is_read_no_further_than_it_may_be(serve: Serve) -> None:
    served = serve()
    sent = 0
    with served.connect() as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10737418240\r\n\r\n")
        with suppress(BrokenPipeError, ConnectionResetError):
            while True:
                sent += client.send(b"x" * 65536)
        assert status_of(client) == 413
    # What was taken is the head, what is thrown away after the answer, and what the kernel holds.
    assert sent < 9 * 1024 * 1024


@pytest.mark.parametrize("framing", [b"Content-Length: 4000000", b"Transfer-Encoding: chunked"])
def test_a_client_that_sends_all_before_it_reads_is_told_why(serve: Serve, framing: bytes) -> None:
    served = serve()
    body = b"x" * 4_000_000 if b"Length" in framing else b"3d0900\r\n" + b"x" * 4_000_000 + b"\r\n0\r\n\r\n"
    with served.connect() as client, gevent.Timeout(30):
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n" + framing + b"\r\n\r\n" + body)
        assert client.recv(12) == b"HTTP/1.1 413"


def test_a_client_that_is_still_sending_when_it_is_refused_is_not_cut_off(serve: Serve) -> None:
    served = serve()
    with served.connect() as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n")
        with gevent.Timeout(30):
            assert client.recv(9) == b"HTTP/1.1 "
        client.sendall(b"x" * 1000)
        client.shutdown(native.SHUT_WR)
        with gevent.Timeout(30):
            assert client.recv(3) == b"413"


def drip(client: native.socket, data: bytes) -> None:
    with suppress(OSError):
        for byte in data:
            client.sendall(bytes((byte,)))
            gevent.sleep(0.01)


@pytest.mark.parametrize(
    ("data", "limits"),
    [
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 100, ServerLimits(header_s=0.1)),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n" + b"x" * 999, ServerLimits(request_s=0.6)),
    ],
    ids=["head", "body"],
)
def test_a_slow_request_is_given_up(serve: Serve, data: bytes, limits: ServerLimits) -> None:
    served = serve(limits=limits)
    with served.connect() as client:
        dripping = gevent.spawn(drip, client, data)
        assert status_of(client) == 408
        eventually_switching(lambda: served.server.connections == 0)
        dripping.kill()


def test_a_silent_connection_is_closed_without_a_word(serve: Serve) -> None:
    served = serve(limits=ServerLimits(header_s=0.05))
    with served.connect() as client:
        assert status_of(client) == 0


def test_a_deadline_that_passed_leaves_nothing_to_the_garbage_collector(serve: Serve) -> None:
    served = serve(limits=ServerLimits(header_s=0.05))
    with collector_off(gevent.Timeout) as made_since:
        with served.connect() as client:
            assert status_of(client) == 0
        eventually_switching(lambda: served.server.connections == 0)
        assert [one for one in made_since() if not one.pending] == []


def test_a_client_that_never_reads_is_dropped(serve: Serve) -> None:
    served = serve(lambda _: Response(200, body=b"x" * 10_000_000), ServerLimits(write_s=0.1))
    with served.connect() as client:
        client.sendall(PING)
        eventually_switching(lambda: served.server.connections == 1)
        eventually_switching(lambda: served.server.connections == 0)


def test_the_longest_idle_connection_makes_room(serve: Serve) -> None:
    served = serve(limits=ServerLimits(connections=3))
    clients = [served.connect() for _ in range(3)]
    eventually_switching(lambda: served.server.connections == 3)
    assert served.ask(PING) == 200
    assert status_of(clients[0]) == OVERLOADED
    for client in clients[1:]:
        client.sendall(PING)
        assert status_of(client) == 200
    for client in clients:
        client.close()


def test_if_all_are_busy_one_more_is_told_so(serve: Serve) -> None:
    go_on = gevent.event.Event()
    waiting = []

    def wait(request: Request) -> Response:
        waiting.append(request)
        go_on.wait(30)
        return Response(200)

    served = serve(wait, ServerLimits(connections=2))
    calls = [gevent.spawn(served.ask, PING) for _ in range(2)]
    eventually_switching(lambda: len(waiting) == 2)
    assert served.ask(PING) == OVERLOADED
    go_on.set()
    assert [call.get(timeout=30) for call in calls] == [200, 200]


def test_two_hundred_at_once_are_all_answered(serve: Serve) -> None:
    served = serve()
    calls = [gevent.spawn(served.ask, PING) for _ in range(200)]
    gevent.joinall(calls, raise_error=True)
    assert {call.value for call in calls} == {200}


def test_who_takes_nothing_of_an_answer_makes_room(serve: Serve) -> None:
    served = serve(lambda request: Response(200, body=b"x" * (10_000_000 if request.path == "/all" else 2)),
                   ServerLimits(connections=4, write_s=600))  # fmt: skip
    deaf = [served.connect() for _ in range(4)]
    for client in deaf:
        client.sendall(b"GET /all HTTP/1.1\r\nHost: x\r\n\r\n")
    eventually_switching(lambda: served.server.connections == 4)

    def asked() -> int:
        # Until they have taken nothing for a tenth of a second they count as slow readers.
        with served.connect() as client:
            client.sendall(PING)
            return status_of(client)

    eventually_switching(lambda: asked() == 200)
    assert served.server.connections == 3
    for client in deaf:
        client.close()


def test_heavy_requests_take_turns_and_others_go_before_them(tmp_path: Path) -> None:
    """A ping does not wait for all of those that came before it, and none of them is lost."""
    order: list[str] = []

    def work(request: Request) -> Response:
        until = time.monotonic() + 0.02
        while request.path == "/heavy" and time.monotonic() < until:
            pass
        order.append(request.path)
        return Response(200)

    listener = native.socket(native.AF_UNIX)
    listener.bind(str(tmp_path / "x.socket"))
    listener.listen(512)
    server = HttpServer(listener, work, on_error=lambda *_: None, heavy=lambda request: request.path == "/heavy")
    server.start()

    def ask(path: str) -> int:
        with socket.socket(native.AF_UNIX) as client:
            client.connect(str(tmp_path / "x.socket"))
            client.sendall(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode())
            return status_of(client)

    try:
        heavy = [gevent.spawn(ask, "/heavy") for _ in range(40)]
        eventually_switching(lambda: order)
        assert ask("/ping") == 200
        gevent.joinall(heavy, timeout=30)
        assert [one.value for one in heavy] == [200] * 40
        assert order.index("/ping") < 30
    finally:
        server.stop()


def test_a_flood_of_heavy_requests_is_turned_away_and_not_queued(tmp_path: Path) -> None:
    def work(_: Request) -> Response:
        until = time.monotonic() + 0.02
        while time.monotonic() < until:
            pass
        return Response(200)

    listener = native.socket(native.AF_UNIX)
    listener.bind(str(tmp_path / "x.socket"))
    listener.listen(512)
    limits = ServerLimits(connections=4)
    server = HttpServer(listener, work, on_error=lambda *_: None, limits=limits, heavy=lambda _: True)
    server.start()

    def ask() -> int:
        with socket.socket(native.AF_UNIX) as client, suppress(BrokenPipeError):
            client.connect(str(tmp_path / "x.socket"))
            client.sendall(PING)
            return status_of(client)
        return 0

    try:
        asking = [gevent.spawn(ask) for _ in range(100)]
        gevent.joinall(asking, timeout=30)
        statuses = [one.value for one in asking]
        assert statuses.count(200) >= 4
        assert OVERLOADED in statuses
        assert server.connections == 0
    finally:
        server.stop()


def test_slow_clients_do_not_keep_others_out(serve: Serve) -> None:
    served = serve()

    def be_slow() -> None:
        while True:
            with suppress(OSError), served.connect() as client:
                drip(client, b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 1000)

    slow = [gevent.spawn(be_slow) for _ in range(100)]
    try:
        eventually_switching(lambda: served.server.connections == 64)
        for _ in range(20):
            assert served.ask(PING) == 200
    finally:
        gevent.killall(slow)
    eventually_switching(lambda: served.server.connections == 0)


@pytest.mark.slow
def test_a_thousand_connections_that_end_in_every_way_leave_nothing(serve: Serve) -> None:
    served = serve(lambda _: Response(200, body=b"x" * 100_000))
    chance = random.Random(7)

    def leave_before_asking(client: native.socket) -> None:
        client.sendall(PING[: chance.randrange(len(PING))])

    def leave_mid_reply(client: native.socket) -> None:
        client.sendall(PING)
        client.recv(1)

    def leave_without_reading(client: native.socket) -> None:
        client.sendall(PING)

    def talk_nonsense(client: native.socket) -> None:
        client.sendall(chance.randbytes(chance.randrange(1, 2000)))
        client.shutdown(native.SHUT_WR)
        status_of(client)

    def behave(client: native.socket) -> None:
        client.sendall(PING)
        assert status_of(client) == 200

    for _ in range(200):
        for way in (leave_before_asking, leave_mid_reply, leave_without_reading, talk_nonsense, behave):
            with served.connect() as client, suppress(BrokenPipeError, ConnectionResetError):
                way(client)
    eventually_switching(lambda: served.server.connections == 0)
    assert served.ask(PING) == 200


@pytest.mark.slow
def test_random_bytes(serve: Serve) -> None:
    served = serve(limits=ServerLimits(header_s=0.2))
    chance = random.Random(11)
    pieces = [
        b"GET ", b"POST ", b"/", b"/v3/ping", b" HTTP/1.1", b"\r\n", b"\r\n\r\n", b"\n", b"Host: x",
        b"Content-Length: ",
        b"5", b"-1", b"Transfer-Encoding: chunked", b"0\r\n\r\n", b"Connection: ", b"Expect: 100-continue", b":", b" ",
    ]  # fmt: skip
    for _ in range(1500):
        data = b"".join(
            chance.choice(pieces) if chance.random() < 0.8 else chance.randbytes(chance.randrange(20))
            for _ in range(chance.randrange(1, 15))
        )
        with served.connect() as client, suppress(BrokenPipeError):
            client.sendall(data)
            client.shutdown(native.SHUT_WR)
            assert status_of(client) in {0, 200, 400, 413, 414, 431, 501, 505}, data
    assert served.ask(PING) == 200


SHORT_OF_DESCRIPTORS = """
import resource, socket, sys, gevent
from corepilot.http.message import Response
from corepilot.http.server import HttpServer

listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(512)
server = HttpServer(listener, lambda _: Response(200), on_error=lambda *error: print(error, flush=True))
server.start()
taken = []
limit = 64
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
try:
    while True:
        taken.append(open("/dev/null"))
except OSError:
    print("full", flush=True)
gevent.sleep(60)
"""


def test_without_descriptors_one_visitor_at_a_time_is_let_in(tmp_path: Path) -> None:
    path = str(tmp_path / "x.socket")
    server = subprocess.Popen(
        [sys.executable, "-c", SHORT_OF_DESCRIPTORS, path], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    )
    try:
        assert server.stdout is not None
        assert server.stdout.readline() == "full\n"
        idle = [native.socket(native.AF_UNIX) for _ in range(20)]
        for client in idle:
            client.connect(path)
        for _ in range(20):
            with native.socket(native.AF_UNIX) as client:
                client.settimeout(30)
                client.connect(path)
                client.sendall(PING)
                assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
        for client in idle:
            client.close()
    finally:
        server.kill()
        output, _ = server.communicate()
    assert output == ""
