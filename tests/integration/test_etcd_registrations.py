"""What the etcd backend writes, as etcdctl and the leases show it."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from corepilot_etcd.member import Member
from etcd_client import Clients
from following import becomes
from servers.etcd import EtcdServer

from corepilot.errors import BackendError, BackendRefusedError, BackendTimeoutError, UnknownInstanceError
from corepilot.model.service import Query, Registration
from corepilot.testing.proxy import FaultProxy

WEB = Registration("web-host1", "web", "192.0.2.7", 8080, ("a", "b"), ttl_s=60, notes="for people")
KEY = "/corepilot/services/web/web-host1"


@pytest.fixture
def clients(etcd: EtcdServer) -> Iterator[Clients]:
    with Clients(etcd) as made:
        yield made


def record(etcd: EtcdServer, key: str = KEY) -> Any:
    text = etcd.ctl("get", "--print-value-only", key)
    return json.loads(text) if text else None


def fields(etcd: EtcdServer, key: str = KEY) -> dict[str, str]:
    lines = etcd.ctl("get", key, "--write-out=fields").splitlines()
    return dict(line.replace('"', "", 2).split(" : ") for line in lines if " : " in line)


def leases(etcd: EtcdServer) -> list[str]:
    return etcd.ctl("lease", "list").split()[3:]


def a_ttl_passes(etcd: EtcdServer) -> None:
    """Wait until a lease that nobody keeps alive has ended: the store's own clock."""
    lease = etcd.ctl("lease", "grant", "2").split()[1]
    etcd.ctl("put", "/clock", "", f"--lease={lease}")
    becomes(lambda: etcd.ctl("get", "--keys-only", "/clock") == "")


def test_the_layout(clients: Clients, etcd: EtcdServer) -> None:
    clients.new().register(WEB, "passing", "ok")
    assert record(etcd) == {
        "id": "web-host1",
        "service": "web",
        "address": "192.0.2.7",
        "port": 8080,
        "status": "passing",
        "tags": ["a", "b"],
        "notes": "for people",
        "output": "ok",
    }


def test_the_prefix_is_the_configurations(clients: Clients, etcd: EtcdServer) -> None:
    clients.new(prefix="/blue/team").register(WEB, "passing", "")
    assert record(etcd, "/blue/team/services/web/web-host1")["port"] == 8080
    assert clients.new().instances(Query("web")) == ()


def test_slashes_in_ids_are_no_segments(clients: Clients, etcd: EtcdServer) -> None:
    client = clients.new()
    ids = ("web-a/b", "web-a", "web-a%2Fb", "web-ä")
    for one in ids:
        client.register(WEB.changed(id=one), "passing", "")
    assert [one.id for one in client.instances(Query("web"))] == sorted(ids)
    assert etcd.ctl("get", "--prefix", "--keys-only", "/corepilot/services/web/").split() == [
        "/corepilot/services/web/web-a",
        "/corepilot/services/web/web-a%252Fb",
        "/corepilot/services/web/web-a%2Fb",
        "/corepilot/services/web/web-ä",
    ]


def test_there_is_one_lease_for_each_ttl(clients: Clients, etcd: EtcdServer) -> None:
    client = clients.new()
    several = [gevent.spawn(client.register, WEB.changed(id=f"web-{n}"), "passing", "") for n in range(10)]
    gevent.joinall(several, timeout=20, raise_error=True)
    client.register(WEB.changed(id="web-slow", ttl_s=90), "passing", "")
    assert len(leases(etcd)) == 2
    assert len({fields(etcd, f"/corepilot/services/web/web-{n}")["Lease"] for n in range(10)}) == 1


def test_another_ttl_is_another_lease(clients: Clients, etcd: EtcdServer) -> None:
    client = clients.new()
    client.register(WEB, "passing", "")
    first = fields(etcd)["Lease"]
    client.register(WEB.changed(ttl_s=90), "passing", "")
    assert fields(etcd)["Lease"] != first
    client.report(WEB.id, "warning", "", 60)
    assert record(etcd)["status"] == "warning"


def test_a_heartbeat_writes_nothing(clients: Clients, etcd: EtcdServer) -> None:
    client = clients.new()
    client.register(WEB, "passing", "ok")
    before = fields(etcd)
    for number in range(5):
        client.report(WEB.id, "passing", f"ok {number}", 60)
    after = fields(etcd)
    assert (after["ModRevision"], after["Revision"]) == (before["ModRevision"], before["Revision"])


def test_a_lease_is_kept_alive_and_ends_with_the_client(clients: Clients, etcd: EtcdServer) -> None:
    client = clients.new()
    client.register(WEB.changed(ttl_s=2), "passing", "ok")
    client.report(WEB.id, "passing", "ok", 60)
    first = fields(etcd)["Lease"]
    a_ttl_passes(etcd)
    a_ttl_passes(etcd)
    assert fields(etcd)["Lease"] == first
    assert record(etcd)["status"] == "passing"
    client.close()
    becomes(lambda: record(etcd) is None)


def test_what_is_not_reported_on_turns_critical_and_stays(clients: Clients, etcd: EtcdServer) -> None:
    client = clients.new()
    client.register(WEB.changed(ttl_s=2), "passing", "ok")
    becomes(lambda: record(etcd)["status"] == "critical")
    assert record(etcd)["output"] == "nobody has reported in time"
    a_ttl_passes(etcd)  # its lease is kept alive all the same
    assert record(etcd)["status"] == "critical"
    client.report(WEB.id, "passing", "ok", 60)
    assert record(etcd)["status"] == "passing"


def test_valid_for_is_less_than_the_ttl(clients: Clients, etcd: EtcdServer) -> None:
    client = clients.new()
    client.register(WEB, "passing", "ok")
    client.report(WEB.id, "passing", "ok", 0.2)
    becomes(lambda: record(etcd)["status"] == "critical")


@pytest.mark.parametrize("loss", ["lease", "key"])
def test_a_lost_instance_is_told_at_the_next_report(clients: Clients, etcd: EtcdServer, loss: str) -> None:
    client = clients.new()
    client.register(WEB, "passing", "ok")
    lease = f"{int(fields(etcd)['Lease']):x}"
    etcd.ctl(*(("lease", "revoke", lease) if loss == "lease" else ("del", KEY)))
    with pytest.raises(UnknownInstanceError, match="does not hold it"):
        client.report(WEB.id, "passing", "ok", 60)
    client.register(WEB, "passing", "ok")
    client.report(WEB.id, "warning", "ok", 60)
    assert record(etcd)["status"] == "warning"
    assert len(leases(etcd)) == 1


def test_of_two_with_one_id_the_later_counts_until_it_is_gone(clients: Clients, etcd: EtcdServer) -> None:
    one, two = clients.new(), clients.new()
    one.register(WEB, "passing", "ok")
    two.register(WEB.changed(port=9090, ttl_s=2), "passing", "ok")
    for status in ("passing", "warning", "passing"):
        with pytest.raises(BackendRefusedError, match=r"for 192\.0\.2\.7:9090.* an `instance` of its own"):
            one.report(WEB.id, status, "ok", 60)
    assert (record(etcd)["port"], record(etcd)["status"]) == (9090, "passing")
    one.deregister(WEB.id)
    assert record(etcd)["port"] == 9090
    one.register(WEB, "passing", "ok")
    with pytest.raises(BackendRefusedError):
        two.report(WEB.id, "passing", "ok", 60)
    two.close()
    a_ttl_passes(etcd)  # the other one's lease is over: what counts now is not touched
    assert record(etcd)["port"] == 8080
    one.report(WEB.id, "passing", "ok", 60)


def test_the_successor_is_registered_when_the_rival_is_gone(clients: Clients, etcd: EtcdServer) -> None:
    one, two = clients.new(), clients.new()
    one.register(WEB, "passing", "ok")
    two.register(WEB.changed(port=9090), "passing", "ok")
    with pytest.raises(BackendRefusedError):
        one.report(WEB.id, "passing", "ok", 60)
    two.report(WEB.id, "critical", "down", 60)
    with pytest.raises(UnknownInstanceError, match="that one is critical"):
        one.report(WEB.id, "passing", "ok", 60)
    two.deregister(WEB.id)
    with pytest.raises(UnknownInstanceError):
        one.report(WEB.id, "passing", "ok", 60)


def test_a_client_that_goes_leaves_what_its_successor_has_registered(clients: Clients, etcd: EtcdServer) -> None:
    """A reload with a changed option: the old client is asked to deregister after the new one has registered."""
    old, new = clients.new(), clients.new(timeout=3.0)
    old.register(WEB, "passing", "ok")
    new.register(WEB, "passing", "ok")
    old.deregister(WEB.id)
    old.close()
    new.report(WEB.id, "warning", "ok", 60)
    assert record(etcd)["status"] == "warning"


def test_what_was_given_up_and_is_carried_out_late_changes_nothing(
    clients: Clients, etcd: EtcdServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = clients.new()
    client.register(WEB, "passing", "ok")
    given_up: list[Any] = []

    def lose(_member: Member, path: str, message: Any, *_arguments: Any, **_named: Any) -> Any:
        given_up.append((path, message))
        raise BackendTimeoutError("no answer")

    calls: list[Callable[[], None]] = [
        lambda: client.register(WEB.changed(port=9090), "passing", "ok"),
        lambda: client.report(WEB.id, "critical", "ok", 60),
        lambda: client.deregister(WEB.id),
    ]
    with monkeypatch.context() as lost:
        lost.setattr(Member, "ask", lose)
        for call in calls:
            with pytest.raises(BackendTimeoutError):
                call()
    client.register(WEB.changed(port=9091), "warning", "ok")
    assert [path for path, _ in given_up] == ["/v3/kv/txn"] * 3
    for path, message in given_up:
        assert "succeeded" not in client._transport.call(path, message)
    assert (record(etcd)["port"], record(etcd)["status"]) == (9091, "warning")
    client.report(WEB.id, "passing", "ok", 60)


def test_an_instance_that_comes_back_by_a_late_write_is_deleted_again(clients: Clients, etcd: EtcdServer) -> None:
    with FaultProxy("127.0.0.1", etcd.members[0].port) as proxy:
        client = clients.new(endpoints=(f"http://127.0.0.1:{proxy.port}",), timeout=0.3)
        client.register(WEB.changed(id="web-other", ttl_s=3), "passing", "ok")
        lease = fields(etcd, "/corepilot/services/web/web-other")["Lease"]
        proxy.refuse()
        with pytest.raises(BackendError):
            client.register(WEB.changed(ttl_s=3), "passing", "ok")
        proxy.heal()
        client.deregister(WEB.id)
        etcd.ctl("put", KEY, "{}", f"--lease={int(lease):x}")  # as the lost request would have
        becomes(lambda: record(etcd) is None)
        assert record(etcd, "/corepilot/services/web/web-other") is not None


def test_an_address_that_has_changed_is_the_same_instance(clients: Clients) -> None:
    client = clients.new()
    follower = clients.follow(client.watch(Query("web")))
    client.register(WEB, "passing", "ok")
    follower.until(lambda told: [one.address for one in told] == ["192.0.2.7"])
    client.register(WEB.changed(address="192.0.2.8"), "passing", "ok")
    follower.until(lambda told: [one.address for one in told] == ["192.0.2.8"])
    assert all(len(told) <= 1 for told in follower.told)
