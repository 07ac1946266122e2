"""ZooKeeper with credentials and with TLS, on real servers."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest
from corepilot_zookeeper.backend import ZooKeeperBackend
from corepilot_zookeeper.plugin import Auth, Tls
from following import becomes
from papers import authority, certificate, openssl
from servers.zookeeper import ZooKeeperServer
from zookeeper_client import Clients, witness

from corepilot.errors import BackendError, BackendRefusedError, BackendTimeoutError, BackendUnavailableError
from corepilot.model.service import Query, Registration
from corepilot.testing.backends import instance_of

WEB = Registration("web-host1", "web", "192.0.2.7", 8080, ttl_s=60)
ALL = Query("web")
SECRET = "web:correct-horse-battery"


@pytest.fixture
def clients(zookeeper: ZooKeeperServer) -> Iterator[Clients]:
    with Clients(zookeeper.hosts, f"/t{os.urandom(4).hex()}") as made:
        yield made


def calls(client: ZooKeeperBackend) -> list[Callable[[], object]]:
    return [
        lambda: client.register(WEB, "passing", "ok"),
        lambda: client.instances(ALL),
        lambda: client.keys.put("key", b"value"),
        lambda: client.keys.get("key"),
        lambda: next(client.keys.watch("key")),
        lambda: client.locks.acquire("primary", "one", 10.0, 0.0),
    ]


def test_what_is_protected_can_be_changed_with_the_credential_only(clients: Clients) -> None:
    auth = Auth(credential=SECRET, protect=True)
    client, same, other = clients.new(auth=auth), clients.new(auth=auth), clients.new()
    client.register(WEB, "passing", "ok")
    client.keys.put("key", b"value")
    assert same.instances(ALL) == other.instances(ALL) == (instance_of(WEB, "passing"),)
    found = other.keys.get("key")
    assert found is not None
    with pytest.raises(BackendRefusedError, match="no permission"):
        other.keys.put("key", b"other")
    with pytest.raises(BackendRefusedError, match="no permission"):
        other.register(WEB, "passing", "ok")
    same.keys.put("key", b"same")
    same.register(WEB.changed(port=1), "passing", "ok")


def test_without_permission_all_of_it_is_refused(clients: Clients) -> None:
    witness(
        clients.hosts,
        f"""
from kazoo.security import make_digest_acl
client.add_auth("digest", "web:correct-horse-battery")
acl = [make_digest_acl("web", "correct-horse-battery", all=True)]
for name in ("", "/services", "/services/web", "/critical", "/critical/web", "/keys", "/keys/key", "/locks"):
    client.create("{clients.prefix}" + name, b"", acl)
client.create("{clients.prefix}/locks/primary", b"", acl)
""",
    )
    client = clients.new()
    for call in calls(client):
        with pytest.raises(BackendRefusedError, match="no permission"):
            call()
    for call in calls(clients.new(auth=Auth(credential=SECRET))):
        call()


def test_a_credential_that_the_server_does_not_take_is_refused(clients: Clients) -> None:
    client = clients.new(auth=Auth(scheme="x509", credential=SECRET))
    for call in calls(client):
        with pytest.raises(BackendRefusedError, match=r"does not accept auth\.credential"):
            call()
    assert SECRET not in repr(client) + client.address


def test_no_message_holds_the_credential(clients: Clients, zookeeper: ZooKeeperServer) -> None:
    client = clients.new(auth=Auth(credential=SECRET))
    client.register(WEB, "passing", "ok")
    messages = []
    zookeeper.kill()
    for call in calls(client):
        with pytest.raises(BackendError) as caught:
            call()
        messages.append(str(caught.value))
    assert not [text for text in (*messages, *(said for _, said in clients.said)) if "correct-horse" in text]


@pytest.mark.parametrize("chroot", ["/not/there", "/fresh"])
def test_a_chroot_has_to_exist(clients: Clients, chroot: str) -> None:
    client = clients.new(hosts=f"{clients.hosts}{chroot}")
    for call in (*calls(client)[:1], *calls(client)[2:3], *calls(client)[5:]):
        with pytest.raises(BackendRefusedError, match="the path at the end of hosts does not exist; create it"):
            call()
    assert client.instances(ALL) == ()
    assert chroot[1:] not in witness(clients.hosts, 'told = client.get_children("/")')


def test_a_chroot_is_put_before_every_path(clients: Clients) -> None:
    witness(clients.hosts, f'client.ensure_path("{clients.prefix}/chroot")')
    client = clients.new(hosts=f"{clients.hosts}{clients.prefix}/chroot", prefix="/corepilot")
    follower = clients.follow(client.watch(ALL))
    follower.until(lambda told: told == ())
    keys = clients.follow(client.keys.watch("/a", prefix=True))
    keys.until(lambda told: told == ())
    for call in calls(client):
        call()
    client.keys.put("/a/b", b"absolute")
    follower.until(lambda told: told == (instance_of(WEB, "passing"),))
    assert keys.until(bool)[0].key == "/a/b"
    found = witness(clients.hosts, f'told = sorted(client.get_children("{clients.prefix}/chroot/corepilot"))')
    assert found == ["keys", "locks", "services"]


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("papers")
    for name in ("ca", "other"):
        authority(folder, name)
    certificate(folder, "server", "ca", "IP:127.0.0.1,DNS:zookeeper.test")
    certificate(folder, "elsewhere", "ca", "DNS:zookeeper.test")
    certificate(folder, "client", "ca", "DNS:client.test")
    for name in ("server", "elsewhere"):
        openssl(
            *("pkcs12", "-export", "-out", folder / f"{name}.p12", "-passout", "pass:papers"),
            *("-in", folder / f"{name}.pem", "-inkey", folder / f"{name}.key"),
        )
    return folder


def tls_server(papers: Path, name: str = "server", authentication: str = "need") -> ZooKeeperServer:
    settings = {
        "serverCnxnFactory": "org.apache.zookeeper.server.NettyServerCnxnFactory",
        "ssl.keyStore.location": str(papers / f"{name}.p12"),
        "ssl.keyStore.password": "papers",
        "ssl.trustStore.location": str(papers / "ca.pem"),
        "ssl.clientAuth": authentication,
        "ssl.hostnameVerification": "false",
        "ssl.clientHostnameVerification": "false",
    }
    return ZooKeeperServer(settings, secure=True)


@pytest.fixture
def tls_clients(papers: Path) -> Iterator[Clients]:
    with tls_server(papers) as server, Clients(server.secure_hosts, "/corepilot") as made:
        yield made


def ours(papers: Path, cafile: str = "ca") -> Tls:
    return Tls(
        enabled=True,
        cafile=str(papers / f"{cafile}.pem"),
        clientcert=str(papers / "client.pem"),
        clientkey=str(papers / "client.key"),
    )


def test_tls_with_certificates_on_both_sides(tls_clients: Clients, papers: Path) -> None:
    client = tls_clients.new(tls=ours(papers))
    follower = tls_clients.follow(client.watch(ALL))
    registrations = [WEB.changed(id=f"web-{number:03}") for number in range(200)]
    group = [gevent.spawn(client.register, one, "passing", "ok") for one in registrations]
    gevent.joinall(group, timeout=20, raise_error=True)
    follower.until(lambda told: told == tuple(instance_of(one, "passing") for one in registrations))
    client.keys.put("large", b"x" * 500_000)
    found = client.keys.get("large")
    assert found is not None
    assert len(found.value) == 500_000
    for one in registrations:
        client.report(one.id, "critical", "", 60)
    follower.until(lambda told: {one.status for one in told} == {"critical"})


def test_a_server_of_another_authority_is_refused(tls_clients: Clients, papers: Path) -> None:
    for tls in (ours(papers, cafile="other"), Tls(enabled=True)):
        with pytest.raises(BackendUnavailableError, match="certificate"):
            tls_clients.new(tls=tls).register(WEB, "passing", "ok")


def test_without_a_certificate_of_ours_it_does_not_talk(tls_clients: Clients, papers: Path) -> None:
    tls = Tls(enabled=True, cafile=str(papers / "ca.pem"))
    with pytest.raises(BackendError), gevent.Timeout(10, BackendTimeoutError("no answer")):
        tls_clients.new(tls=tls).register(WEB, "passing", "ok")


def test_a_file_that_is_missing_is_named(tls_clients: Clients) -> None:
    with pytest.raises(BackendUnavailableError, match=r"/nonexistent/ca\.pem"):
        tls_clients.new(tls=Tls(enabled=True, cafile="/nonexistent/ca.pem")).register(WEB, "passing", "ok")


def test_plain_to_a_tls_port_is_no_answer(tls_clients: Clients) -> None:
    with pytest.raises(BackendError), gevent.Timeout(15, BackendTimeoutError("no answer")):
        tls_clients.new().register(WEB, "passing", "ok")


def test_the_name_in_the_certificate_counts(papers: Path) -> None:
    with tls_server(papers, "elsewhere", "none") as server, Clients(server.secure_hosts, "/corepilot") as clients:
        cafile = str(papers / "ca.pem")
        with pytest.raises(BackendUnavailableError, match="certificate"):
            clients.new(tls=Tls(enabled=True, cafile=cafile)).register(WEB, "passing", "ok")
        for tls in (
            Tls(enabled=True, cafile=cafile, servername="zookeeper.test"),
            Tls(enabled=True, verify=False),
        ):
            client = clients.new(tls=tls)
            becomes(lambda client=client: client.register(WEB, "passing", "ok") or True)  # type: ignore[misc]
