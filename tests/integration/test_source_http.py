"""The source for web servers, against real ones: answers, ETags, tokens, TLS, and servers that misbehave."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from configuration_server import ConfigurationServer, Talker
from papers import authority, certificate

from corepilot.sources.http import CA_FILE, TOKEN, TOKEN_FILE, HttpSource
from corepilot.sources.source import MAX_BYTES, SourceContext, SourceError, SourceText

SOON_S = 20.0


@pytest.fixture
def server() -> Iterator[ConfigurationServer]:
    with ConfigurationServer("{jobs: ['ä']}") as made:
        yield made


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    authority(folder, "ours")
    authority(folder, "theirs")
    certificate(folder, "server", "ours", "IP:127.0.0.1")
    certificate(folder, "elsewhere", "ours", "DNS:elsewhere.test")
    return folder


def read(
    location: str,
    environment: dict[str, str] | None = None,
    known: tuple[SourceText, ...] = (),
    deadline_s: float = SOON_S,
) -> SourceText:
    return HttpSource().read(location, SourceContext(deadline_s, environment, known))


def refusal(location: str, environment: dict[str, str] | None = None, deadline_s: float = SOON_S) -> str:
    with pytest.raises(SourceError) as caught:
        read(location, environment, deadline_s=deadline_s)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_document_is_read_with_its_version(server: ConfigurationServer) -> None:
    found = read(f"{server.origin}/a/b.json5?x=1&y#ca-file=/none")
    assert (found.text, found.version, found.path, found.warnings) == ("{jobs: ['ä']}", '"1"', None, ())
    assert found.name == f"{server.origin}/a/b.json5?…#…"
    ((path, headers),) = server.asked
    assert path == "/a/b.json5?x=1&y"
    assert "Authorization" not in headers
    assert headers["Host"] == f"127.0.0.1:{server.port}"
    assert headers["User-Agent"].startswith("corepilot/")


def test_what_is_still_the_same_is_not_sent_again(server: ConfigurationServer) -> None:
    first = read(server.origin)
    again = read(server.origin, known=(first,))
    assert again is first
    server.text, server.etag = "{}", '"2"'
    assert read(server.origin, known=(again,)).text == "{}"
    assert server.answered == [200, 304, 200]
    server.etag = ""
    assert read(server.origin).version == ""


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (404, "the server answers 404 Not Found; check the URL"),
        (
            401,
            f"the server answers 401 Unauthorized; give a token: ${TOKEN}, ${TOKEN_FILE}, or #token-file=PATH behind",
        ),
        (403, "the server answers 403 Forbidden; check what the token permits"),
        (500, "the server answers 500 Internal Server Error; look at the server's log"),
        (204, "the server answers 204 No Content; look at the server's log"),
        (206, "the server answers 206 Partial Content; look"),
        (304, "the server answers 304 and points to nowhere"),
    ],
)
def test_other_answers_are_errors(server: ConfigurationServer, status: int, answer: str) -> None:
    server.status = status
    said = refusal(f"{server.origin}/x")
    assert said.startswith(f"cannot read configuration '{server.origin}/x': {answer}")
    assert "jobs" not in said


def test_redirections_are_named_and_not_followed(server: ConfigurationServer) -> None:
    server.status, server.location = 302, "https://other.example/x?key=secret"
    said = refusal(server.origin, {TOKEN: "word"})
    assert "answers 302 and points to https://other.example/x?…; name that URL" in said
    assert len(server.asked) == 1


@pytest.mark.parametrize("way", ["variable", "file variable", "fragment file", "fragment variable"])
def test_a_token_comes_from_a_variable_or_a_file(tmp_path: Path, way: str) -> None:
    (tmp_path / "to ken").write_text("word\n")
    fragment, environment = {
        "variable": ("", {TOKEN: "word"}),
        "file variable": ("", {TOKEN_FILE: f"{tmp_path}/to ken"}),
        "fragment file": (f"#token-file={tmp_path}/to%20ken", {TOKEN: "other"}),
        "fragment variable": ("#token-env=MINE", {TOKEN: "other", "MINE": "word"}),
    }[way]
    with ConfigurationServer("{}", token="word") as server:
        assert read(f"{server.origin}/{fragment}", environment).text == "{}"


@pytest.mark.parametrize(
    ("fragment", "environment", "reason"),
    [
        ("#token-env=NONE", {}, "$NONE, which should hold the token, is not set"),
        ("#token-file=/none", {}, "the token file '/none' cannot be read: no such file or directory"),
        ("", {TOKEN: "un\nseen"}, "the token has characters that no header can have"),
        ("", {TOKEN: "unsäen"}, "the token has characters that no header can have"),
        ("#token=unseen", {}, "the part behind # is not understood; write one of token-file=…, token-env=…, ca-file=…"),
        ("#ca-file", {}, "the part behind # is not understood"),
    ],
)  # fmt: skip
def test_tokens_that_cannot_be_used(fragment: str, environment: dict[str, str], reason: str) -> None:
    said = refusal(f"http://127.0.0.1:1/{fragment}", environment)
    assert reason in said
    assert "seen" not in said


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://", "the URL names no host"),
        ("http:x", "the URL names no host"),
        ("http://127.0.0.1:x/", "the URL cannot be read"),
        ("http://[::1/", "the URL cannot be read"),
        ("http://u:p@127.0.0.1:1/", "a password in a URL can be read by every user of this machine"),
        ("http://127.0.0.1:1/a b", "the URL has characters that no URL can have"),
        ("http://127.0.0.1:1/a\r\nX: y", "the URL has characters that no URL can have"),
        ("http://127.0.0.1:1/", "127.0.0.1:1 does not answer: Connection refused; check the URL and the server"),
    ],
)
def test_urls_that_cannot_be_used(location: str, reason: str) -> None:
    assert reason in refusal(location)


def test_certificates_are_verified(papers: Path) -> None:
    with ConfigurationServer("{}", certificate=(papers, "server")) as server:
        assert read(f"{server.origin}/#ca-file={papers}/ours.pem").text == "{}"
        assert read(server.origin, {CA_FILE: f"{papers}/ours.pem"}).text == "{}"
        for location in (server.origin, f"{server.origin}/#ca-file={papers}/theirs.pem"):
            said = refusal(location)
            assert "its certificate cannot be verified: " in said
            assert said.endswith(f"name the CA that signed it: ${CA_FILE}, or #ca-file=PATH behind the URL")
        assert "the CA file '/none' cannot be used: No such file" in refusal(f"{server.origin}/#ca-file=/none")
    with ConfigurationServer("{}", certificate=(papers, "elsewhere")) as server:
        assert "its certificate cannot be verified: IP address mismatch" in refusal(
            server.origin, {CA_FILE: f"{papers}/ours.pem"}
        )


def test_what_is_not_encrypted_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corepilot.sources.http._HERE", frozenset())
    with ConfigurationServer("{}") as server:
        (warning,) = read(server.origin).warnings
        assert warning.endswith("is not encrypted: whoever is on the way can change what runs here; use https://")


def talking(answer: bytes) -> Talker:
    def talk(connected: socket.socket) -> None:
        connected.sendall(answer)
        connected.shutdown(socket.SHUT_WR)

    return Talker(talk)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "does not answer: Remote end closed connection"),
        (b"nonsense\r\n\r\n", "does not answer: nonsense"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "the answer ended 7 bytes too early"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{}", "does not answer: IncompleteRead"),
        (b"HTTP/1.1 200 OK\r\n\r\n\xff", "it is not UTF-8: byte 0xff at line 1, column 1 (byte 0)"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n", f"it has 9999999 bytes, and {MAX_BYTES} are the limit"),
    ],
)  # fmt: skip
def test_answers_that_are_none(answer: bytes, reason: str) -> None:
    with talking(answer) as server:
        assert reason in refusal(server.origin)


def test_an_answer_may_end_with_the_connection_or_come_in_pieces() -> None:
    with talking(b"HTTP/1.0 200 OK\r\n\r\n{}") as server:
        assert read(server.origin).text == "{}"
    with talking(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n") as server:
        assert read(server.origin).text == "{}"


def test_an_answer_without_a_length_is_bounded() -> None:
    def flood(connected: socket.socket) -> None:
        connected.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
        while True:
            connected.sendall(b"x" * 65536)

    with Talker(flood) as server:
        assert f"it has more bytes, and {MAX_BYTES} are the limit" in refusal(server.origin)


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"])
def test_a_server_that_hangs_is_named_when_the_time_is_over(sent: bytes) -> None:
    with Talker(lambda connected: connected.sendall(sent)) as server:
        said = refusal(server.origin, deadline_s=0.2)
        assert f"127.0.0.1:{server.port} did not answer within 0.2 s; check that the server can be reached" in said


def test_an_answer_that_trickles_is_bounded_too() -> None:
    def trickle(connected: socket.socket) -> None:
        connected.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not slow.wait(0.01):
            connected.sendall(b" ")

    with Talker(trickle) as slow:
        assert "did not answer within 0.3 s" in refusal(slow.origin, deadline_s=0.3)
