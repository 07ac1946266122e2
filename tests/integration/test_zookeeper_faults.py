"""The ZooKeeper backend behind a fault proxy, in front of servers that are none, and with locks of others."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import gevent
import pytest
from corepilot_zookeeper.backend import ZooKeeperBackend
from corepilot_zookeeper.locks import ZooKeeperLocks
from corepilot_zookeeper.plugin import CAPABILITIES, Options
from corepilot_zookeeper.session import Session
from following import becomes
from servers.zookeeper import ZooKeeperServer
from zookeeper_client import Clients, witness

from corepilot.discovery.backend import Backend
from corepilot.errors import BackendError, BackendRefusedError, BackendTimeoutError, BackendUnavailableError
from corepilot.model.service import Query, Registration
from corepilot.testing.backends import FaultSuite, context
from corepilot.testing.proxy import FaultProxy

WEB = Registration("web-host1", "web", "192.0.2.7", 8080, ttl_s=60)
ALL = Query("web")


class TestZooKeeperBehindAProxy(FaultSuite):
    capabilities = CAPABILITIES

    @pytest.fixture(autouse=True)
    def _server(self, zookeeper: ZooKeeperServer) -> None:
        self.server_address = ("127.0.0.1", zookeeper.port)

    def client(self) -> Backend:
        return ZooKeeperBackend(Options(hosts=f"{self.proxy.host}:{self.proxy.port}"), context())


@pytest.fixture
def clients(zookeeper: ZooKeeperServer) -> Iterator[Clients]:
    with Clients(zookeeper.hosts, f"/t{os.urandom(4).hex()}") as made:
        yield made


class Nonsense:
    """A server that answers everything with the same bytes."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.hosts = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with connection, suppress(OSError):
                    connection.settimeout(5)
                    connection.recv(65536)
                    connection.sendall(self._answer)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"",
        b"\x00\x00\x00\x04abcd",
        b"\xff\xff\xff\xff",
        b"\x7f\xff\xff\xff" + b"x" * 1000,
        b"\x00\x00\x00\x25" + b"\x01" * 37,
    ],
)
def test_nonsense_is_an_outage(clients: Clients, answer: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    server = Nonsense(answer)
    try:
        client = clients.new(hosts=server.hosts)
        with pytest.raises(BackendError), gevent.Timeout(15, BackendTimeoutError("no answer")):
            client.register(WEB, "passing", "ok")
        client.close()
        gevent.sleep(0.05)
    finally:
        server.close()
    assert "Traceback" not in capfd.readouterr().err


def test_a_name_that_does_not_resolve(clients: Clients) -> None:
    client = clients.new(hosts="no-such-host.invalid:2181")
    with pytest.raises(BackendUnavailableError, match=r"no-such-host\.invalid"):
        client.register(WEB, "passing", "ok")


def test_a_slow_server_is_slow_and_no_more(clients: Clients, zookeeper: ZooKeeperServer) -> None:
    with FaultProxy("127.0.0.1", zookeeper.port) as proxy:
        client = clients.new(hosts=f"{proxy.host}:{proxy.port}")
        client.register(WEB, "passing", "ok")
        proxy.bytes_per_s = 2000
        follower = clients.follow(client.watch(ALL))
        follower.until(bool)
        client.report(WEB.id, "warning", "slow", 60)
        follower.until(lambda told: told[0].status == "warning")


def test_a_connection_that_brings_nothing_any_more_is_noticed(clients: Clients, zookeeper: ZooKeeperServer) -> None:
    with FaultProxy("127.0.0.1", zookeeper.port) as proxy:
        client = clients.new(hosts=f"{proxy.host}:{proxy.port}")
        client.register(WEB.changed(ttl_s=2), "passing", "ok")
        follower = clients.follow(client.watch(ALL))
        follower.until(bool)
        proxy.hold()
        assert isinstance(follower.ended(), BackendUnavailableError)
        proxy.heal()


def test_kazoos_own_lock_is_the_same_lock(clients: Clients) -> None:
    client = clients.new()
    take = f'told = client.Lock("{clients.prefix}/locks/primary", "kazoo").acquire(timeout=0.5)'
    take = f"from kazoo.exceptions import LockTimeout\ntry:\n    {take}\nexcept LockTimeout:\n    told = False"
    assert client.locks.acquire("primary", "one", 10.0, 0.0) is not None
    assert witness(clients.hosts, take) is False
    contenders = f'told = client.Lock("{clients.prefix}/locks/primary").contenders()'
    assert witness(clients.hosts, contenders) == ["one"]
    client.locks.release("primary")
    assert witness(clients.hosts, take) is True


def test_a_watch_calls_a_lock_free_that_only_we_are_next_for(clients: Clients) -> None:
    one, two = clients.new(), clients.new()
    assert one.locks.acquire("primary", "one", 10.0, 0.0) is not None
    assert two.locks.acquire("primary", "two", 10.0, 0.0) is None
    follower = clients.follow(two.locks.watch("primary"))
    follower.until(lambda holder: holder == "one")
    one.locks.release("primary")
    follower.until(lambda holder: holder is None)
    assert two.locks.acquire("primary", "two", 10.0, 0.0) is not None
    follower.until(lambda holder: holder == "two")


def test_a_ttl_that_is_shorter_than_any_session_is_refused(clients: Clients) -> None:
    with pytest.raises(BackendRefusedError, match="no session of less than 1 s"):
        clients.new().locks.acquire("primary", "one", 0.5, 0.0)


def test_a_lock_stays_with_its_session_when_a_shorter_one_takes_over(clients: Clients) -> None:
    client, other = clients.new(), clients.new()
    grant = client.locks.acquire("primary", "one", 10.0, 0.0)
    client.register(WEB.changed(ttl_s=2), "passing", "ok")
    assert client.locks.keep("primary") == pytest.approx(10.0)
    assert client.locks.acquire("primary", "one", 10.0, 0.0) == grant
    assert other.locks.acquire("primary", "two", 10.0, 0.0) is None
    client.locks.release("primary")
    assert other.locks.acquire("primary", "two", 10.0, 0.0) is not None


@pytest.mark.parametrize("lost", ["the answer to the create", "the answer to the question who is first"])
def test_a_place_that_nobody_knows_of_is_given_up_after_its_ttl(
    clients: Clients, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    """The client lives on, and its session with it; it neither asks for the lock again nor releases it."""
    silent, other = clients.new(), clients.new()
    assert silent.locks.acquire("other", "one", 5.0, 0.0) is not None
    made: list[object] = []

    def cut_short(call: Callable[..., Any]) -> Callable[..., Any]:
        def method(self: object, *arguments: Any) -> Any:
            answer = call(self, *arguments)
            made.append(answer)
            if isinstance(answer, str) or (len(made) == 2 and "first" in lost):
                raise BackendTimeoutError("no answer in time")
            return answer

        return method

    with monkeypatch.context() as patch:
        if "create" in lost:
            patch.setattr(Session, "outcome", cut_short(Session.outcome))
        else:
            patch.setattr(ZooKeeperLocks, "_queue", cut_short(ZooKeeperLocks._queue))
        with pytest.raises(BackendTimeoutError):
            silent.locks.acquire("primary", "one", 5.0, 0.0)
    assert other.locks.acquire("primary", "two", 5.0, 0.0) is None, "the place is there"
    # Its session lives on all the time.
    becomes(lambda: silent.locks.keep("other") and other.locks.acquire("primary", "two", 5.0, 0.0))


def test_nodes_made_for_keys_only_go_with_them(clients: Clients) -> None:
    keys = clients.new().keys
    keys.put("a/b/c/d", b"1")
    keys.put("a/b", b"2")
    keys.delete("a/b/c/d")
    names = f'told = [client.get_children("{clients.prefix}/keys" + path) for path in ("", "/a", "/a/b")]'
    assert witness(clients.hosts, names) == [["a"], ["b"], []]
    keys.delete("a/b")
    becomes(lambda: witness(clients.hosts, f'told = client.get_children("{clients.prefix}/keys")') == [])


def test_what_others_make_above_a_key_is_no_key(clients: Clients) -> None:
    witness(clients.hosts, f'client.create("{clients.prefix}/config/app/limits", b"7", makepath=True)')
    keys = clients.new().keys
    assert [(one.key, one.value) for one in keys.list(clients.prefix)] == [
        (f"{clients.prefix}/config/app/limits", b"7")
    ]
    assert keys.get(f"{clients.prefix}/config/app") is None
    assert keys.compare_and_set(f"{clients.prefix}/config/app", b"now", None)
    found = keys.get(f"{clients.prefix}/config/app")
    assert found is not None
    assert found.value == b"now"


@pytest.mark.parametrize("key", ["/a\x00b", "/\U0001f600"])
def test_an_absolute_key_that_is_no_nodes_name_is_refused(clients: Clients, key: str) -> None:
    with pytest.raises(BackendRefusedError, match="as a key"):
        clients.new().keys.put(key, b"value")


def test_a_configuration_is_read_from_a_key(clients: Clients) -> None:
    clients.new().keys.put("app/config", b'{discovery: false, jobs: [{name: "web", exec: "true"}]}')
    location = f"zookeeper://{clients.hosts}/app/config?prefix={clients.prefix}"
    command = [sys.executable, "-I", "-m", "corepilot", "check", "-c", location]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "1 job" in answer.stdout
