"""Whatever bytes come, both ends keep to their own errors; and what one end writes, the other reads."""

import string
from contextlib import closing

import gevent
from gevent import socket
from hypothesis import given, settings
from hypothesis import strategies as st

from corepilot.http.call import Call
from corepilot.http.connection import Connection, Outgoing
from corepilot.http.errors import HttpError
from corepilot.http.exchange import Exchange, RefusedError, ServerLimits
from corepilot.http.message import Headers, Request, Response, split_target
from corepilot.http.origin import parse_origin

ORIGIN = parse_origin("http://test")
TOKEN = st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=20)
VALUE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)
RESERVED = {"content-length", "transfer-encoding", "connection", "host", "expect", "upgrade"}
FIELDS = st.lists(st.tuples(TOKEN.filter(lambda name: name.lower() not in RESERVED), VALUE), max_size=8)
PATH = st.text(max_size=60)
BODY = st.binary(max_size=3000)
METHOD = st.sampled_from(["GET", "PUT", "POST", "DELETE", "PATCH"])

PIECE = st.one_of(
    st.sampled_from(
        [
            b"GET ", b"PUT ", b"/", b"/%41", b"/%", b"?a=b", b" HTTP/1.1", b" HTTP/1.0", b" HTTP/9.9", b"\r\n",
            b"\r\n\r\n",
            b"\n", b"\r", b"Host: x", b"Content-Length: 3", b"Content-Length: -1", b"Transfer-Encoding: chunked",
            b"3\r\nabc\r\n", b"0\r\n\r\n", b"Expect: 100-continue", b"Connection: close", b":", b" ", b"\0", b"\xff",
            b"HTTP/1.1 200 OK", b"HTTP/1.1 100 Continue", b"HTTP/1.1 204 No Content", b"HTTP/1.1 101 X", b"abc",
        ]
    ),
    st.binary(max_size=10),
)  # fmt: skip
NOISE = st.lists(PIECE, max_size=15).map(b"".join)


def quoted(path: str) -> str:
    return "".join(f"%{byte:02X}" for byte in path.encode())


@given(st.binary(max_size=100))
def test_splitting_a_target_knows_one_error(target: bytes) -> None:
    try:
        path, _ = split_target(target)
    except ValueError:
        return
    assert path.startswith("/")


@given(PATH.filter(lambda path: "\0" not in path), st.text(string.ascii_letters + "?=&%", max_size=20))
def test_a_quoted_path_comes_back(path: str, query: str) -> None:
    assert split_target(f"/{quoted(path)}?{query}".encode()) == (f"/{path}", query)


@given(st.text(max_size=60))
def test_an_origin_is_taken_or_refused(text: str) -> None:
    for candidate in (text, f"http://{text}", f"unix:///{text}"):
        try:
            origin = parse_origin(candidate)
        except ValueError:
            continue
        assert parse_origin(origin.text) == origin


@given(FIELDS)
def test_headers_hold_every_name_in_any_case(fields: list[tuple[str, str]]) -> None:
    headers = Headers(fields)
    assert set(headers) == {name.lower() for name, _ in fields}
    assert all(headers[name.upper()] == headers[name.lower()] for name, _ in fields)


@settings(deadline=None)
@given(
    st.tuples(METHOD, PATH.filter(lambda path: "\0" not in path)),
    st.integers(200, 599),
    st.tuples(FIELDS, FIELDS),
    BODY,
)
def test_what_one_end_writes_the_other_reads(
    line: tuple[str, str], status: int, fields: tuple[list[tuple[str, str]], list[tuple[str, str]]], body: bytes
) -> None:
    method, path = line
    asked, answered = fields
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs), gevent.Timeout(30):
        exchange = Exchange(theirs, ServerLimits(), None)
        client = Connection(ours, ORIGIN, head_bytes=65536)
        client.send(Outgoing(method, f"/{quoted(path)}", asked, body))
        request = exchange.read_request()
        assert isinstance(request, Request)
        assert (request.method, request.path, request.body) == (method, f"/{path}", body)
        assert all(request.headers[name] == value for name, value in Headers(asked).items())
        exchange.write(Response(status, Headers(answered), body[::-1]), close=True)
        got, headers = client.read_head()
        assert got == status
        assert all(headers[name] == value for name, value in Headers(answered).items())
        assert b"".join(client.chunks()) == (b"" if status in {204, 304} else body[::-1])


@settings(deadline=None, max_examples=300)
@given(NOISE)
def test_a_server_answers_noise_or_parts(noise: bytes) -> None:
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs), gevent.Timeout(30):
        ours.sendall(noise)
        ours.shutdown(socket.SHUT_WR)
        exchange = Exchange(theirs, ServerLimits(), None)
        try:
            request = exchange.read_request()
        except RefusedError as refused:
            exchange.write(Response(refused.status, body=b"no"), close=True)
            exchange.linger()
            theirs.close()
            assert ours.recv(65536).startswith((b"HTTP/1.1 4", b"HTTP/1.1 5"))
        else:
            assert request is None or request.path.startswith("/")


@settings(deadline=None, max_examples=300)
@given(st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n"]), NOISE)
def test_a_client_gets_an_answer_or_its_own_error(beginning: bytes, noise: bytes) -> None:
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        theirs.sendall(beginning + noise)
        theirs.shutdown(socket.SHUT_WR)
        client = Connection(ours, ORIGIN, head_bytes=65536)
        try:
            with Call(ORIGIN.text, "GET", "/", 30) as call:
                call.connecting = False
                client.send(Outgoing("GET", "/", (), b""))
                status, _ = client.read_head()
                assert 200 <= status <= 999
                body = b"".join(client.chunks())
        except HttpError:
            return
        assert body in beginning + noise or b"chunked" in noise
        client.recycle()
