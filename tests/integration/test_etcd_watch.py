"""Watches of the etcd backend: history that is compacted away, streams that fall silent, values of others, size."""

import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing

import pytest
from corepilot_etcd import pulse
from corepilot_etcd.mirror import Mirror
from etcd_client import Clients
from following import Follower, becomes
from servers.etcd import EtcdServer

from corepilot.errors import BackendError, BackendUnavailableError
from corepilot.model.service import Query, Registration, Snapshot
from corepilot.testing.backends import instance_of
from corepilot.testing.proxy import FaultProxy

WEB = Registration("web-host1", "web", "192.0.2.7", 8080, ttl_s=60)
ALL = Query("web")


@pytest.fixture
def clients(etcd: EtcdServer) -> Iterator[Clients]:
    with Clients(etcd) as made:
        yield made


def compact(etcd: EtcdServer) -> None:
    """Forget all history up to now."""
    fields = dict(
        line.split(" : ") for line in etcd.ctl("get", "x", "--write-out=fields").splitlines() if " : " in line
    )
    etcd.ctl("compact", fields['"Revision"'])


def put_many(clients: Clients, service: str, numbers: range) -> None:
    """Instances as another program writes them, a hundred in a transaction."""
    transport = clients.new()._transport
    for start in range(numbers.start, numbers.stop, 100):
        puts = [
            {
                "request_put": {
                    "key": b64encode(f"/corepilot/services/{service}/{service}-{number:05}".encode()).decode(),
                    "value": b64encode(
                        json.dumps({"address": "10.0.0.1", "port": number % 60_000 + 1}).encode()
                    ).decode(),
                }
            }
            for number in range(start, min(start + 100, numbers.stop))
        ]
        transport.call("/v3/kv/txn", {"success": puts})


def test_what_was_compacted_before_the_watch_began_is_read_again(clients: Clients, etcd: EtcdServer) -> None:
    writer = clients.new()
    with closing(clients.new().watch(ALL)) as stream:
        assert next(stream) == ()
        for status in ("passing", "warning", "critical"):
            writer.register(WEB, status, "")
        compact(etcd)
        assert next(stream) == (instance_of(WEB, "critical"),)
        writer.deregister(WEB.id)
        assert next(stream) == ()


def test_compaction_and_cuts_lose_no_last_state(clients: Clients, etcd: EtcdServer) -> None:
    """Writes all the time, with the history forgotten and the connections cut again and again meanwhile."""
    with FaultProxy("127.0.0.1", etcd.members[0].port) as proxy:
        writer, reader = clients.new(), clients.new(endpoints=(f"http://127.0.0.1:{proxy.port}",))
        follower: Follower[Snapshot] = clients.follow(reader.watch(ALL))
        for port in range(1, 301):
            writer.register(WEB.changed(port=port), "passing", "")
            if port % 40 == 0:
                compact(etcd)
            if port % 60 == 0:
                proxy.reset()
            if follower.error is not None:
                assert isinstance(follower.error, BackendError)
                ports = [told[0].port for told in follower.told if told]
                assert ports == sorted(ports)
                follower = clients.follow(reader.watch(ALL))
        last = (instance_of(WEB.changed(port=300), "passing"),)
        becomes(lambda: follower.error is not None or follower.told[-1:] == [last])
        if follower.error is not None:
            clients.follow(reader.watch(ALL)).until(lambda told: told == last)


def test_a_connection_that_brings_nothing_any_more_is_noticed(clients: Clients, etcd: EtcdServer) -> None:
    """Nothing is closed: only asking tells."""
    with FaultProxy("127.0.0.1", etcd.members[0].port) as proxy:
        client = clients.new(endpoints=(f"http://127.0.0.1:{proxy.port}",), timeout=0.5)
        follower = clients.follow(client.watch(ALL))
        clients.new().register(WEB, "passing", "")
        follower.until(lambda told: told == (instance_of(WEB, "passing"),))
        clients.new().register(WEB, "warning", "")
        follower.until(lambda told: told == (instance_of(WEB, "warning"),))
        proxy.hold()
        error = follower.ended()
        assert isinstance(error, BackendUnavailableError)
        assert "cannot go on watching" in str(error)
        assert f"127.0.0.1:{proxy.port}" in str(error)


def test_an_idle_watch_goes_on(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "PULSE_S", 0.0)
    monkeypatch.setattr(pulse, "COMPARE_S", 0.0)
    monkeypatch.setattr(pulse, "LATE_S", 0.0)
    monkeypatch.setattr(pulse, "_LOOK_S", 0.02)
    client = clients.new()
    follower = clients.follow(client.watch(ALL))
    follower.until(lambda told: told == ())
    asked: list[str] = []
    call_member = client._transport.call_member

    def counting(*arguments: object, **named: object) -> object:
        asked.append("")
        return call_member(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(client._transport, "call_member", counting)
    becomes(lambda: len(asked) > 20)
    client.register(WEB, "passing", "")
    follower.until(lambda told: told == (instance_of(WEB, "passing"),))
    assert follower.told == [(), (instance_of(WEB, "passing"),)]


@pytest.mark.parametrize("change", ["register", "deregister"])
def test_a_watch_that_has_missed_a_change_is_not_trusted(
    clients: Clients, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """As etcd's own history has had them: the stream is there, and tells nothing."""
    monkeypatch.setattr(pulse, "COMPARE_S", 0.1)
    monkeypatch.setattr(pulse, "LATE_S", 0.1)
    writer = clients.new()
    writer.register(WEB, "passing", "")
    monkeypatch.setattr(Mirror, "_apply", lambda _self, _message: False)
    follower = clients.follow(clients.new().watch(ALL))
    follower.until(lambda told: len(told) == 1)
    if change == "register":
        writer.register(WEB.changed(id="web-host2"), "passing", "")
    else:
        writer.deregister(WEB.id)
    error = follower.ended()
    assert isinstance(error, BackendUnavailableError)
    assert "it has missed a change" in str(error)


FOREIGN = ("no JSON", "[]", "{}", '{"address": "10.0.0.1", "port": "80"}', '{"address": "a", "port": 80, "tags": [1]}')


def test_values_of_others_are_ignored_with_one_warning(clients: Clients, etcd: EtcdServer) -> None:
    client = clients.new()
    for number, value in enumerate(FOREIGN):
        etcd.ctl("put", f"/corepilot/services/web/foreign-{number}", "--", value)
    etcd.ctl("put", "/corepilot/services/web/a/b", '{"address": "10.0.0.1", "port": 80}')
    etcd.ctl("put", "/corepilot/services/web/a%2fb", '{"address": "10.0.0.1", "port": 80}')
    client.register(WEB, "passing", "")
    follower = clients.follow(client.watch(ALL))
    follower.until(lambda told: told == (instance_of(WEB, "passing"),))
    etcd.ctl("put", "/corepilot/services/web/foreign-1", "worse")
    etcd.ctl("del", "/corepilot/services/web/foreign-1")
    client.report(WEB.id, "warning", "", 60)
    follower.until(lambda told: told == (instance_of(WEB, "warning"),))
    (warning,) = clients.said
    assert warning[0] == "warning"
    assert "is no instance" in warning[1]


def test_an_instance_that_another_program_has_written(clients: Clients, etcd: EtcdServer) -> None:
    etcd.ctl("put", "/corepilot/services/web/web-1", '{"address": "10.0.0.1", "port": 80}')
    etcd.ctl("put", "/corepilot/services/web/web-2", '{"address": "10.0.0.2", "port": 80, "status": "odd"}')
    found = clients.new().instances(ALL)
    assert [(one.id, one.address, one.status) for one in found] == [
        ("web-1", "10.0.0.1", "passing"),
        ("web-2", "10.0.0.2", "critical"),
    ]


def test_an_instance_that_becomes_nonsense_is_gone(clients: Clients, etcd: EtcdServer) -> None:
    client = clients.new()
    client.register(WEB, "passing", "")
    follower = clients.follow(client.watch(ALL))
    follower.until(lambda told: len(told) == 1)
    etcd.ctl("put", "/corepilot/services/web/web-host1", "nonsense")
    follower.until(lambda told: told == ())


def test_ten_thousand_instances(clients: Clients, etcd: EtcdServer) -> None:
    put_many(clients, "web", range(10_000))
    client = clients.new()
    follower = clients.follow(client.watch(ALL))
    follower.until(lambda told: len(told) == 10_000)
    ids = [one.id for one in follower.told[-1]]
    assert ids == [f"web-{number:05}" for number in range(10_000)]
    client.register(WEB, "passing", "")
    follower.until(lambda told: len(told) == 10_001)
    put_many(clients, "web", range(10_000, 10_500))
    follower.until(lambda told: len(told) == 10_501)
    etcd.ctl("del", "--prefix", "/corepilot/services/web/")
    follower.until(lambda told: told == ())
    assert follower.error is None


def test_the_names_of_services_are_found_without_reading_all_instances(clients: Clients, etcd: EtcdServer) -> None:
    for service, number in (("a", 2500), ("a-b", 3), ("a0", 1), ("b", 1200)):
        put_many(clients, service, range(number))
    etcd.ctl("put", "/corepilot/services/no-instance", "")
    etcd.ctl("put", "/corepilot/services/odd/a/b", "")
    etcd.ctl("put", "/corepilot/services0/odd/a", "")
    assert clients.new().service_names() == ("a", "a-b", "a0", "b")


def test_a_watch_of_a_service_whose_records_are_large(clients: Clients, etcd: EtcdServer) -> None:
    """Pages of them are longer than an answer may be: smaller ones are asked for."""
    transport = clients.new()._transport
    for number in range(30):
        value = json.dumps({"address": "10.0.0.1", "port": 80, "more": "x" * 500_000}).encode()
        message = {
            "key": b64encode(f"/corepilot/services/web/web-{number:02}".encode()).decode(),
            "value": b64encode(value).decode(),
        }
        transport.call("/v3/kv/put", message)
    assert len(clients.new().instances(ALL)) == 30
