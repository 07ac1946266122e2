"""What the etcd backend does with answers that no etcd should give, and with slow ones."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import gevent
import pytest
from corepilot_etcd import member
from corepilot_etcd.backend import EtcdBackend
from corepilot_etcd.leases import grant, keep_alive, revoke
from corepilot_etcd.plugin import Options
from following import close_all, closed_later
from http_script import ScriptedServer, answer, eventually_switching, read_request, say, stay
from servers.etcd import EtcdServer

from corepilot.errors import BackendError, BackendRefusedError, BackendTimeoutError, BackendUnavailableError
from corepilot.model.service import Query, Registration
from corepilot.testing.proxy import FaultProxy
from corepilot.testing.suite import context

WEB = Registration("web-host1", "web", "192.0.2.7", 8080)
ALL = Query("web")
PASSWORD = "s3cret-passw0rd"
HEADER = {"cluster_id": "1", "member_id": "2", "revision": "7", "raft_term": "3"}
EMPTY = json.dumps({"header": HEADER}).encode()
"""etcd's own answer where there is nothing."""


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    close_all()


def made(*servers: ScriptedServer, timeout: float = 2.0, user: str = "") -> EtcdBackend:
    password = PASSWORD if user else ""
    origins = tuple(server.origin for server in servers)
    options = Options(endpoints=origins, timeout=timeout, user=user, password=password)
    return closed_later(EtcdBackend(options, context()))


def calls(client: EtcdBackend) -> list[Callable[[], object]]:
    return [
        lambda: client.register(WEB, "passing", "ok"),
        lambda: client.instances(ALL),
        lambda: next(client.watch(ALL)),
        lambda: client.keys.get("key"),
        lambda: client.keys.list("key"),
        lambda: client.locks.acquire("primary", "one", 10.0, 0.0),
    ]


def failures(server: ScriptedServer) -> list[BackendError]:
    found = []
    for user in ("", "web"):
        for call in calls(made(server, user=user)):
            with pytest.raises(BackendError) as caught:
                call()
            assert PASSWORD not in str(caught.value)
            assert len(str(caught.value)) < 600
            found.append(caught.value)
    return found


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>Welcome</html>", b'{"kvs": [', b"[]", b"null", b'"text"', b"\xff\xfe", b"[" * 100_000, b"{}" * 3],
)
def test_an_answer_that_is_no_object_is_an_outage(body: bytes) -> None:
    with ScriptedServer(say(answer("200 OK", body))) as server:
        for error in failures(server):
            assert isinstance(error, BackendUnavailableError)
            assert "check that an etcd listens there" in str(error)


@pytest.mark.parametrize(
    "message",
    [
        {"header": [], "kvs": {}, "responses": 1, "result": 1, "TTL": [], "token": 1},
        {"header": {"revision": {}}, "kvs": [1], "responses": [1], "succeeded": "yes", "TTL": "x", "token": "\n"},
        {"kvs": [{"key": 1}], "responses": [{"response_range": {"kvs": [{"key": "!"}]}}], "TTL": "9" * 50},
        {"kvs": [{"key": "YQ==", "mod_revision": "x"}], "header": {"revision": "1e3"}, "TTL": True, "token": []},
    ],
)
def test_fields_of_wrong_types_are_an_outage(message: object) -> None:
    with ScriptedServer(say(answer("200 OK", json.dumps(message).encode()))) as server:
        assert {type(error) for error in failures(server)} == {BackendUnavailableError}


def everything(client: EtcdBackend) -> list[Callable[[], object]]:
    """Each request that there is, those of leases that are already ours included."""
    transport = client._transport
    return [
        *calls(client),
        client.service_names,
        lambda: client.keys.put("key", b"value"),
        lambda: client.keys.compare_and_set("key", b"value", None),
        lambda: client.keys.compare_and_set("key", b"value", "7"),
        lambda: client.keys.delete("key"),
        lambda: grant(transport, 7, 10.0),
        lambda: keep_alive(transport, 7, 10.0),
        lambda: revoke(transport, 7),
        lambda: next(transport.open("/v3/watch", {"create_request": {"key": "YQ=="}})),
    ]


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"succeeded": True},
        {"result": {"TTL": "9"}},
        {"result": {"events": []}, "succeeded": True},
        {"header": {}, "result": {"header": {}}},
        {"header": {"revision": "0"}, "result": {"header": {"revision": "0"}, "TTL": "9"}},
        {"header": None, "result": None},
    ],
)
@pytest.mark.parametrize("user", ["", "web"])
def test_an_object_without_etcds_header_is_an_outage(message: dict[str, object], user: str) -> None:
    """In JSON, what is zero or empty is left out: `{}` would say that there are no keys, and that a lease is gone."""
    with ScriptedServer(say(answer("200 OK", json.dumps({"token": "t", **message}).encode() + b"\n"))) as server:
        for call in everything(made(server, user=user)):
            with pytest.raises(BackendUnavailableError, match="check that an etcd listens there") as caught:
                call()
            assert type(caught.value) is BackendUnavailableError


def test_a_header_alone_says_nothing_of_a_lease_or_a_comparison() -> None:
    with ScriptedServer(say(answer("200 OK", EMPTY))) as server:
        client = made(server)
        assert client.instances(ALL) == ()
        for call in (
            lambda: keep_alive(client._transport, 7, 10.0),
            lambda: client.register(WEB, "passing", "ok"),
            lambda: client.locks.acquire("primary", "one", 10.0, 0.0),
        ):
            with pytest.raises(BackendUnavailableError, match="check that an etcd listens there"):
                call()


def test_a_lock_and_an_instance_outlive_a_server_that_is_no_etcd(etcd: EtcdServer) -> None:
    def turn(port: int) -> None:
        proxy._target = ("127.0.0.1", port)
        proxy.reset()

    real = etcd.members[0].port
    with FaultProxy("127.0.0.1", real) as proxy:
        options = Options(endpoints=(f"http://127.0.0.1:{proxy.port}",), timeout=2.0)
        client = closed_later(EtcdBackend(options, context()))
        client.register(WEB, "passing", "ok")
        granted = client.locks.acquire("primary", "one", 30.0, 0.0)
        assert granted is not None
        assert [one.id for one in client.instances(ALL)] == [WEB.id]
        for body in (b"{}", b'{"succeeded":true}', b'{"result":{"TTL":"9"}}'):
            with ScriptedServer(say(answer("200 OK", body))) as other:
                turn(other.port)
                for call in (
                    lambda: client.locks.keep("primary"),
                    lambda: client.instances(ALL),
                    lambda: client.report(WEB.id, "passing", "ok", 10),
                ):
                    with pytest.raises(BackendUnavailableError):
                        call()
            turn(real)
            assert client.locks.keep("primary") > 0
            client.report(WEB.id, "passing", "ok", 10)
            assert client.locks.acquire("primary", "one", 30.0, 0.0) == granted
            assert [one.id for one in client.instances(ALL)] == [WEB.id]


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        ("302 Found", b"", BackendRefusedError),
        ("400 Bad Request", b'{"error": "odd", "code": 3}', BackendRefusedError),
        ("403 Forbidden", b"no", BackendRefusedError),
        ("404 Not Found", b"Not Found", BackendRefusedError),
        ("408 Request Timeout", b"", BackendTimeoutError),
        ("429 Too Many Requests", b"", BackendUnavailableError),
        ("500 Internal Server Error", b'{"message": "a bug", "code": 13}', BackendUnavailableError),
        ("502 Bad Gateway", b"<html>", BackendUnavailableError),
        ("503 Service Unavailable", b'{"error": "etcdserver: no leader", "code": 14}', BackendUnavailableError),
        ("504 Gateway Timeout", b"", BackendTimeoutError),
    ],
)
def test_statuses(status: str, body: bytes, kind: type[BackendError]) -> None:
    with ScriptedServer(say(answer(status, body, "Location: http://elsewhere.invalid/"))) as server:
        assert {type(error) for error in failures(server)} == {kind}


def test_a_redirect_is_not_followed() -> None:
    with ScriptedServer(say(answer("200 OK", b"{}"))) as other:
        location = f"Location: {other.origin}/v3/kv/range"
        with ScriptedServer(say(answer("307 Temporary Redirect", b"", location))) as server:
            for error in failures(server):
                assert "redirects are not followed" in str(error)
            assert other.connections == 0


def test_an_error_that_holds_the_password_is_shown_without_it() -> None:
    body = json.dumps({"error": f"no user {PASSWORD}\n\x1b[31m", "code": 3}).encode()
    with ScriptedServer(say(answer("400 Bad Request", body))) as server:
        with pytest.raises(BackendRefusedError) as caught:
            made(server, user="web").instances(ALL)
        assert "no user ***" in str(caught.value)
        assert str(caught.value).isprintable()


def test_a_body_without_end_is_cut_off() -> None:
    def pour(connected: socket.socket) -> None:
        read_request(connected)
        connected.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connected.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")

    with ScriptedServer(pour) as server:
        client = made(server, timeout=20.0)
        with pytest.raises(member.TooLongError, match="longer than 8388608 bytes"):
            client.keys.get("key")


def test_a_message_of_a_stream_without_end_is_cut_off() -> None:
    def pour(connected: socket.socket) -> None:
        request = read_request(connected)
        if b"/v3/watch" not in request:
            connected.sendall(answer("200 OK", EMPTY))
            return
        connected.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connected.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")

    with ScriptedServer(pour) as server:
        stream = made(server, timeout=20.0).watch(ALL)
        assert next(stream) == ()
        with pytest.raises(member.TooLongError, match="a message is longer"):
            next(stream)


def told(**fields: object) -> bytes:
    """A message of a watch."""
    return json.dumps({"result": {"header": HEADER, **fields}}).encode() + b"\n"


@pytest.mark.parametrize(
    "line",
    [
        b"no JSON\n",
        b"[]\n",
        b'{"error": {"grpc_code": 14, "http_code": 503, "message": "etcdserver: no leader"}}\n',
        b'{"result": {"canceled": true}}\n',
        b'{"result": {"canceled": true, "cancel_reason": ["odd"]}}\n',
        told(events=1),
        told(events=[1]),
        told(events=[{}]),
        told(created=True) + told(events=[{"kv": {"mod_revision": "x"}}]),
        b'{"result": {}}\n',
        b'{"result": {"header": {}, "created": true}}\n',
        b'{"result": {"events": [{"type": "DELETE", "kv": {"key": "YQ==", "mod_revision": "8"}}]}}\n',
        b"",
    ],
)
def test_a_stream_of_nonsense_ends(line: bytes) -> None:
    def talk(connected: socket.socket) -> None:
        request = read_request(connected)
        if b"/v3/watch" not in request:
            connected.sendall(answer("200 OK", EMPTY))
        else:
            connected.sendall(answer("200 OK", line))

    with ScriptedServer(talk) as server:
        stream = made(server).watch(ALL)
        assert next(stream) == ()
        with pytest.raises(BackendUnavailableError):
            next(stream)


def test_events_that_come_twice_or_late_change_nothing() -> None:
    def event(revision: int, port: int, kind: str = "PUT") -> dict[str, object]:
        from base64 import b64encode

        value = b64encode(json.dumps({"address": "10.0.0.1", "port": port}).encode()).decode()
        key = b64encode(b"/corepilot/services/web/web-1").decode()
        return {"type": kind, "kv": {"key": key, "value": value, "mod_revision": str(revision)}}

    events = [[event(8, 1)], [event(9, 2)], [event(8, 1), event(9, 3)], [event(7, 1, "DELETE")], [event(10, 4)]]
    lines = b"".join(told(events=some) for some in events)

    def talk(connected: socket.socket) -> None:
        request = read_request(connected)
        if b"/v3/watch" not in request:
            connected.sendall(answer("200 OK", EMPTY))
        else:
            connected.sendall(answer("200 OK", lines))

    with ScriptedServer(talk) as server:
        stream = made(server).watch(ALL)
        assert next(stream) == ()
        assert [next(stream)[0].port for _ in range(3)] == [1, 2, 4]


def test_a_server_that_says_nothing_or_too_slowly_is_given_up() -> None:
    def drip(connected: socket.socket) -> None:
        read_request(connected)
        for byte in answer("200 OK", EMPTY):
            connected.sendall(bytes([byte]))
            gevent.sleep(0.1)

    for talk in (stay, drip):
        with ScriptedServer(talk) as server:
            for call in calls(made(server, timeout=0.3)):
                with pytest.raises(BackendTimeoutError):
                    call()


def test_others_do_not_wait_for_a_slow_member() -> None:
    with ScriptedServer(stay) as slow, ScriptedServer(say(answer("200 OK", EMPTY))) as quick:
        client = made(slow, quick, timeout=0.3)
        assert client.keys.get("key") is None
        begun = slow.connections
        for _ in range(20):
            assert client.keys.get("key") is None
        assert slow.connections == begun


def test_a_server_that_asks_for_a_pause_gets_it() -> None:
    with ScriptedServer(say(answer("429 Too Many Requests", b"", "Retry-After: 7000"))) as server:
        client = made(server)
        for _ in range(20):
            with pytest.raises(BackendUnavailableError):
                client.keys.get("key")
        assert server.connections == 1
    with ScriptedServer(say(answer("503 Busy", b"<html>", "Retry-After: 7000"))) as server:
        client = made(server)
        for call in calls(client)[2:] * 2:  # a stream first
            with pytest.raises(BackendUnavailableError) as caught:
                call()
            assert caught.value.retry_after_s > 0
        assert server.connections == 1


def test_a_pause_of_a_day_is_cut() -> None:
    said = [answer("503 Busy", b"", "Retry-After: 100000"), answer("200 OK", EMPTY)]

    def talk(connected: socket.socket) -> None:
        read_request(connected)
        connected.sendall(said.pop(0))

    with ScriptedServer(talk) as server:
        client = made(server)

        def answers() -> bool:
            with suppress(BackendUnavailableError):
                return client.keys.get("key") is None
            return False

        assert not answers()
        eventually_switching(answers)


def test_a_deadline_of_the_caller_passes() -> None:
    with ScriptedServer(stay) as server:
        client = made(server, timeout=30.0)
        for call in calls(client):
            deadline = gevent.Timeout(0.1)
            begun = time.monotonic()
            with pytest.raises(gevent.Timeout) as caught, deadline:
                call()
            assert caught.value is deadline
            assert time.monotonic() - begun < 10
