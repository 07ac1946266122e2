"""An independent client, python-etcd3 over gRPC, reads what the backend wrote, and the backend what it wrote."""

import json
from collections.abc import Iterator

import pytest
from etcd_client import Clients
from servers import etcd3_witness
from servers.etcd import EtcdServer
from servers.etcd3_witness import ask

from corepilot.model.service import Query, Registration
from corepilot.testing.backends import instance_of

pytestmark = pytest.mark.timeout(700)  # its environment is made once per machine

WEB = Registration("web-host1", "web", "192.0.2.7", 8080, ("a", "Grüße"), ttl_s=60)


@pytest.fixture
def clients(etcd: EtcdServer) -> Iterator[Clients]:
    etcd3_witness.python()
    with Clients(etcd) as made:
        yield made


def test_it_reads_instances_keys_and_locks(clients: Clients, etcd: EtcdServer) -> None:
    client, port = clients.new(), etcd.members[0].port
    client.register(WEB, "passing", "ok")
    client.keys.put("app/limits", b"10")
    assert client.locks.acquire("primary", "one", 20.0, 0.0) is not None
    found = ask(port, "list", "/corepilot/")
    assert sorted(found) == [
        "/corepilot/keys/app/limits",
        "/corepilot/locks/primary",
        "/corepilot/services/web/web-host1",
    ]
    assert json.loads(found["/corepilot/services/web/web-host1"])["tags"] == ["a", "Grüße"]
    assert found["/corepilot/keys/app/limits"] == "10"
    assert found["/corepilot/locks/primary"] == "one"
    assert ask(port, "ttl", "/corepilot/services/web/web-host1") == 60
    assert ask(port, "ttl", "/corepilot/locks/primary") == 20


def test_what_it_writes_is_seen(clients: Clients, etcd: EtcdServer) -> None:
    client, port = clients.new(), etcd.members[0].port
    follower = clients.follow(client.watch(Query("web")))
    ask(port, "put", "/corepilot/services/web/web-theirs", '{"address": "192.0.2.9", "port": 9000}')
    theirs = instance_of(Registration("web-theirs", "web", "192.0.2.9", 9000), "passing")
    follower.until(lambda told: told == (theirs,))
    ask(port, "put", "/corepilot/keys/key", "value")
    found = client.keys.get("key")
    assert found is not None
    assert found.value == b"value"
    assert ask(port, "create", "/corepilot/locks/primary", "theirs") is True
    assert client.locks.acquire("primary", "one", 20.0, 0.0) is None
