"""The application: answers every request with its own name. `greeter.py NAME PORT`."""

import sys
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer

NAME, PORT = sys.argv[1], int(sys.argv[2])


class Greeter(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = f"{NAME}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Not a line for each health check."""


class Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


with Server(("127.0.0.1", PORT), Greeter) as server:
    print(f"{NAME} listens on 127.0.0.1:{PORT}", flush=True)
    server.serve_forever()
