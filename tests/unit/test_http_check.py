"""The check `http`: the suite that every check has to pass, and answers of all kinds."""

import socket as native
from pathlib import Path
from typing import Any

import pytest
from http_script import ScriptedServer, read_request

from corepilot.checks.check import Check, CheckFailed
from corepilot.checks.http import BODY_MAX, HttpCheck
from corepilot.checks.http_plugin import Options
from corepilot.plugin import OptionError
from corepilot.plugin.verify import assert_light
from corepilot.testing.checks import CheckHangSuite, context

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Served:
    """A server whose next answer can be chosen."""

    def setup_method(self) -> None:
        self.reply = OK
        self.hanging = False
        self.server = ScriptedServer(self.talk)
        super().setup_method()  # type: ignore[misc]  # a suite's

    def teardown_method(self) -> None:
        super().teardown_method()  # type: ignore[misc]
        self.server.__exit__(None, None, None)

    def talk(self, connected: native.socket) -> None:
        read_request(connected)
        if self.hanging:
            connected.recv(1)
        else:
            connected.sendall(self.reply)

    def check(self) -> Check:
        return HttpCheck(Options(url=f"{self.server.origin}/health"), context())


class TestHttp(Served, CheckHangSuite):
    """A server that answers, refuses, or hangs."""

    def healthy(self) -> None:
        self.reply, self.hanging = OK, False

    def unhealthy(self) -> None:
        self.reply = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"

    def hang(self) -> None:
        self.hanging = True


def asked(answer: bytes | list[bytes], **options: Any) -> tuple[str, bytes]:
    """What a check says about an answer, and the request that it has sent."""
    requests: list[bytes] = []

    def talk(connected: native.socket) -> None:
        requests.append(read_request(connected))
        for part in [answer] if isinstance(answer, bytes) else answer:
            connected.sendall(part)

    with ScriptedServer(talk) as server:
        check = HttpCheck(Options(url=f"{server.origin}/x?y=%20z", **options), context())
        return check.ask(5.0), requests[0]


def failed(answer: bytes | list[bytes], **options: Any) -> str:
    with pytest.raises(CheckFailed) as error:
        asked(answer, **options)
    return str(error.value)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (OK, "200 ok"),
        ([OK[:9], OK[9:30], OK[30:]], "200 ok"),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil it is closed", "200 until it is closed"),
        (b"HTTP/1.1 200\r\n\r\n", "200"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "204"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, "200 ok"),
        ([b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n", OK], "200 ok"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\n\r\n", "200 ok"),
        (
            [
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1", b"\r\no\r\n1\r", b"\nk\r\n0\r\n",
                b"Trailer: 1\r\n\r\n",
            ],
            "200 ok",
        ),
        (b"HTTP/1.1 200 OK\r\ncontent-length:  2 \r\n\r\nok and more", "200 ok"),
    ],
)  # fmt: skip
def test_answers(answer: bytes | list[bytes], said: str) -> None:
    assert asked(answer)[0] == said


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", "closed without an answer"),
        (b"HTTP/1.1 200", "the answer breaks off"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "the answer is not HTTP"),
        (b"HTTP/1.1 2x0 OK\r\n\r\n", "the answer is not HTTP"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "the answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "the answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", "the answer breaks off"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok", "no usable Content-Length"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "not chunked as HTTP says"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", "200"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 40_000, "not chunked as HTTP says"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n", "longer than"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000, "the head of the answer is longer than"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n", "longer than"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (BODY_MAX + 1), "longer than"),
        (b"HTTP/1.1 302 Found\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n", "the answer is 302"),
    ],
)
def test_what_is_no_answer_of_a_healthy_job(answer: bytes, why: str) -> None:
    assert why in failed(answer, status=("200-299",) if "-1" not in answer.decode() else ("300",))


def test_what_is_asked() -> None:
    said, request = asked(OK, method="post", headers=("X-Word: abc", "host: example.com"), status=("200",), body="k")
    assert said == "200 ok"
    assert request.startswith(b"POST /x?y=%20z HTTP/1.1\r\n")
    lines = request.rstrip().split(b"\r\n")[1:]
    assert {b"X-Word: abc", b"host: example.com", b"Content-Length: 0", b"Connection: close"} <= set(lines)
    assert not [line for line in lines if line.startswith(b"Host:")]


def test_the_body_has_to_hold_a_text() -> None:
    assert failed(OK, body="no") == "the answer does not hold 'no': 200 ok"


def test_to_head_no_body_comes() -> None:
    assert asked(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n", method="HEAD")[0] == "200"


def test_nobody_listens() -> None:
    with pytest.raises(CheckFailed, match=r"cannot GET http://127.0.0.1:1/x: Connection refused"):
        HttpCheck(Options(url="http://127.0.0.1:1/x?secret"), context()).ask(1.0)


def test_over_a_unix_socket(tmp_path: Path) -> None:
    def talk(connected: native.socket) -> None:
        assert read_request(connected).startswith(b"GET /health ")
        connected.sendall(OK)

    path = str(tmp_path / "web.socket")
    with ScriptedServer(talk, path):
        assert HttpCheck(Options(url=f"unix://{path}:/health"), context()).ask(5.0) == "200 ok"


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("/", ("", "/")),
        ("/to?next=http://h/", ("", "/to?next=http://h/")),
        ("http://h", ("http://h", "/")),
        ("http://h:81?a=/b", ("http://h:81", "/?a=/b")),
        ("https://[::1]:8443/x?y", ("https://[::1]:8443", "/x?y")),
        ("unix:///run/web.socket", ("unix:///run/web.socket", "/")),
        ("unix:///run/web.socket:/x", ("unix:///run/web.socket", "/x")),
    ],
)
def test_where_is_asked_and_for_what(url: str, place: tuple[str, str]) -> None:
    assert Options(url=url).place == place


@pytest.mark.parametrize(
    "url",
    [
        *("http://h/a b", "http://h/a\r\nX: y", "http://h/#top", "ftp://h/", "http://u@h/", "http://h:99999/"),
        *("http:///x", "http://h:http/", "https://::1/", "unix://run/web.socket:/x"),
    ],
)
def test_urls_that_nobody_can_ask(url: str) -> None:
    with pytest.raises(OptionError):
        Options(url=url)


def test_the_light_module_is_light() -> None:
    assert_light("corepilot.checks.http_plugin")
