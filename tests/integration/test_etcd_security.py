"""etcd with users and with TLS, on real servers."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from corepilot_etcd.member import Member
from corepilot_etcd.plugin import Tls
from etcd_client import Clients
from eventually import eventually
from following import becomes
from papers import authority, certificate
from recording import config
from running import Corepilot, cli
from servers.etcd import EtcdServer

from corepilot.errors import BackendError, BackendRefusedError, BackendUnavailableError
from corepilot.model.service import Query, Registration
from corepilot.testing.backends import instance_of

WEB = Registration("web-host1", "web", "192.0.2.7", 8080, ttl_s=60)
ALL = Query("web")
PASSWORD = "correct-horse-battery"


@pytest.fixture
def guarded() -> Iterator[EtcdServer]:
    """A server that asks for a user: root may do everything, web what the documentation says."""
    with EtcdServer(client=("--user", "root:root")) as server:

        def ctl(*arguments: str) -> None:
            command = ["etcdctl", f"--endpoints={server.members[0].url}", *arguments]
            subprocess.run(command, check=True, capture_output=True, timeout=20)

        ctl("user", "add", "root:root")
        ctl("user", "grant-role", "root", "root")
        ctl("user", "add", f"web:{PASSWORD}")
        ctl("role", "add", "jobs")
        ctl("role", "grant-permission", "jobs", "readwrite", "--prefix=true", "/corepilot/")
        ctl("user", "grant-role", "web", "jobs")
        ctl("auth", "enable")
        yield server


@pytest.fixture
def clients(guarded: EtcdServer) -> Iterator[Clients]:
    with Clients(guarded) as made:
        yield made


def calls(clients: Clients, **options: object) -> list[Callable[[], object]]:
    client = clients.new(**options)
    return [
        lambda: client.register(WEB, "passing", "ok"),
        lambda: client.instances(ALL),
        lambda: next(client.watch(ALL)),
        lambda: client.keys.put("key", b"value"),
        lambda: client.locks.acquire("primary", "one", 10.0, 0.0),
    ]


def test_everything_is_allowed_by_the_documented_role(clients: Clients) -> None:
    client = clients.new(user="web", password=PASSWORD)
    follower = clients.follow(client.watch(ALL))
    client.register(WEB, "passing", "ok")
    client.report(WEB.id, "warning", "ok", 60)
    follower.until(lambda told: told == (instance_of(WEB, "warning"),))
    client.deregister(WEB.id)
    follower.until(lambda told: told == ())
    client.keys.put("app/key", b"value")
    assert [one.key for one in client.keys.list("app")] == ["app/key"]
    assert client.locks.acquire("primary", "one", 10.0, 0.0) is not None
    assert client.locks.keep("primary") == 10.0
    client.locks.release("primary")


@pytest.mark.parametrize("options", [{}, {"user": "web", "password": "wrong"}, {"user": "nobody", "password": "x"}])
def test_without_a_user_or_with_a_wrong_one_it_refuses(clients: Clients, options: dict[str, str]) -> None:
    for call in calls(clients, **options):
        with pytest.raises(BackendRefusedError, match="check the options user and password") as caught:
            call()
        assert "wrong" not in str(caught.value)


def test_a_wrong_password_ends_a_command_and_is_in_the_status(guarded: EtcdServer, tmp_path: Path) -> None:
    etcd = f'discovery: {{backend: "etcd", endpoints: ["{guarded.endpoints[0]}"], user: "web", password: "wrong"}}'
    job = (
        '{name: "web", exec: "sleep 1000", port: 80, interfaces: ["static:127.0.0.1"], instance: "a", initial_status: '
    )
    job += '"passing", health: {interval: 1, ttl: 10}}'
    text = config(job, f'{etcd}, watches: [{{name: "db"}}],').replace("consul: false, ", "")
    with Corepilot(text, tmp_path) as corepilot:
        corepilot.until_ready()
        eventually(
            lambda: [(one["connected"], one["refused"]) for one in corepilot.status()["catalogs"]] == [(False, True)]
        )
        # Of the instance, and of the watch.
        eventually(lambda: corepilot.client("status").stdout.count("authentication failed") == 2)
        assert corepilot.stop() == 0
    lock = cli("lock", "-c", str(corepilot.file), "job", "--", "true", environment=corepilot.environment)
    assert lock.returncode == 1
    (line,) = lock.stderr.splitlines()
    assert "authentication failed" in line


def test_a_refused_password_is_shown_once_in_five_seconds(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    client = clients.new(user="web", password="wrong")
    shown: list[str] = []
    ask = Member.ask

    def counting(self: Member, path: str, *arguments: Any, **named: Any) -> Any:
        shown.append(path)
        return ask(self, path, *arguments, **named)

    monkeypatch.setattr(Member, "ask", counting)
    for _ in range(20):
        with pytest.raises(BackendRefusedError, match="authentication failed"):
            client.instances(ALL)
    assert shown == ["/v3/auth/authenticate"]


def test_what_the_role_does_not_allow_is_refused(clients: Clients, guarded: EtcdServer) -> None:
    guarded.ctl("put", "/others/key", "value")
    client = clients.new(user="web", password=PASSWORD)
    with pytest.raises(BackendRefusedError, match="permission denied"):
        client.keys.get("/others/key")
    with pytest.raises(BackendRefusedError, match="permission denied"):
        client.keys.put("/others/key", b"")
    follower = clients.follow(client.keys.watch("/others/key"))
    assert isinstance(follower.ended(), BackendRefusedError)
    follower_below = clients.follow(clients.new(prefix="/others", user="web", password=PASSWORD).watch(ALL))
    assert isinstance(follower_below.ended(), BackendRefusedError)


def test_a_permission_that_is_taken_away_is_a_refusal_and_no_empty_list(clients: Clients, guarded: EtcdServer) -> None:
    client = clients.new(user="web", password=PASSWORD)
    client.register(WEB, "passing", "ok")
    guarded.ctl("role", "revoke-permission", "jobs", "/corepilot/", "--prefix=true")
    for call in (lambda: client.instances(ALL), lambda: client.report(WEB.id, "passing", "ok", 60)):
        with pytest.raises(BackendRefusedError, match="permission denied"):
            call()
    guarded.ctl("role", "grant-permission", "jobs", "readwrite", "--prefix=true", "/corepilot/")
    client.report(WEB.id, "passing", "ok", 60)
    assert client.instances(ALL) == (instance_of(WEB, "passing"),)


def test_a_token_that_the_server_has_forgotten_is_asked_for_again(clients: Clients, guarded: EtcdServer) -> None:
    """A restart forgets them all. A hundred calls at once ask for one."""
    client = clients.new(user="web", password=PASSWORD)
    client.register(WEB, "passing", "ok")
    guarded.kill()
    guarded.start()
    reports = [gevent.spawn(client.report, WEB.id, "passing", "ok", 60) for _ in range(100)]
    gevent.joinall(reports, timeout=20, raise_error=True)
    follower = clients.follow(client.watch(ALL))
    follower.until(lambda told: told == (instance_of(WEB, "passing"),))


def test_a_password_that_is_changed_counts_from_the_next_login_on(clients: Clients, guarded: EtcdServer) -> None:
    client = clients.new(user="web", password=PASSWORD)
    client.register(WEB, "passing", "ok")
    command = ["etcdctl", f"--endpoints={guarded.members[0].url}", "--user=root:root", "user", "passwd", "web"]
    subprocess.run([*command, "--interactive=false"], input=b"another", check=True, capture_output=True, timeout=20)
    with pytest.raises(BackendRefusedError):
        client.report(WEB.id, "passing", "ok", 60)
    clients.new(user="web", password="another").register(WEB, "passing", "ok")


def test_a_server_that_asks_nobody_takes_users_too(clients: Clients, guarded: EtcdServer) -> None:
    guarded.ctl("auth", "disable")
    guarded._client = ()
    client = clients.new(user="web", password="anything")
    client.register(WEB, "passing", "ok")
    client.report(WEB.id, "passing", "ok", 60)


def test_users_are_asked_for_while_it_runs(clients: Clients, guarded: EtcdServer) -> None:
    guarded.ctl("auth", "disable")
    client = clients.new(user="web", password=PASSWORD)
    client.register(WEB, "passing", "ok")
    subprocess.run(["etcdctl", f"--endpoints={guarded.members[0].url}", "auth", "enable"], check=True, timeout=20)
    client.report(WEB.id, "warning", "ok", 60)
    assert client.instances(ALL) == (instance_of(WEB, "warning"),)


def test_no_message_holds_the_password(clients: Clients, guarded: EtcdServer) -> None:
    client = clients.new(user="web", password=PASSWORD)
    client.register(WEB, "passing", "ok")
    token = client._transport._token.value
    assert token
    guarded.kill()
    said = [json.dumps(clients.said), repr(client)]
    for call in calls(clients, user="web", password=PASSWORD):
        with pytest.raises(BackendError) as caught:
            call()
        said.append(str(caught.value))
    assert not [text for text in said if PASSWORD in text or token in text]


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("papers")
    for name in ("ca", "other"):
        authority(folder, name)
    certificate(folder, "server", "ca", "IP:127.0.0.1,DNS:etcd.test")
    certificate(folder, "elsewhere", "ca", "DNS:etcd.test")
    certificate(folder, "client", "ca", "DNS:client.test")
    return folder


def tls_server(papers: Path, name: str = "server", *more: str) -> EtcdServer:
    arguments = ("--cert-file", str(papers / f"{name}.pem"), "--key-file", str(papers / f"{name}.key"), *more)
    client = (
        *("--cacert", str(papers / "ca.pem"), "--cert", str(papers / "client.pem")),
        *("--key", str(papers / "client.key"), "--insecure-skip-tls-verify"),
    )
    return EtcdServer(arguments=arguments, scheme="https", client=client)


@pytest.fixture(scope="module")
def tls_guarded(papers: Path) -> Iterator[EtcdServer]:
    """One that talks to those only who have a certificate of the authority."""
    with tls_server(papers, "server", "--client-cert-auth", "--trusted-ca-file", str(papers / "ca.pem")) as server:
        yield server


@pytest.fixture
def tls_clients(tls_guarded: EtcdServer) -> Iterator[Clients]:
    with Clients(tls_guarded) as made:
        yield made
    tls_guarded.reset()


def ours(papers: Path, cafile: str = "ca") -> Tls:
    return Tls(
        cafile=str(papers / f"{cafile}.pem"),
        clientcert=str(papers / "client.pem"),
        clientkey=str(papers / "client.key"),
    )


def test_https_with_certificates_on_both_sides(tls_clients: Clients, papers: Path) -> None:
    client = tls_clients.new(tls=ours(papers))
    follower = tls_clients.follow(client.watch(ALL))
    client.register(WEB, "passing", "ok")
    follower.until(lambda told: told == (instance_of(WEB, "passing"),))
    for _ in range(3):
        client.report(WEB.id, "passing", "ok", 60)
    client.deregister(WEB.id)
    follower.until(lambda told: told == ())


def test_a_server_of_another_authority_is_refused(tls_clients: Clients, papers: Path) -> None:
    for tls in (ours(papers, cafile="other"), Tls()):
        with pytest.raises(BackendUnavailableError, match="certificate"):
            tls_clients.new(tls=tls).register(WEB, "passing", "ok")


def test_without_a_certificate_of_ours_it_does_not_talk(tls_clients: Clients, papers: Path) -> None:
    with pytest.raises(BackendError):
        tls_clients.new(tls=Tls(cafile=str(papers / "ca.pem"))).register(WEB, "passing", "ok")


def test_http_to_an_https_port_is_no_answer(tls_clients: Clients, tls_guarded: EtcdServer) -> None:
    endpoint = tls_guarded.members[0].url.replace("https", "http")
    with pytest.raises(BackendError):
        tls_clients.new(endpoints=(endpoint,)).register(WEB, "passing", "ok")


def test_the_name_in_the_certificate_counts(papers: Path) -> None:
    with tls_server(papers, "elsewhere") as server, Clients(server) as clients:
        cafile = str(papers / "ca.pem")
        with pytest.raises(BackendUnavailableError, match="certificate"):
            clients.new(tls=Tls(cafile=cafile)).register(WEB, "passing", "ok")
        clients.new(tls=Tls(cafile=cafile, servername="etcd.test")).register(WEB, "passing", "ok")
        clients.new(tls=Tls(verify=False)).register(WEB, "passing", "ok")


def test_a_held_connection_of_https_is_noticed_too(tls_clients: Clients, tls_guarded: EtcdServer, papers: Path) -> None:
    client = tls_clients.new(tls=ours(papers), timeout=0.5)
    follower = tls_clients.follow(client.watch(ALL))
    client.register(WEB, "passing", "ok")
    follower.until(lambda told: told == (instance_of(WEB, "passing"),))
    tls_guarded.pause()
    try:
        assert isinstance(follower.ended(), BackendError)
    finally:
        tls_guarded.resume()
    becomes(lambda: client.instances(ALL) is not None)
