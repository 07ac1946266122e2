"""The proxy that does harm does what it says."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from eventually import eventually

from corepilot.testing.proxy import FaultProxy

DEADLINE_S = 20


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that sends back what it gets; its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=answer, args=(connection,))
            threads.append(thread)
            thread.start()

    def answer(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while data := connection.recv(65536):
                connection.sendall(data)

    threads.append(threading.Thread(target=serve))
    threads[0].start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    for thread in threads:
        thread.join(DEADLINE_S)


@pytest.fixture
def proxy(echo: int) -> Iterator[FaultProxy]:
    with FaultProxy("127.0.0.1", echo) as made:
        yield made


def connected(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection((proxy.host, proxy.port), DEADLINE_S)


def echoed(client: socket.socket, data: bytes) -> bytes:
    client.sendall(data)
    found = b""
    while len(found) < len(data):
        piece = client.recv(65536)
        if not piece:
            break
        found += piece
    return found


def test_it_passes_everything_on(proxy: FaultProxy) -> None:
    with connected(proxy) as client:
        data = bytes(range(256)) * 4000
        sender = threading.Thread(target=client.sendall, args=(data,))
        sender.start()
        found = b""
        while len(found) < len(data):
            found += client.recv(65536)
        sender.join()
        assert found == data
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    assert proxy.connections == 1


def test_connections_are_reset_and_new_ones_work(proxy: FaultProxy) -> None:
    with connected(proxy) as client:
        assert echoed(client, b"one") == b"one"
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with connected(proxy) as client:
        assert echoed(client, b"two") == b"two"


def test_new_connections_are_refused_until_it_heals(proxy: FaultProxy) -> None:
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        connected(proxy)
    proxy.heal()
    with connected(proxy) as client:
        assert echoed(client, b"back") == b"back"


def test_nothing_passes_while_it_holds(proxy: FaultProxy) -> None:
    with connected(proxy) as client:
        assert echoed(client, b"one") == b"one"
        proxy.hold()
        client.sendall(b"two")
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(3)
        proxy.heal()
        client.settimeout(DEADLINE_S)
        assert client.recv(3) == b"two"


def test_an_answer_is_cut_in_the_middle(proxy: FaultProxy) -> None:
    proxy.cut_after(4)
    with connected(proxy) as client:
        client.sendall(b"123456789")
        found = b""
        with suppress(ConnectionResetError):
            while piece := client.recv(100):
                found += piece
        assert found in {b"", b"1234"}, "a reset may overtake what it follows"
    eventually(lambda: not proxy._pairs, DEADLINE_S, "the connection is gone")


def test_a_connection_that_outlives_its_cut_is_well_again(proxy: FaultProxy) -> None:
    proxy.cut_after(4)
    with connected(proxy) as client:
        client.sendall(b"123")
        assert client.recv(100) == b"123"
        proxy.heal()
        client.sendall(b"456789")
        assert client.recv(100) == b"456789"


def test_pieces_are_late(proxy: FaultProxy) -> None:
    proxy.delay_s = 0.1
    with connected(proxy) as client:
        began_at = time.monotonic()
        assert echoed(client, b"late") == b"late"
        assert time.monotonic() - began_at >= 0.2


def test_bytes_pass_slowly(proxy: FaultProxy) -> None:
    proxy.bytes_per_s = 10_000
    with connected(proxy) as client:
        began_at = time.monotonic()
        assert echoed(client, b"x" * 3000) == b"x" * 3000
        assert time.monotonic() - began_at >= 0.2


def test_a_server_that_is_away_resets(echo: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    # It may be reset while it still connects.
    with FaultProxy("127.0.0.1", port) as proxy, pytest.raises(ConnectionResetError), connected(proxy) as client:
        client.recv(1)


def test_a_client_that_does_not_read_holds_nobody_up(proxy: FaultProxy) -> None:
    with connected(proxy) as deaf, connected(proxy) as other:
        deaf.settimeout(1)
        with suppress(TimeoutError):
            while True:
                deaf.sendall(b"x" * 65536)
        assert echoed(other, b"hello") == b"hello"
        proxy.reset()
        other.settimeout(DEADLINE_S)
        with pytest.raises(ConnectionResetError):
            other.recv(1)
