"""Three servers that vote: their leader dies, a member stands still, there is no majority."""

import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from corepilot_zookeeper.backend import ZooKeeperBackend
from eventually import eventually
from following import becomes
from servers.zookeeper import Ensemble, ZooKeeperServer
from zookeeper_client import Clients

from corepilot.errors import BackendError, BackendTimeoutError, BackendUnavailableError
from corepilot.model.service import Query, Registration
from corepilot.testing.backends import instance_of

WEB = Registration("web-host1", "web", "192.0.2.7", 8080, ttl_s=60)
ALL = Query("web")


@pytest.fixture
def clients(ensemble: Ensemble) -> Iterator[Clients]:
    with Clients(ensemble.hosts, f"/t{os.urandom(4).hex()}") as made:
        yield made


def done(call: Callable[[], Any]) -> bool:
    """Whether a call succeeds; an outage is not yet."""
    try:
        with gevent.Timeout(5.0, BackendTimeoutError("no answer")):
            call()
    except (BackendUnavailableError, BackendTimeoutError):
        return False
    return True


def leader_of(ensemble: Ensemble) -> ZooKeeperServer:
    leader = ensemble.leader()
    assert leader is not None
    return leader


def _peer_port(client: ZooKeeperBackend) -> int:
    """The port of the member that it is connected to."""
    connected = client._sessions.require("look").client._connection._socket
    with socket.socket(fileno=os.dup(connected.fileno())) as same:
        return int(same.getpeername()[1])


def told(client: ZooKeeperBackend) -> Any:
    found: list[Any] = []
    becomes(lambda: done(lambda: found.append(client.instances(ALL))), 30)
    return found[-1]


def test_the_death_of_a_leader_loses_nothing(clients: Clients, ensemble: Ensemble) -> None:
    client, elsewhere = clients.new(), clients.new()
    client.register(WEB, "passing", "ok")
    session = client._sessions.require("look").id
    leader_of(ensemble).kill()
    becomes(lambda: done(lambda: client.report(WEB.id, "warning", "slow", 60)), 30)
    assert client._sessions.require("look").id == session
    assert told(elsewhere) == told(client) == (instance_of(WEB, "warning"),)


def test_a_lock_survives_the_leader_with_its_token(clients: Clients, ensemble: Ensemble) -> None:
    client, other = clients.new(), clients.new()
    grant = client.locks.acquire("primary", "one", 10.0, 0.0)
    assert grant is not None
    leader_of(ensemble).kill()
    becomes(lambda: done(lambda: client.locks.keep("primary")), 30)
    assert client.locks.acquire("primary", "one", 10.0, 0.0) == grant
    becomes(lambda: done(lambda: other.locks.acquire("primary", "two", 10.0, 0.0)), 30)
    assert other.locks.acquire("primary", "two", 10.0, 0.0) is None


def test_a_watch_ends_with_its_server_and_the_next_one_is_right(clients: Clients, ensemble: Ensemble) -> None:
    client = clients.new(hosts=leader_of(ensemble).hosts)
    writer = clients.new()
    follower = clients.follow(client.watch(ALL))
    follower.until(lambda seen: seen == ())
    leader_of(ensemble).kill()
    assert isinstance(follower.ended(), BackendUnavailableError)
    becomes(lambda: done(lambda: writer.register(WEB, "passing", "ok")), 30)
    assert told(clients.new()) == (instance_of(WEB, "passing"),)


def test_a_member_that_stands_still_is_left(clients: Clients, ensemble: Ensemble) -> None:
    """Nobody hears of it: the connection is silent, and another member has the session."""
    follower_of_leader = next(server for server in ensemble.servers if server.mode() == "follower")
    others = [server.hosts for server in ensemble.servers if server is not follower_of_leader]
    client = clients.new(hosts=",".join([follower_of_leader.hosts, *others]))
    # Whichever member it is on, it has to go on when that one stands still.
    client.register(WEB.changed(ttl_s=4), "passing", "ok")
    peer = _peer_port(client)
    paused = next(server for server in ensemble.servers if server.port == peer)
    paused.pause()
    try:
        becomes(lambda: done(lambda: client.report(WEB.id, "warning", "slow", 60)), 30)
        assert told(clients.new(hosts=",".join(others))) == (instance_of(WEB.changed(ttl_s=4), "warning"),)
    finally:
        paused.resume()


def test_without_a_majority_nothing_is_known_and_afterwards_all_is_well(clients: Clients, ensemble: Ensemble) -> None:
    client = clients.new()
    client.register(WEB, "passing", "ok")
    gone = ensemble.servers[:2]
    for server in gone:
        server.kill()
    eventually(lambda: not ensemble.servers[2].mode(), message="the third one has noticed that it is alone")
    for call in (
        lambda: client.report(WEB.id, "passing", "ok", 60),
        lambda: client.instances(ALL),
        lambda: client.keys.put("key", b"value"),
        lambda: client.locks.acquire("primary", "one", 10.0, 0.0),
    ):
        with pytest.raises(BackendError), gevent.Timeout(8.0, BackendTimeoutError("no answer")):
            call()
    for server in gone:
        server.spawn()
    becomes(lambda: done(lambda: client.register(WEB, "passing", "ok")), 30)
    assert told(client) == (instance_of(WEB, "passing"),)


def test_members_that_are_not_there_are_passed_over(clients: Clients, ensemble: Ensemble) -> None:
    leader = leader_of(ensemble)
    client = clients.new(hosts=f"127.0.0.1:1,{leader.hosts},127.0.0.1:2")
    client.register(WEB, "passing", "ok")
    assert told(client) == (instance_of(WEB, "passing"),)
