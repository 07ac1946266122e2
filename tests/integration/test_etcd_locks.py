"""Locks in a real etcd, with etcdctl as the witness and as the enemy."""

from collections.abc import Iterator

import pytest
from etcd_client import Clients
from following import becomes
from servers.etcd import EtcdServer

from corepilot.discovery.locks import Locks
from corepilot.errors import BackendError, LockLostError
from corepilot.model.catalog import Grant
from corepilot.testing.proxy import FaultProxy

KEY = "/corepilot/locks/primary"


@pytest.fixture
def clients(etcd: EtcdServer) -> Iterator[Clients]:
    with Clients(etcd) as made:
        yield made


def acquire(locks: Locks, holder: str = "one", ttl_s: float = 10.0) -> Grant | None:
    return locks.acquire("primary", holder, ttl_s, 0.0)


def held(locks: Locks, holder: str = "one", ttl_s: float = 10.0) -> Grant:
    grant = acquire(locks, holder, ttl_s)
    assert grant is not None
    return grant


def lease_of(etcd: EtcdServer) -> str:
    fields = dict(
        line.split(" : ") for line in etcd.ctl("get", KEY, "--write-out=fields").splitlines() if " : " in line
    )
    number = int(fields['"Lease"'])
    return f"{number:x}"


def test_one_holds_it_and_the_other_does_not(clients: Clients, etcd: EtcdServer) -> None:
    one, two = clients.new().locks, clients.new().locks
    grant = held(one)
    assert grant.ttl_s == 10.0
    assert etcd.ctl("get", "--print-value-only", KEY) == "one\n"
    assert acquire(two, "two") is None
    assert one.keep("primary") == 10.0
    one.release("primary")
    assert etcd.ctl("get", KEY) == ""
    assert held(two, "two").token > grant.token


def test_asking_again_gives_the_same_token(clients: Clients) -> None:
    locks = clients.new().locks
    assert held(locks) == held(locks)


def test_releasing_twice_or_what_is_not_held_is_no_error(clients: Clients) -> None:
    one, two = clients.new().locks, clients.new().locks
    one.release("primary")
    held(one)
    two.release("primary")
    assert one.keep("primary") > 0
    one.release("primary")
    one.release("primary")


def test_a_lock_that_is_not_kept_is_free_when_its_time_is_over(clients: Clients) -> None:
    one, two = clients.new().locks, clients.new().locks
    first = held(one, ttl_s=2.0)
    becomes(lambda: acquire(two, "two") is not None)
    with pytest.raises(LockLostError, match="its lease has expired"):
        one.keep("primary")
    assert acquire(one) is None
    assert held(two, "two").token > first.token


def test_a_lock_whose_lease_was_revoked_is_lost(clients: Clients, etcd: EtcdServer) -> None:
    locks = clients.new().locks
    first = held(locks)
    etcd.ctl("lease", "revoke", lease_of(etcd))
    with pytest.raises(LockLostError):
        locks.keep("primary")
    with pytest.raises(LockLostError, match="it is not held"):
        locks.keep("primary")
    assert held(locks).token > first.token


def test_a_lock_whose_key_was_deleted_or_overwritten_is_lost(clients: Clients, etcd: EtcdServer) -> None:
    one, two = clients.new().locks, clients.new().locks
    first = held(one)
    etcd.ctl("del", KEY)
    with pytest.raises(LockLostError, match="its key was deleted"):
        one.keep("primary")
    second = held(two, "two")
    etcd.ctl("put", KEY, "somebody")
    with pytest.raises(LockLostError, match="written by somebody else"):
        two.keep("primary")
    assert acquire(one) is None
    etcd.ctl("del", KEY)
    assert first.token < second.token < held(one).token


@pytest.mark.parametrize("after", range(0, 1400, 100))
def test_a_grant_whose_answer_was_lost_is_found_again(clients: Clients, etcd: EtcdServer, after: int) -> None:
    """Each answer ends after so many bytes: whatever was lost, there is one lock and one token in the end."""
    with FaultProxy("127.0.0.1", etcd.members[0].port) as proxy:
        locks = clients.new(endpoints=(f"http://127.0.0.1:{proxy.port}",)).locks
        proxy.cut_after(after)
        try:
            first = acquire(locks)
        except BackendError:
            first = None
        proxy.heal()
        again = held(locks)
        assert first is None or first.token == again.token
        assert locks.keep("primary") == 10.0
        assert acquire(clients.new().locks, "two") is None
        locks.release("primary")
        assert held(clients.new().locks, "two").token > again.token


def test_what_may_have_been_granted_can_be_released(clients: Clients, etcd: EtcdServer) -> None:
    with FaultProxy("127.0.0.1", etcd.members[0].port) as proxy:
        locks = clients.new(endpoints=(f"http://127.0.0.1:{proxy.port}",)).locks
        proxy.hold()
        with pytest.raises(BackendError):
            acquire(locks)
        proxy.heal()
        locks.release("primary")
        held(clients.new().locks, "two")
        assert acquire(locks) is None


def test_another_ttl_is_another_lease(clients: Clients) -> None:
    one, two = clients.new().locks, clients.new().locks
    assert held(one, ttl_s=10.0).ttl_s == 10.0
    one.release("primary")
    assert held(one, ttl_s=20.0).ttl_s == 20.0
    assert acquire(two) is None


def test_etcd_grants_two_seconds_at_least_and_no_more_is_told_than_was_asked_for(clients: Clients) -> None:
    locks = clients.new().locks
    assert held(locks, ttl_s=1.5).ttl_s == 1.5
    assert locks.keep("primary") == 1.5


def test_who_holds_it_is_told(clients: Clients) -> None:
    one, two, watcher = (clients.new().locks for _ in range(3))
    follower = clients.follow(watcher.watch("primary"))
    follower.until(lambda holder: holder is None)
    held(one, "Grüße von one")
    follower.until(lambda holder: holder == "Grüße von one")
    one.release("primary")
    held(two, "two")
    follower.until(lambda holder: holder == "two")
    two.release("primary")
    follower.until(lambda holder: holder is None)


def test_many_that_compete_hold_it_one_after_the_other(clients: Clients) -> None:
    competitors = [clients.new().locks for _ in range(8)]
    tokens: list[int] = []
    for _ in range(10):
        grants = [(locks, grant) for locks in competitors if (grant := acquire(locks))]
        (one,) = grants
        tokens.append(one[1].token)
        one[0].release("primary")
    assert tokens == sorted(set(tokens))
