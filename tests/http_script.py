"""A server that does with each connection exactly what a test says, for clients that have to cope with it."""

import socket as native
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

import gevent
from gevent import socket

Talk = Callable[[native.socket], None]


class ScriptedServer:
    """Runs `talk` in a greenlet for each connection, and closes the connection after it.

    Args:
        talk: given the connected socket. An `OSError` in it means that the client has gone.
        path: of a unix socket; TCP on a free port without it.
    """

    def __init__(self, talk: Talk, path: str = "") -> None:
        self._talk = talk
        self.connections = 0
        if path:
            self._listener = socket.socket(native.AF_UNIX, native.SOCK_STREAM)
            self._listener.bind(path)
            self.origin = f"unix://{path}"
        else:
            self._listener = socket.socket(native.AF_INET, native.SOCK_STREAM)
            self._listener.bind(("127.0.0.1", 0))
            self.port = self._listener.getsockname()[1]
            self.origin = f"http://127.0.0.1:{self.port}"
        self._listener.listen(128)
        self._greenlets: list[gevent.Greenlet[..., None]] = [gevent.spawn(self._accept)]

    def _accept(self) -> None:
        while True:
            connected, _ = self._listener.accept()
            self.connections += 1
            self._greenlets.append(gevent.spawn(self._serve, connected))

    def _serve(self, connected: native.socket) -> None:
        with connected, suppress(OSError):
            self._talk(connected)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        gevent.killall(self._greenlets)
        self._listener.close()


def read_request(connected: native.socket) -> bytes:
    """The next request with its body, as it came; b"" if the client has gone."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connected.recv(65536)
        if not piece:
            return b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        body += connected.recv(65536)
    return head + b"\r\n\r\n" + body


def answer(status: str, body: bytes = b"", *fields: str) -> bytes:
    """A whole answer, such as `answer("200 OK", b"[]", "X-Consul-Index: 7")`."""
    head = "".join(f"{field}\r\n" for field in (*fields, f"Content-Length: {len(body)}"))
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


def say(answer: bytes) -> Talk:
    """Answers the first request with these bytes, and closes."""

    def talk(connected: native.socket) -> None:
        read_request(connected)
        connected.sendall(answer)

    return talk


def stay(connected: native.socket) -> None:
    """Reads for ever and says nothing."""
    while connected.recv(65536):
        pass


def eventually_switching(condition: Callable[[], object], deadline_s: float = 30) -> None:
    """Let the hub turn until the condition is true.

    Raises:
        AssertionError: it did not come true in time.
    """
    with gevent.Timeout(deadline_s, AssertionError(f"did not come true within {deadline_s} s")):
        while not condition():
            gevent.sleep(0.005)
