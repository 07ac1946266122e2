"""Answers that are sent while they are being made: `StreamingResponse`."""

import socket as native
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import gevent.queue
import h11
import pytest
from gevent import socket
from http_script import eventually_switching

from corepilot.control.client import ControlClient
from corepilot.errors import ControlError
from corepilot.http.exchange import ServerLimits
from corepilot.http.listening import listen_tcp
from corepilot.http.message import NO_HEADERS, Answer, Headers, Request, StreamingResponse
from corepilot.http.server import HttpServer

GET = b"GET /follow HTTP/1.1\r\nHost: x\r\n\r\n"
GET_10 = b"GET /follow HTTP/1.0\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


class Source:
    """An iterator that is fed by the test, and knows what became of it."""

    def __init__(self) -> None:
        self.begun = False
        self.ended_by: list[type[BaseException] | None] = []
        self._queue: gevent.queue.SimpleQueue[bytes | Exception | None] = gevent.queue.SimpleQueue()

    def put(self, *items: bytes | Exception | None) -> None:
        """Chunks, an exception to raise, or None for the end."""
        for item in items:
            self._queue.put(item)

    def chunks(self) -> Iterator[bytes]:
        self.begun = True
        ended_by: type[BaseException] | None = None
        try:
            while (item := self._queue.get()) is not None:
                if isinstance(item, Exception):
                    raise item  # noqa: TRY301  - it is the iterator's own
                yield item
        except BaseException as error:
            ended_by = type(error)
            raise
        finally:
            self.ended_by.append(ended_by)


class Served:
    """A server on a unix socket or on TCP of which every answer is a stream, each from a source of its own."""

    def __init__(self, listener: native.socket, limits: ServerLimits, make: Callable[[Source], Answer]) -> None:
        self.address = listener.getsockname()
        self.sources: list[Source] = []
        self.errors: list[tuple[str, BaseException]] = []
        self._family = listener.family
        self._make = make
        self.server = HttpServer(
            listener, self._handle, on_error=lambda *error: self.errors.append(error), limits=limits, keep_alive=True
        )
        self.server.start()

    def _handle(self, _: Request) -> Answer:
        self.sources.append(Source())
        return self._make(self.sources[-1])

    def connect(self, request: bytes = GET) -> native.socket:
        client = socket.socket(self._family)
        client.connect(self.address)
        client.sendall(request)
        return client

    def source(self, number: int = 0) -> Source:
        """That of a request, counted from 0, once its iterator runs."""
        eventually_switching(lambda: len(self.sources) > number and self.sources[number].begun)
        return self.sources[number]


def stream(source: Source) -> Answer:
    return StreamingResponse(200, Headers([("Content-Type", "text/plain")]), source.chunks())


Serve = Callable[..., Served]


@pytest.fixture(params=["unix", "tcp"])
def serve(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Serve]:
    made: list[Served] = []

    def make(limits: ServerLimits | None = None, answer: Callable[[Source], Answer] = stream) -> Served:
        if request.param == "tcp":
            at = listen_tcp("127.0.0.1", 0)
            listener = native.socket(at.family, at.type, fileno=at.detach())
        else:
            listener = native.socket(native.AF_UNIX)
            listener.bind(str(tmp_path / f"{len(made)}.socket"))
            listener.listen(64)
        made.append(Served(listener, limits or ServerLimits(), answer))
        return made[-1]

    yield make
    for served in made:
        served.server.stop(0)
        assert served.server.connections == 0
        # Whatever happened, each iterator that began has come to its end, once.
        assert all(len(source.ended_by) == source.begun for source in served.sources)


def read_until(client: native.socket, end: bytes) -> bytes:
    data = b""
    with gevent.Timeout(30):
        while not data.endswith(end):
            piece = client.recv(65536)
            assert piece, data
            data += piece
    return data


def read_all(client: native.socket) -> bytes:
    data = b""
    with gevent.Timeout(30):
        while piece := client.recv(65536):
            data += piece
    return data


def test_each_chunk_is_sent_at_once(serve: Serve) -> None:
    served = serve()
    with served.connect() as client:
        head = read_until(client, b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"Transfer-Encoding: chunked\r\n" in head
        assert b"Connection: close\r\n" in head
        for text in (b"one\n", b"two\n"):
            served.source().put(text)
            assert read_until(client, b"\n\r\n") == b"4\r\n" + text + b"\r\n"
        served.source().put(b"", None)
        assert read_all(client) == LAST_CHUNK
    assert served.sources[0].ended_by == [None]
    assert served.errors == []


def test_an_http_client_understands_it(serve: Serve) -> None:
    served = serve()
    parser = h11.Connection(h11.CLIENT)
    parser.send(h11.Request(method="GET", target="/follow", headers=[("Host", "x")]))
    with served.connect() as client:
        served.source().put(b"a" * 100_000, b"b", None)
        parser.receive_data(read_all(client))
        parser.receive_data(b"")
    body = b""
    parser.next_event()
    while isinstance(event := parser.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert body == b"a" * 100_000 + b"b"


@pytest.mark.parametrize("end", [None, OSError("the disk")])
def test_the_client_of_the_command_line_reads_lines(tmp_path: Path, end: Exception | None) -> None:
    """It blocks, so it has a thread, and the server the hub."""
    listener = native.socket(native.AF_UNIX)
    listener.bind(str(tmp_path / "x.socket"))
    listener.listen(5)
    served = Served(listener, ServerLimits(), stream)
    found: list[object] = []

    def read() -> None:
        with ControlClient(str(tmp_path / "x.socket")).stream("POST", "/v1/x", b"{}") as lines:
            found.append(lines.status)
            try:
                found.extend(lines)
            except ControlError as error:
                found.append(error)

    reading = threading.Thread(target=read)
    reading.start()
    try:
        served.source().put(b'{"a":1}\n{"b"')
        eventually_switching(lambda: found == [200, b'{"a":1}'])
        served.source().put(b":2}\n", end)
        eventually_switching(lambda: not reading.is_alive())
    finally:
        served.server.stop(0)
        reading.join(30)
    assert found[:3] == [200, b'{"a":1}', b'{"b":2}']
    assert [str(error).endswith("see its log") for error in found[3:]] == [True] * (end is not None)


def test_an_old_client_reads_to_the_end_of_the_connection(serve: Serve) -> None:
    served = serve()
    with served.connect(GET_10) as client:
        assert b"chunked" not in read_until(client, b"\r\n\r\n")
        served.source().put(b"one\n")
        assert read_until(client, b"\n") == b"one\n"
        served.source().put(b"two\n", None)
        assert read_all(client) == b"two\n"


def test_it_may_wait_much_longer_than_a_handler(serve: Serve) -> None:
    served = serve(ServerLimits(handler_s=0.01, write_s=0.01, header_s=0.01))
    with served.connect() as client:
        read_until(client, b"\r\n\r\n")
        source = served.source()
        gevent.sleep(0.05)  # several times each limit, none of which ends it
        source.put(b"late", None)
        assert read_all(client) == b"4\r\nlate\r\n" + LAST_CHUNK
    assert served.errors == []


@pytest.mark.parametrize("status", [200, 204])
def test_without_a_body_the_iterator_does_not_run(serve: Serve, status: int) -> None:
    served = serve(answer=lambda source: StreamingResponse(status, NO_HEADERS, source.chunks()))
    method = b"HEAD" if status == 200 else b"GET"
    with served.connect(GET.replace(b"GET", method)) as client:
        assert read_all(client).endswith(b"\r\n\r\n")
    assert not served.sources[0].begun
    assert served.errors == []


@pytest.mark.parametrize("way", ["close", "shutdown"])
def test_a_client_that_goes_away_while_the_iterator_waits_ends_it(serve: Serve, way: str) -> None:
    served = serve()
    with served.connect() as client:
        source = served.source()
        source.put(b"one\n")
        read_until(client, b"one\n\r\n")
        assert source.ended_by == []
        if way == "shutdown":
            client.shutdown(native.SHUT_WR)
        else:
            client.close()
        eventually_switching(lambda: source.ended_by)
        (ended_by,) = source.ended_by
        assert ended_by is not None
        assert issubclass(ended_by, gevent.GreenletExit)
        eventually_switching(lambda: served.server.connections == 0)
    assert served.errors == []


def test_a_client_that_is_gone_when_the_next_chunk_comes(serve: Serve) -> None:
    served = serve()
    client = served.connect()
    source = served.source()
    source.put(*[b"x" * 1000] * 1000)
    client.close()
    eventually_switching(lambda: served.server.connections == 0)
    assert len(source.ended_by) == 1
    assert served.errors == []


def test_what_a_client_sends_meanwhile_is_thrown_away_up_to_a_bound(serve: Serve) -> None:
    served = serve()
    with served.connect() as client:
        source = served.source()
        client.sendall(GET)
        source.put(b"one\n")
        read_until(client, b"one\n\r\n")
        with gevent.Timeout(30), pytest.raises(OSError):  # noqa: PT011  - a broken pipe or a reset, by the timing
            client.sendall(b"x" * 100_000_000)
        eventually_switching(lambda: source.ended_by)
    assert len(served.sources) == 1
    assert served.errors == []


def test_a_client_that_does_not_read_is_dropped(serve: Serve) -> None:
    served = serve(ServerLimits(write_s=0.1))
    with served.connect():
        source = served.source()
        source.put(*[b"x" * 1_000_000] * 20)
        eventually_switching(lambda: source.ended_by == [GeneratorExit])
        eventually_switching(lambda: served.server.connections == 0)
    assert served.errors == []


def test_a_slow_reader_gets_everything(serve: Serve) -> None:
    """The time is for each chunk: all together take much longer."""
    served = serve(ServerLimits(write_s=1))
    received = bytearray()
    with served.connect(GET_10) as client, gevent.Timeout(60):
        served.source().put(*[bytes((65 + number,)) * 400_000 for number in range(10)], None)
        while data := client.recv(20_000):
            received += data
            gevent.sleep(0.002)
    body = bytes(received).partition(b"\r\n\r\n")[2]
    assert body == b"".join(bytes((65 + number,)) * 400_000 for number in range(10))


def test_an_iterator_that_raises_leaves_the_answer_without_its_end(serve: Serve) -> None:
    served = serve()
    with served.connect() as client:
        served.source().put(b"one\n", OSError("the disk"))
        answer = read_all(client)
    assert answer.endswith(b"4\r\none\n\r\n")
    ((where, error),) = served.errors
    assert where == "the answer to GET /follow"
    assert str(error) == "the disk"


def test_a_chunk_that_is_none_is_an_error_of_the_iterator(serve: Serve) -> None:
    served = serve()
    with served.connect() as client:
        served.source().put("text")  # type: ignore[arg-type]  # what a careless author yields
        assert LAST_CHUNK not in read_all(client)
    assert [where for where, _ in served.errors] == ["the answer to GET /follow"]


def test_an_answer_that_is_not_http_is_a_500_and_the_iterator_does_not_run(serve: Serve) -> None:
    served = serve(answer=lambda source: StreamingResponse(200, Headers([("X", "a\r\nb")]), source.chunks()))
    with served.connect() as client:
        assert read_all(client).startswith(b"HTTP/1.1 500 ")
    assert not served.sources[0].begun
    assert len(served.errors) == 1


def test_an_iterator_that_does_not_heed_its_end_is_asked_no_further(serve: Serve) -> None:
    asked: list[bool] = []

    def stubborn() -> Iterator[bytes]:
        while True:
            try:
                asked.append(True)
                gevent.sleep(60)
            except gevent.GreenletExit:
                yield b"still here"

    served = serve(answer=lambda _: StreamingResponse(200, NO_HEADERS, stubborn()))
    with served.connect() as client:
        eventually_switching(lambda: asked)
        client.close()
    eventually_switching(lambda: served.server.connections == 0)
    assert len(asked) == 1


def test_what_the_iterator_raises_at_its_end_is_reported(serve: Serve) -> None:
    def bad_end() -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 1000
        finally:
            raise KeyError("at the end")

    served = serve(answer=lambda _: StreamingResponse(200, NO_HEADERS, bad_end()))
    with served.connect() as client:
        read_until(client, b"x\r\n")
    eventually_switching(lambda: served.errors)
    eventually_switching(lambda: served.server.connections == 0)
    ((_, error),) = served.errors
    assert isinstance(error, KeyError)


def test_an_iterator_that_never_waits_lets_others_run(serve: Serve) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b""

    served = serve(answer=lambda _: StreamingResponse(200, NO_HEADERS, endless()))
    with served.connect() as client:
        assert read_until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 200")
        client.close()
    eventually_switching(lambda: served.server.connections == 0)


def test_streams_count_as_connections_and_are_not_evicted(serve: Serve) -> None:
    served = serve(ServerLimits(connections=1))
    with served.connect() as client:
        source = served.source()
        with served.connect() as another:
            assert read_until(another, b"\r\n\r\n").startswith(b"HTTP/1.1 503 ")
        source.put(b"still\n", None)
        assert read_all(client).endswith(LAST_CHUNK)


def test_a_stop_gives_streams_its_grace(serve: Serve) -> None:
    served = serve()
    with served.connect() as ends, served.connect() as stays:
        eventually_switching(lambda: len(served.sources) == 2 and all(source.begun for source in served.sources))
        stopping = gevent.spawn(served.server.stop, 0.2)
        gevent.sleep(0)
        served.sources[0].put(b"bye\n", None)
        assert read_all(ends).endswith(b"bye\n\r\n" + LAST_CHUNK)
        stopping.get(timeout=30)
        assert LAST_CHUNK not in read_all(stays)
        assert served.sources[1].ended_by == [gevent.GreenletExit]
    assert served.errors == []


def test_a_retired_server_ends_streams_in_the_time_of_a_request(serve: Serve) -> None:
    served = serve(ServerLimits(request_s=0.1, handler_s=0.1, write_s=0.1))
    with served.connect() as client:
        source = served.source()
        served.server.retire()
        source.put(b"one\n")
        read_until(client, b"one\n\r\n")
        eventually_switching(lambda: source.ended_by == [gevent.GreenletExit])
        assert LAST_CHUNK not in read_all(client)
    eventually_switching(lambda: not served.server.running)


def test_many_that_come_and_go_leave_nothing(serve: Serve) -> None:
    served = serve()
    for number in range(60):
        with served.connect() as client:
            source = served.source(number)
            if number % 3:
                source.put(b"x" * number)
            if number % 2:
                source.put(None)
                read_all(client)
    eventually_switching(lambda: served.server.connections == 0)
    assert served.errors == []
