"""Consul with access control and with TLS, on real agents whose certificates Consul's own program made."""

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from corepilot_consul.backend import ConsulBackend
from corepilot_consul.plugin import Options, Tls
from go_programs import CONSUL
from http_script import eventually_switching
from servers.consul import ConsulServer
from servers.process import free_port

from corepilot.discovery.connection import Connection
from corepilot.discovery.watcher import CatalogView, Watcher
from corepilot.errors import BackendRefusedError, BackendUnavailableError
from corepilot.model.configuration import Watch
from corepilot.model.service import Query, Registration
from corepilot.system.backoff import Backoff
from corepilot.testing.suite import context, instance_of

WEB = Registration("web-host1", "web", "192.0.2.7", 8080, ttl_s=60)
ROOT = "8e6b1c4e-3a7a-4b86-9b9e-5c0d7f1a2b3c"
RULES = 'service_prefix "" { policy = "write" } node_prefix "" { policy = "read" }'

Open = Callable[[Options], ConsulBackend]


@pytest.fixture
def open_one() -> Iterator[Open]:
    made: list[ConsulBackend] = []

    def one(options: Options) -> ConsulBackend:
        made.append(ConsulBackend(options, context()))
        return made[-1]

    yield one
    for client in made:
        client.close()


@pytest.fixture(scope="module")
def guarded() -> Iterator[ConsulServer]:
    """An agent that denies what no token allows."""
    tokens = {"initial_management": ROOT, "agent": ROOT}
    config = {"acl": {"enabled": True, "default_policy": "deny", "enable_token_persistence": False, "tokens": tokens}}
    with ConsulServer(config, token=ROOT) as server:
        server.put("/v1/acl/policy", {"Name": "jobs", "Rules": RULES})
        yield server


def new_token(server: ConsulServer) -> dict[str, Any]:
    token: dict[str, Any] = server.put("/v1/acl/token", {"Policies": [{"Name": "jobs"}]})
    return token


def walk(client: ConsulBackend) -> None:
    """Everything a backend does."""
    client.register(WEB, "passing", "ok")
    client.report(WEB.id, "warning", "so-so", 60)
    for snapshot in client.watch(Query("web", interval_s=1)):
        if snapshot == (instance_of(WEB, "warning"),):
            break
    client.deregister(WEB.id)


def calls(client: ConsulBackend) -> list[Callable[[], object]]:
    return [
        lambda: client.register(WEB, "passing", "ok"),
        lambda: client.report(WEB.id, "passing", "ok", 60),
        lambda: client.deregister(WEB.id),
    ]


def test_every_request_is_allowed_by_its_token(guarded: ConsulServer, open_one: Open) -> None:
    walk(open_one(Options(address=guarded.address, token=new_token(guarded)["SecretID"])))


@pytest.mark.parametrize("token", ["", "5f0c7a3e-1111-4222-8333-444455556666"])
def test_without_a_token_or_with_a_wrong_one_the_agent_refuses(
    guarded: ConsulServer, open_one: Open, token: str
) -> None:
    guarded.put("/v1/agent/service/register", {"Name": WEB.service, "ID": WEB.id, "Check": {"TTL": "60s"}})
    for call in calls(open_one(Options(address=guarded.address, token=token))):
        with pytest.raises(BackendRefusedError, match="check that the ACL token allows this") as caught:
            call()
        assert not token or token not in str(caught.value)
    guarded.put(f"/v1/agent/service/deregister/{WEB.id}")


def test_a_rotated_token_counts_at_once(guarded: ConsulServer, open_one: Open, tmp_path: Path) -> None:
    old, new = new_token(guarded), new_token(guarded)
    file = tmp_path / "token"
    file.write_text(old["SecretID"] + "\n")
    client = open_one(Options(address=guarded.address, token_file=str(file)))
    walk(client)
    client.register(WEB, "passing", "ok")
    guarded.request("DELETE", f"/v1/acl/token/{old['AccessorID']}")
    with pytest.raises(BackendRefusedError):
        client.report(WEB.id, "passing", "ok", 60)
    file.write_text(new["SecretID"])
    client.report(WEB.id, "passing", "ok", 60)
    walk(client)


@pytest.fixture
def reader(guarded: ConsulServer) -> Iterator[dict[str, Any]]:
    """A token that may read services and nodes, and whose policies are its own."""
    rules = 'service_prefix "" { policy = "read" } node_prefix "" { policy = "read" }'
    policy = guarded.put("/v1/acl/policy", {"Name": "readers", "Rules": rules})
    yield guarded.put("/v1/acl/token", {"Policies": [{"Name": "readers"}]})
    guarded.request("DELETE", f"/v1/acl/policy/{policy['ID']}")


def lose_service_read(server: ConsulServer, token: dict[str, Any]) -> None:
    server.put(f"/v1/acl/token/{token['AccessorID']}", {**token, "Policies": []})


def lose_node_read(server: ConsulServer, _token: dict[str, Any]) -> None:
    held = server.get("/v1/acl/policy/name/readers")
    server.put(f"/v1/acl/policy/{held['ID']}", {**held, "Rules": 'service_prefix "" { policy = "read" }'})


def delete_token(server: ConsulServer, token: dict[str, Any]) -> None:
    server.request("DELETE", f"/v1/acl/token/{token['AccessorID']}")


@pytest.mark.parametrize("lose", [lose_service_read, lose_node_read, delete_token])
def test_an_answer_that_is_not_whole_changes_nothing(
    guarded: ConsulServer, open_one: Open, reader: dict[str, Any], lose: Callable[[ConsulServer, dict[str, Any]], None]
) -> None:
    """hashicorp/consul#20790: Consul answers 200 and an empty list."""
    open_one(Options(address=guarded.address, token=ROOT)).register(WEB, "passing", "ok")
    events: list[str] = []
    lines: list[tuple[str, str]] = []
    client = open_one(Options(address=guarded.address, token=reader["SecretID"]))
    view = CatalogView("consul", client, Connection(1.0), lambda level, text: lines.append((level, text)))
    watcher = Watcher(
        Watch("web", interval_s=1, at_start=True),
        [view],
        lambda event: events.append(event.code),
        backoff=Backoff(0.05, most_s=0.1),
    )
    watcher.start()
    try:
        eventually_switching(lambda: events == ["changed", "healthy"])
        lose(guarded, reader)
        # A change wakes the query that waits: Consul looks at permissions when it answers.
        guarded.put("/v1/agent/service/register", {"Name": "web", "ID": "web-other", "Check": {"TTL": "60s"}})
        eventually_switching(lambda: watcher.last_error)
        refused_for = watcher.last_error
        eventually_switching(lambda: watcher.lag_s > 0.5)
        assert events == ["changed", "healthy"]
        assert [one.id for one in watcher.instances] == [WEB.id]
        assert [level for level, _ in lines] == ["warning"]
        if lose is not delete_token:
            assert 'service:read for "web" and node:read' in refused_for
            assert 'service:read for "web" and node:read' in lines[0][1]
    finally:
        watcher.close()
        for one in guarded.get("/v1/agent/services"):
            guarded.put(f"/v1/agent/service/deregister/{one}")


def test_a_first_answer_that_is_not_whole_means_unknown(guarded: ConsulServer, open_one: Open) -> None:
    guarded.put("/v1/agent/service/register", {"Name": "web", "ID": WEB.id, "Check": {"TTL": "60s"}})
    token = guarded.put("/v1/acl/token", {"Policies": []})["SecretID"]
    client = open_one(Options(address=guarded.address, token=token))
    for look in (client.instances, lambda query: next(iter(client.watch(query)))):
        with pytest.raises(BackendRefusedError, match=r'the answer is not whole.*service:read for "web"'):
            look(Query("web"))
    guarded.put(f"/v1/agent/service/deregister/{WEB.id}")


@pytest.fixture
def writer(guarded: ConsulServer) -> Iterator[str]:
    """A token for keys below app and for the lock primary, as the reference page says."""
    rules = (
        'key_prefix "app" { policy = "write" } key_prefix "corepilot/locks/primary" { policy = "write" }'
        ' session_prefix "" { policy = "write" }'
    )
    policy = guarded.put("/v1/acl/policy", {"Name": "writers", "Rules": rules})
    yield guarded.put("/v1/acl/token", {"Policies": [{"Name": "writers"}]})["SecretID"]
    guarded.request("DELETE", "/v1/kv/?recurse")
    guarded.request("DELETE", f"/v1/acl/policy/{policy['ID']}")


def test_keys_and_locks_with_the_permissions_of_the_reference(
    guarded: ConsulServer, open_one: Open, writer: str
) -> None:
    client = open_one(Options(address=guarded.address, token=writer))
    keys, locks = client.keys, client.locks
    assert keys is not None
    assert locks is not None
    keys.put("app/limits", b"7")
    assert [entry.value for entry in keys.list("app")] == [b"7"]
    assert [entry.value for entry in next(iter(keys.watch("app", prefix=True)))] == [b"7"]
    assert locks.acquire("primary", "host-1", 10, 0.0) is not None
    assert locks.keep("primary") == 10
    assert next(iter(locks.watch("primary"))) == "host-1"
    locks.release("primary")
    with pytest.raises(BackendRefusedError, match="check that the ACL token allows this"):
        locks.acquire("secondary", "host-1", 10, 0.0)
    with pytest.raises(BackendRefusedError, match="check that the ACL token allows this"):
        keys.put("other", b"")


def test_a_list_of_keys_that_is_not_whole_is_a_refusal(guarded: ConsulServer, open_one: Open, writer: str) -> None:
    guarded.put("/v1/kv/other/a", b"1")
    guarded.put("/v1/kv/app/a", b"1")
    keys = open_one(Options(address=guarded.address, token=writer)).keys
    assert keys is not None
    looks: tuple[Callable[[], object], ...] = (
        lambda: keys.list(""),
        lambda: keys.list("other"),
        lambda: next(iter(keys.watch("", prefix=True))),
    )
    for look in looks:
        with pytest.raises(BackendRefusedError, match=r"the answer is not whole.*give it key:read|Permission denied"):
            look()
    with pytest.raises(BackendRefusedError):
        keys.get("other/a")


@dataclass(frozen=True)
class Certificates:
    ca: str
    server: str
    server_key: str
    client: str
    client_key: str


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """An authority, a certificate for server.dc1.consul, localhost and 127.0.0.1, and one for a client."""
    where = tmp_path_factory.mktemp("certificates")
    for arguments in (["ca", "create"], ["cert", "create", "-server"], ["cert", "create", "-client"]):
        subprocess.run([CONSUL.binary(), "tls", *arguments], cwd=where, check=True, capture_output=True, timeout=60)
    server, client = "dc1-server-consul-0", "dc1-client-consul-0"
    names = ("consul-agent-ca", server, f"{server}-key", client, f"{client}-key")
    return Certificates(*(str(where / f"{name}.pem") for name in names))


@pytest.fixture(scope="module", params=[False, True], ids=["server only", "both sides"])
def both_sides(request: pytest.FixtureRequest) -> bool:
    """Whether the agent wants a certificate of its clients."""
    wanted: bool = request.param
    return wanted


@pytest.fixture(scope="module")
def secure(certificates: Certificates, both_sides: bool) -> Iterator[str]:  # noqa: FBT001  - a fixture
    """The address of an agent's HTTPS port."""
    port = free_port()
    https = {
        "ca_file": certificates.ca,
        "cert_file": certificates.server,
        "key_file": certificates.server_key,
        "verify_incoming": both_sides,
    }
    with ConsulServer({"ports": {"https": port}, "tls": {"https": https}}):
        yield f"https://127.0.0.1:{port}"


@pytest.fixture
def ours(certificates: Certificates, both_sides: bool) -> Tls:  # noqa: FBT001  - a fixture
    """Our own certificate, where it is wanted."""
    return Tls(clientcert=certificates.client, clientkey=certificates.client_key) if both_sides else Tls()


def test_the_agents_certificate_is_verified_against_the_ca_file(
    secure: str, certificates: Certificates, ours: Tls, open_one: Open
) -> None:
    walk(open_one(Options(address=secure, tls=replace(ours, cafile=certificates.ca))))


def test_an_unknown_authority_is_refused_by_default(secure: str, ours: Tls, open_one: Open) -> None:
    for call in calls(open_one(Options(address=secure, token="s3cret", tls=ours))):
        with pytest.raises(BackendUnavailableError, match=r"(?i)certificate") as caught:
            call()
        assert "s3cret" not in str(caught.value)


def test_verification_can_be_turned_off(secure: str, ours: Tls, open_one: Open) -> None:
    walk(open_one(Options(address=secure, tls=replace(ours, verify=False))))


def test_the_name_in_the_certificate_counts(secure: str, certificates: Certificates, ours: Tls, open_one: Open) -> None:
    ca = certificates.ca
    walk(open_one(Options(address=secure, tls=replace(ours, cafile=ca, servername="server.dc1.consul"))))
    client = open_one(Options(address=secure, tls=replace(ours, cafile=ca, servername="other.dc1.consul")))
    with pytest.raises(BackendUnavailableError, match=r"(?i)hostname mismatch"):
        client.deregister(WEB.id)


def test_a_client_certificate_that_is_wanted_and_missing(
    secure: str,
    certificates: Certificates,
    both_sides: bool,  # noqa: FBT001  - a fixture
    open_one: Open,
) -> None:
    client = open_one(Options(address=secure, tls=Tls(cafile=certificates.ca, clientcert=certificates.client)))
    if both_sides:
        with pytest.raises(BackendUnavailableError):
            client.deregister(WEB.id)
    else:
        client.deregister(WEB.id)


def test_a_ca_file_that_is_gone_is_named(secure: str, open_one: Open) -> None:
    client = open_one(Options(address=secure, tls=Tls(cafile="/nonexistent/ca.pem")))
    with pytest.raises(BackendUnavailableError, match=r"/nonexistent/ca\.pem"):
        client.deregister(WEB.id)


def test_plain_http_on_a_tls_port_and_the_other_way_round(secure: str, consul: ConsulServer, open_one: Open) -> None:
    for address in (secure.replace("https", "http"), f"https://{consul.address}"):
        client = open_one(Options(address=address, tls=Tls(verify=False)))
        with pytest.raises((BackendUnavailableError, BackendRefusedError)):
            client.deregister(WEB.id)
