"""What the Consul backend does with answers that no agent should give, and with none at all."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import gevent
import pytest
from corepilot_consul import blocking, transport
from corepilot_consul.backend import ConsulBackend
from corepilot_consul.plugin import Options
from following import close_all, closed_later
from http_script import ScriptedServer, answer, eventually_switching, read_request, say, stay
from servers.consul import ConsulServer

from corepilot.errors import (
    BackendError,
    BackendRefusedError,
    BackendTimeoutError,
    BackendUnavailableError,
    UnknownInstanceError,
)
from corepilot.model.service import Query, Registration, Snapshot
from corepilot.testing.proxy import FaultProxy
from corepilot.testing.suite import context

WEB = Registration("web-host1", "web", "192.0.2.7", 8080)
TOKEN = "s3cret-t0ken"


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    close_all()


def make(server: ScriptedServer, **options: Any) -> ConsulBackend:
    return closed_later(ConsulBackend(Options(address=server.origin, token=TOKEN, **options), context()))


def calls(client: ConsulBackend) -> list[Callable[[], object]]:
    return [
        lambda: client.register(WEB, "passing", "ok"),
        lambda: client.report(WEB.id, "passing", "ok", 10),
        lambda: client.deregister(WEB.id),
        lambda: next(client.watch(Query("web"))),
    ]


def failures(server: ScriptedServer) -> list[BackendError]:
    """The error of each method; none may be anything but a BackendError, and none may show the token."""
    found = []
    for call in calls(make(server)):
        with pytest.raises(BackendError) as caught:
            call()
        assert TOKEN not in str(caught.value)
        assert len(str(caught.value)) < 600
        assert server.origin in str(caught.value)
        found.append(caught.value)
    return found


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (answer("403 Forbidden", b"Permission denied: lacks permission 'service:write'"), BackendRefusedError),
        (answer("401 Unauthorized", f"bad token {TOKEN}".encode()), BackendRefusedError),
        (answer("400 Bad Request", b"Invalid"), BackendRefusedError),
        (answer("301 Moved Permanently", b"", "Location: http://127.0.0.1:1/"), BackendRefusedError),
        (answer("429 Too Many Requests", b"slow down"), BackendUnavailableError),
        (answer("500 Internal Server Error", b"No cluster leader"), BackendUnavailableError),
        (answer("502 Bad Gateway", b"<html>" + b"x" * 10000), BackendUnavailableError),
        (answer("503 Service Unavailable", b"\x00\xff\x1b[31mred"), BackendUnavailableError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[]", BackendUnavailableError),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n", BackendUnavailableError),
        (b"", BackendUnavailableError),
    ],
)
def test_a_failure_is_the_error_that_says_who_must_act(said: bytes, kind: type[BackendError]) -> None:
    with ScriptedServer(say(said)) as server:
        assert [type(error) for error in failures(server)] == [kind] * 4


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>Welcome</body></html>",
        b'[{"Node": {"Node": "n1"}, "Serv',
        b"null",
        b"{}",
        b'[{"Service": 3}]',
        b"\xff\xfe\xfd",
        b"[" * 200_000,
        b"[" + b"9" * 10_000 + b"]",
        b'{"token": "' + TOKEN.encode() + b'"}',
    ],
)
def test_a_watch_on_something_that_is_no_consul(body: bytes) -> None:
    with ScriptedServer(say(answer("200 OK", body, "X-Consul-Index: 5"))) as server:
        watch = make(server).watch(Query("web"))
        with pytest.raises(BackendUnavailableError, match="check that a Consul agent listens there") as caught:
            next(watch)
        assert TOKEN not in str(caught.value)
        with pytest.raises(StopIteration):
            next(watch)


@pytest.mark.parametrize("body", [b"", b"[]", b"[]\n", b"{}"])
def test_nothing_that_is_not_said_as_consul_says_it_is_an_outage(body: bytes) -> None:
    with ScriptedServer(say(answer("200 OK", body))) as server:
        client = make(server)
        for call in (
            lambda: next(client.watch(Query("web"))),
            client.service_names,
            lambda: client.keys.get("key"),
            lambda: client.keys.list("key"),
            lambda: next(client.keys.watch("key")),
            lambda: next(client.locks.watch("primary")),
            lambda: client.locks.acquire("primary", "one", 10.0, 0.0),
        ):
            with pytest.raises(BackendUnavailableError, match="check that a Consul agent listens there") as caught:
                call()
            assert type(caught.value) is BackendUnavailableError


def test_a_lock_and_a_watch_outlive_a_server_that_is_no_consul(consul: ConsulServer) -> None:
    def turn(port: int) -> None:
        proxy._target = ("127.0.0.1", port)
        proxy.reset()

    real = int(consul.address.rpartition(":")[2])
    with FaultProxy("127.0.0.1", real) as proxy:
        client = closed_later(ConsulBackend(Options(address=f"127.0.0.1:{proxy.port}"), context()))
        granted = client.locks.acquire("primary", "one", 30.0, 0.0)
        assert granted is not None
        for body in (b"", b"[]", b"{}", b"true"):
            with ScriptedServer(say(answer("200 OK", body))) as other:
                turn(other.port)
                for call in (lambda: client.locks.keep("primary"), lambda: next(client.watch(Query("web")))):
                    with pytest.raises(BackendUnavailableError):
                        call()
            turn(real)
            assert client.locks.keep("primary") > 0
            assert next(client.watch(Query("web"))) == ()


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_without_end_is_cut_off(*, announced: bool) -> None:
    received = 0

    def talk(connected: socket.socket) -> None:
        nonlocal received
        read_request(connected)
        length = "Content-Length: 1073741824" if announced else "Transfer-Encoding: chunked"
        connected.sendall(f"HTTP/1.1 200 OK\r\nX-Consul-Index: 1\r\n{length}\r\n\r\n".encode())
        piece = b" " * 65536
        while True:
            connected.sendall(piece if announced else b"10000\r\n" + piece + b"\r\n")
            received += len(piece)

    with ScriptedServer(talk) as server:
        watch = make(server, max_answer_mib=8).watch(Query("web"))
        with pytest.raises(BackendRefusedError, match="longer than 8388608 bytes; raise max_answer_mib"):
            next(watch)
    assert received < 16 * 1024 * 1024


def test_a_redirect_does_not_carry_the_token_elsewhere() -> None:
    with ScriptedServer(stay) as other:
        said = answer("307 Temporary Redirect", b"", f"Location: {other.origin}/v1/agent/service/register")
        with ScriptedServer(say(said)) as server:
            for error in failures(server):
                assert "redirects are not followed" in str(error)
        assert other.connections == 0


def test_an_instance_is_unknown_by_any_404_and_by_consuls_own_words() -> None:
    for said in (
        answer("404 Not Found", b""),
        answer("404 Not Found", b"404 page not found"),
        answer("404 Not Found", b'Unknown check ID "service:web-host1". Ensure that the check ID is passed'),
        answer("500 Internal Server Error", b'CheckID "service:web-host1" does not have associated TTL'),
        answer("404 Not Found", b'Unknown check "service:web-host1"'),
    ):
        with ScriptedServer(say(said)) as server, pytest.raises(UnknownInstanceError):
            make(server).report(WEB.id, "passing", "ok", 10)
    for said in (answer("500 Internal Server Error", b"No cluster leader"), answer("503 Busy", b"")):
        with ScriptedServer(say(said)) as server, pytest.raises(BackendUnavailableError):
            make(server).report(WEB.id, "passing", "ok", 10)


def test_a_500_to_a_question_is_an_answer_to_it_and_no_outage() -> None:
    with ScriptedServer(say(answer("500 Internal Server Error", b"No path to datacenter"))) as server:
        with pytest.raises(BackendError, match="No path to datacenter") as caught:
            next(make(server).watch(Query("web", datacenter="nowhere")))
        assert type(caught.value) is BackendError
    dead = b"rpc error getting client: failed to get conn: dial tcp 127.0.0.1:0->127.0.0.1:8300: connection refused"
    for said in (b"No cluster leader", b"rpc error making call: No known Consul servers", dead):
        script = say(answer("500 Internal Server Error", said))
        with ScriptedServer(script) as server, pytest.raises(BackendUnavailableError):
            next(make(server).watch(Query("web")))


def test_another_404_is_a_refusal() -> None:
    with ScriptedServer(say(answer("404 Not Found", b"<html>nginx</html>"))) as server:
        kinds = [type(error) for error in failures(server)]
    assert kinds == [BackendRefusedError, UnknownInstanceError, BackendRefusedError, BackendRefusedError]


def test_an_agent_that_asks_for_a_pause_gets_it() -> None:
    with ScriptedServer(say(answer("429 Too Many Requests", b"", "Retry-After: 30"))) as server:
        client = make(server)
        for _ in range(5):
            with pytest.raises(BackendUnavailableError):
                client.report(WEB.id, "passing", "ok", 10)
        assert server.connections == 1
    for odd in ("soon", "-1", "", "Wed, 21 Oct 2015 07:28:00 GMT", "\u0663"):
        with ScriptedServer(say(answer("503 Busy", b"", f"Retry-After: {odd}"))) as server:
            client = make(server)
            for _ in range(2):
                with pytest.raises(BackendUnavailableError):
                    client.report(WEB.id, "passing", "ok", 10)
            assert server.connections == 2


def test_a_pause_of_a_day_is_cut() -> None:
    said = [answer("503 Busy", b"", "Retry-After: 100000"), answer("200 OK")]

    def talk(connected: socket.socket) -> None:
        read_request(connected)
        connected.sendall(said.pop(0))

    with ScriptedServer(talk) as server:
        client = make(server)

        def answers() -> bool:
            with suppress(BackendUnavailableError):
                client.report(WEB.id, "passing", "ok", 10)
                return True
            return False

        assert not answers()
        eventually_switching(answers)


def test_a_registration_that_is_taken_out_in_between_is_made_again() -> None:
    asked: list[str] = []

    def talk(connected: socket.socket) -> None:
        while request := read_request(connected):
            asked.append(request.decode().split(" ")[1].rpartition("/")[0])
            lost = answer("404 Not Found", b'Unknown check ID "service:web-host1"')
            connected.sendall(lost if len(asked) == 2 else answer("200 OK"))

    with ScriptedServer(talk) as server:
        make(server).register(WEB, "passing", "ok")
    assert asked == ["/v1/agent/service", "/v1/agent/check/update"] * 2


def test_a_server_that_says_nothing_or_too_slowly_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def drip(connected: socket.socket) -> None:
        read_request(connected)
        connected.sendall(b"HTTP/1.1 200 OK\r\nX-Consul-Index: 1\r\nContent-Length: 100000\r\n\r\n")
        while True:
            connected.sendall(b" ")
            gevent.sleep(0.02)

    monkeypatch.setattr(transport, "CALL_DEADLINE_S", 0.3)
    for talk in (stay, drip):
        with ScriptedServer(talk) as server:
            assert [type(error) for error in failures(server)] == [BackendTimeoutError] * 4


def test_an_agent_that_is_paused_does_not_hold_a_call_for_ever(
    consul: ConsulServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = closed_later(ConsulBackend(Options(address=consul.address), context()))
    watch = client.watch(Query("web", interval_s=1))
    next(watch)
    consul.pause()
    monkeypatch.setattr(blocking, "_GRACE_S", 0.2)
    with pytest.raises(BackendTimeoutError):
        next(watch)
    monkeypatch.setattr(transport, "CALL_DEADLINE_S", 0.3)
    for call in calls(client):
        with pytest.raises(BackendTimeoutError):
            call()
    consul.resume()
    monkeypatch.undo()
    client.register(WEB, "passing", "ok")
    client.close()


class Agent:
    """Answers each query of a watch with the next of these index headers and a port that counts the queries."""

    def __init__(self, *indexes: str | None) -> None:
        self.indexes = list(indexes)
        self.asked: list[str] = []

    def talk(self, connected: socket.socket) -> None:
        while request := read_request(connected):
            self.asked.append(request.decode().split(" ")[1].partition("?")[2])
            index = self.indexes[min(len(self.asked), len(self.indexes)) - 1]
            field = () if index is None else (f"X-Consul-Index: {index}",)
            service = {"ID": "web-1", "Service": "web", "Address": "192.0.2.1", "Port": len(self.asked)}
            body = json.dumps([{"Node": {"Node": "n"}, "Service": service, "Checks": []}]).encode()
            connected.sendall(answer("200 OK", body, *field))


def take(agent: Agent, count: int) -> list[Snapshot]:
    with ScriptedServer(agent.talk) as server:
        watch = make(server).watch(Query("web", interval_s=1))
        return [next(watch) for _ in range(count)]


def test_an_index_that_goes_back_is_reset() -> None:
    agent = Agent("7", "9", "3", "4", "5")
    # What came with the lower index is not believed: the present state is asked for.
    assert [snapshot[0].port for snapshot in take(agent, 4)] == [1, 2, 4, 5]
    assert agent.asked == ["", "index=7&wait=1s", "index=9&wait=1s", "", "index=4&wait=1s"]


def test_without_a_usable_index_the_present_state_is_polled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocking, "UNSURE_PAUSE_S", 0.01)
    agent = Agent(None, "abc", "", "0", "-1", "5")
    assert [snapshot[0].port for snapshot in take(agent, 6)] == [1, 2, 3, 4, 5, 6]
    assert agent.asked == ["", "", "", "", "index=1&wait=1s", "index=1&wait=1s"]


class Script:
    """Answers each query of a watch with the next of these: header fields and a body."""

    def __init__(self, *said: tuple[str, bytes]) -> None:
        self.said = list(said)
        self.asked: list[str] = []

    def talk(self, connected: socket.socket) -> None:
        while request := read_request(connected):
            self.asked.append(request.decode().split(" ")[1].partition("?")[2].partition("&")[0])
            fields, body = self.said[min(len(self.asked), len(self.said)) - 1]
            connected.sendall(answer("200 OK", body, *fields.split("; ")))


def body_of(*ports: int) -> bytes:
    services = [{"ID": f"web-{port}", "Service": "web", "Address": "192.0.2.1", "Port": port} for port in ports]
    return json.dumps([{"Node": {"Node": "n"}, "Service": one, "Checks": []} for one in services]).encode()


def test_an_answer_with_the_index_that_was_asked_with_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocking.Pace, "pause_s", lambda *_: 0.0)
    whole = body_of(80)
    script = Script(
        ("X-Consul-Index: 7", whole),
        ("X-Consul-Index: 7", b"x" * len(whole)),  # a body of this length would be an error if anybody looked at it
        ("X-Consul-Index: 7", whole),
        ("X-Consul-Index: 8", body_of(81)),
    )
    with ScriptedServer(script.talk) as server:
        watch = make(server).watch(Query("web"))
        assert [[one.port for one in next(watch)] for _ in range(2)] == [[80], [81]]
    assert script.asked == ["", "index=7", "index=7", "index=7"]


STREAMED = "X-Consul-Query-Backend: streaming"


@pytest.mark.parametrize("odd", [f"X-Consul-Index: 7; {STREAMED}", f"X-Consul-Index: 9; {STREAMED}"])
def test_an_instance_that_vanishes_from_a_stream_is_asked_for_again(monkeypatch: pytest.MonkeyPatch, odd: str) -> None:
    """hashicorp/consul#20790: the streaming backend does not say that an answer was filtered."""
    monkeypatch.setattr(blocking.Pace, "pause_s", lambda *_: 0.0)
    script = Script(
        ("X-Consul-Index: 7", body_of(80, 81)),
        (odd, b"[]"),
        ("X-Consul-Index: 9; X-Consul-Results-Filtered-By-ACLs: true", b"[]"),
    )
    with ScriptedServer(script.talk) as server:
        watch = make(server).watch(Query("web"))
        assert len(next(watch)) == 2
        with pytest.raises(BackendRefusedError, match="the answer is not whole"):
            next(watch)
    assert script.asked == ["", "index=7", ""]
    script = Script(
        ("X-Consul-Index: 7", body_of(80, 81)),
        (odd, b"[]"),
        ("X-Consul-Index: 9", body_of(81)),
    )
    with ScriptedServer(script.talk) as server:
        watch = make(server).watch(Query("web"))
        assert [[one.port for one in next(watch)] for _ in range(2)] == [[80, 81], [81]]


def test_ten_thousand_instances_are_read_whole() -> None:
    checks = [{"Node": "n", "CheckID": "serfHealth", "Status": "passing", "Output": "x" * 1000}] * 2
    entries = [
        {"Node": {"Node": "n"}, "Service": {"ID": f"web-{number:05}", "Port": 80}, "Checks": checks}
        for number in range(10_000)
    ]
    script = Script(("X-Consul-Index: 7", json.dumps(entries).encode()))
    with ScriptedServer(script.talk) as server:
        found = next(make(server).watch(Query("web")))
    assert [found[number].id for number in (0, 5_000, -1)] == ["web-00000", "web-05000", "web-09999"]
    assert len(found) == 10_000


def test_a_service_that_keeps_changing_is_not_asked_about_without_pause() -> None:
    agent = Agent(*(str(number) for number in range(1, 1000)))
    begin = time.monotonic()
    snapshots = take(agent, blocking.BURST + 3)
    elapsed = time.monotonic() - begin
    assert len(snapshots) == blocking.BURST + 3
    # The first question, the burst, and then one each pause: a slower machine only makes the right side larger.
    assert len(agent.asked) <= 1 + blocking.BURST + elapsed / blocking.PAUSE_S


def test_an_index_that_never_works_is_asked_for_once_a_second() -> None:
    begin = time.monotonic()
    agent = Agent(None)
    take(agent, 3)
    assert len(agent.asked) <= 1 + (time.monotonic() - begin) / blocking.UNSURE_PAUSE_S


@pytest.mark.parametrize("content", [None, "two tokens", "a\x00b"])
def test_a_token_file_that_cannot_be_used(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
    with ScriptedServer(stay) as server:
        client = closed_later(ConsulBackend(Options(address=server.origin, token_file=str(file)), context()))
        for call in calls(client):
            with pytest.raises(BackendError, match="the token file") as caught:
                call()
            assert content is None or content not in str(caught.value)
        assert server.connections == 0


def test_a_watch_that_is_closed_while_it_waits_ends_quietly() -> None:
    ended: list[str] = []

    def follow(watch: Any) -> None:
        ended.extend("snapshot" for _ in watch)
        ended.append("end")

    with ScriptedServer(stay) as server:
        client = make(server)
        for close in ("watch", "client"):
            ended.clear()
            watch: Any = client.watch(Query("web"))
            greenlet = gevent.spawn(follow, watch)
            gevent.sleep(0)  # it starts, and waits for the server
            (watch if close == "watch" else client).close()
            greenlet.get(timeout=10)
            assert ended == ["end"]
        watch.close()


def test_closing_a_watch_does_not_hit_a_greenlet_that_has_left_it() -> None:
    # close() strikes one turn of the hub later: whoever has its answer by then goes on undisturbed.
    with ScriptedServer(say(answer("200 OK", b"[]", "X-Consul-Index: 1"))) as server:
        watch: Any = make(server).watch(Query("web"))

        def follow() -> str:
            next(watch)
            gevent.get_hub().loop.run_callback(lambda: None)
            watch.close()
            gevent.sleep(0)
            gevent.sleep(0)
            return "undisturbed"

        assert gevent.spawn(follow).get(timeout=10) == "undisturbed"
