"""The connection below kazoo: read ahead, never blocking, and waited for without descriptors of its own."""

import os
import socket
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from corepilot_zookeeper.handler import Handler
from corepilot_zookeeper.light_kazoo import exceptions
from corepilot_zookeeper.stream import READ_AHEAD, Requests, Stream


class Ends:
    """A stream and its server."""

    def __init__(self) -> None:
        self.handler = Handler(None)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.stream: Stream = self.handler.create_connection(listener.getsockname()[:2], timeout=1.0)
            self.server, _ = listener.accept()
        self.requests: Requests = self.handler.create_socket_pair()[0]

    def select(self, timeout_s: float) -> list[Any]:
        ready: list[Any] = self.handler.select([self.stream, self.requests], [], [], timeout_s)[0]
        return ready


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    made.handler.abandon()
    made.server.close()


def test_what_comes_at_once_is_read_at_once_and_handed_out_as_it_is_asked_for(ends: Ends) -> None:
    ends.server.sendall(b"\0\0\0\3abc\0\0")
    assert ends.select(5.0) == [ends.stream]
    assert [ends.stream.take(4, 5.0), ends.stream.take(3, 5.0)] == [b"\0\0\0\3", b"abc"]
    assert ends.select(0.0) == [ends.stream], "the rest has been read already"
    gevent.spawn(ends.server.sendall, b"\0\4")
    assert ends.stream.take(4, 5.0) == b"\0\0\0\4"
    assert ends.select(0.0) == []


def test_a_message_longer_than_what_is_read_at_once(ends: Ends) -> None:
    message = os.urandom(5 * READ_AHEAD // 2)
    ends.server.sendall(message)
    assert ends.stream.take(len(message), 5.0) == message


def test_the_end_is_told_after_all_that_was_sent(ends: Ends) -> None:
    ends.server.sendall(b"last")
    ends.server.shutdown(socket.SHUT_WR)
    assert ends.select(5.0) == [ends.stream]
    assert ends.stream.take(4, 5.0) == b"last"
    assert ends.select(5.0) == [ends.stream]
    with pytest.raises(exceptions.ConnectionDropped):
        ends.stream.take(1, 5.0)
    assert ends.select(0.0) == [ends.stream], "it stays so"


def test_half_a_message_is_waited_for_so_long_whatever_is_to_be_sent_meanwhile(ends: Ends) -> None:
    ends.server.sendall(b"\0\0")
    ends.requests.send(b"\0")
    with pytest.raises(TimeoutError, match=r"nothing was sent for 0\.1 s"):
        ends.stream.take(4, 0.1)


def test_a_request_wakes_the_one_who_waits_and_is_there_until_it_is_taken(ends: Ends) -> None:
    gevent.spawn(ends.requests.send, b"\0")
    assert ends.select(5.0) == [ends.requests]
    assert ends.select(5.0) == [ends.requests]
    ends.server.sendall(b"answer")
    gevent.spawn(ends.requests.send, b"\0")
    assert ends.requests.recv(1) == b"\0"
    gevent.idle()
    assert ends.requests.recv(1) == b"\0"
    with pytest.raises(BlockingIOError):
        ends.requests.recv(1)
    assert ends.select(5.0) == [ends.stream]


def test_answers_are_looked_for_however_many_requests_there_are(ends: Ends) -> None:
    """Else a server whose answers nobody takes stops to read, and both wait for ever."""
    ends.select(0.0)
    ends.requests.send(b"\0" * 100_000)
    ends.server.sendall(b"answer")
    while ends.stream not in ends.select(5.0):
        ends.requests.recv(1)


def test_what_is_sent_waits_for_room_and_not_for_ever(ends: Ends) -> None:
    ends.server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    message = os.urandom(8 * 1024 * 1024)
    with pytest.raises(TimeoutError, match=r"nothing was taken for 0\.1 s"):
        ends.stream.send(message, 0.1)


def test_a_broken_connection_is_told(ends: Ends) -> None:
    ends.server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    ends.server.close()
    with pytest.raises(ConnectionResetError):
        ends.select(5.0)
    with pytest.raises(OSError, match="pipe"):
        ends.stream.send(b"more", 1.0)
    ends.stream.close()
    ends.stream.close()
    assert ends.stream.fileno() == -1
