import socket as native
from contextlib import suppress

import gevent
import pytest
from http_script import ScriptedServer, Talk, eventually_switching, read_request, say

from corepilot.http.client import Client, ClientLimits
from corepilot.http.errors import HttpProtocolError, HttpTimeoutError, HttpTooLargeError

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def then_wait(answer: bytes) -> Talk:
    def talk(connected: native.socket) -> None:
        read_request(connected)
        connected.sendall(answer)
        while connected.recv(65536):
            pass

    return talk


def test_pieces_come_as_they_are_sent_and_end_with_the_answer() -> None:
    received: list[bytes] = []

    def talk(connected: native.socket) -> None:
        read_request(connected)
        connected.sendall(CHUNKED)
        for number in range(3):
            connected.sendall(chunk(b"piece %d" % number))
            # The next one is sent only after this one has arrived.
            eventually_switching(lambda: len(received) == number + 1)  # noqa: B023  - waited for in this turn
        connected.sendall(b"0\r\n\r\n")

    with (
        ScriptedServer(talk) as server,
        Client(server.origin).stream("POST", "/watch", b"{}", deadline_s=10, idle_s=10) as stream,
    ):
        assert (stream.status, stream.headers["transfer-encoding"]) == (200, "chunked")
        for piece in stream:
            received.append(piece)  # noqa: PERF402  - the server looks at it meanwhile
        assert not stream.closed
    assert received == [b"piece 0", b"piece 1", b"piece 2"]
    assert stream.closed


def test_silence_is_a_timeout_and_closes_the_stream() -> None:
    with (
        ScriptedServer(then_wait(CHUNKED + chunk(b"one"))) as server,
        Client(server.origin).stream("GET", "/", deadline_s=10, idle_s=0.1) as stream,
    ):
        assert next(stream) == b"one"
        with pytest.raises(HttpTimeoutError, match=r"within 0.1 s"):
            next(stream)
        assert stream.closed
        assert list(stream) == []


def test_no_head_within_the_deadline() -> None:
    with ScriptedServer(then_wait(b"")) as server, pytest.raises(HttpTimeoutError):
        Client(server.origin).stream("GET", "/", deadline_s=0.1, idle_s=10)


def test_a_loss_is_an_error_and_not_an_end() -> None:
    with (
        ScriptedServer(say(CHUNKED + chunk(b"one"))) as server,
        Client(server.origin).stream("GET", "/", deadline_s=10, idle_s=10) as stream,
    ):
        assert next(stream) == b"one"
        with pytest.raises(HttpProtocolError):
            next(stream)


def test_closing_it_from_another_greenlet_ends_the_iteration() -> None:
    with ScriptedServer(then_wait(CHUNKED + chunk(b"one"))) as server:
        stream = Client(server.origin).stream("GET", "/", deadline_s=10, idle_s=60)
        reader = gevent.spawn(list, stream)
        eventually_switching(lambda: reader.started)
        gevent.sleep(0)
        stream.close()
        stream.close()
        assert reader.get(timeout=10) in ([b"one"], [])


def test_a_killed_reader_closes_the_stream() -> None:
    with ScriptedServer(then_wait(CHUNKED)) as server:
        stream = Client(server.origin).stream("GET", "/", deadline_s=10, idle_s=60)
        reader = gevent.spawn(next, stream)
        gevent.sleep(0)
        reader.kill()
        assert stream.closed


def test_a_stream_counts_as_a_connection_until_it_is_closed() -> None:
    with ScriptedServer(then_wait(CHUNKED)) as server:
        client = Client(server.origin, limits=ClientLimits(connections=1))
        with client.stream("GET", "/", deadline_s=10, idle_s=10), pytest.raises(HttpTimeoutError):
            client.stream("GET", "/", deadline_s=0.05, idle_s=10)
        with client.stream("GET", "/", deadline_s=10, idle_s=10) as again:
            assert again.status == 200


@pytest.mark.parametrize("answer", [b"nonsense\r\n\r\n", b""])
def test_a_stream_that_fails_to_open_gives_its_place_back(answer: bytes) -> None:
    with ScriptedServer(say(answer)) as server:
        client = Client(server.origin, limits=ClientLimits(connections=1))
        for _ in range(3):
            with pytest.raises(HttpProtocolError):
                client.stream("GET", "/", deadline_s=10, idle_s=10)


def test_the_text_of_an_error_is_read_at_once() -> None:
    with (
        ScriptedServer(say(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 5\r\n\r\nwrong")) as server,
        Client(server.origin).stream("GET", "/", deadline_s=10, idle_s=10) as stream,
    ):
        assert (stream.status, stream.read()) == (400, b"wrong")


def test_a_text_that_is_too_long_is_not_read() -> None:
    with (
        ScriptedServer(then_wait(CHUNKED + chunk(b"x" * 11))) as server,
        Client(server.origin).stream("GET", "/", deadline_s=10, idle_s=10) as stream,
    ):
        with pytest.raises(HttpTooLargeError):
            stream.read(10)
        assert stream.closed


def test_a_flood_of_pieces_leaves_the_hub_to_others() -> None:
    def flood(connected: native.socket) -> None:
        read_request(connected)
        connected.sendall(CHUNKED)
        with suppress(OSError):
            while True:
                connected.sendall(chunk(b"x") * 1000)

    turns = 0

    def turn() -> None:
        nonlocal turns
        while True:
            gevent.sleep(0)
            turns += 1

    with (
        ScriptedServer(flood) as server,
        Client(server.origin).stream("GET", "/", deadline_s=10, idle_s=10) as stream,
    ):
        other = gevent.spawn(turn)
        for _ in range(100_000):
            next(stream)
        other.kill()
    assert turns
