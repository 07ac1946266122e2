"""Keys and locks in Consul, where the suites do not reach: the store's own rules, and what other programs see."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from corepilot_consul.backend import ConsulBackend
from corepilot_consul.locks import ConsulLocks
from corepilot_consul.plugin import Options
from go_programs import CONSUL
from http_script import eventually_switching
from servers.consul import ConsulServer

from corepilot.discovery.keys import Keys
from corepilot.errors import BackendRefusedError, BackendUnavailableError, LockLostError
from corepilot.model.catalog import Entry
from corepilot.model.service import Registration
from corepilot.testing.suite import context

KEY = "corepilot/locks/primary"
Make = Callable[[], ConsulBackend]


@pytest.fixture
def make(consul: ConsulServer) -> Iterator[Make]:
    made: list[ConsulBackend] = []

    def one() -> ConsulBackend:
        made.append(ConsulBackend(Options(address=consul.address), context()))
        return made[-1]

    yield one
    for client in made:
        client.close()


def keys_of(client: ConsulBackend) -> Keys:
    assert client.keys is not None
    return client.keys


def locks_of(client: ConsulBackend) -> ConsulLocks:
    assert isinstance(client.locks, ConsulLocks)
    return client.locks


def token_of(locks: ConsulLocks, holder: str = "host-1", delay_s: float = 0.0) -> int:
    grant = locks.acquire("primary", holder, 10, delay_s)
    assert grant is not None
    return grant.token


def session_of(consul: ConsulServer) -> Any:
    (held,) = consul.get(f"/v1/kv/{KEY}")
    (session,) = consul.get(f"/v1/session/info/{held['Session']}")
    return session


def test_a_session_hangs_on_nothing_but_its_ttl(consul: ConsulServer, make: Make) -> None:
    token_of(locks_of(make()), delay_s=3.2)
    session = session_of(consul)
    assert (session["NodeChecks"], session["ServiceChecks"]) == ([], None)
    assert (session["TTL"], session["LockDelay"], session["Behavior"]) == ("10s", 4_000_000_000, "release")
    assert session["Name"] == "corepilot lock primary"


def test_the_lock_delay_is_at_most_what_consul_keeps(consul: ConsulServer, make: Make) -> None:
    token_of(locks_of(make()), delay_s=500)
    assert session_of(consul)["LockDelay"] == 60_000_000_000


@pytest.mark.parametrize("ttl_s", [0.5, 9.9, 86401])
def test_a_ttl_that_consul_does_not_take_is_refused_with_the_rule(
    consul: ConsulServer, make: Make, ttl_s: float
) -> None:
    with pytest.raises(BackendRefusedError, match=r"a session lives for 10 to 86400 s in Consul; set another `ttl`"):
        locks_of(make()).acquire("primary", "host-1", ttl_s, 0.0)
    assert consul.get("/v1/session/list") == []


def test_a_session_is_made_only_where_the_lock_is_free(consul: ConsulServer, make: Make) -> None:
    holder, other = locks_of(make()), locks_of(make())
    token_of(holder)
    for _ in range(3):
        assert other.acquire("primary", "host-2", 10, 0.0) is None
    assert len(consul.get("/v1/session/list")) == 1
    holder.release("primary")
    assert consul.get("/v1/session/list") == []


def test_a_stranger_that_writes_the_key_changes_no_token(consul: ConsulServer, make: Make) -> None:
    first, second = locks_of(make()), locks_of(make())
    token = token_of(first)
    consul.put(f"/v1/kv/{KEY}", b"a stranger")
    assert first.keep("primary") == 10
    assert token_of(first) == token
    first.release("primary")
    assert token_of(second) > token


def test_a_stranger_that_deletes_the_key_takes_the_lock(consul: ConsulServer, make: Make) -> None:
    first, second = locks_of(make()), locks_of(make())
    token = token_of(first)
    consul.request("DELETE", f"/v1/kv/{KEY}")
    with pytest.raises(LockLostError):
        first.keep("primary")
    assert (following := token_of(second)) > token
    assert first.acquire("primary", "host-1", 10, 0.0) is None
    first.release("primary")
    second.release("primary")
    assert token_of(first) > following


def test_a_session_that_is_destroyed_is_a_lost_lock_and_the_delay_holds(consul: ConsulServer, make: Make) -> None:
    first, second = locks_of(make()), locks_of(make())
    token = token_of(first, delay_s=1)
    consul.put(f"/v1/session/destroy/{session_of(consul)['ID']}")
    with pytest.raises(LockLostError):
        first.keep("primary")
    assert second.acquire("primary", "host-2", 10, 1) is None, "the lock delay has begun"
    assert second.acquire("primary", "host-2", 10, 1) is None
    assert len(consul.get("/v1/session/list")) == 1, "the session waits for the next try"
    eventually_switching(lambda: second.acquire("primary", "host-2", 10, 1))
    assert token_of(second, "host-2") > token


def test_a_grant_whose_answer_was_lost_is_found_again(
    consul: ConsulServer, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make()
    locks = locks_of(client)
    put = locks._kv.put

    def lost(*arguments: Any, **named: Any) -> None:
        put(*arguments, **named)
        raise BackendUnavailableError("the connection was lost")

    with monkeypatch.context() as patch:
        patch.setattr(locks._kv, "put", lost)
        with pytest.raises(BackendUnavailableError):
            token_of(locks)
    (held,) = consul.get(f"/v1/kv/{KEY}")
    assert token_of(locks) == held["ModifyIndex"]
    assert locks.keep("primary") == 10
    assert len(consul.get("/v1/session/list")) == 1


def test_a_grant_whose_answer_was_lost_is_released(
    consul: ConsulServer, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    locks = locks_of(make())
    put = locks._kv.put

    def lost(*arguments: Any, **named: Any) -> None:
        put(*arguments, **named)
        raise BackendUnavailableError("the connection was lost")

    with monkeypatch.context() as patch:
        patch.setattr(locks._kv, "put", lost)
        with pytest.raises(BackendUnavailableError):
            token_of(locks)
    locks.release("primary")
    assert "Session" not in consul.get(f"/v1/kv/{KEY}")[0]
    assert token_of(locks_of(make())) > 0


def test_the_slash_at_the_beginning_means_nothing(consul: ConsulServer, make: Make) -> None:
    keys = keys_of(make())
    keys.put("/app/limits", b"7")
    (held,) = consul.get("/v1/kv/app/limits")
    version = str(held["ModifyIndex"])
    assert keys.get("app/limits") == Entry("app/limits", b"7", version)
    assert keys.get("/app/limits") == Entry("/app/limits", b"7", version)
    assert keys.list("") == (Entry("app/limits", b"7", version),)
    assert keys.list("/") == (Entry("/app/limits", b"7", version),)
    assert keys.compare_and_set("/app/limits", b"8", version)


def test_folders_of_the_user_interface_are_no_keys(consul: ConsulServer, make: Make) -> None:
    consul.put("/v1/kv/app/", b"")
    consul.put("/v1/kv/app/a", b"1")
    assert [entry.key for entry in keys_of(make()).list("app")] == ["app/a"]


def test_a_version_that_is_none_of_consuls_matches_nothing(make: Make) -> None:
    keys = keys_of(make())
    keys.put("app", b"1")
    for version in ("", "0", "-1", "x", "\u0663", str(2**64)):
        assert keys.compare_and_set("app", b"2", version) is False
    found = keys.get("app")
    assert found is not None
    assert found.value == b"1"


PY_CONSUL = """
import sys, consul
client = consul.Consul(host="127.0.0.1", port=int(sys.argv[1]))
_, key = client.kv.get("app/limits")
_, lock = client.kv.get("corepilot/locks/primary")
_, (found,) = client.health.service("web", passing=True)
print(key["Value"].decode(), lock["Value"].decode(), len(lock["Session"]))
service = found["Service"]
print(service["ID"], service["Tags"][0], service["Meta"]["version"], *service["Weights"].values())
"""


def test_independent_clients_read_what_we_wrote(consul: ConsulServer, make: Make) -> None:
    client = make()
    extras = (("consul.meta", ("version=1.4",)), ("consul.weights", (10, 0)))
    registration = Registration("web-host1", "web", "192.0.2.7", 8080, ("a",), ttl_s=60, extras=extras)
    client.register(registration, "passing", "ok")
    keys_of(client).put("app/limits", b"max=7")
    token = token_of(locks_of(client))

    def told(*command: str) -> str:
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, cwd="/").stdout

    def cli(*words: str) -> str:
        return told(str(CONSUL.binary()), *words[:2], f"-http-addr={consul.address}", *words[2:])

    assert told(sys.executable, "-I", "-c", PY_CONSUL, str(consul.port)).split() == [
        *("max=7", "host-1", "36", "web-host1", "a", "1.4", "10", "0")
    ]
    assert cli("kv", "get", "app/limits") == "max=7\n"
    detailed = dict(line.split(None, 1) for line in cli("kv", "get", "-detailed", KEY).splitlines())
    assert (detailed["Value"], detailed["ModifyIndex"]) == ("host-1", str(token))
    assert detailed["Session"] != "-"
    assert "web" in cli("catalog", "services").split()
    assert "test" in cli("catalog", "nodes", "-service=web")
