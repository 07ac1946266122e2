"""A Consul agent that agrees with everything, and remembers what it was asked."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from http_script import read_request


@dataclass(frozen=True)
class Sent:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


class Recorder:
    """Answers everything with 200 and an empty list, and remembers what was asked."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self._answers = threading.Event()
        self._answers.set()

    def hold(self) -> None:
        """Answer nothing more, until `release`."""
        self._answers.clear()

    def release(self) -> None:
        """Answer again, also what waits."""
        self._answers.set()

    def talk(self, connected: socket.socket) -> None:
        while request := read_request(connected):
            head, _, body = request.partition(b"\r\n\r\n")
            first, *fields = head.decode().split("\r\n")
            method, target, _ = first.split(" ")
            parts = urlsplit(target)
            headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
            self.sent.append(
                Sent(method, parts.path, dict(parse_qsl(parts.query)), headers, json.loads(body) if body else None)
            )
            self._answers.wait()
            index = len(self.sent)
            connected.sendall(f"HTTP/1.1 200 OK\r\nX-Consul-Index: {index}\r\nContent-Length: 2\r\n\r\n[]".encode())

    def take(self) -> list[tuple[str, str, Any]]:
        taken = [(one.method, one.path, one.body) for one in self.sent]
        self.sent.clear()
        return taken


@contextlib.contextmanager
def listening(recorder: Recorder) -> Iterator[str]:
    """Serve in threads, for a test whose own thread waits for processes; gives the address."""

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                recorder.talk(self.request)

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
