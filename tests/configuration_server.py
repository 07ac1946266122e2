"""A web server that serves a configuration, for tests: with an ETag, a token, TLS, and several ways to misbehave."""

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self


class ConfigurationServer:
    """Serves one document at every path.

    Args:
        text: The document.
        token: What has to be in `Authorization: Bearer …`; "" for nothing.
        certificate: Folder and name of NAME.pem and NAME.key, for TLS.

    Attributes:
        text: As given; may be changed.
        etag: What is sent as the ETag; "" for none.
        status: What is answered instead of 200.
        answered: The status of each request so far.
        asked: Path and headers of each request so far.
    """

    def __init__(self, text: str, *, token: str = "", certificate: tuple[Path, str] | None = None) -> None:
        self.text, self.token = text, token
        self.etag, self.status, self.location = '"1"', 200, ""
        self.answered: list[int] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        ours = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                ours.asked.append((self.path, dict(self.headers)))
                status = ours._status(self.headers.get("Authorization"), self.headers.get("If-None-Match"))
                ours.answered.append(status)
                body = b"" if status == 304 else ours.text.encode()
                self.send_response(status)
                if ours.etag:
                    self.send_header("ETag", ours.etag)
                if ours.location:
                    self.send_header("Location", ours.location)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  - as in the base class
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.origin = f"http://127.0.0.1:{self.port}"
        if certificate is not None:
            folder, name = certificate
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self.origin = f"https://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def _status(self, authorization: str | None, known: str | None) -> int:
        if self.token and authorization != f"Bearer {self.token}":
            return 401
        if self.status == 200 and self.etag and known == self.etag:
            return 304
        return self.status

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Talker:
    """A server that does with one connection what a test says, and holds it until the test ends.

    Args:
        talk: Given the connection after a request has come. An OSError in it means that the client has gone.
    """

    def __init__(self, talk: Callable[[socket.socket], None]) -> None:
        self._talk = talk
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.origin = f"http://127.0.0.1:{self.port}"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def wait(self, seconds: float = 60) -> bool:
        """Wait until the test ends; returns whether it has."""
        return self._over.wait(seconds)

    def _serve(self) -> None:
        with suppress(OSError):
            connected, _ = self._listener.accept()
            with connected:
                connected.recv(65536)
                self._talk(connected)
                self.wait()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes an accept
        self._listener.close()
        self._thread.join()
