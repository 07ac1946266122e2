"""The etcd backend on a cluster of three whose members die, stand still, or have no leader."""

from collections.abc import Iterator

import gevent
import pytest
from etcd_client import Clients
from following import DEADLINE_S, becomes
from servers.etcd import EtcdServer

from corepilot.errors import BackendError
from corepilot.model.service import Query, Registration, Snapshot
from corepilot.testing.backends import instance_of

WEB = Registration("web-host1", "web", "192.0.2.7", 8080, ttl_s=60)
ALL = Query("web")


@pytest.fixture
def cluster() -> Iterator[EtcdServer]:
    with EtcdServer(3) as server:
        yield server


@pytest.fixture
def clients(cluster: EtcdServer) -> Iterator[Clients]:
    with Clients(cluster) as made:
        yield made


def asked(ask: object) -> bool:
    """Whether a call works now."""
    try:
        ask()  # type: ignore[operator]
    except BackendError:
        return False
    return True


def test_the_death_of_a_leader_loses_nothing(clients: Clients, cluster: EtcdServer) -> None:
    """Whoever looks sees the instance all the time, as soon as he gets an answer; no id is there twice."""
    writer, reader = clients.new(), clients.new()
    writer.register(WEB, "passing", "ok")
    seen: list[Snapshot] = []

    def look() -> None:
        while True:
            asked(lambda: seen.append(reader.instances(ALL)))
            gevent.sleep(0.02)

    looking = gevent.spawn(look)
    try:
        for _ in range(2):
            leader = cluster.leader()
            leader.kill()
            number = len(seen)
            becomes(lambda: asked(lambda: writer.report(WEB.id, "passing", "ok", 60)))
            becomes(lambda: len(seen) > number + 5)  # noqa: B023  - waited for here
            cluster.start()
    finally:
        looking.kill(timeout=DEADLINE_S)
    assert set(seen) == {(instance_of(WEB, "passing"),)}


def test_a_watch_goes_on_or_ends_and_the_next_one_is_right(clients: Clients, cluster: EtcdServer) -> None:
    writer, reader = clients.new(), clients.new()
    writer.register(WEB, "passing", "ok")
    follower = clients.follow(reader.watch(ALL))
    follower.until(lambda told: told == (instance_of(WEB, "passing"),))
    cluster.leader().kill()
    becomes(lambda: asked(lambda: writer.report(WEB.id, "warning", "ok", 60)))
    becomes(lambda: follower.error is not None or follower.told[-1] == (instance_of(WEB, "warning"),))
    assert follower.error is None or isinstance(follower.error, BackendError)
    assert set(follower.told) <= {(instance_of(WEB, "passing"),), (instance_of(WEB, "warning"),)}
    clients.follow(reader.watch(ALL)).until(lambda told: told == (instance_of(WEB, "warning"),))


def test_a_lock_survives_the_leader(clients: Clients, cluster: EtcdServer) -> None:
    one, two = clients.new().locks, clients.new().locks
    grant = one.acquire("primary", "one", 10.0, 0.0)
    assert grant is not None
    cluster.leader().kill()
    becomes(lambda: asked(lambda: one.keep("primary")))
    assert one.acquire("primary", "one", 10.0, 0.0) == grant
    assert two.acquire("primary", "two", 10.0, 0.0) is None


def test_a_member_that_stands_still_is_left(clients: Clients, cluster: EtcdServer) -> None:
    """Its calls are answered by the next one, and its watches end within a few seconds instead of never."""
    client = clients.new(timeout=0.5)
    client.register(WEB, "passing", "ok")
    follower = clients.follow(client.watch(ALL))
    follower.until(lambda told: told == (instance_of(WEB, "passing"),))
    members = client._transport.members  # the list is told before the stream is open, and it need not be the first's
    becomes(lambda: any(member.streams for member in members))
    paused = next(mine for mine, member in zip(cluster.members, members, strict=True) if member.streams)
    paused.pause()
    try:
        becomes(lambda: asked(lambda: client.report(WEB.id, "warning", "ok", 60)))
        client.report(WEB.id, "warning", "ok", 60)
        assert isinstance(follower.ended(), BackendError)
        clients.follow(client.watch(ALL)).until(lambda told: told == (instance_of(WEB, "warning"),))
    finally:
        paused.resume()


def test_without_a_majority_nothing_is_known_and_afterwards_all_is_well(clients: Clients, cluster: EtcdServer) -> None:
    client = clients.new(timeout=0.5)
    client.register(WEB, "passing", "ok")
    follower = clients.follow(client.watch(ALL))
    follower.until(lambda told: told == (instance_of(WEB, "passing"),))
    for member in cluster.members[1:]:
        member.kill()
    assert isinstance(follower.ended(), BackendError)
    for call in (lambda: client.report(WEB.id, "passing", "ok", 60), lambda: client.instances(ALL)):
        with pytest.raises(BackendError):
            call()
    cluster.start()
    becomes(lambda: asked(lambda: client.report(WEB.id, "passing", "ok", 60)))
    assert client.instances(ALL) == (instance_of(WEB, "passing"),)


def test_members_that_are_not_there_are_passed_over(clients: Clients, cluster: EtcdServer) -> None:
    dead = cluster.members[0]
    dead.kill()
    client = clients.new(endpoints=(dead.url, cluster.members[1].url))
    becomes(lambda: asked(lambda: client.register(WEB, "passing", "ok")))
    assert client.instances(ALL) == (instance_of(WEB, "passing"),)
    assert client.address == f"{dead.url},{cluster.members[1].url}"


def test_a_member_that_stands_still_costs_no_short_lease(clients: Clients, cluster: EtcdServer) -> None:
    """Its TTL is three seconds, and a member would get two of them to answer."""
    client = clients.new()
    client.register(WEB.changed(ttl_s=3), "passing", "ok")
    lease = cluster.ctl("lease", "list").split()[3]
    first = cluster.members[0]
    first.pause()
    try:
        for _ in range(3):
            client.report(WEB.id, "passing", "ok", 60)
            a_ttl_passes(cluster, cluster.members[1].url)
        assert lease in cluster.ctl("lease", "list", endpoint=cluster.members[1].url)
    finally:
        first.resume()


def a_ttl_passes(cluster: EtcdServer, endpoint: str) -> None:
    """Wait until a lease that nobody keeps alive has ended: the store's own clock."""
    lease = cluster.ctl("lease", "grant", "2", endpoint=endpoint).split()[1]
    cluster.ctl("put", "/clock", "", f"--lease={lease}", endpoint=endpoint)
    becomes(lambda: cluster.ctl("get", "--keys-only", "/clock", endpoint=endpoint) == "")
