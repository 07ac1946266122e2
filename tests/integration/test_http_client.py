import socket as native
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from http_script import ScriptedServer, eventually_switching, read_request, say, stay

from corepilot.http import connecting as connection_module
from corepilot.http.client import Client, ClientLimits
from corepilot.http.errors import HttpConnectError, HttpError, HttpProtocolError, HttpTimeoutError
from corepilot.http.resolve import Address

MakeClient = Callable[..., Client]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def make_client() -> Iterator[MakeClient]:
    made: list[Client] = []

    def make(origin: str, **options: Any) -> Client:
        made.append(Client(origin, **options))
        return made[-1]

    yield make
    for client in made:
        client.close()


def keep_answering(connected: native.socket) -> None:
    while read_request(connected):
        connected.sendall(OK)


def echo(connected: native.socket) -> None:
    while request := read_request(connected):
        connected.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(request), request))


def test_a_request_and_its_answer(make_client: MakeClient) -> None:
    with ScriptedServer(say(b"HTTP/1.1 404 Not Found\r\nX-Consul-Index: 7\r\nContent-Length: 4\r\n\r\ngone")) as server:
        response = make_client(server.origin).request("GET", "/v1/kv/x?raw", deadline_s=10)
    assert (response.status, response.headers["X-Consul-Index"], response.body) == (404, "7", b"gone")


def test_what_is_sent(make_client: MakeClient) -> None:
    with ScriptedServer(echo) as server:
        client = make_client(server.origin, headers=[("X-Token", "t")])
        sent = client.request("PUT", "/p?q=1", b"body", [("X-More", "m")], deadline_s=10).body
    head, _, body = sent.partition(b"\r\n\r\n")
    line, *fields = head.split(b"\r\n")
    assert line == b"PUT /p?q=1 HTTP/1.1"
    assert body == b"body"
    assert sorted(fields) == sorted(
        [
            b"Host: 127.0.0.1:%d" % server.port,
            b"User-Agent: corepilot",
            b"Accept-Encoding: identity",
            b"X-Token: t",
            b"X-More: m",
            b"Content-Length: 4",
        ]
    )


def test_connections_are_used_again(make_client: MakeClient) -> None:
    with ScriptedServer(keep_answering) as server:
        client = make_client(server.origin)
        for _ in range(20):
            assert client.request("GET", "/", deadline_s=10).body == b"ok"
    assert server.connections == 1


def test_few_idle_connections_are_kept_and_none_after_close(make_client: MakeClient) -> None:
    with ScriptedServer(keep_answering) as server:
        client = make_client(server.origin, limits=ClientLimits(idle_connections=3))
        calls = [gevent.spawn(client.request, "GET", "/", deadline_s=10) for _ in range(20)]
        gevent.joinall(calls, raise_error=True)
        assert server.connections == 20
        assert len(client._idle) == 3
        client.close()
        assert client._idle == []


def test_an_idle_connection_that_is_too_old_is_not_used(make_client: MakeClient) -> None:
    with ScriptedServer(keep_answering) as server:
        client = make_client(server.origin, limits=ClientLimits(idle_s=0))
        client.request("GET", "/", deadline_s=10)
        client.request("GET", "/", deadline_s=10)
        assert server.connections == 2


def test_a_connection_that_died_while_idle_is_noticed_even_for_post(make_client: MakeClient) -> None:
    with ScriptedServer(say(OK)) as server:
        client = make_client(server.origin)
        client.request("GET", "/", deadline_s=10)
        idle = client._idle[0]
        eventually_switching(lambda: not idle.looks_alive())
        assert client.request("POST", "/", b"x", deadline_s=10).status == 200
    assert server.connections == 2


def answer_once_then_hang_up_on_the_next(connected: native.socket) -> None:
    read_request(connected)
    connected.sendall(OK)
    read_request(connected)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_an_idempotent_request_is_sent_again_when_the_server_hangs_up_on_it(
    make_client: MakeClient, method: str
) -> None:
    with ScriptedServer(answer_once_then_hang_up_on_the_next) as server:
        client = make_client(server.origin)
        client.request("GET", "/", deadline_s=10)
        assert client.request(method, "/", deadline_s=10).status == 200
    assert server.connections == 2


def test_a_post_is_sent_again_only_if_the_caller_says_it_may_be(make_client: MakeClient) -> None:
    with ScriptedServer(answer_once_then_hang_up_on_the_next) as server:
        client = make_client(server.origin)
        client.request("GET", "/", deadline_s=10)
        with pytest.raises(HttpProtocolError, match="connection was lost"):
            client.request("POST", "/", b"x", deadline_s=10)
        client.request("GET", "/", deadline_s=10)
        assert client.request("POST", "/", b"x", deadline_s=10, idempotent=True).status == 200
    assert server.connections == 3


def hang_up(connected: native.socket) -> None:
    read_request(connected)


def test_a_fresh_connection_that_breaks_is_not_tried_again(make_client: MakeClient) -> None:
    with ScriptedServer(hang_up) as server, pytest.raises(HttpProtocolError):
        make_client(server.origin).request("GET", "/", deadline_s=10)
    assert server.connections == 1


def test_a_redirect_is_an_answer(make_client: MakeClient) -> None:
    with ScriptedServer(say(b"HTTP/1.1 302 Found\r\nLocation: http://other/\r\nContent-Length: 0\r\n\r\n")) as server:
        response = make_client(server.origin).request("GET", "/", headers=[("X-Token", "t")], deadline_s=10)
    assert (response.status, response.headers["location"]) == (302, "http://other/")
    assert server.connections == 1


def test_informational_answers_are_passed_over(make_client: MakeClient) -> None:
    with ScriptedServer(say(b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK)) as server:
        assert make_client(server.origin).request("GET", "/", deadline_s=10).body == b"ok"


def test_head_has_no_body_whatever_the_length_says(make_client: MakeClient) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"
    with ScriptedServer(say(answer)) as server:
        assert make_client(server.origin).request("HEAD", "/", deadline_s=10).body == b""


def test_unix_sockets(make_client: MakeClient, tmp_path: Path) -> None:
    with ScriptedServer(echo, str(tmp_path / "x.socket")) as server:
        client = make_client(server.origin)
        assert b"Host: localhost\r\n" in client.request("GET", "/", deadline_s=10).body


def test_an_early_answer_to_a_long_body_is_read(make_client: MakeClient, tmp_path: Path) -> None:
    def refuse(connected: native.socket) -> None:
        connected.recv(10)
        connected.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with ScriptedServer(refuse, str(tmp_path / "x.socket")) as server:
        assert make_client(server.origin).request("PUT", "/", b"x" * 5_000_000, deadline_s=10).status == 413


def test_nobody_listens(make_client: MakeClient) -> None:
    with native.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(HttpConnectError) as caught:
            make_client(f"http://127.0.0.1:{port}").request("GET", "/v1/kv/a?token=s3cret", deadline_s=10)
    assert str(caught.value) == f"cannot GET /v1/kv/a at http://127.0.0.1:{port}: Connection refused"
    assert (caught.value.method, caught.value.path) == ("GET", "/v1/kv/a")


def test_no_such_unix_socket(make_client: MakeClient, tmp_path: Path) -> None:
    with pytest.raises(HttpConnectError, match="No such file"):
        make_client(f"unix://{tmp_path}/none").request("GET", "/", deadline_s=10)


def test_a_name_that_does_not_resolve(make_client: MakeClient, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(HttpConnectError):
        make_client("http://no-such-host.invalid").request("GET", "/", deadline_s=60)
    assert capfd.readouterr().err == "", "a traceback is for bugs of ours"


def test_a_dead_first_address_does_not_use_up_the_deadline(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedServer(say(OK)) as server, native.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        dead = full.getsockname()
        # Its backlog takes one connection; the kernel drops the next ones without a word.
        with native.create_connection(dead):
            addresses = [Address(native.AF_INET, dead), Address(native.AF_INET, ("127.0.0.1", server.port))]
            monkeypatch.setattr(connection_module, "resolve", lambda *_: addresses)
            assert make_client("http://two-addresses").request("GET", "/", deadline_s=2).body == b"ok"


def test_more_requests_than_connections_wait_their_turn(make_client: MakeClient) -> None:
    open_now = 0
    most = 0

    def count(connected: native.socket) -> None:
        nonlocal open_now, most
        read_request(connected)
        open_now += 1
        most = max(most, open_now)
        gevent.sleep(0.01)
        open_now -= 1
        connected.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with ScriptedServer(count) as server:
        client = make_client(server.origin, limits=ClientLimits(connections=2))
        calls = [gevent.spawn(client.request, "GET", "/", deadline_s=10) for _ in range(10)]
        gevent.joinall(calls, raise_error=True)
    assert most == 2


def test_waiting_for_a_connection_counts_against_the_deadline(make_client: MakeClient) -> None:
    with ScriptedServer(stay) as server:
        client = make_client(server.origin, limits=ClientLimits(connections=1))
        first = gevent.spawn(client.request, "GET", "/", deadline_s=10)
        eventually_switching(lambda: server.connections)
        with pytest.raises(HttpTimeoutError, match="no connection within"):
            client.request("GET", "/", deadline_s=0.05)
        first.kill()
        # The place has been given back by the one that was killed.
        with pytest.raises(HttpTimeoutError, match="no complete answer within"):
            client.request("GET", "/", deadline_s=0.05)


@pytest.mark.parametrize(
    ("path", "headers"),
    [("/a b", []), ("/a\r\nX: s3cret", []), ("/", [("X-Token", "s3cret\r\nX: y")]), ("/", [("X s3cret", "v")])],
)
def test_what_http_does_not_allow_is_not_sent_and_not_quoted(
    make_client: MakeClient, path: str, headers: list[tuple[str, str]]
) -> None:
    with ScriptedServer(stay) as server, pytest.raises(HttpError, match="character that HTTP does not allow") as caught:
        make_client(server.origin).request("GET", path, headers=headers, deadline_s=10)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    if headers:
        assert "s3cret" not in str(caught.value)
