import shutil
import socket as native
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest
from gevent import ssl
from http_script import ScriptedServer, read_request, stay
from papers import authority, certificate, openssl

from corepilot.http.client import Client
from corepilot.http.errors import HttpConnectError, HttpTimeoutError
from corepilot.http.tls import TlsOptions

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
MakeClient = Callable[..., Client]


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two authorities; a server's certificate and a client's, signed by the first."""
    folder = tmp_path_factory.mktemp("tls")
    authority(folder, "ours")
    authority(folder, "theirs")
    certificate(folder, "server", "ours", "IP:127.0.0.1,DNS:consul.test")
    certificate(folder, "elsewhere", "ours", "DNS:elsewhere.test")
    certificate(folder, "client", "ours", "DNS:client.test")
    return folder


@pytest.fixture
def make_client() -> Iterator[MakeClient]:
    made: list[Client] = []

    def make(origin: str, **options: str | bool) -> Client:
        made.append(Client(origin, tls=TlsOptions(**options)))  # type: ignore[arg-type]  # whatever the test names
        return made[-1]

    yield make
    for client in made:
        client.close()


class TlsServer(ScriptedServer):
    def __init__(self, papers: Path, certificate: str = "server", *, ask_for_client: bool = False) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(papers / f"{certificate}.pem", papers / f"{certificate}.key")
        self.clients: list[object] = []
        if ask_for_client:
            self._context.verify_mode = ssl.CERT_REQUIRED
            self._context.load_verify_locations(papers / "ours.pem")
        super().__init__(self._answer)
        self.origin = f"https://127.0.0.1:{self.port}"

    def _answer(self, connected: native.socket) -> None:
        # In one step a handshake that fails would leave the descriptor open.
        with self._context.wrap_socket(connected, server_side=True, do_handshake_on_connect=False) as secure:
            secure.do_handshake()
            self.clients.append(secure.getpeercert())
            while read_request(secure):
                secure.sendall(OK)


def test_a_server_with_a_certificate_of_the_named_authority(papers: Path, make_client: MakeClient) -> None:
    with TlsServer(papers) as server:
        client = make_client(server.origin, ca_file=str(papers / "ours.pem"))
        for _ in range(3):
            assert client.request("GET", "/", deadline_s=10).body == b"ok"
    assert server.connections == 1


def test_a_directory_of_authorities(papers: Path, make_client: MakeClient, tmp_path: Path) -> None:
    shutil.copy(papers / "ours.pem", tmp_path / "ours.pem")
    openssl("rehash", tmp_path)
    with TlsServer(papers) as server:
        assert make_client(server.origin, ca_path=str(tmp_path)).request("GET", "/", deadline_s=10).status == 200


@pytest.mark.parametrize("options", [{}, {"ca_file": "theirs.pem"}], ids=["the-system's", "another"])
def test_a_certificate_of_another_authority(papers: Path, make_client: MakeClient, options: dict[str, str]) -> None:
    named = {key: str(papers / value) for key, value in options.items()}
    with TlsServer(papers) as server, pytest.raises(HttpConnectError, match="unable to get local issuer certificate"):
        make_client(server.origin, **named).request("GET", "/", deadline_s=10)


def test_a_certificate_for_another_host(papers: Path, make_client: MakeClient) -> None:
    with TlsServer(papers, "elsewhere") as server, pytest.raises(HttpConnectError, match="IP address mismatch"):
        make_client(server.origin, ca_file=str(papers / "ours.pem")).request("GET", "/", deadline_s=10)


def test_the_name_to_verify_can_be_given(papers: Path, make_client: MakeClient) -> None:
    with TlsServer(papers, "elsewhere") as server:
        client = make_client(server.origin, ca_file=str(papers / "ours.pem"), server_name="elsewhere.test")
        assert client.request("GET", "/", deadline_s=10).status == 200


def test_verification_can_be_switched_off(papers: Path, make_client: MakeClient) -> None:
    with TlsServer(papers, "elsewhere") as server:
        assert make_client(server.origin, verify=False).request("GET", "/", deadline_s=10).status == 200


def test_our_own_certificate_is_shown(papers: Path, make_client: MakeClient) -> None:
    with TlsServer(papers, ask_for_client=True) as server:
        client = make_client(
            server.origin,
            ca_file=str(papers / "ours.pem"),
            cert_file=str(papers / "client.pem"),
            key_file=str(papers / "client.key"),
        )
        assert client.request("GET", "/", deadline_s=10).status == 200
        assert "client" in str(server.clients)


def test_a_new_authority_in_the_same_file_counts_at_once(papers: Path, make_client: MakeClient, tmp_path: Path) -> None:
    trusted = tmp_path / "ca.pem"
    shutil.copy(papers / "theirs.pem", trusted)
    with TlsServer(papers) as server:
        client = make_client(server.origin, ca_file=str(trusted))
        with pytest.raises(HttpConnectError):
            client.request("GET", "/", deadline_s=10)
        shutil.copy(papers / "ours.pem", tmp_path / "new.pem")
        (tmp_path / "new.pem").replace(trusted)
        assert client.request("GET", "/", deadline_s=10).status == 200


@pytest.mark.parametrize("content", [None, "nonsense"])
def test_a_file_that_cannot_be_used(make_client: MakeClient, tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with ScriptedServer(stay) as server, pytest.raises(HttpConnectError):
        make_client(f"https://127.0.0.1:{server.port}", ca_file=str(file)).request("GET", "/", deadline_s=10)


def test_an_encrypted_key_is_an_error_and_no_question(papers: Path, make_client: MakeClient, tmp_path: Path) -> None:
    locked = tmp_path / "locked.key"
    openssl("ec", "-in", papers / "client.key", "-aes256", "-passout", "pass:x", "-out", locked)
    with TlsServer(papers) as server, pytest.raises(HttpConnectError):
        make_client(
            server.origin,
            ca_file=str(papers / "ours.pem"),
            cert_file=str(papers / "client.pem"),
            key_file=str(locked),
        ).request("GET", "/", deadline_s=10)


def test_a_server_that_speaks_no_tls(make_client: MakeClient) -> None:
    def answer_plainly(connected: native.socket) -> None:
        connected.recv(10)
        connected.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with ScriptedServer(answer_plainly) as server, pytest.raises(HttpConnectError):
        make_client(f"https://127.0.0.1:{server.port}").request("GET", "/", deadline_s=10)


def test_a_handshake_that_hangs_is_a_timeout(make_client: MakeClient) -> None:
    with ScriptedServer(stay) as server, pytest.raises(HttpTimeoutError, match="no connection within"):
        make_client(f"https://127.0.0.1:{server.port}").request("GET", "/", deadline_s=0.2)


def test_a_stream_over_tls_is_closed_from_another_greenlet(papers: Path, make_client: MakeClient) -> None:
    with TlsServer(papers) as server:
        client = make_client(server.origin, ca_file=str(papers / "ours.pem"))
        stream = client.stream("GET", "/", deadline_s=10, idle_s=60)
        assert next(stream) == b"ok"
        reader = gevent.spawn(list, stream)
        gevent.sleep(0)
        stream.close()
        assert reader.get(timeout=10) == []
