"""Three Consul servers that lose their leader: registrations, watches, keys and locks at the agent of a follower."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import gevent
import pytest
from corepilot_consul.backend import ConsulBackend
from corepilot_consul.plugin import Options
from http_script import eventually_switching
from servers.consul_cluster import ConsulCluster

from corepilot.discovery.connection import Connection
from corepilot.discovery.registrar import Registrar
from corepilot.discovery.watcher import CatalogView, Watcher
from corepilot.errors import BackendError, BackendTimeoutError, BackendUnavailableError
from corepilot.model.configuration import Watch
from corepilot.model.service import Registration
from corepilot.system.backoff import Backoff
from corepilot.testing.suite import context

WEB = Registration("web-host1", "web", "192.0.2.7", 8080, ttl_s=60)


@pytest.fixture
def cluster() -> Iterator[ConsulCluster]:
    with ConsulCluster() as cluster:
        yield cluster


@pytest.fixture
def opened() -> Iterator[Callable[[str], ConsulBackend]]:
    made: list[ConsulBackend] = []

    def one(address: str) -> ConsulBackend:
        made.append(ConsulBackend(Options(address=address), context()))
        return made[-1]

    yield one
    for client in made:
        client.close()


def outlasting(call: Callable[[], Any]) -> Any:
    """The answer of a call that is made until the servers have a leader again; it may fail as in an outage only."""
    with gevent.Timeout(60, AssertionError("the servers do not answer any more")):
        while True:
            with suppress(BackendUnavailableError, BackendTimeoutError):
                return call()
            gevent.sleep(0.05)


def test_a_lost_leader_changes_nothing(cluster: ConsulCluster, opened: Callable[[str], ConsulBackend]) -> None:
    leader = cluster.until_led()
    followers = [one for one in cluster.members if one is not leader]
    client, other = (opened(one.address) for one in followers)
    connection = Connection(5.0)
    events: list[str] = []
    registrar = Registrar(client, log=lambda *_: None, connection=connection)
    watcher = Watcher(
        Watch("web", interval_s=1, at_start=True),
        [CatalogView("consul", other, Connection(5.0), lambda *_: None)],
        lambda event: events.append(event.code),
        backoff=Backoff(0.05, most_s=0.5),
    )
    keys, locks = client.keys, client.locks
    assert keys is not None
    assert locks is not None
    try:
        registrar.advertise(WEB, "passing", "ok")
        watcher.start()
        eventually_switching(lambda: events == ["changed", "healthy"])
        keys.put("app/limits", b"7")
        before = keys.get("app/limits")
        grant = locks.acquire("primary", "host-1", 10, 0.0)
        assert grant is not None

        leader.kill()
        assert outlasting(lambda: locks.keep("primary")) == 10
        assert cluster.until_led() is not leader
        assert outlasting(lambda: keys.get("app/limits")) == before
        outlasting(lambda: keys.put("app/limits", b"8"))
        assert outlasting(lambda: locks.acquire("primary", "host-1", 10, 0.0)) == grant
        assert outlasting(lambda: other.locks.acquire("primary", "host-2", 10, 0.0)) is None
        registrar.report(WEB.id, "passing", "still")
        eventually_switching(lambda: registrar.connected and registrar.status()[0]["in_sync"])
        assert events == ["changed", "healthy"]

        outlasting(lambda: locks.release("primary"))
        following = outlasting(lambda: other.locks.acquire("primary", "host-2", 10, 0.0))
        assert following.token > grant.token
        client.deregister(WEB.id)
        eventually_switching(lambda: events == ["changed", "healthy", "changed", "unhealthy"])
    finally:
        registrar.close()
        watcher.close()


def test_without_a_quorum_it_is_an_outage(cluster: ConsulCluster, opened: Callable[[str], ConsulBackend]) -> None:
    leader = cluster.until_led()
    first, last = (one for one in cluster.members if one is not leader)
    client = opened(last.address)
    keys, locks = client.keys, client.locks
    assert keys is not None
    assert locks is not None
    grant = locks.acquire("primary", "host-1", 10, 0.0)
    assert grant is not None
    leader.kill()
    first.kill()

    def refused(call: Callable[[], Any]) -> bool:
        with gevent.Timeout(60):
            try:
                call()
            except (BackendUnavailableError, BackendTimeoutError):
                return True
            except BackendError as error:
                raise AssertionError(f"no leader is an outage, not {error!r}") from error
        return False

    eventually_switching(lambda: refused(lambda: keys.put("app/limits", b"7")))
    assert refused(lambda: keys.get("app/limits"))
    assert refused(lambda: locks.keep("primary"))
    assert refused(lambda: locks.release("primary"))
    client.register(WEB, "passing", "ok")  # the agent takes it, and tells the servers when there are any
    first.start()
    cluster.until_led()
    assert outlasting(lambda: keys.put("app/limits", b"7")) is None
    eventually_switching(lambda: outlasting(lambda: last.get("/v1/health/service/web?passing=1")))
