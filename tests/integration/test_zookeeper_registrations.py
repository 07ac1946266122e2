"""What is stored in ZooKeeper, and whose it is."""

import json
import os
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from corepilot_zookeeper.backend import ZooKeeperBackend
from following import becomes
from servers.zookeeper import TICK_MS, ZooKeeperServer
from zookeeper_client import Clients, witness

from corepilot.errors import BackendRefusedError, UnknownInstanceError
from corepilot.model.service import Query, Registration
from corepilot.testing.backends import instance_of

WEB = Registration("web-host1", "web", "192.0.2.7", 8080, ("a", "b"), ttl_s=60, notes="for people")
ALL = Query("web")

TREE = """
def walk(path):
    data, stat = client.get(path)
    found = {path: [data.decode(), stat.ephemeralOwner != 0, stat.mzxid]}
    for name in client.get_children(path):
        found.update(walk(path.rstrip("/") + "/" + name))
    return found
told = walk("PREFIX")
"""


@pytest.fixture
def clients(zookeeper: ZooKeeperServer) -> Iterator[Clients]:
    with Clients(zookeeper.hosts, f"/t{os.urandom(4).hex()}") as made:
        yield made


def tree(clients: Clients) -> dict[str, list[Any]]:
    """Path below the prefix → data, whether it is ephemeral, and its last change; as the witness sees it."""
    found = witness(clients.hosts, TREE.replace("PREFIX", clients.prefix))
    return {path.removeprefix(clients.prefix): told for path, told in found.items()}


def instances(client: ZooKeeperBackend) -> Any:
    with gevent.Timeout(20):
        return client.instances(ALL)


def test_the_layout_is_nerves(clients: Clients) -> None:
    clients.new().register(WEB, "warning", "slow")
    found = tree(clients)
    data, ephemeral, _ = found["/services/web/web-host1"]
    assert ephemeral
    assert json.loads(data) == {
        "host": "192.0.2.7",
        "port": 8080,
        "name": "web-host1",
        "service": "web",
        "status": "warning",
        "tags": ["a", "b"],
        "notes": "for people",
        "output": "slow",
    }
    assert [path for path, told in found.items() if told[1]] == ["/services/web/web-host1"]


def test_a_critical_instance_is_not_where_nerves_readers_look(clients: Clients) -> None:
    client = clients.new()
    client.register(WEB, "passing", "ok")
    client.report(WEB.id, "critical", "down", 60)
    assert [path for path, told in tree(clients).items() if told[1]] == ["/critical/web/web-host1"]
    assert instances(clients.new()) == (instance_of(WEB, "critical"),)
    client.report(WEB.id, "passing", "ok", 60)
    assert [path for path, told in tree(clients).items() if told[1]] == ["/services/web/web-host1"]


def test_a_move_is_never_seen_as_an_absence(clients: Clients) -> None:
    client = clients.new()
    client.register(WEB, "passing", "ok")
    follower = clients.follow(clients.new().watch(ALL))
    follower.until(bool)
    for status in ("critical", "passing") * 50:
        client.report(WEB.id, status, "", 60)
    client.report(WEB.id, "warning", "", 60)
    follower.until(lambda told: told == (instance_of(WEB, "warning"),))
    assert all(follower.told)


def test_a_heartbeat_writes_nothing(clients: Clients) -> None:
    client = clients.new()
    client.register(WEB, "passing", "ok")
    before = tree(clients)
    for _ in range(5):
        client.report(WEB.id, "passing", "still ok", 60)
    assert tree(clients) == before


def test_names_with_slashes_are_no_paths(clients: Clients) -> None:
    client = clients.new()
    ugly = WEB.changed(id="web-a/b/../c%2F\x00 \U0001f600 Grüße")
    client.register(ugly, "passing", "ok")
    assert instances(client) == (instance_of(ugly, "passing"),)
    assert "/services/web/web-a%2Fb%2F..%2Fc%252F%00 %F0%9F%98%80 Grüße" in tree(clients)


def test_what_nerve_and_others_have_written_is_seen(clients: Clients) -> None:
    follower = clients.follow(clients.new().watch(ALL))
    follower.until(lambda told: told == ())
    witness(
        clients.hosts,
        f"""
web = "{clients.prefix}/services/web"
client.create(web + "/i-1_0000000001", b'{{"host":"10.0.0.1","port":80,"name":"i-1"}}', makepath=True)
client.create(web + "/text", b'{{"host":"10.0.0.2","port":"81","labels":{{}}}}')
nonsense = b"", b"text", b"[]", b'{{"host":1,"port":80}}', b'{{"host":"a","port":true}}', b"[" * 90000
for number, data in enumerate(nonsense):
    client.create(web + "/n%d" % number, data)
""",
    )
    told = follower.until(lambda told: len(told) == 2)
    assert [(one.id, one.address, one.port, one.status) for one in told] == [
        ("i-1_0000000001", "10.0.0.1", 80, "passing"),
        ("text", "10.0.0.2", 81, "passing"),
    ]
    warnings = [message for level, message in clients.said if level == "warning"]
    assert len(warnings) == 1
    assert "is left out" in warnings[0]


def test_a_node_of_an_older_session_is_made_again(clients: Clients) -> None:
    older, newer = clients.new(), clients.new()
    older.register(WEB, "critical", "")
    follower = clients.follow(clients.new().watch(ALL))
    follower.until(bool)
    newer.register(WEB, "passing", "ok")
    older.close()
    newer.report(WEB.id, "passing", "ok", 60)
    follower.until(lambda told: told == (instance_of(WEB, "passing"),))
    gevent.sleep(2 * TICK_MS / 1000)  # the older session ends, and must not take anything with it
    assert instances(newer) == (instance_of(WEB, "passing"),)
    assert all(follower.told)


def test_an_id_that_another_client_has_taken_is_left_to_it(clients: Clients) -> None:
    one, other = clients.new(), clients.new()
    one.register(WEB, "passing", "ok")
    moved = WEB.changed(port=9090)
    for status in ("passing", "critical"):
        other.register(moved, status, "ok")
        with pytest.raises(BackendRefusedError, match="another client has registered it since"):
            one.report(WEB.id, "passing", "ok", 60)
        assert instances(one) == (instance_of(moved, status),)
    one.deregister(WEB.id)
    assert instances(one) == (instance_of(moved, "critical"),)
    one.register(WEB, "passing", "ok")
    other.deregister(WEB.id)
    assert instances(one) == (instance_of(WEB, "passing"),)


def test_closing_takes_nothing_out(clients: Clients) -> None:
    """Until the session's timeout is over; then the servers take it out."""
    client, reader = clients.new(), clients.new()
    client.register(WEB.changed(ttl_s=2), "passing", "ok")
    client.close()
    assert len(instances(reader)) == 1
    becomes(lambda: not instances(reader))


def test_a_session_that_holds_nothing_ends_at_once(clients: Clients, zookeeper: ZooKeeperServer) -> None:
    before = zookeeper.command("dump").count("0x")
    client = clients.new()
    client.register(WEB, "passing", "ok")
    client.deregister(WEB.id)
    assert zookeeper.command("dump").count("0x") > before
    client.close()
    becomes(lambda: zookeeper.command("dump").count("0x") <= before)


def test_a_shorter_ttl_is_another_session_and_nobody_is_missing_meanwhile(clients: Clients) -> None:
    client = clients.new()
    client.register(WEB, "passing", "ok")
    follower = clients.follow(client.watch(ALL))
    elsewhere = clients.follow(clients.new().watch(ALL))
    elsewhere.until(bool)
    second = WEB.changed(id="web-host2", ttl_s=2)
    client.register(second, "passing", "ok")
    follower.until(lambda told: len(told) == 2)
    client.report(WEB.id, "passing", "ok", 60)
    client.report(second.id, "passing", "ok", 2)
    assert len({told[1] for told in owners(clients).values()}) == 1
    elsewhere.until(lambda told: len(told) == 2)
    assert all(WEB.id in {one.id for one in told} for told in elsewhere.told)
    assert [message.rpartition(" timeout ")[2] for level, message in clients.said if level == "info"].count("2 s") == 1
    client.close()
    becomes(lambda: not instances(clients.new()))


def owners(clients: Clients) -> dict[str, list[Any]]:
    code = TREE.replace("PREFIX", f"{clients.prefix}/services").replace(
        "stat.ephemeralOwner != 0", "stat.ephemeralOwner"
    )
    return {path: told for path, told in witness(clients.hosts, code).items() if told[1]}


def test_the_servers_shortest_session_is_what_is_had(clients: Clients) -> None:
    client = clients.new()
    for number in range(3):
        client.register(WEB.changed(id=f"web-{number}", ttl_s=1), "passing", "ok")
    sessions = [message for level, message in clients.said if level == "info"]
    assert len(sessions) == 1
    assert sessions[0].endswith("session timeout 1 s")


def test_a_session_that_the_servers_have_ended_is_told_and_all_of_it_is_made_again(
    clients: Clients, zookeeper: ZooKeeperServer
) -> None:
    client = clients.new()
    client.register(WEB.changed(ttl_s=1), "passing", "ok")
    follower = clients.follow(client.watch(ALL))
    follower.until(bool)
    zookeeper.kill()
    follower.ended()
    gevent.sleep(1.5)  # our own clock says that it is over
    zookeeper.start()
    with pytest.raises(UnknownInstanceError):
        client.report(WEB.id, "passing", "ok", 60)
    client.register(WEB, "passing", "ok")
    assert instances(client) == (instance_of(WEB, "passing"),)


def test_a_session_outlives_its_connection(clients: Clients, zookeeper: ZooKeeperServer) -> None:
    """SUSPENDED is not LOST: nothing is registered again, and only the watch has ended."""
    client = clients.new()
    client.register(WEB, "passing", "ok")
    before = owners(clients)
    follower = clients.follow(client.watch(ALL))
    follower.until(bool)
    zookeeper.kill()
    assert "the session is over" not in str(follower.ended())
    zookeeper.start()
    becomes(lambda: reported(client))
    assert owners(clients) == before


def reported(client: ZooKeeperBackend) -> bool:
    try:
        client.report(WEB.id, "passing", "ok", 60)
    except UnknownInstanceError:
        raise
    except Exception:  # noqa: BLE001  - not yet
        return False
    return True


def test_ten_thousand_instances_of_one_service(clients: Clients) -> None:
    witness(
        clients.hosts,
        f"""
client.ensure_path("{clients.prefix}/services/web")
data = b'{{"host":"10.0.0.1","port":80,"name":"x"}}'
made = [client.create_async("{clients.prefix}/services/web/web-%05d" % number, data) for number in range(10000)]
[one.get() for one in made]
""",
    )
    client = clients.new()
    follower = clients.follow(client.watch(ALL))
    told = follower.until(lambda told: len(told) == 10_000)
    assert [one.id for one in told] == [f"web-{number:05}" for number in range(10_000)]
    client.register(WEB, "passing", "ok")
    follower.until(lambda told: len(told) == 10_001 and told[-1] == instance_of(WEB, "passing"))
