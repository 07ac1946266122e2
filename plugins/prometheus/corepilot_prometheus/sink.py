"""`/metrics`, `/status` (ContainerPilot contract, section 9.2), `/livez` and `/readyz` over HTTP."""

import json
import time
from typing import Any

from prometheus_client import PROCESS_COLLECTOR, CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from corepilot.http.exchange import ServerLimits
from corepilot.http.message import Headers, Request, Response
from corepilot.http.server import HttpServer
from corepilot.telemetry.sink import Sink, SinkContext
from corepilot_prometheus.families import FamilyCollector, typed
from corepilot_prometheus.requests import Scrapes
from corepilot_prometheus.runtime import RuntimeCollector
from corepilot_prometheus.status import containerpilot_status

_JSON = Headers([("Content-Type", "application/json; charset=utf-8")])
_METRICS = Headers([("Content-Type", CONTENT_TYPE_PLAIN_0_0_4)])
_TEXT = Headers([("Content-Type", "text/plain; charset=utf-8")])


class PrometheusSink(Sink):
    """Listens on the address that the configuration's `telemetry` section chose."""

    def __init__(self, options: Any, context: SinkContext) -> None:
        super().__init__(options, context)
        self._registry = CollectorRegistry()
        self._registry.register(PROCESS_COLLECTOR)
        self._families = FamilyCollector(context.metrics)
        self._registry.register(self._families)
        self._runtime = RuntimeCollector()
        self._registry.register(self._runtime)
        self._scrapes = Scrapes(context.metrics)
        self._servers: list[HttpServer] = []
        self._addresses = [url(host, port) for host, port in context.listen]

    @property
    def address(self) -> str:
        """`http://ADDRESS:PORT`, several with blanks; the port that was found, once it has been started with port 0."""
        return " ".join(self._addresses)

    def start(self) -> None:
        """Listen and serve."""
        limits = ServerLimits(connections=self.options.connections, body_bytes=0)
        self._addresses = []
        for listener in self.context.listeners:
            host, port, *_ = listener.getsockname()
            self._addresses.append(url(host, port))
            server = HttpServer(listener, self._answer, on_error=self._broke, limits=limits, keep_alive=True)
            self._servers.append(server)
            server.start()
        self.context.log("info", f"telemetry at {self.address}")

    def close(self) -> None:
        """Stop at once: a scrape in flight is dropped."""
        self._runtime.close()
        while self._servers:
            self._servers.pop().stop(0)

    def _answer(self, request: Request) -> Response:
        if request.path == "/metrics":
            return self._scrape(request)
        if request.path == "/status":
            if request.method != "GET":
                return Response(405, _TEXT, b"Method Not Allowed\n")
            body = json.dumps(containerpilot_status(self.context.status(), self.context.version)).encode()
            return Response(200, _JSON, body)
        probed = self.context.probe(request.path, request.query) if request.method in {"GET", "HEAD"} else None
        if probed is not None:
            return Response(probed[0], _TEXT, probed[1].encode() + b"\n")
        return Response(404, _TEXT, b"404 page not found\n")

    def _scrape(self, request: Request) -> Response:
        began_at = time.monotonic()
        exposition = generate_latest(self._registry)
        response = Response(200, _METRICS, typed(exposition, self._families.families))
        self._scrapes.answered(request, response, began_at)
        return response

    def _broke(self, where: str, error: BaseException) -> None:
        self.context.log("error", f"{where}: {type(error).__name__}: {error}")


def url(host: str, port: int) -> str:
    """The URL of an address."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
