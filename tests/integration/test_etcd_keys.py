"""Keys in a real etcd, with etcdctl as the witness."""

from collections.abc import Iterator

import pytest
from etcd_client import Clients
from servers.etcd import EtcdServer

from corepilot.discovery.keys import VALUE_MAX, Keys
from corepilot.errors import BackendUnavailableError
from corepilot.testing.proxy import FaultProxy


@pytest.fixture
def clients(etcd: EtcdServer) -> Iterator[Clients]:
    with Clients(etcd) as made:
        yield made


@pytest.fixture
def keys(clients: Clients) -> Keys:
    return clients.new().keys


def test_what_was_put_is_there(keys: Keys, etcd: EtcdServer) -> None:
    keys.put("app/limits", b"10")
    found = keys.get("app/limits")
    assert found is not None
    assert (found.key, found.value) == ("app/limits", b"10")
    assert etcd.ctl("get", "--print-value-only", "/corepilot/keys/app/limits") == "10\n"


def test_what_others_have_put_is_there_by_its_absolute_name(keys: Keys, etcd: EtcdServer) -> None:
    etcd.ctl("put", "/config/app", "theirs")
    found = keys.get("/config/app")
    assert found is not None
    assert (found.key, found.value) == ("/config/app", b"theirs")
    assert [one.key for one in keys.list("/config")] == ["/config/app"]


def test_a_key_that_is_not_there(keys: Keys) -> None:
    assert keys.get("nothing") is None
    keys.delete("nothing")
    assert keys.list("nothing") == ()


def test_any_bytes_are_a_value(keys: Keys) -> None:
    for value in (b"", bytes(range(256)), b"x" * VALUE_MAX):
        keys.put("value", value)
        found = keys.get("value")
        assert found is not None
        assert found.value == value


def test_compare_and_set(keys: Keys) -> None:
    assert keys.compare_and_set("key", b"1", None)
    assert not keys.compare_and_set("key", b"2", None)
    first = keys.get("key")
    assert first is not None
    assert keys.compare_and_set("key", b"2", first.version)
    assert not keys.compare_and_set("key", b"3", first.version)
    keys.delete("key")
    assert not keys.compare_and_set("key", b"3", first.version)
    assert keys.compare_and_set("key", b"1", None)
    again = keys.get("key")
    assert again is not None
    assert again.version != first.version
    assert not keys.compare_and_set("key", b"3", "a version of another store")


def test_a_prefix_is_whole_segments_and_sorted(keys: Keys) -> None:
    for key in ("app/b", "app/a/deep", "app", "apple", "app-1/x", "app/c"):
        keys.put(key, key.encode())
    assert [one.key for one in keys.list("app")] == ["app/a/deep", "app/b", "app/c"]
    assert keys.list("app/") == keys.list("app")
    assert [one.key for one in keys.list("")] == ["app", "app-1/x", "app/a/deep", "app/b", "app/c", "apple"]
    assert [one.key for one in keys.list("/corepilot")][:2] == ["/corepilot/keys/app", "/corepilot/keys/app-1/x"]


def test_a_thousand_keys_with_large_values(keys: Keys) -> None:
    for number in range(40):
        keys.put(f"large/{number:02}", b"%02d" % number + b"x" * 300_000)
    found = keys.list("large")
    assert [one.value[:2] for one in found] == [b"%02d" % number for number in range(40)]


def test_a_watched_key(clients: Clients, keys: Keys, etcd: EtcdServer) -> None:
    follower = clients.follow(keys.watch("key"))
    follower.until(lambda told: told == ())
    keys.put("key/below", b"another one")
    keys.put("key", b"1")
    follower.until(lambda told: [one.value for one in told] == [b"1"])
    etcd.ctl("put", "/corepilot/keys/key", "2")
    follower.until(lambda told: [one.value for one in told] == [b"2"])
    keys.delete("key")
    follower.until(lambda told: told == ())


def test_a_watched_prefix(clients: Clients, keys: Keys) -> None:
    keys.put("app/a", b"1")
    keys.put("apple", b"1")
    follower = clients.follow(keys.watch("app", prefix=True))
    follower.until(lambda told: [one.key for one in told] == ["app/a"])
    keys.put("app/b/c", b"2")
    keys.put("app/a", b"3")
    follower.until(lambda told: [(one.key, one.value) for one in told] == [("app/a", b"3"), ("app/b/c", b"2")])
    keys.delete("app/a")
    follower.until(lambda told: [one.key for one in told] == ["app/b/c"])


def test_a_compare_and_set_is_sent_once(clients: Clients, etcd: EtcdServer) -> None:
    """An answer that is lost may be that of a write: whoever asked has to look."""
    with FaultProxy("127.0.0.1", etcd.members[0].port) as proxy:
        keys = clients.new(endpoints=(f"http://127.0.0.1:{proxy.port}",)).keys
        proxy.cut_after(20)
        with pytest.raises(BackendUnavailableError):
            keys.compare_and_set("key", b"1", None)
        assert proxy.connections == 1
