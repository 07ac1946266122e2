"""Servers that are slow, dead, or talk nonsense (fault rows C06, C12, C14, C17)."""

import os
import socket as native
import threading
from pathlib import Path

import gevent
import pytest
from http_script import ScriptedServer, Talk, eventually_switching, read_request, say, stay
from leaks import collector_off

from corepilot.http.client import Client
from corepilot.http.errors import (
    HttpConnectError,
    HttpError,
    HttpProtocolError,
    HttpTimeoutError,
    HttpTooLargeError,
)

HEAD = b"HTTP/1.1 200 OK\r\n"


def drip(answer: bytes) -> Talk:
    """Sends a byte at a time, without end."""

    def talk(connected: native.socket) -> None:
        read_request(connected)
        connected.sendall(answer)
        while True:
            connected.sendall(b"x")
            gevent.sleep(0.01)

    return talk


@pytest.mark.parametrize(
    "talk",
    [
        stay,
        drip(b""),
        drip(HEAD + b"X-Endless: "),
        drip(HEAD + b"Content-Length: 1000000\r\n\r\n"),
        drip(HEAD + b"\r\n"),
        drip(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    ],
    ids=["silent", "slow-status", "slow-head", "slow-body", "endless-body", "flood-of-100s"],
)
def test_the_deadline_is_for_the_whole_answer(talk: Talk) -> None:
    with ScriptedServer(talk) as server:
        client = Client(server.origin)
        with pytest.raises(HttpError, match=r"no complete answer within 0.2 s|not HTTP"):
            client.request("GET", "/", deadline_s=0.2)
        assert client._idle == []


def test_a_deadline_that_passed_leaves_nothing_to_the_garbage_collector() -> None:
    with ScriptedServer(stay) as server:
        client = Client(server.origin)
        with collector_off(gevent.Timeout) as made_since:
            with pytest.raises(HttpTimeoutError) as caught:
                client.request("GET", "/", deadline_s=0.1)
            del caught
            gevent.sleep(0)  # the timer ends its own callback
            assert [one for one in made_since() if not one.pending] == []


def test_the_deadline_is_kept_when_the_server_never_reads(tmp_path: Path) -> None:
    def deaf(connected: native.socket) -> None:
        gevent.sleep(60)

    with ScriptedServer(deaf, str(tmp_path / "x.socket")) as server, pytest.raises(HttpTimeoutError):
        Client(server.origin).request("PUT", "/", b"x" * 5_000_000, deadline_s=0.2)


def test_a_full_backlog_is_a_timeout(tmp_path: Path) -> None:
    with native.socket(native.AF_UNIX) as full:
        full.bind(str(tmp_path / "x.socket"))
        full.listen(0)
        with native.socket(native.AF_UNIX) as first:
            first.connect(str(tmp_path / "x.socket"))
            with pytest.raises(HttpTimeoutError, match="no connection within"):
                Client(f"unix://{tmp_path}/x.socket").request("GET", "/", deadline_s=0.1)


@pytest.mark.parametrize("deadline_s", [0, -1])
def test_no_time_at_all(deadline_s: float) -> None:
    with ScriptedServer(stay) as server, pytest.raises(HttpTimeoutError):
        Client(server.origin).request("GET", "/", deadline_s=deadline_s)


class HungResolver:
    """Look-ups that wait in their thread until told to end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go_on = threading.Event()
        self.asked = 0
        monkeypatch.setattr(native, "getaddrinfo", self._getaddrinfo)

    def _getaddrinfo(self, *_: object) -> list[object]:
        self.asked += 1
        self.go_on.wait(30)
        raise native.gaierror(native.EAI_AGAIN, "Temporary failure in name resolution")


def test_hung_look_ups_hold_up_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = HungResolver(monkeypatch)
    try:
        calls = [gevent.spawn(Client(f"http://name{n}").request, "GET", "/", deadline_s=0.3) for n in range(50)]
        eventually_switching(lambda: resolver.asked)
        # The pool that everybody shares is not touched, nor is this thread.
        assert gevent.get_hub().threadpool.apply(os.getpid) == os.getpid()
        gevent.joinall(calls)
        assert {type(call.exception) for call in calls} == {HttpTimeoutError}
        assert resolver.asked <= 4
    finally:
        resolver.go_on.set()
    # And the threads are free again for the next look-up.
    with pytest.raises(HttpConnectError, match="Temporary failure"):
        Client("http://another-name").request("GET", "/", deadline_s=30)


@pytest.mark.parametrize(("family", "host"), [(native.AF_INET, "127.0.0.1"), (native.AF_INET6, "::1")])
def test_an_address_needs_no_look_up(monkeypatch: pytest.MonkeyPatch, family: int, host: str) -> None:
    resolver = HungResolver(monkeypatch)
    with native.socket(family) as taken:
        taken.bind((host, 0))
        port = taken.getsockname()[1]
        shown = f"[{host}]" if family == native.AF_INET6 else host
        with pytest.raises(HttpConnectError):
            Client(f"http://{shown}:{port}").request("GET", "/", deadline_s=10)
    assert resolver.asked == 0


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>nope</html>",
        b"\0" * 100,
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 99999 X\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 30000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ],
)
def test_nonsense_is_an_error_and_the_connection_is_not_used_again(answer: bytes) -> None:
    with ScriptedServer(say(answer)) as server:
        client = Client(server.origin)
        with pytest.raises((HttpProtocolError, HttpTooLargeError)):
            client.request("GET", "/", deadline_s=10)
        assert client._idle == []


def test_errors_do_not_quote_the_answer() -> None:
    with ScriptedServer(say(b"s3cret nonsense\r\n\r\n")) as server, pytest.raises(HttpProtocolError) as caught:
        Client(server.origin).request("GET", "/", deadline_s=10)
    assert "s3cret" not in str(caught.value)


def test_what_follows_an_answer_spoils_the_connection() -> None:
    with ScriptedServer(say(HEAD + b"Content-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n")) as server:
        client = Client(server.origin)
        assert client.request("GET", "/", deadline_s=10).body == b"ok"
        assert client._idle == []


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"Content-Length: 1001\r\n\r\n",
        HEAD
        + b"Transfer-Encoding: chunked\r\n\r\n"
        + b"1f4\r\n"
        + b"x" * 500
        + b"\r\n1f5\r\n"
        + b"x" * 501
        + b"\r\n0\r\n\r\n",
        HEAD + b"\r\n" + b"x" * 1001,
    ],
    ids=["announced", "chunked", "until-close"],
)
def test_a_body_over_the_limit(answer: bytes) -> None:
    def talk(connected: native.socket) -> None:
        read_request(connected)
        connected.sendall(answer)
        stay(connected)

    with ScriptedServer(talk) as server:
        client = Client(server.origin)
        with pytest.raises(HttpTooLargeError, match="longer than 1000 bytes"):
            client.request("GET", "/", deadline_s=10, max_body_bytes=1000)
        assert client._idle == []


def test_a_body_of_exactly_the_limit() -> None:
    with ScriptedServer(say(HEAD + b"Content-Length: 1000\r\n\r\n" + b"x" * 1000)) as server:
        client = Client(server.origin)
        assert len(client.request("GET", "/", deadline_s=10, max_body_bytes=1000).body) == 1000
        client.close()


class FireHose:
    """A server in a thread of its own that sends tiny chunks as fast as it can: it never makes the client wait."""

    def __init__(self) -> None:
        self._listener = native.create_server(("127.0.0.1", 0))
        self.origin = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        connected, _ = self._listener.accept()
        with connected:
            connected.recv(65536)
            try:
                connected.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
                while True:
                    connected.sendall(b"1\r\nx\r\n" * 10_000)
            except (BrokenPipeError, ConnectionResetError):
                return

    def close(self) -> None:
        self._thread.join()
        self._listener.close()


def test_a_server_that_is_faster_than_we_are_does_not_take_the_hub() -> None:
    hose = FireHose()
    ticks = 0

    def tick() -> None:
        nonlocal ticks
        while True:
            gevent.sleep(0.001)
            ticks += 1

    ticker = gevent.spawn(tick)
    try:
        with pytest.raises(HttpTimeoutError):
            Client(hose.origin).request("GET", "/", deadline_s=0.5, max_body_bytes=1 << 40)
    finally:
        ticker.kill()
        hose.close()
    assert ticks > 5


def test_a_killed_request_leaves_nothing() -> None:
    gone = []

    def watch(connected: native.socket) -> None:
        read_request(connected)
        gone.append(connected.recv(1))

    with ScriptedServer(watch) as server:
        client = Client(server.origin)
        call = gevent.spawn(client.request, "GET", "/", deadline_s=60)
        eventually_switching(lambda: server.connections)
        call.kill()
        assert call.dead
        eventually_switching(lambda: gone == [b""])
        assert client._idle == []


def test_the_timeout_of_somebody_else_passes() -> None:
    with ScriptedServer(stay) as server:
        client = Client(server.origin)
        theirs = gevent.Timeout.start_new(0.1)
        with pytest.raises(gevent.Timeout) as caught:
            client.request("GET", "/", deadline_s=60)
        assert caught.value is theirs
        assert client._idle == []
