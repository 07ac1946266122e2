"""A small front end for machines without nginx: `front.py RUN PORT`.

/hello and /world are answered by one of their instances, in turn. They are in RUN/instances, one a line (`SERVICE
ADDRESS:PORT ID`), which corepilot replaces whenever they change.
"""

import itertools
import socket
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingTCPServer

RUN, PORT = Path(sys.argv[1]), int(sys.argv[2])
SERVICES = ("hello", "world")
TURN = itertools.count()


def instances(service: str) -> list[tuple[str, int]]:
    """Where the service is now, beginning with the one whose turn it is."""
    lines = [line.split() for line in (RUN / "instances").read_text().splitlines()]
    addresses = [address.rpartition(":") for name, address, _ in lines if name == service]
    first = next(TURN) % max(len(addresses), 1)
    return [(host, int(port)) for host, _, port in addresses[first:] + addresses[:first]]


def ask(host: str, port: int) -> bytes:
    """The body of the instance's answer."""
    with socket.create_connection((host, port), timeout=2) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 200 " not in head.partition(b"\r\n")[0]:
        raise ConnectionError(f"{host}:{port} does not answer")
    return body


class Front(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        service = self.path.strip("/")
        if not service:
            self.answer(200, b"ask for /hello or /world\n")
        elif service in SERVICES:
            self.forward(service)
        else:
            self.answer(404, b"not found\n")

    def forward(self, service: str) -> None:
        for host, port in instances(service):
            try:
                body = ask(host, port)
            except OSError:
                continue  # it has just gone; the list will say so in a moment
            self.answer(200, body)
            return
        self.answer(502, f"no instance of {service}\n".encode())

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Not a line for each health check."""


class Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


with Server(("127.0.0.1", PORT), Front) as server:
    print(f"the front end listens on 127.0.0.1:{PORT}", flush=True)
    server.serve_forever()
