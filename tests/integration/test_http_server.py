import os
import socket as native
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import gevent
import pytest
from gevent import socket
from http_script import eventually_switching

from corepilot.http.exchange import ServerLimits
from corepilot.http.listening import listen_tcp
from corepilot.http.message import Answer, Headers, Peer, Request, Response
from corepilot.http.server import Handler, HttpServer

Ask = Callable[[bytes], bytes]
NO_ANSWER = b""


class Served:
    """An HTTP server on a unix socket, what it was asked, and what it complained of."""

    def __init__(self, path: Path, handler: Handler | None, limits: ServerLimits | None, *, keep_alive: bool) -> None:
        self.path = str(path)
        self.requests: list[Request] = []
        self.errors: list[tuple[str, BaseException]] = []
        self._handler = handler
        listener = native.socket(native.AF_UNIX)
        listener.bind(self.path)
        listener.listen(1024)
        self.server = HttpServer(
            listener,
            self._handle,
            on_error=lambda where, error: self.errors.append((where, error)),
            limits=limits,
            keep_alive=keep_alive,
        )
        self.server.start()

    def _handle(self, request: Request) -> Answer:
        self.requests.append(request)
        return self._handler(request) if self._handler else Response(200, body=b"ok")

    def connect(self) -> native.socket:
        client = socket.socket(native.AF_UNIX)
        try:
            client.connect(self.path)
        except OSError:
            client.close()
            raise
        return client

    def ask(self, data: bytes) -> bytes:
        """Send this, and read until the server closes."""
        with self.connect() as client:
            client.sendall(data)
            return read_all(client)


Serve = Callable[..., Served]


def read_all(client: native.socket) -> bytes:
    data = b""
    with gevent.Timeout(30):
        while piece := client.recv(65536):
            data += piece
    return data


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    made: list[Served] = []

    def make(handler: Handler | None = None, limits: ServerLimits | None = None, *, keep_alive: bool = False) -> Served:
        made.append(Served(tmp_path / f"{len(made)}.socket", handler, limits, keep_alive=keep_alive))
        return made[-1]

    yield make
    for served in made:
        served.server.stop()
        assert served.server.connections == 0


def status_of(answer: bytes) -> int:
    assert answer.startswith(b"HTTP/1.1 "), answer
    return int(answer[9:12])


def test_a_request_and_its_answer(serve: Serve) -> None:
    served = serve(lambda request: Response(201, Headers([("X-Y", "z")]), b"<%b>" % request.body))
    answer = served.ask(b"PUT /a%20b?c=d HTTP/1.1\r\nHost: x\r\nX-Z: 1\r\nContent-Length: 4\r\n\r\nbody")
    (request,) = served.requests
    assert (request.method, request.path, request.query, request.body) == ("PUT", "/a b", "c=d", b"body")
    assert request.headers["x-z"] == "1"
    assert request.peer == Peer(os.getpid(), os.geteuid(), os.getegid())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split(b"\r\n") == [b"HTTP/1.1 201 ", b"x-y: z", b"Content-Length: 6", b"Connection: close"]
    assert body == b"<body>"
    assert served.errors == []


def test_an_old_client_without_host_is_served(serve: Serve) -> None:
    assert status_of(serve().ask(b"GET / HTTP/1.0\r\n\r\n")) == 200


def test_a_body_in_chunks(serve: Serve) -> None:
    served = serve()
    served.ask(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")
    assert served.requests[0].body == b"abc"


def test_head_gets_the_length_and_no_body(serve: Serve) -> None:
    answer = serve().ask(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"Content-Length: 2\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_a_body(serve: Serve, status: int) -> None:
    answer = serve(lambda _: Response(status, body=b"never sent")).ask(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert status_of(answer) == status
    assert b"never" not in answer
    assert b"Content-Length" not in answer


def test_expect_100_continue(serve: Serve) -> None:
    served = serve()
    with served.connect() as client:
        client.sendall(b"PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        with gevent.Timeout(30):
            assert client.recv(65536).startswith(b"HTTP/1.1 100 ")
        client.sendall(b"hi")
        assert status_of(read_all(client)) == 200
    assert served.requests[0].body == b"hi"


def test_no_keep_alive_unless_asked_for(serve: Serve) -> None:
    served = serve()
    answer = served.ask(b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200") == 1
    assert len(served.requests) == 1


def test_keep_alive_and_pipelining(serve: Serve) -> None:
    served = serve(lambda request: Response(200, body=request.path.encode()), keep_alive=True)
    with served.connect() as client:
        client.sendall(b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\n")
        eventually_switching(lambda: len(served.requests) == 1)
        client.sendall(b"GET /2 HTTP/1.1\r\nHost: x\r\n\r\nGET /3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = read_all(client)
    assert [request.path for request in served.requests] == ["/1", "/2", "/3"]
    assert answer.endswith(b"/3")


def test_a_silent_kept_connection_is_closed(serve: Serve) -> None:
    served = serve(limits=ServerLimits(idle_s=0.05), keep_alive=True)
    answer = served.ask(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.count(b"HTTP/1.1") == 1


def test_an_exception_of_the_handler_is_a_500_and_reported(serve: Serve) -> None:
    def break_down(request: Request) -> Response:
        raise KeyError(request.path)

    served = serve(break_down)
    answer = served.ask(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
    assert status_of(answer) == 500
    assert b"KeyError" not in answer
    ((where, error),) = served.errors
    assert where == "GET /x"
    assert isinstance(error, KeyError)


def test_an_answer_that_is_not_http_is_a_500_and_reported(serve: Serve) -> None:
    served = serve(lambda _: Response(200, Headers([("X", "a\r\nb")])))
    assert status_of(served.ask(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")) == 500
    assert len(served.errors) == 1


def test_a_handler_that_takes_too_long_is_ended(serve: Serve) -> None:
    def hang(_: Request) -> Response:
        gevent.sleep(60)
        return Response(200)

    served = serve(hang, ServerLimits(handler_s=0.05))
    assert status_of(served.ask(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")) == 503
    ((_, error),) = served.errors
    assert isinstance(error, gevent.Timeout)


def test_tcp_and_no_delay() -> None:
    listener = listen_tcp("127.0.0.1", 0)
    port = listener.getsockname()[1]
    requests: list[Request] = []
    no_delay: list[int] = []

    def handle(request: Request) -> Response:
        requests.append(request)
        (visitor,) = server._live
        no_delay.append(visitor.sock.getsockopt(native.IPPROTO_TCP, native.TCP_NODELAY))
        return Response(200)

    server = HttpServer(listener, handle, on_error=lambda *_: None)
    server.start()
    try:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert status_of(read_all(client)) == 200
        assert requests[0].peer is None
        assert no_delay[0]
        # A second server cannot have the port, and this one's descriptor is not left open.
        with pytest.raises(OSError, match="in use"):
            listen_tcp("127.0.0.1", port)
    finally:
        server.stop()
    listen_tcp("127.0.0.1", port).close()


def test_stop_lets_requests_in_flight_end(serve: Serve) -> None:
    go_on = gevent.event.Event()

    def wait(_: Request) -> Response:
        go_on.wait(30)
        return Response(200, body=b"in time")

    served = serve(wait)
    with served.connect() as busy, served.connect() as idle:
        busy.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        eventually_switching(lambda: served.requests)
        stopping = gevent.spawn(served.server.stop, 30)
        assert read_all(idle) == NO_ANSWER
        with pytest.raises(ConnectionRefusedError):
            served.connect()
        go_on.set()
        assert read_all(busy).endswith(b"in time")
        stopping.get(timeout=30)


def test_stop_drops_requests_that_take_too_long(serve: Serve) -> None:
    ended = []

    def hang(_: Request) -> Response:
        try:
            gevent.sleep(60)
        finally:
            ended.append(True)
        return Response(200)

    served = serve(hang)
    with served.connect() as busy:
        busy.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        eventually_switching(lambda: served.requests)
        served.server.stop(0.01)
        assert ended == [True]
        assert read_all(busy) == NO_ANSWER
    served.server.stop()
    assert served.errors == []


def test_stop_before_anything_was_served(serve: Serve) -> None:
    served = serve()
    clients = [served.connect() for _ in range(5)]
    served.server.stop()
    for client in clients:
        # Those that had not been accepted yet see a reset, the others an end.
        with client, suppress(ConnectionResetError):
            assert client.recv(1) == NO_ANSWER


def test_a_server_that_was_never_started_closes_its_socket(tmp_path: Path) -> None:
    listener = native.socket(native.AF_UNIX)
    listener.bind(str(tmp_path / "x"))
    HttpServer(listener, lambda _: Response(200), on_error=lambda *_: None).stop()
    assert listener.fileno() == -1


def test_starting_twice_is_a_bug(serve: Serve) -> None:
    with pytest.raises(RuntimeError):
        serve().server.start()
