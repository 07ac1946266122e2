import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from corepilot.control import locations as places
from corepilot.control.client import ControlClient, find
from corepilot.errors import ControlError

Answer = Callable[[Callable[[socket.socket], None]], ControlClient]


@pytest.fixture
def answering(tmp_path: Path) -> Iterator[Answer]:
    """Makes a client of a socket behind which one connection is handled in a thread."""
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def make(talk: Callable[[socket.socket], None]) -> ControlClient:
        listener = socket.socket(socket.AF_UNIX)
        listeners.append(listener)
        listener.bind(str(tmp_path / "x.socket"))
        listener.listen(5)

        def run() -> None:
            connected, _ = listener.accept()
            with connected:
                talk(connected)

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return ControlClient(str(tmp_path / "x.socket"))

    yield make
    for thread in threads:
        thread.join(30)
    for listener in listeners:
        listener.close()


def say(answer: bytes) -> Callable[[socket.socket], None]:
    def talk(connected: socket.socket) -> None:
        connected.recv(65536)
        connected.sendall(answer)

    return talk


def test_what_is_sent_and_what_comes_back(answering: Answer) -> None:
    sent = []

    def talk(connected: socket.socket) -> None:
        sent.append(connected.recv(65536))
        connected.sendall(b"HTTP/1.1 422 Unprocessable Entity\r\nContent-Length: 3\r\n\r\nno\n")

    assert answering(talk).request("POST", "/v1/reload", b"{}") == (422, b"no\n")
    assert sent == [b"POST /v1/reload HTTP/1.0\r\nHost: corepilot\r\nContent-Length: 2\r\n\r\n{}"]


def test_an_answer_without_a_length_ends_with_the_connection(answering: Answer) -> None:
    assert answering(say(b"HTTP/1.0 200 OK\r\n\r\n\n")).request("GET", "/v3/ping") == (200, b"\n")


def test_an_early_answer_to_a_long_body_is_read(answering: Answer) -> None:
    def refuse(connected: socket.socket) -> None:
        connected.recv(100)
        connected.sendall(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")

    assert answering(refuse).request("POST", "/v1/environ", b"x" * 5_000_000) == (413, b"")


@pytest.mark.parametrize(
    "answer",
    [
        b"nonsense",
        b"HTTP/1.1 200 OK\r\n",
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    ],
)
def test_an_answer_that_is_none(answering: Answer, answer: bytes) -> None:
    with pytest.raises(ControlError, match=r"cannot understand the answer .* is this the control socket"):
        answering(say(answer)).request("GET", "/")


def test_an_answer_without_end(answering: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corepilot.control.client._LONGEST_ANSWER", 1000)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000
    with pytest.raises(ControlError, match="at most 1000 bytes"):
        answering(say(answer)).request("GET", "/")


def test_a_connection_that_is_closed_without_an_answer(answering: Answer) -> None:
    with pytest.raises(ControlError, match="it closed the connection; it may be stopping"):
        answering(say(b"")).request("GET", "/")


@pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 200 OK\r\n"])
def test_an_answer_that_does_not_come(answering: Answer, beginning: bytes) -> None:
    done = threading.Event()

    def hang(connected: socket.socket) -> None:
        connected.sendall(beginning)
        done.wait(30)

    client = answering(hang)
    try:
        with pytest.raises(ControlError, match=r"within 0.1 s: it is there, but busy or stopped"):
            client.request("GET", "/", deadline_s=0.1)
    finally:
        done.set()


def test_a_full_backlog(tmp_path: Path) -> None:
    path = str(tmp_path / "x.socket")
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as first:
        busy.bind(path)
        busy.listen(0)
        first.connect(path)
        with pytest.raises(ControlError, match="busy or stopped"):
            ControlClient(path).request("GET", "/", deadline_s=0.1)


class SourceMap:
    """The default places, moved below a directory of the test."""

    def __init__(self, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.environment = {"XDG_RUNTIME_DIR": f"{base}/user"}
        self.paths = [
            base / "run" / "containerpilot.socket",
            base / "user" / "corepilot" / "control.socket",
            base / "tmp" / f"corepilot-{os.geteuid()}" / "control.socket",
        ]
        for path in self.paths:
            path.parent.mkdir(parents=True)
        monkeypatch.setattr(places, "DEFAULT_PATH", str(self.paths[0]))
        monkeypatch.setattr(places, "_PRIVATE_PARENT", f"{base}/tmp")

    def error(self) -> str:
        with pytest.raises(ControlError) as caught:
            find(None, self.environment)
        return str(caught.value)


@pytest.fixture
def defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SourceMap:
    return SourceMap(tmp_path, monkeypatch)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_every_default_place_is_looked_at(defaults: SourceMap, index: int) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(defaults.paths[index]))
        listener.listen(1)
        assert find(None, defaults.environment).path == str(defaults.paths[index])


def test_nothing_anywhere(defaults: SourceMap) -> None:
    places_named = ", ".join(map(str, defaults.paths))
    assert defaults.error() == (
        f"cannot reach corepilot: no socket at {places_named}; is it running? "
        "if so, name the socket with --socket PATH, or its configuration with -c FILE"
    )


def test_something_stale_is_told_apart(defaults: SourceMap) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(defaults.paths[1]))
    error = defaults.error()
    assert f"nobody listens at {defaults.paths[1]}" in error
    assert "corepilot has ended there" in error
    defaults.paths[0].write_text("a file")
    assert f"nobody listens at {defaults.paths[0]}, {defaults.paths[1]}" in defaults.error()


def test_a_stale_place_does_not_hide_a_live_one(defaults: SourceMap) -> None:
    with socket.socket(socket.AF_UNIX) as dead, socket.socket(socket.AF_UNIX) as live:
        dead.bind(str(defaults.paths[0]))
        live.bind(str(defaults.paths[2]))
        live.listen(1)
        assert find(None, defaults.environment).path == str(defaults.paths[2])


def test_a_process_of_another_user_is_not_trusted_at_a_default_place(
    defaults: SourceMap, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(defaults.paths[0]))
        listener.listen(5)
        monkeypatch.setattr("corepilot.control.client.peer_of", lambda _: (1, 54321))
        assert f"a process of another user (uid 54321) listens at {defaults.paths[0]}" in defaults.error()
        # Whoever names it, knows it.
        assert find(str(defaults.paths[0])).path == str(defaults.paths[0])


def test_a_configured_place_is_the_only_one_that_is_looked_at(defaults: SourceMap, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(defaults.paths[0]))
        listener.listen(1)
        with pytest.raises(ControlError, match=f"no socket at {tmp_path}/mine; is it running"):
            find(f"{tmp_path}/mine", defaults.environment)


AS_NOBODY = """
import os, sys
from corepilot.control.client import find
from corepilot.errors import ControlError
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    find(sys.argv[1])
except ControlError as error:
    print(error)
"""


def test_no_permission(tmp_path: Path) -> None:
    path = tmp_path / "x.socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(1)
        path.chmod(0)
        for directory in (tmp_path, *tmp_path.parents[:2]):
            directory.chmod(0o711)
        found = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, str(path)], capture_output=True, text=True, check=True, timeout=60
        )
    assert found.stdout == (
        f"cannot reach corepilot: no permission to use {path}; "
        f"run this as the user corepilot runs as (uid {os.geteuid()}), or as root\n"
    )


def test_it_imports_next_to_nothing() -> None:
    code = "import sys; before = set(sys.modules); import corepilot.control.client; print(*set(sys.modules) - before)"
    found = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False, timeout=60)
    if found.returncode:  # not installed: run from the checkout
        found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    heavy = {"gevent", "h11", "http", "json", "typing", "dataclasses", "contextlib", "re", "logging", "pathlib"}
    assert not heavy & set(found.stdout.split())
