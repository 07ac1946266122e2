import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from corepilot.control import locations as places
from corepilot.control.client import ControlClient, find, quoted
from corepilot.control.stream import AnswerStream
from corepilot.errors import ControlError
from corepilot.http.message import split_target

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


def test_any_name_can_be_part_of_a_path() -> None:
    name = "a b/c?d#e%2Fé\r\nX: y"
    assert quoted(name) == "a%20b%2Fc%3Fd%23e%252F%C3%A9%0D%0AX%3A%20y"
    assert split_target(f"/v1/{quoted(name)}".encode()) == (f"/v1/{name}", "")
    assert quoted("web-1.x_y~") == "web-1.x_y~"


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
    monkeypatch.setattr("corepilot.control.wire.LONGEST_ANSWER", 1000)
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


TURNED_AWAY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"


def test_a_server_without_room_is_asked_again_until_the_deadline(tmp_path: Path) -> None:
    path = str(tmp_path / "x.socket")
    answers = [TURNED_AWAY, TURNED_AWAY, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(5)

        def serve() -> None:
            for answer in answers:
                connected, _ = listener.accept()
                with connected:
                    connected.sendall(answer)
                    connected.recv(65536)

        for ask in (
            lambda client: client.request("GET", "/", deadline_s=30),
            lambda client: read_stream(client.stream("GET", "/", deadline_s=30)),
        ):
            thread = threading.Thread(target=serve)
            thread.start()
            assert ask(ControlClient(path)) == (200, b"ok")
            thread.join(30)


def test_a_server_that_has_no_room_in_time_is_no_error_of_the_connection(
    answering: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("corepilot.control.client.TURNED_AWAY_WAIT_S", 1000)
    assert answering(say(TURNED_AWAY)).request("GET", "/", deadline_s=30) == (503, b"")


def read_stream(stream: AnswerStream) -> tuple[int, bytes]:
    with stream:
        return stream.status, b"\n".join(stream)


def test_only_the_process_that_is_meant_is_asked(tmp_path: Path) -> None:
    path = str(tmp_path / "x.socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(5)
        with pytest.raises(ControlError, match="nobody listens at"):
            ControlClient(path, pid=1).request("GET", "/")
        connected, _ = listener.accept()
        with connected:
            assert connected.recv(100) == b""


def in_pieces(*pieces: bytes) -> Callable[[socket.socket], None]:
    """Say each piece in a packet of its own."""

    def talk(connected: socket.socket) -> None:
        connected.recv(65536)
        for piece in pieces:
            connected.sendall(piece)

    return talk


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "lines"),
    [
        (CHUNKED + b"4\r\none\n\r\n6\r\ntwo\nth\r\n9;x=y\r\nree\n\n6 \xff\n\r\n0\r\n\r\n",
         [b"one", b"two", b"three", b"", b"6 \xff"]),
        (CHUNKED + b"3\r\nend\r\n0\r\nTrailer: x\r\n\r\n", [b"end"]),
        (CHUNKED + b"0\r\n\r\n", []),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\na\nb\r\nc", [b"a", b"b\r", b"c"]),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", []),
        (b"HTTP/1.0 200 OK\r\n\r\na\nb", [b"a", b"b"]),
    ],
)  # fmt: skip
def test_a_stream_of_lines_wherever_it_is_cut(answering: Answer, answer: bytes, lines: list[bytes]) -> None:
    client = answering(in_pieces(*(answer[i : i + 1] for i in range(len(answer)))))
    with client.stream("GET", "/follow", deadline_s=30) as stream:
        assert stream.status == 200
        assert list(stream) == lines
        assert list(stream) == []


def test_what_a_stream_sends(answering: Answer) -> None:
    sent = []

    def talk(connected: socket.socket) -> None:
        sent.append(connected.recv(65536))
        connected.sendall(b"HTTP/1.1 409 Conflict\r\nContent-Length: 5\r\n\r\nno\nx\n")

    with answering(talk).stream("POST", "/v1/jobs/a/stop", b"{}") as stream:
        assert (stream.status, stream.read()) == (409, b"no\nx\n")
    assert sent == [
        b"POST /v1/jobs/a/stop HTTP/1.1\r\nHost: corepilot\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
    ]


def test_a_line_is_there_as_soon_as_it_is_complete(answering: Answer) -> None:
    go_on = threading.Event()

    def talk(connected: socket.socket) -> None:
        connected.recv(65536)
        connected.sendall(CHUNKED + b"6\r\none\ntw\r\n")
        go_on.wait(30)
        connected.sendall(b"2\r\no\n\r\n0\r\n\r\n")

    with answering(talk).stream("GET", "/") as stream:
        assert next(stream) == b"one"
        go_on.set()
        assert list(stream) == [b"two"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (CHUNKED + b"4\r\none\n\r\n", "the connection was lost"),
        (CHUNKED + b"4\r\none\n", "the connection was lost"),
        (CHUNKED + b"9\r\none\n", "the connection was lost"),
        (CHUNKED + b"4\r\none\n\r\n0\r\n", "the connection was lost"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\none\n", "the connection was lost"),
        (CHUNKED + b"4\r\none\nxx\r\n0\r\n\r\n", "cannot understand"),
        (CHUNKED + b"4\r\none\n\r\n-1\r\n", "cannot understand"),
        (CHUNKED + b"4\r\none\n\r\n1_0\r\n", "cannot understand"),
        (CHUNKED + b"4\r\none\n\r\n" + b"1" * 10_000, "cannot understand"),
    ],
)
def test_an_answer_that_breaks_off_is_no_end(answering: Answer, answer: bytes, error: str) -> None:
    with answering(say(answer)).stream("GET", "/", deadline_s=30) as stream:
        assert next(stream) == b"one"
        with pytest.raises(ControlError, match=error):
            list(stream)


def test_a_line_without_end(answering: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corepilot.control.stream.LONGEST_ANSWER", 1000)
    with (
        answering(say(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 100_000)).stream("GET", "/", deadline_s=30) as stream,
        pytest.raises(ControlError, match="cannot understand"),
    ):
        next(stream)


@pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 200 OK\r\n", CHUNKED, CHUNKED + b"4\r\none"])
def test_a_stream_that_takes_longer_than_it_may(answering: Answer, beginning: bytes) -> None:
    done = threading.Event()

    def hang(connected: socket.socket) -> None:
        connected.recv(65536)
        connected.sendall(beginning)
        done.wait(30)

    def read(client: ControlClient) -> list[bytes]:
        with client.stream("GET", "/", deadline_s=0.1) as stream:
            return list(stream)

    client = answering(hang)
    try:
        with pytest.raises(ControlError, match=r"within 0\.1 s: it is there, but busy or stopped"):
            read(client)
    finally:
        done.set()


def test_a_stream_to_nobody(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="cannot reach corepilot: no socket at"):
        ControlClient(str(tmp_path / "none")).stream("GET", "/")


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
def defaults(monkeypatch: pytest.MonkeyPatch) -> Iterator[SourceMap]:
    """Below a directory with a short name: that of a socket has 107 bytes at most."""
    made = Path(tempfile.mkdtemp(prefix="places-", dir="/tmp"))
    yield SourceMap(made, monkeypatch)
    shutil.rmtree(made)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_every_default_place_is_looked_at(defaults: SourceMap, index: int) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(defaults.paths[index]))
        listener.listen(1)
        assert find(None, defaults.environment).path == str(defaults.paths[index])


def test_what_paths_hold_cannot_forge_a_line(tmp_path: Path) -> None:
    path = f"{tmp_path}/a\n\x1b[2J"
    for ask in (lambda: find(path), lambda: ControlClient(path).request("GET", "/")):
        with pytest.raises(ControlError) as caught:
            ask()
        assert str(caught.value).isprintable()
        assert rf"{tmp_path}/a\n\x1b[2J" in str(caught.value)


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
        monkeypatch.setattr("corepilot.control.wire.peer_of", lambda _: (1, 54321))
        assert f"a process of another user (uid 54321) listens at {defaults.paths[0]}" in defaults.error()
        # Whoever names it, knows it.
        assert find(str(defaults.paths[0])).path == str(defaults.paths[0])


def test_root_finds_the_socket_of_the_user_whose_container_it_is(
    defaults: SourceMap, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = defaults.paths[2].parent.with_name("corepilot-54321") / "control.socket"
    path.parent.mkdir()
    monkeypatch.setattr("corepilot.control.wire.peer_of", lambda _: (1, 54321))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(5)
        assert str(path) not in defaults.error(), "a directory of another user's than its name says"
        os.chown(path.parent, 54321, -1)
        assert defaults.error().endswith(f"uid 54321 may have one at {path}: name it with --socket")
        monkeypatch.setattr("corepilot.control.client.container_user", lambda: 54321)
        assert find(None, defaults.environment).path == str(path)
        monkeypatch.setattr("corepilot.control.wire.peer_of", lambda _: (1, 54322))
        assert f"a process of another user (uid 54322) listens at {path}" in defaults.error()


def pong(config: str | None) -> Callable[[socket.socket], None]:
    body = json.dumps({"pid": 1} if config is None else {"pid": 1, "config": config}).encode()
    return say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


class Others:
    """Corepilots at sockets, each of which says which configuration it runs."""

    def __init__(self) -> None:
        self._listeners: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def add(self, path: Path, config: str | None) -> None:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen(10)

        def serve() -> None:
            while True:
                try:
                    connected, _ = listener.accept()
                except OSError:
                    return
                with connected:
                    try:
                        pong(config)(connected)
                    except OSError:
                        continue

        self._listeners.append(listener)
        self._threads.append(threading.Thread(target=serve))
        self._threads[-1].start()

    def end(self) -> None:
        for listener in self._listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for thread in self._threads:
            thread.join(30)


@pytest.fixture
def others() -> Iterator[Others]:
    made = Others()
    yield made
    made.end()


@pytest.mark.parametrize("required", [True, False])
def test_of_several_it_is_the_one_that_runs_the_configuration(
    defaults: SourceMap, others: Others, *, required: bool
) -> None:
    for path, config in zip(defaults.paths, ("/etc/one.json5", "/etc/two.json5", "/etc/three.json5"), strict=True):
        others.add(path, config)
    for path, config in zip(defaults.paths, ("/etc/one.json5", "/etc/./two.json5", "/etc/three.json5"), strict=True):
        client = find(None, defaults.environment, config=config, required=required)
        assert (client.path, client.pid) == (str(path), os.getpid())
    with pytest.raises(ControlError) as caught:
        find(None, defaults.environment, config="/etc/four.json5", required=required)
    assert "cannot find the corepilot that runs /etc/four.json5: the one at" in str(caught.value)
    for path, config in zip(defaults.paths, ("/etc/one.json5", "/etc/two.json5", "/etc/three.json5"), strict=True):
        assert f"the one at {path} (pid {os.getpid()}) runs {config}" in str(caught.value)
    with pytest.raises(ControlError, match="cannot tell which corepilot is meant: the one at"):
        find(None, defaults.environment)


def test_a_configuration_that_is_named_is_the_only_one_that_will_do(defaults: SourceMap, others: Others) -> None:
    others.add(defaults.paths[0], "/etc/one.json5")
    with pytest.raises(ControlError) as caught:
        find(None, defaults.environment, config="/etc/two.json5", required=True)
    assert str(caught.value) == (
        f"cannot find the corepilot that runs /etc/two.json5: the one at {defaults.paths[0]} (pid {os.getpid()}) runs "
        f"/etc/one.json5; no socket at {defaults.paths[1]}, {defaults.paths[2]}; "
        "name the socket with --socket PATH, or the configuration that it runs with -c FILE"
    )
    # Otherwise the only one that answers is it.
    assert find(None, defaults.environment, config="/etc/two.json5").path == str(defaults.paths[0])


def test_also_at_a_socket_that_the_configuration_names(tmp_path: Path, others: Others) -> None:
    path = tmp_path / "x.socket"
    others.add(path, "/etc/one.json5")
    assert find(str(path), {}, config="/etc/one.json5", required=True).path == str(path)
    with pytest.raises(ControlError, match=r"cannot find the corepilot that runs /etc/two.json5: .*one\.json5"):
        find(str(path), {}, config="/etc/two.json5", required=True)


def test_one_that_does_not_say_what_it_runs_will_not_do(tmp_path: Path, others: Others) -> None:
    others.add(tmp_path / "x.socket", None)
    with pytest.raises(ControlError, match="does not say what it runs"):
        find(str(tmp_path / "x.socket"), {}, config="/etc/one.json5", required=True)


def test_links_to_a_configuration_are_followed_when_it_is_asked_for(tmp_path: Path, others: Others) -> None:
    """A mounted configuration is a link that is exchanged at each update: what it was at the start does not count."""
    for version in ("1", "2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "app.json5").write_text("{}")
    current = tmp_path / "current"
    current.symlink_to("1")
    others.add(tmp_path / "x.socket", f"{current}/app.json5")
    for version in ("1", "2"):
        current.unlink()
        current.symlink_to(version)
        for name in (f"{current}/app.json5", f"{tmp_path}/{version}/app.json5"):
            assert find(str(tmp_path / "x.socket"), {}, config=name, required=True).pid == os.getpid()


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


def test_no_permission() -> None:
    # Not in pytest's directory, which others cannot reach.
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX) as listener:
        path = Path(directory) / "x.socket"
        listener.bind(str(path))
        listener.listen(1)
        path.chmod(0)
        Path(directory).chmod(0o711)
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
    heavy = {
        "corepilot.control.stream",
        "gevent",
        "h11",
        "http",
        "json",
        "typing",
        "dataclasses",
        "contextlib",
        "re",
        "logging",
        "pathlib",
    }
    assert not heavy & set(found.stdout.split())
