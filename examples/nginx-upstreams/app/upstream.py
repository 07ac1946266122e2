"""The application: works on every request for a moment and answers with its name. `upstream.py INSTANCE PORT`."""

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME, PORT = f"app-{sys.argv[1]}", int(sys.argv[2])
WORK_S = 0.05


class App(BaseHTTPRequestHandler):
    wbufsize = -1  # an answer is written at once: nobody gets half of one

    def do_GET(self) -> None:
        if self.path != "/health":
            time.sleep(WORK_S)  # whoever is killed meanwhile has not answered
        body = f"{NAME}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *arguments: object) -> None:
        """Not a line for each request."""


class Server(ThreadingHTTPServer):
    request_queue_size = 128


with Server(("127.0.0.1", PORT), App) as server:
    print(f"{NAME} listens on 127.0.0.1:{PORT}", flush=True)
    server.serve_forever()
