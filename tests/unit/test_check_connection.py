"""The connection of a check: what it does at once, what it waits for, and what it says when nobody is there."""

import socket
from collections.abc import Iterator

import gevent
import pytest

from corepilot.checks.connection import Connection
from corepilot.http.resolve import Address

MUCH = b"x" * 8_000_000


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.settimeout(30)
        yield made


def connected(server: socket.socket) -> tuple[Connection, socket.socket]:
    one = Connection(Address(socket.AF_INET, server.getsockname()))
    one.connect()
    other, _ = server.accept()
    return one, other


def test_what_is_more_than_the_kernel_takes_is_sent_and_received_in_pieces(server: socket.socket) -> None:
    one, other = connected(server)
    other.settimeout(0)
    received = bytearray()

    def echo() -> None:
        while len(received) < len(MUCH):
            try:
                received.extend(other.recv(65536))
            except BlockingIOError:
                gevent.sleep(0.001)
        other.settimeout(30)
        other.sendall(b"ok")
        other.close()

    greenlet = gevent.spawn(echo)
    with gevent.Timeout(30):
        one.sendall(MUCH)
        assert one.recv(1) + one.recv(1) == b"ok"
        assert one.recv(1) == b""
        greenlet.join()
    assert bytes(received) == MUCH
    one.close()
    one.close()


def test_a_port_that_nobody_listens_on_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = Address(socket.AF_INET, gone.getsockname())
    one = Connection(address)
    with pytest.raises(ConnectionRefusedError, match="Connection refused"):
        one.connect()
    one.close()


def test_a_server_whose_queue_is_full_is_waited_for_as_long_as_there_is_time() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        ones = [Connection(Address(socket.AF_INET, server.getsockname())) for _ in range(10)]
        waiting = 0
        for one in ones:
            try:
                with gevent.Timeout(0.1):
                    one.connect()
            except gevent.Timeout:
                waiting += 1
            one.close()
        assert waiting


def test_an_answer_that_is_reset_is_an_error(server: socket.socket) -> None:
    one, other = connected(server)
    one.sendall(b"question")
    other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    other.close()
    with gevent.Timeout(30), pytest.raises(ConnectionResetError):
        one.recv(1)
    one.close()
